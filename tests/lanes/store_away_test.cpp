// The store goes away while handlers need it: the lane waits without its baton, and blames nobody.
#include <future>

#include "lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

/// Connections that can be made to fail, as those of a server that is gone.
class Gone final : public Connection {
 public:
  Gone(std::unique_ptr<Connection> real, const std::atomic<bool>& away) : real_(std::move(real)), away_(away) {}
  void begin(Durability durability) override { there().begin(durability); }
  void commit() override { there().commit(); }
  void rollback() noexcept override { real_->rollback(); }
  bool in_transaction() const override { return real_->in_transaction(); }
  std::unique_ptr<Cursor> execute(std::string_view sql, std::span<const tl_value> values, std::size_t most) override {
    return there().execute(sql, values, most);
  }
  std::unique_ptr<Cursor> query(std::string_view sql, std::span<const tl_value> values) override {
    return there().query(sql, values);
  }
  void run_script(std::string_view sql) override { there().run_script(sql); }
  void savepoint(const char* name) override { there().savepoint(name); }
  void rollback_to(const char* name) override { there().rollback_to(name); }
  void release(const char* name) override { there().release(name); }
  std::shared_ptr<const BoundTable> bind_table(const TableShape& shape) override { return there().bind_table(shape); }
  void write(const BoundTable& table, std::span<const RowChange> rows) override { there().write(table, rows); }
  bool read(const BoundTable& table, std::span<const tl_value> key, std::vector<tl_value>& row) override {
    return there().read(table, key, row);
  }
  bool alive() const override { return !lost_ && real_->alive(); }

 private:
  Connection& there() {
    lost_ = lost_ || away_;
    if (lost_) throw StoreError(StoreError::Kind::Away, "08006", "the server is gone", true);
    return *real_;
  }
  std::unique_ptr<Connection> real_;
  const std::atomic<bool>& away_;
  bool lost_ = false;
};

class GoneNamespace final : public Namespace {
 public:
  GoneNamespace(std::unique_ptr<Namespace> real, const std::atomic<bool>& away) : real_(std::move(real)), away_(away) {}
  const std::string& name() const override { return real_->name(); }
  std::unique_ptr<Connection> connect(bool read_only) override {
    if (away_) throw StoreError(StoreError::Kind::Away, "08001", "the server cannot be reached", true);
    return std::make_unique<Gone>(real_->connect(read_only), away_);
  }

 private:
  std::unique_ptr<Namespace> real_;
  const std::atomic<bool>& away_;
};

class StoreGoneTest : public LaneTest {
 protected:
  std::shared_ptr<Lane> start(Plan& plan) {
    auto lane = std::make_shared<Lane>("fake", std::make_unique<GoneNamespace>(store_->open(name_), away_), context_);
    lane->start(make(plan), factory(plan), 1);
    lane->attach(*journal_);
    lanes_["fake"] = lane;
    return lane;
  }
  static bool in_state(const Lane& lane, std::string_view state) {
    return eventually([&] { return lane.status().state == state; });
  }
  std::atomic<bool> away_ = false;
};

// Handlers that read by key, by SQL, and keys of their own.
TEST_P(StoreGoneTest, HandlersThatNeedItWaitAndAreNotBlamed) {
  for (int kind = 0; kind < 3; ++kind) {
    SCOPED_TRACE(kind);
    const auto base = static_cast<std::uint32_t>(kind) * 100;
    Plan plan;
    plan.commit_every_us = 3'600'000'000;
    plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
      ++fake.member;
      tl_status status = TL_OK;
      tl_str value{};
      if (kind == 0) fake.counted(turn, 77, &status);
      if (kind == 1) status = fake.work->kv_get(turn, abi("key"), &value);
      if (kind == 2) status = fake.work->sql(turn, abi("UPDATE counts SET n = n WHERE name = 0"), nullptr, 0, nullptr);
      if (status < 0 && status != TL_NOT_FOUND) return status;
      fake.count(turn, 1);
      return fake.saw(turn, event.position);
    };
    plan.methods["add"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.count(turn, 2); };
    auto lane = start(plan);
    append(base + 1, base + 5);
    ASSERT_TRUE(handled_to(*lane, base + 5));
    away_ = true;
    append(base + 6, base + 20);
    ASSERT_TRUE(in_state(*lane, "waiting")) << lane->status().why;
    const auto status = lane->status();
    EXPECT_NE(status.why.find("the store is away"), std::string::npos) << status.why;
    EXPECT_NE(status.since_us, 0);
    EXPECT_EQ(status.failures, 0u);
    // Who asks is told, although nobody set a deadline.
    const RequestAnswer answer = lane->request(call("add"));
    EXPECT_EQ(answer.status, TL_UNAVAILABLE);
    EXPECT_NE(answer.error.find("the store is away"), std::string::npos) << answer.error;
    away_ = false;
    ASSERT_TRUE(in_state(*lane, "running"));
    ASSERT_TRUE(handled_to(*lane, base + 20));
    EXPECT_EQ(lane->request(call("add")).status, TL_OK);
    EXPECT_EQ(handled(), base / 5 + 20) << "each once";
    EXPECT_EQ(doubled(), 0);
    EXPECT_EQ(dead(), 0);
    EXPECT_GE(plan.created, 2) << "a new instance at the committed position";
    EXPECT_EQ(lane->status().failures, 0u);
    lane.reset();
    stop();
  }
}

