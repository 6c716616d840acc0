#include "lanes/unit_writer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <random>
#include <thread>

#include "../store/store_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Outcome = UnitWriter::Outcome;
using Failure = UnitWriter::Failure;

template <class F>
bool eventually(F&& condition) {
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A namespace that can be "away": connecting fails, and so does every statement of open connections.
class Flaky final : public Namespace {
 public:
  explicit Flaky(Namespace& real) : real_(real) {}
  const std::string& name() const override { return real_.name(); }
  std::unique_ptr<Connection> connect(bool read_only) override {
    check();
    auto connection = real_.connect(read_only);
    ++connects;
    return std::make_unique<Wrapped>(*this, std::move(connection));
  }
  std::atomic<bool> away = false;
  std::atomic<int> connects = 0;
  std::atomic<int> sync = 0, lazy = 0;     // begun
  std::atomic<int> lose_after_commit = 0;  // so many commits happen, and nobody hears of it
  std::atomic<int> lose_before_commit = 0;
  std::atomic<int> lose_at_sync = 0;  // when a transaction begins that waits for the disk
  std::atomic<int> synced = 0;        // such transactions that were committed
  std::function<void()> before_sync;  // once

 private:
  [[noreturn]] static void gone() { throw StoreError(StoreError::Kind::Away, "08006", "the connection was cut", true); }
  void check() const {
    if (away) gone();
  }
  class Wrapped final : public Connection {
   public:
    Wrapped(Flaky& owner, std::unique_ptr<Connection> real) : owner_(owner), real_(std::move(real)) {}
    void begin(Durability d) override {
      check();
      sync_ = d == Durability::Sync;
      if (sync_ && owner_.before_sync) std::exchange(owner_.before_sync, nullptr)();
      if (sync_ && owner_.lose_at_sync > 0) {
        --owner_.lose_at_sync;
        lose();
      }
      ++(sync_ ? owner_.sync : owner_.lazy);
      real_->begin(d);
    }
    void commit() override {
      check();
      if (owner_.lose_before_commit > 0) {
        --owner_.lose_before_commit;
        real_->rollback();
        lose();
      }
      real_->commit();
      if (sync_) ++owner_.synced;
      if (owner_.lose_after_commit > 0) {
        --owner_.lose_after_commit;
        lose();
      }
    }
    void rollback() noexcept override { real_->rollback(); }
    bool in_transaction() const override { return real_->in_transaction(); }
    std::unique_ptr<Cursor> execute(std::string_view sql, std::span<const tl_value> values, std::size_t max) override {
      check();
      return real_->execute(sql, values, max);
    }
    std::unique_ptr<Cursor> query(std::string_view sql, std::span<const tl_value> values) override {
      check();
      return real_->query(sql, values);
    }
    void run_script(std::string_view sql) override {
      check();
      real_->run_script(sql);
    }
    void savepoint(const char* name) override { real_->savepoint(name); }
    void rollback_to(const char* name) override { real_->rollback_to(name); }
    void release(const char* name) override { real_->release(name); }
    std::shared_ptr<const BoundTable> bind_table(const TableShape& shape) override { return real_->bind_table(shape); }
    void write(const BoundTable& table, std::span<const RowChange> rows) override {
      check();
      real_->write(table, rows);
    }
    bool read(const BoundTable& table, std::span<const tl_value> key, std::vector<tl_value>& row) override {
      check();
      return real_->read(table, key, row);
    }
    bool alive() const override { return !lost_ && real_->alive(); }

   private:
    void check() {
      if (owner_.away) lose();
      if (lost_) gone();
    }
    [[noreturn]] void lose() {
      lost_ = true;
      real_->rollback();
      gone();
    }
    Flaky& owner_;
    std::unique_ptr<Connection> real_;
    bool lost_ = false, sync_ = false;
  };
  Namespace& real_;
};

class UnitWriterTest : public StoreTest {
 protected:
  bool own_database() const override { return true; }  // connections are cut
  void SetUp() override {
    StoreTest::SetUp();
    if (HasFatalFailure()) return;
    db().begin(Durability::Sync);
    db().run_script("CREATE TABLE counts (name BIGINT PRIMARY KEY, n BIGINT NOT NULL CHECK (n < 1000000))");
    db().commit();
    TableShape shape;
    shape.name = "counts";
    shape.columns = {column("name", TL_KEY, TL_INT), column("n", TL_SUM, TL_INT)};
    counts_ = db().bind_table(shape);
    flaky_ = std::make_unique<Flaky>(*namespace_);
  }
  void TearDown() override {
    pool_.join();
    StoreTest::TearDown();
  }

  std::unique_ptr<UnitWriter> writer() {
    return std::make_unique<UnitWriter>(
        "fake", *flaky_, postgresql(), [this](std::function<void()> run) { boost::asio::post(pool_, std::move(run)); });
  }
  std::unique_ptr<Unit> unit(std::uint32_t seq, std::int64_t n = 1) {
    auto made = std::make_unique<Unit>();
    const tl_value row[] = {integer(1), integer(n)};
    made->put(counts_, row);
    if (seq) {
      made->advance(0, {}, Position::of(7, seq), 0);
      ++made->events;
    }
    return made;
  }
  /// One that began before it was known that it must not get lost: SQL ran in it, and then it sent something.
  std::unique_ptr<Unit> begun_lazily(UnitWriter& write, std::uint32_t& seq) {
    for (;;) {
      auto made = unit(++seq);
      EXPECT_TRUE(write.transaction(*made));
      if (made->begun_lazily) {
        made->needs_sync = true;
        return made;
      }
      EXPECT_EQ(write.wait(write.seal(std::move(made))), Outcome::Committed);  // the one of that second
    }
  }
  std::int64_t total() {
    const auto cursor = db().execute("SELECT n FROM counts WHERE name = 1");
    const tl_value* row = cursor->next();
    return row ? row[0].i : 0;
  }
  Position position() {
    const auto positions = read_positions(db());
    return positions.empty() ? Position{} : positions[0].position;
  }
  static UnitWriter::Clock::time_point in(std::chrono::milliseconds duration) {
    return UnitWriter::Clock::now() + duration;
  }

  std::shared_ptr<const BoundTable> counts_;
  std::unique_ptr<Flaky> flaky_;
  boost::asio::thread_pool pool_{2};
};

/// What has to be in the store first comes first, and while it cannot be stored nothing is committed.
TEST_P(UnitWriterTest, WhatComesBeforeACommit) {
  auto write = writer();
  std::atomic<bool> away = true;
  std::atomic<int> asked = 0;
  write->before_commit([&] {
    ++asked;
    if (away) throw StoreError(StoreError::Kind::Away, "08006", "not now");
  });
  EXPECT_TRUE(write->claim(1).empty());
  const auto ticket = write->seal(unit(5));
  while (asked < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(total(), 0);
  EXPECT_EQ(position(), Position{});
  EXPECT_TRUE(write->status().store_away);
  away = false;
  EXPECT_EQ(write->wait(ticket), Outcome::Committed);
  EXPECT_EQ(total(), 1);
  EXPECT_EQ(position(), Position::of(7, 5));
}

TEST_P(UnitWriterTest, RowsAndPositionsTogetherInOrder) {
  std::vector<std::uint64_t> order;
  auto write = writer();
  EXPECT_TRUE(write->claim(1).empty());
  write->on_commit([&](const Unit& unit) { order.push_back(unit.positions()[0].position.seq()); });
  UnitWriter::Ticket last = 0;
  for (std::uint32_t seq = 1; seq <= 20; ++seq) last = write->seal(unit(seq));
  EXPECT_EQ(write->wait(last), Outcome::Committed);
  EXPECT_EQ(total(), 20);
  EXPECT_EQ(position(), Position::of(7, 20));
  EXPECT_EQ(order.size(), 20u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(write->status().commits, 20u);
  EXPECT_EQ(write->status().events_waiting, 0u);
  EXPECT_EQ(write->committed().at(0).position, Position::of(7, 20));
  EXPECT_TRUE(write->close(in(10s)));
  write.reset();
  auto next = writer();
  EXPECT_EQ(next->claim(2).at(0).position, Position::of(7, 20));
}

TEST_P(UnitWriterTest, OneCommitASecondIsSynchronous) {
  auto write = writer();
  write->claim(1);
  flaky_->sync = flaky_->lazy = 0;
  const auto began = std::chrono::steady_clock::now();
  UnitWriter::Ticket last = 0;
  for (std::uint32_t seq = 1; seq <= 30; ++seq) last = write->seal(unit(seq));
  ASSERT_EQ(write->wait(last), Outcome::Committed);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count();
  EXPECT_GE(flaky_->sync, 1);
  EXPECT_LE(flaky_->sync, seconds + 1);
  EXPECT_EQ(flaky_->sync + flaky_->lazy, 30);
  if (flaky_->sync < 30) {
    EXPECT_LT(write->durable().at(0).position, Position::of(7, 30));
  }
  const int before = flaky_->sync;
  auto needed = unit(31);
  needed->needs_sync = true;
  ASSERT_EQ(write->wait(write->seal(std::move(needed))), Outcome::Committed);
  EXPECT_EQ(flaky_->sync, before + 1);
  EXPECT_EQ(write->durable().at(0).position, Position::of(7, 31));
}

TEST_P(UnitWriterTest, ACommitNobodyHeardOfIsNotDoneTwice) {
  auto write = writer();
  write->claim(1);
  flaky_->lose_after_commit = 3;
  UnitWriter::Ticket last = 0;
  for (std::uint32_t seq = 1; seq <= 10; ++seq) last = write->seal(unit(seq));
  EXPECT_EQ(write->wait(last), Outcome::Committed);
  EXPECT_EQ(total(), 10);
  flaky_->lose_before_commit = 3;
  for (std::uint32_t seq = 11; seq <= 20; ++seq) last = write->seal(unit(seq));
  EXPECT_EQ(write->wait(last), Outcome::Committed);
  EXPECT_EQ(total(), 20);
  EXPECT_GE(flaky_->connects, 7);
}

// SQL has run in it: it is in, or it must be replayed, but it is never written again.
TEST_P(UnitWriterTest, AUnitWithSqlIsInOrReplayed) {
  auto write = writer();
  write->claim(1);
  auto with_sql = unit(1);
  Connection* connection = write->transaction(*with_sql);
  ASSERT_TRUE(connection);
  connection->execute("UPDATE counts SET n = n * 10");
  flaky_->lose_after_commit = 1;
  EXPECT_EQ(write->wait(write->seal(std::move(with_sql))), Outcome::Committed);
  EXPECT_EQ(total(), 10);
  with_sql = unit(2);
  connection = write->transaction(*with_sql);
  ASSERT_TRUE(connection);
  connection->execute("UPDATE counts SET n = n * 10");
  flaky_->lose_before_commit = 1;
  EXPECT_EQ(write->wait(write->seal(std::move(with_sql))), Outcome::Failed);
  EXPECT_EQ(write->failure(), Failure::Replay);
  EXPECT_EQ(total(), 10);
  EXPECT_EQ(write->claim(1, {1}).at(0).position, Position::of(7, 1));
  EXPECT_EQ(write->failure(), Failure::None);
}

// Nothing of it is told before it would outlive a power failure, wherever the connection broke.
TEST_P(UnitWriterTest, ALazyCommitInDoubtIsMadeDurable) {
  auto write = writer();
  write->claim(1);
  int synced = 0;  // when it was told
  write->on_commit([&](const Unit&) { synced = flaky_->synced; });
  std::uint32_t seq = 0;
  for (const int losses : {0, 1, 2})
    for (std::atomic<int>* cut : {&flaky_->lose_after_commit, &flaky_->lose_at_sync}) {
      auto late = begun_lazily(*write, seq);
      const int before = flaky_->synced;
      *cut = losses;
      EXPECT_EQ(write->wait(write->seal(std::move(late))), Outcome::Committed);
      EXPECT_EQ(*cut, 0);
      EXPECT_GT(synced, before) << losses;
      EXPECT_EQ(write->durable().at(0).position, Position::of(7, seq));
      EXPECT_EQ(total(), seq);
    }
}

TEST_P(UnitWriterTest, AnotherOwnerIsNotOverwrittenByMakingDurable) {
  auto old = writer(), other = writer();
  old->claim(1);
  std::uint32_t seq = 0;
  auto late = begun_lazily(*old, seq);
  flaky_->before_sync = [&] { other->claim(2); };
  EXPECT_EQ(old->wait(old->seal(std::move(late))), Outcome::Failed);
  EXPECT_EQ(old->failure(), Failure::Owner);
  EXPECT_EQ(other->wait(other->seal(unit(++seq))), Outcome::Committed);
  EXPECT_EQ(total(), seq);
}

TEST_P(UnitWriterTest, AnotherOwnerIsNotOverwritten) {
  auto old = writer();
  old->claim(1);
  ASSERT_EQ(old->wait(old->seal(unit(1))), Outcome::Committed);
  auto other = writer();
  other->claim(2);
  ASSERT_EQ(other->wait(other->seal(unit(2))), Outcome::Committed);
  EXPECT_EQ(old->wait(old->seal(unit(2, 100))), Outcome::Failed);
  EXPECT_EQ(old->failure(), Failure::Owner);
  EXPECT_EQ(total(), 2);
  // Nor is it taken back by going back to the committed position.
  EXPECT_THROW(old->claim(1, {1}), StoreError);
  EXPECT_EQ(old->failure(), Failure::Owner);
  EXPECT_EQ(other->wait(other->seal(unit(3))), Outcome::Committed);
  EXPECT_EQ(total(), 3);
}

TEST_P(UnitWriterTest, AStoreThatIsBehindIsReplayedTo) {
  auto write = writer();
  write->claim(1);
  for (std::uint32_t seq = 1; seq <= 3; ++seq) ASSERT_EQ(write->wait(write->seal(unit(seq))), Outcome::Committed);
  // As after a failover to a copy that had not everything.
  db().execute("UPDATE trellis_unit SET unit = unit - 2");
  db().execute("UPDATE trellis_positions SET position = position - 2");
  db().execute("UPDATE counts SET n = n - 2");
  const auto ticket = write->seal(unit(4));
  const auto behind = write->seal(unit(5));
  EXPECT_EQ(write->wait(ticket), Outcome::Failed);
  EXPECT_EQ(write->wait(behind), Outcome::Failed);
  EXPECT_EQ(write->failure(), Failure::Replay);
  EXPECT_EQ(write->wait(write->seal(unit(6))), Outcome::Failed);
  EXPECT_EQ(write->claim(1, {1}).at(0).position, Position::of(7, 1));
  EXPECT_EQ(write->wait(write->seal(unit(2))), Outcome::Committed);
  EXPECT_EQ(total(), 2);
}

TEST_P(UnitWriterTest, WhatTheDatabaseRefusesIsNamed) {
  std::atomic<int> settled = 0;
  auto write = writer();
  write->claim(1);
  write->on_settled([&] { ++settled; });
  EXPECT_EQ(write->wait(write->seal(unit(1, 5'000'000))), Outcome::Failed);
  EXPECT_EQ(write->failure(), Failure::Data);
  EXPECT_NE(write->status().error.find("counts"), std::string::npos) << write->status().error;
  EXPECT_TRUE(eventually([&] { return settled == 1; }));
  write->claim(1, {1});
  // A request fails alone: the events before it are in, and the lane merely goes back.
  const auto events = write->seal(unit(1));
  const auto request = write->seal(unit(0, 5'000'000));
  EXPECT_EQ(write->wait(events), Outcome::Committed);
  EXPECT_EQ(write->wait(request), Outcome::Failed);
  EXPECT_EQ(write->failure(), Failure::Replay);
  write->claim(1, {1});
  db().execute("DROP TABLE counts");
  EXPECT_EQ(write->wait(write->seal(unit(2))), Outcome::Failed);
  EXPECT_EQ(write->failure(), Failure::Schema);
}

TEST_P(UnitWriterTest, WaitsForTheStoreAndGoesOn) {
  auto write = writer();
  write->claim(1);
  flaky_->away = true;
  UnitWriter::Ticket last = 0;
  for (std::uint32_t seq = 1; seq <= 5; ++seq) last = write->seal(unit(seq));
  EXPECT_EQ(write->wait(last, in(50ms)), Outcome::Timeout);
  EXPECT_TRUE(eventually([&] { return write->status().store_away; }));
  EXPECT_EQ(write->waiting(), 5u);
  EXPECT_EQ(write->status().events_waiting, 5u);
  flaky_->away = false;
  EXPECT_EQ(write->wait(last), Outcome::Committed);
  EXPECT_FALSE(write->status().store_away);
  EXPECT_EQ(total(), 5);
}

TEST_P(UnitWriterTest, ClosesByTheDeadlineWithTheStoreAway) {
  auto write = writer();
  write->claim(1);
  flaky_->away = true;
  const auto ticket = write->seal(unit(1));
  auto waiter = std::thread([&] { EXPECT_EQ(write->wait(ticket), Outcome::Failed); });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(write->close(in(100ms)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  waiter.join();
  EXPECT_EQ(write->wait(write->seal(unit(2))), Outcome::Failed);
  EXPECT_TRUE(eventually([&] { return write->idle(); }));
  flaky_->away = false;
  EXPECT_EQ(total(), 0);
}

// The promise that everything rests on, against the real thing: backends are ended at random moments.
TEST_P(UnitWriterTest, CutAtRandomMomentsTheSumIsExact) {
  if (!postgresql()) GTEST_SKIP() << "there is no connection to cut in SQLite";
  std::mt19937 random(5);
  std::int64_t sum = 0;
  for (int round = 0; round < 50; ++round) {
    auto write = writer();
    write->claim(static_cast<std::uint64_t>(round + 1));
    std::atomic<bool> stop = false;
    std::thread cutter([&, wait = random() % 4000] {
      auto connection = connect();
      std::this_thread::sleep_for(std::chrono::microseconds(wait));
      for (int cuts = 0; cuts < 15 && !stop; ++cuts) {  // then what is left comes through, however slow the machine is
        connection->execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
            "current_database() AND backend_type = "
            "'client backend' AND query LIKE ANY (ARRAY['%trellis_unit%', '%counts%', '%COMMIT%', "
            "'%trellis_positions%'])");
        std::this_thread::sleep_for(std::chrono::milliseconds(7));
      }
    });
    UnitWriter::Ticket last = 0;
    for (std::uint32_t seq = 1; seq <= 40; ++seq)
      last = write->seal(unit(static_cast<std::uint32_t>(round * 40) + seq));
    EXPECT_NE(write->wait(last, in(120s)), Outcome::Timeout) << round;
    stop = true;
    cutter.join();
    ASSERT_EQ(write->wait(last), Outcome::Committed) << round << ": " << write->status().error;
    sum += 40;
    auto check = connect();
    ASSERT_EQ(rows(*check, "SELECT n FROM counts"), "int " + std::to_string(sum)) << round;
    ASSERT_TRUE(write->close(in(20s)));
  }
  connection_ = namespace_->connect();
}

TRELLIS_ON_BOTH(UnitWriterTest);

}  // namespace
}  // namespace trellis::host
