// A lane in a test: a real journal, a real store, and a plugin whose handlers are functions of the test.
#pragma once
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/parse.hpp>
#include <functional>
#include <map>
#include <thread>

#include "../store/store_fixture.hpp"
#include "abi/tables.hpp"
#include "cache/cache.hpp"
#include "journal/event_types.hpp"
#include "journal/journal.hpp"
#include "lanes/lane.hpp"

namespace trellis::host {

inline std::int64_t clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Waits for a condition; generously, because timing decides no test.
template <class F>
bool eventually(F&& condition, std::chrono::seconds patience = std::chrono::seconds(60)) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline tl_str abi(std::string_view text) { return {text.data(), text.size()}; }

class Fake;

/// What one generation of the plugin does, and what became of its instances.
struct Plan {
  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    if (on_gone) on_gone();
  }

  using OnEvent = std::function<tl_status(Fake&, tl_turn, const tl_event&)>;
  using OnRequest = std::function<tl_status(Fake&, tl_turn, const tl_request&)>;
  struct Job {
    OnRequest run;
    std::string schedule = {};
    std::uint32_t flags = 0, at_once = 1, at_once_per_group = 0;
    std::int64_t timeout_us = 0;
  };

  std::vector<std::string> types{"MESSAGE_CREATE"};
  OnEvent on_event;
  OnRequest on_start;
  std::map<std::string, OnRequest> methods;
  std::map<std::string, Job> jobs;
  std::int64_t commit_every_us = 20'000;
  std::function<std::string()> refuse;  // a sentence: setup fails with it

  std::atomic<int> created = 0, destroyed = 0;
  std::function<void()> on_gone;  // its lanes end before it does
};

/// One instance.
class Fake {
 public:
  explicit Fake(Plan& p, const tl_entry_args* args) : plan(p), host(args->host) {
    const auto find = [&](auto& table, const char* name) {
      table = static_cast<std::remove_reference_t<decltype(table)>>(args->find(host, abi(name)));
    };
    find(setup, "trellis.setup/1");
    find(core, "trellis.core/1");
    find(work, "trellis.work/1");
    find(rows, "trellis.rows/1");
    find(wait, "trellis.wait/1");
    find(answer, "trellis.answer/1");
  }

  /// In table seen: how often a position was handled.
  tl_status saw(tl_turn turn, std::uint64_t position, std::int64_t times = 1) const {
    const tl_value row[] = {integer(static_cast<std::int64_t>(position)), integer(times)};
    return work->put(turn, seen, row);
  }
  /// In table counts: adds.
  tl_status count(tl_turn turn, std::int64_t name, std::int64_t n = 1) const {
    const tl_value row[] = {integer(name), integer(n)};
    return work->put(turn, counts, row);
  }
  std::int64_t counted(tl_turn turn, std::int64_t name, tl_status* status = nullptr) const {
    const tl_value key = integer(name);
    tl_value row[2];
    const tl_status got = work->get(turn, counts, &key, row);
    if (status) *status = got;
    return got < 0 ? -1 : row[1].i;
  }
  tl_status fail(tl_turn turn, std::string_view text) const { return core->fail(turn, TL_FAILED, abi(text), 0); }
  tl_status say(tl_turn turn, std::string_view body) const {
    return answer->finish(turn, 200, abi("application/json"), abi(body), nullptr, 0);
  }

  Plan& plan;
  tl_host* host;
  const tl_setup_v1* setup;
  const tl_core_v1* core;
  const tl_work_v1* work;
  const tl_rows_v1* rows;
  const tl_wait_v1* wait;
  const tl_answer_v1* answer;
  tl_id seen = 0, counts = 0;
  std::map<std::string, tl_id> jobs;
  std::int64_t member = 0;                                    // as a plugin keeps things beside its rows
  static inline std::atomic<int> inside = 0, inside_max = 0;  // handlers running at a time, of all generations

 private:
  friend struct FakeEntry;
  struct Entry {
    Fake* fake;
    const Plan::OnRequest* run;
  };
  std::vector<std::unique_ptr<Entry>> entries_;
};

struct FakeEntry {
  static inline thread_local Plan* plan = nullptr;

  struct Inside {
    Inside() {
      const int now = ++Fake::inside;
      int most = Fake::inside_max.load();
      while (now > most && !Fake::inside_max.compare_exchange_weak(most, now)) {
      }
    }
    ~Inside() { --Fake::inside; }
  };

  static tl_status event(void* self, tl_turn turn, const tl_event* event) {
    auto& fake = *static_cast<Fake*>(self);
    const Inside inside;
    return fake.plan.on_event ? fake.plan.on_event(fake, turn, *event) : TL_OK;
  }
  static tl_status request(void* self, tl_turn turn, const tl_request* request) {
    auto& entry = *static_cast<Fake::Entry*>(self);
    return (*entry.run)(*entry.fake, turn, *request);
  }