// A unit is being written when the store goes; a handler that throws meanwhile must not lose or double it.
TEST_P(StoreGoneTest, WhatIsSealedIsWrittenWhenItIsBack) {
  Plan plan;
  std::atomic<int> failures = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    fake.count(turn, 1);
    if (Position{event.position}.seq() == 30 && ++failures <= 1) return fake.fail(turn, "once");
    return TL_OK;
  };
  plan.commit_every_us = 10'000;
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  away_ = true;
  append(11, 20);
  ASSERT_TRUE(eventually([&] { return lane->status().writer.store_away; }));
  append(21, 40);
  ASSERT_TRUE(in_state(*lane, "waiting"));
  away_ = false;
  ASSERT_TRUE(committed_to(40));
  EXPECT_EQ(handled(), 40);
  EXPECT_EQ(count_of(1), 40);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(dead(), 0);
}

// Plugins whose handlers only stage go on until their unit is full; their requests are told.
TEST_P(StoreGoneTest, RequestsAreAnsweredInTime) {
  Plan plan;
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) { return fake.saw(turn, event.position); };
  plan.methods["stages"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.count(turn, 2); };
  plan.methods["reads"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    tl_status status = TL_OK;
    fake.counted(turn, 5, &status);
    return status == TL_NOT_FOUND ? TL_OK : status;
  };
  plan.methods["queries"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    tl_id rows = 0;
    return fake.rows->query(turn, abi("SELECT n FROM counts"), nullptr, 0, &rows);
  };
  plan.methods["commits"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    fake.count(turn, 3);
    return fake.wait->commit(turn);
  };
  plan.methods["nothing"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.say(turn, "1"); };
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  away_ = true;
  append(11, 20);
  for (const char* method : {"stages", "reads", "queries", "commits"}) {
    const RequestAnswer answer = lane->request(call(method));  // without a deadline
    EXPECT_EQ(answer.status, TL_UNAVAILABLE) << method;
    EXPECT_NE(answer.error.find("store"), std::string::npos) << answer.error;
  }
  EXPECT_EQ(lane->request(call("nothing")).body, "1") << "what needs no store is served";
  away_ = false;
  append(21, 30);
  ASSERT_TRUE(committed_to(30));
  EXPECT_EQ(handled(), 30);
  EXPECT_EQ(count_of(2), 1) << "staged and sealed before it was known that the store is away";
  EXPECT_EQ(count_of(3), 1);
  EXPECT_EQ(lane->request(call("reads")).status, TL_OK);
}

// A job that is done is not run again because the store was away when it ended.
TEST_P(StoreGoneTest, AJobWaitsForItsCommit) {
  Plan plan;
  std::atomic<int> runs = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) {
    ++runs;
    away_ = true;
    return fake.count(turn, 4);
  };
  auto lane = start(plan);
  RequestCall job;
  job.kind = TL_JOB;
  job.name = "work";
  job.deadline_us = clock_us() + 60'000'000;
  auto answer = std::async(std::launch::async, [&] { return lane->request(job); });
  ASSERT_TRUE(eventually([&] { return lane->status().writer.store_away; }));
  EXPECT_EQ(answer.wait_for(4s), std::future_status::timeout) << "longer than a caller's patience";
  away_ = false;
  EXPECT_EQ(answer.get().status, TL_OK);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(count_of(4), 1);
}

/// Memory for JSON that can be used up.
class ScarceMemory final : public boost::json::memory_resource {
 public:
  std::atomic<bool> used_up = false;

 private:
  void* do_allocate(std::size_t size, std::size_t) override {
    if (used_up) throw std::bad_alloc();
    return ::operator new(size);
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override { ::operator delete(memory); }
  bool do_is_equal(const boost::json::memory_resource& other) const noexcept override { return this == &other; }
};

TEST_P(StoreGoneTest, NoMemoryForAnEventIsNotItsFault) {
  ScarceMemory memory;
  context_.json_memory = &memory;
  const auto* json = static_cast<const tl_json_v1*>(find_abi_table("trellis.json/1"));
  Plan plan;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    const tl_json document = json->event(turn);  // a handler may well take a missing document for an empty one
    const std::uint64_t length = json->length(json->key(document, abi("list")));
    fake.count(turn, 1, static_cast<std::int64_t>(length));
    return fake.saw(turn, event.position);
  };
  auto lane = start(plan);
  std::string data = R"({"list":[0)";
  for (int i = 1; i < 5000; ++i) data += "," + std::to_string(i);  // more than the turn's own buffer holds
  data += "]}";
  Record record;
  record.type = event_type("MESSAGE_CREATE");
  record.data = data;
  for (const std::uint32_t seq : {1u, 2u}) {
    memory.used_up = seq == 2;
    record.position = Position::of(7, seq);
    ASSERT_TRUE(journal_->append(record));
    ASSERT_FALSE(journal_->flush());
    if (seq == 1) ASSERT_TRUE(committed_to(1));
  }
  ASSERT_TRUE(in_state(*lane, "paused"));
  EXPECT_NE(lane->status().why.find("no memory"), std::string::npos) << lane->status().why;
  EXPECT_NE(lane->status().retry_us, 0);
  EXPECT_EQ(lane->status().failures, 0u);
  memory.used_up = false;
  ASSERT_TRUE(committed_to(2));
  EXPECT_EQ(handled(), 2);
  EXPECT_EQ(count_of(1), 10'000);
  EXPECT_EQ(dead(), 0);
  stop();
}

TRELLIS_ON_BOTH(StoreGoneTest);

}  // namespace
}  // namespace trellis::host