  static tl_status entry(const tl_entry_args* args, tl_plugin* out, char* text, std::uint64_t size) {
    auto fake = std::make_unique<Fake>(*plan, args);
    if (plan->refuse)
      if (const std::string why = plan->refuse(); !why.empty()) {
        std::snprintf(text, size, "%s", why.c_str());
        return TL_FAILED;
      }
    const tl_column seen[] = {{sizeof(tl_column), TL_KEY, TL_INT, 0, abi("position")},
                              {sizeof(tl_column), TL_SUM, TL_INT, 0, abi("times")}};
    const tl_column counts[] = {{sizeof(tl_column), TL_KEY, TL_INT, 0, abi("name")},
                                {sizeof(tl_column), TL_SUM, TL_INT, 0, abi("n")}};
    fake->seen = fake->setup->table(fake->host, abi("seen"), 0, seen, 2);
    fake->counts = fake->setup->table(fake->host, abi("counts"), 0, counts, 2);
    for (const std::string& type : plan->types)
      fake->setup->subscribe(fake->host, abi(type), nullptr, event, fake.get());
    fake->setup->commit_every(fake->host, plan->commit_every_us);
    const auto add = [&](std::uint32_t kind, const std::string& name, const Plan::OnRequest& run,
                         const Plan::Job* job) {
      fake->entries_.push_back(std::make_unique<Fake::Entry>(Fake::Entry{fake.get(), &run}));
      tl_entry entry{};
      entry.size = sizeof entry;
      entry.kind = kind;
      entry.name = abi(name);
      tl_param param{};
      param.size = sizeof param;
      param.value_kind = TL_INT;
      param.name = abi("n");
      if (kind == TL_METHOD) entry.params = &param, entry.param_count = 1;
      if (job) {
        entry.schedule = abi(job->schedule);
        entry.flags = job->flags;
        entry.at_once = job->at_once;
        entry.at_once_per_group = job->at_once_per_group;
        entry.timeout_us = job->timeout_us;
      }
      entry.handle = request;
      entry.self = fake->entries_.back().get();
      return fake->setup->add(fake->host, &entry);
    };
    if (plan->on_start) add(TL_START, "", plan->on_start, nullptr);
    for (const auto& [name, run] : plan->methods) add(TL_METHOD, name, run, nullptr);
    for (const auto& [name, job] : plan->jobs) fake->jobs[name] = add(TL_JOB, name, job.run, &job);
    ++plan->created;
    out->self = fake.release();
    out->destroy = [](void* self) {
      auto* fake = static_cast<Fake*>(self);
      ++fake->plan.destroyed;
      delete fake;
    };
    return TL_OK;
  }
};

inline std::int64_t arg_n(const tl_request& request) {
  const auto* json = find_abi_table("trellis.json/1");
  const auto* table = static_cast<const tl_json_v1*>(json);
  tl_value value{};
  table->value(table->key(request.args, abi("n")), &value);
  return value.i;
}

class LaneTest : public StoreTest {
 protected:
  bool own_database() const override { return true; }  // connections are cut
  void SetUp() override {
    StoreTest::SetUp();
    if (HasFatalFailure()) return;
    std::string folder = (std::filesystem::temp_directory_path() / "trellis-lane-XXXXXX").string();
    ASSERT_TRUE(mkdtemp(folder.data()));
    journal_folder_ = folder;
    open_journal();
    db().begin(Durability::Sync);
    db().run_script(
        "CREATE TABLE seen (position BIGINT PRIMARY KEY, times BIGINT NOT NULL CHECK (times < 1000));"
        "CREATE TABLE counts (name BIGINT PRIMARY KEY, n BIGINT NOT NULL)");
    db().commit();
    context_.postgresql = postgresql();
    context_.post_write = [this](std::function<void()> run) { boost::asio::post(writers_, std::move(run)); };
    context_.now_us = [this] { return now_us ? now_us() : clock_us(); };
    context_.new_owner = [this] { return next_owner_ += 1; };
    context_.call_plugin = [this](const std::string& plugin, const RequestCall& call) {
      const auto found = lanes_.find(plugin);
      return found == lanes_.end() ? RequestAnswer{TL_NOT_FOUND, "no plugin " + plugin} : found->second->request(call);
    };
    services_.find_table = find_abi_table;
    services_.now_us = clock_us;
    services_.check_schedule = [](const std::string&, const std::string&) { return std::string(); };
    services_.has = [](std::string_view) { return false; };
    services_.metric = [](const MetricSpec&) { return std::uint64_t{1}; };
    services_.count = [](std::uint64_t, double, std::vector<std::string>) {};
    Fake::inside = Fake::inside_max = 0;
  }

  void TearDown() override {
    stop_all();
    writers_.join();
    journal_.reset();
    if (!journal_folder_.empty()) std::filesystem::remove_all(journal_folder_);
    StoreTest::TearDown();
  }

  void open_journal() {
    journal_.reset();
    JournalOptions options;
    options.folder = journal_folder_ / "0-of-1";
    options.segment_bytes = 1 << 20;
    options.keep_us = 0;
    journal_ = std::make_unique<Journal>(options, Stream{});
  }

  /// Appends messages first..last.
  void append(std::uint32_t first, std::uint32_t last, std::uint32_t epoch = 7,
              std::string_view type = "MESSAGE_CREATE") {
    for (std::uint32_t seq = first; seq <= last; ++seq) {
      const std::string data = "{\"n\":" + std::to_string(seq) + "}";
      Record record;
      record.position = Position::of(epoch, seq);
      record.type = event_type(type);
      record.received_us = clock_us();
      record.data = data;
      ASSERT_TRUE(journal_->append(record));
    }
    ASSERT_FALSE(journal_->flush());
  }
  static std::uint64_t at(std::uint32_t seq, std::uint32_t epoch = 7) { return Position::of(epoch, seq).value; }

  std::shared_ptr<Instance> make(Plan& plan) {
    auto instance = std::make_shared<Instance>("fake", nullptr, files_, settings_, services_);
    // Once, before a lane's thread is there: the end of the test may look at it while another instance is made.
    if (!plan.on_gone) plan.on_gone = [this] { stop_all(); };
    FakeEntry::plan = &plan;
    instance->set_up(FakeEntry::entry);
    return instance;
  }
  Lane::Factory factory(Plan& plan) {
    return [this, &plan] { return make(plan); };
  }

  /// A lane on the test's namespace (or another's, which must be there).
  std::shared_ptr<Lane> start(Plan& plan, const std::string& plugin = "fake", bool attached = true) {
    auto lane = std::make_shared<Lane>(plugin, store_->open(name_), context_);
    lane->start(make(plan), factory(plan), 1);
    if (attached) lane->attach(*journal_);
    lanes_[plugin] = lane;
    return lane;
  }
  void stop(const std::string& plugin = "fake") {
    const auto found = lanes_.find(plugin);
    ASSERT_NE(found, lanes_.end());
    EXPECT_TRUE(found->second->stop(std::chrono::steady_clock::now() + std::chrono::seconds(30)));
    lanes_.erase(found);
  }

  void stop_all() {
    for (auto& [name, lane] : lanes_) lane->stop(std::chrono::steady_clock::now() + std::chrono::seconds(30));
    lanes_.clear();
  }

  std::int64_t number(std::string_view sql) {
    const auto rows = db().execute(sql);
    const tl_value* row = rows->next();
    return row && row[0].kind != TL_NULL ? row[0].i : 0;
  }
  std::int64_t handled() { return number("SELECT count(*) FROM seen"); }
  std::int64_t doubled() { return number("SELECT count(*) FROM seen WHERE times <> 1"); }
  std::int64_t count_of(std::int64_t name) {
    return number("SELECT n FROM counts WHERE name = " + std::to_string(name));
  }
  std::int64_t dead() { return number("SELECT count(*) FROM trellis_dead"); }
  std::uint64_t committed() {
    return static_cast<std::uint64_t>(number("SELECT max(position) FROM trellis_positions"));
  }
  bool committed_to(std::uint32_t seq, std::uint32_t epoch = 7) {
    return eventually([&] { return committed() >= at(seq, epoch); });
  }

  static bool handled_to(const Lane& lane, std::uint32_t seq) {
    return eventually([&] {
      const auto streams = lane.status().streams;
      return !streams.empty() && streams[0].position.value >= at(seq);
    });
  }

  static RequestCall call(const std::string& method, std::int64_t n = 0) {
    RequestCall call;
    call.name = method;
    call.args = boost::json::parse("{\"n\":" + std::to_string(n) + "}");
    return call;
  }

  /// Ends every connection of the database but the test's own.
  void cut_connections() {
    db().execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
        "datname = current_database() AND backend_type = 'client backend'");
  }

  Cache cache_;
  LaneContext context_{cache_};
  PluginServices services_;
  std::vector<EmbeddedFile> files_;
  std::shared_ptr<Document> settings_ = std::make_shared<Document>(Document{boost::json::object(), "", {}});
  std::filesystem::path journal_folder_;
  std::unique_ptr<Journal> journal_;
  boost::asio::thread_pool writers_{3};
  std::atomic<std::uint64_t> next_owner_ = 100;
  std::function<std::int64_t()> now_us;
  std::map<std::string, std::shared_ptr<Lane>> lanes_;
};

}  // namespace trellis::host
