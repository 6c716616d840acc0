#include "test_host.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "abi/tables.hpp"
#include "commands/declarations.hpp"
#include "config/config.hpp"
#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "plugins/plugin_file.hpp"
#include "program.hpp"

namespace trellis::host {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Stream kStream{0, 1};
constexpr std::int64_t kStartUs = 1'705'320'000'000'000;  // 2024-01-15 12:00 UTC
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::chrono::seconds kPatience{60};  // of the real clock: a handler that takes longer hangs
constexpr std::size_t kPadding = 64;           // HotFields reads behind its text
constexpr std::size_t kRowsMax = 1'000'000;

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "trellis-test-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw TestFailure(TL_FAILED, fmt::format("a folder {} cannot be made: {}", name, std::strerror(errno)));
  return name;
}

}  // namespace

/// In the order in which they are made; kill() takes them down.
struct TestHost::Process {
  std::unique_ptr<Store> store;
  Cache cache;
  Metrics metrics;
  std::unique_ptr<Journal> journal;
  boost::asio::thread_pool writers{1};
  PluginServices services;
  LaneContext context{cache, false, {}, {}, {}, {}, {}, {}};
  std::unique_ptr<Scheduler> scheduler;
  std::shared_ptr<Lane> lane;
  bool message_content = false;
};

TestHost::TestHost(TestHostOptions options)
    : options_(std::move(options)),
      plugin_(plugin_of_program()),
      clock_us_(kStartUs),
      discord_(options_.rest, options_.rest_self) {
  log_.plugin = plugin_;
  make_current();
  try {
    files_ = files_of_program(options_.program);
    settings_ = std::make_shared<Document>(parse_document(options_.settings, ".json", "settings"));
  } catch (const std::exception& error) {
    throw TestFailure(TL_INVALID, error.what());
  }
  folder_ = make_folder();
  try {
    start();
  } catch (...) {
    kill();
    std::filesystem::remove_all(folder_);
    set_log_lines(nullptr);
    throw;
  }
}

TestHost::~TestHost() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  set_log_lines(nullptr);
}

// ---- life ----

Lane& TestHost::lane() { return *process_->lane; }

void TestHost::start() {
  closing_ = false;
  kill_asked_ = false;
  process_ = std::make_unique<Process>();
  Process& process = *process_;
  const bool first = epoch_ == 0;
  try {
    std::filesystem::create_directories(folder_ / "store");
    process.store = open_store("sqlite:" + (folder_ / "store").string());
    JournalOptions journal;
    journal.folder = folder_ / "journal";
    journal.segment_bytes = 1 << 20;
    journal.reserve_bytes = 0;  // a full disk is not what an author tests
    process.journal = std::make_unique<Journal>(journal, kStream);

    process.services.find_table = find_abi_table;
    process.services.now_us = [this] { return clock_us_.load(); };
    process.services.check_schedule = Scheduler::check;
    process.services.check_declarations = check_declarations;
    process.services.has = [](std::string_view what) { return what == "sqlite"; };
    process.services.metric = [&process](const MetricSpec& spec) {
      return process.metrics.family(static_cast<Metrics::Kind>(spec.kind), spec.name, spec.help, spec.labels);
    };
    process.services.count = [&process](std::uint64_t metric, double value, std::vector<std::string> labels) {
      const std::vector<std::string_view> views(labels.begin(), labels.end());
      process.metrics.set(metric, value, views);
    };
    process.context.post_write = [&process](std::function<void()> run) {
      boost::asio::post(process.writers, std::move(run));
    };
    process.context.now_us = process.services.now_us;
    process.context.new_owner = [this] { return ++owners_; };
    process.context.call_plugin = [&process, this](const std::string& plugin,
                                                   const RequestCall& call) -> RequestAnswer {
      if (plugin == plugin_) return process.lane->request(call);
      return {TL_NOT_FOUND, "plugin " + plugin + " is not loaded: the test host runs one plugin, " + plugin_};
    };
    serve_outside(process.context);
    process.context.on_started = [&process](Lane& lane) { process.scheduler->plugin_started(lane); };
    process.context.on_job_changes = [&process](Lane& lane, const std::vector<Unit::JobChange>& changes) {
      process.scheduler->runs_changed(lane, changes);
    };
    process.context.sleep = [this](const Turn& turn, std::int64_t us) { return sleep(turn, us); };
    process.context.on_step = [this](const Turn& turn) { step_of_job(turn); };
    process.scheduler = std::make_unique<Scheduler>(
        SchedulerOptions{process.services.now_us, [this](std::function<void()> run) { post_job(std::move(run)); },
                         [&process] { return process.cache.whole(kStream); }, false});

    const Lane::Factory factory = [this, &process] {
      auto instance = std::make_shared<Instance>(plugin_, nullptr, files_, settings_, process.services);
      instance->set_up(options_.entry);
      return instance;
    };
    std::shared_ptr<Instance> instance = factory();
    {
      const auto ns = process.store->open(plugin_);
      const auto connection = ns->connect();
      migrate(*connection, false, files_);
    }
    bool voice_states = false, member_counts = false, members = false, presences = false;
    for (const Subscription& subscription : instance->ledger.subscriptions)
      voice_states = voice_states || subscription.type_name == "VOICE_STATE_UPDATE";
    for (const std::string& what : instance->ledger.needs) {
      voice_states = voice_states || what == "cache:voice_states";
      member_counts = member_counts || what == "intent:GUILD_MEMBERS" || what == "cache:member_counts";
      members = members || what == "cache:members";
      presences = presences || what == "cache:presences";
      process.message_content = process.message_content || what == "intent:MESSAGE_CONTENT";
    }
    process.cache.keep_voice_states(voice_states);
    process.cache.keep_member_counts(member_counts);
    process.cache.keep_members(members);
    process.cache.keep_presences(presences);
    const auto reader = process.journal->read_after({});
    while (const Record* record = reader->next())
      if (record->kind == RecordKind::Dispatch) process.cache.apply(kStream, *record);

    process.lane = std::make_shared<Lane>(plugin_, process.store->open(plugin_), process.context);
    process.lane->start(std::move(instance), factory, ++generation_);
    process.lane->attach(*process.journal);
    if (first) begin_session();
  } catch (const TestFailure&) {
    throw;
  } catch (const std::exception& error) {
    throw TestFailure(TL_FAILED, fmt::format("plugin {} did not start: {}", plugin_, error.what()));
  }
  wait_until_handled();
  run_until(clock_us_);  // missed jobs
  if (first) commit();   // the start itself is nothing that a restart would lose
}

void TestHost::begin_session() {
  epoch_ = static_cast<std::uint32_t>(clock_us_ / 1'000'000);
  const std::string data =
      R"({"session_id": "0123456789abcdef0123456789abcdef", "resume_url": "wss://gateway.invalid"})";
  Record session{.position = Position::of(epoch_, 0), .kind = RecordKind::Session, .data = data};
  session.happened_us = session.received_us = clock_us_;
  process_->journal->append(session);
  dispatch("READY", boost::json::serialize(made_up_ready()));
  dispatch("GUILD_CREATE", boost::json::serialize(made_up_guild(clock_us_)));
}

/// As a crash: nothing more is written.
void TestHost::kill() {
  if (!process_) return;
  cursor_.reset();
  if (process_->scheduler) process_->scheduler->stop();
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (process_->lane) process_->lane->abandon();
  for (std::thread& thread : job_threads_) thread.join();
  job_threads_.clear();
  process_->writers.join();
  if (process_->scheduler) process_->scheduler->plugin_stopped(plugin_);
  process_->lane.reset();
  process_->scheduler.reset();
  process_.reset();
  job_errors_.clear();
}

void TestHost::restart(bool commit_first, std::int64_t away_us) {
  make_current();
  if (asking_.load() != no_thread_)
    throw TestFailure(TL_REFUSED, "a host cannot restart while a method of its plugin runs");
  if (away_us < 0) throw TestFailure(TL_INVALID, "time does not go back");
  if (commit_first) commit();
  kill();
  clock_us_ += away_us;
  start();
  throw_failures();
}

// ---- events ----

void TestHost::dispatch(std::string_view name, std::string_view data) {
  std::string padded(data);
  padded.append(kPadding, '\0');
  Record record{.position = Position::of(epoch_, ++seq_), .type = event_type(name), .received_us = clock_us_};
  const std::string_view given(padded.data(), data.size());
  hot_fields_.read(given, record);
  record.data = given;
  if (!process_->journal->append(record)) throw TestFailure(TL_FAILED, "the journal did not take the event");
  process_->cache.apply(kStream, record);
  if (const auto error = process_->journal->flush())
    throw TestFailure(TL_FAILED, "the journal cannot be written: " + error.message());
}

/// Until the plugin stands at the journal's end, or stands still.
void TestHost::wait_until_handled() {
  const Position tail = process_->journal->tail();
  const auto until = SteadyClock::now() + kPatience;
  std::chrono::microseconds pause{20};
  for (;;) {
    const Lane::Status status = process_->lane->status();
    if (status.state == "paused")
      throw TestFailure(TL_FAILED, fmt::format("plugin {} is paused: {}", plugin_, status.why));
    if (!status.streams.empty() && status.streams[0].position >= tail) break;
    if (SteadyClock::now() > until)
      throw TestFailure(TL_TIMEOUT,
                        fmt::format("plugin {} has not handled its event within {} s", plugin_, kPatience.count()));
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(1000));
  }
  throw_failures();
}

void TestHost::throw_failures() {
  const auto failures = take_failures(log_);
  std::string failure = failures.empty() ? "" : failures.front();
  // A job that was told of something away is tried again without a word.
  for (const Scheduler::JobStatus& job : process_->scheduler->status()) {
    std::string& known = job_errors_[job.job];
    if (job.last_error != known && !job.last_error.empty() && job.last_error != "cancelled" && failure.empty())
      failure = "job " + job.job + ": " + job.last_error;
    known = job.last_error;
  }
  if (!failure.empty())
    throw TestFailure(TL_FAILED, fmt::format("a handler of plugin {} failed: {}", plugin_, failure));
}

void TestHost::event(std::string_view name, std::string_view data) {
  make_current();
  boost::json::error_code error;
  const auto parsed = boost::json::parse({data.data(), data.size()}, error);
  if (error || !parsed.is_object())
    throw TestFailure(TL_INVALID,
                      fmt::format("the data of {} must be a JSON object; given: {}", name, data.substr(0, 200)));
  dispatch(name, data);
  wait_until_handled();
  step_is_over(std::string(name));
}

void TestHost::message(std::uint64_t user, std::uint64_t channel, std::string_view content) {
  make_current();
  const auto known = process_->cache.channel(channel);
  const std::string_view seen = process_->message_content ? content : std::string_view();
  dispatch("MESSAGE_CREATE", boost::json::serialize(made_up_message(
                                 ids_.next(clock_us_), known && known->guild ? known->guild : kMadeUpServer, channel,
                                 user, seen, clock_us_)));
  wait_until_handled();
  step_is_over("message");
}

void TestHost::voice(std::uint64_t user, std::uint64_t channel) {
  make_current();
  std::uint64_t guild = kMadeUpServer;
  if (const auto known = process_->cache.channel(channel); known && known->guild) guild = known->guild;
  dispatch("VOICE_STATE_UPDATE", boost::json::serialize(made_up_voice_state(guild, channel, user)));
  wait_until_handled();
  step_is_over(channel ? "join_voice" : "leave_voice");
}

// ---- requests ----

std::string TestHost::method(std::string_view name, std::string_view args) {
  make_current();
  if (asking_.load() != no_thread_)
    throw TestFailure(TL_REFUSED, "a method runs already; plugins call each other with request.call()");
  RequestCall call;
  call.name = name;
  boost::json::error_code error;
  if (!args.empty()) call.args = boost::json::parse({args.data(), args.size()}, error);
  if (error) throw TestFailure(TL_INVALID, fmt::format("the arguments of {} are not JSON: {}", name, args));
  asking_ = std::this_thread::get_id();
  const RequestAnswer answer = process_->lane->request(call);
  asking_ = no_thread_;
  if (answer.status < 0) throw TestFailure(answer.status, answer.error);
  throw_failures();
  step_is_over(fmt::format("method {}", name));
  return answer.body.empty() ? "null" : answer.body;
}

void TestHost::commit() {
  const RequestAnswer answer = process_->lane->stage([](Unit&) {});
  throw_failures();
  if (answer.status >= 0) return;
  const Lane::Status status = process_->lane->status();
  throw TestFailure(answer.status, fmt::format("plugin {}: what was staged could not be committed: {}", plugin_,
                                               status.why.empty() ? answer.error : status.why));
}

tl_id TestHost::query(std::string_view sql, std::span<const tl_value> values) {
  make_current();
  cursor_.reset();
  commit();
  try {
    auto reader = process_->lane->take_reader();
    cursor_ = reader->execute(sql, values, kRowsMax);
    process_->lane->give_back(std::move(reader));
  } catch (const StoreError& error) {
    throw TestFailure(TL_INVALID, error.what());
  }
  return ++query_;
}

Cursor* TestHost::rows(tl_id query) const { return query == query_ ? cursor_.get() : nullptr; }

// ---- the clock and jobs ----

void TestHost::advance(std::int64_t us) {
  make_current();
  if (us < 0) throw TestFailure(TL_INVALID, "time does not go back");
  if (asking_.load() != no_thread_)
    throw TestFailure(TL_REFUSED, "the clock cannot be advanced while a method of the plugin runs");
  run_until(clock_us_ + us);
  step_is_over("advance");
}

/// From one thing that is due to the next.
void TestHost::run_until(std::int64_t target) {
  for (;;) {
    if (kill_asked_) {
      kill();
      start();
    }
    commit();  // jobs that handlers started are known once they are committed
    std::uint64_t posted = 0;
    {
      std::lock_guard lock(mutex_);
      posted = jobs_posted_;
    }
    const std::int64_t next_run = process_->scheduler->run_due();
    settle();
    if (kill_asked_) continue;
    throw_failures();
    std::int64_t next = next_run > clock_us_ ? next_run : kNever;
    {
      std::lock_guard lock(mutex_);
      if (posted != jobs_posted_) continue;  // it may have made something else due
      for (const Sleeper& sleeper : sleepers_) next = std::min(next, sleeper.until_us);
    }
    if (next > target) break;
    {
      std::lock_guard lock(mutex_);
      clock_us_ = std::max(clock_us_.load(), next);
      ++jobs_posted_;  // whoever wakes up may make something due as well
    }
    changed_.notify_all();
    settle();
  }
  clock_us_ = target;
}

/// Until all that runs has ended, or sleeps and is not to wake up yet.
void TestHost::settle() {
  const auto settled = [this] {
    int asleep = 0;
    for (const Sleeper& sleeper : sleepers_) {
      const bool wakes = sleeper.until_us <= clock_us_ || sleeper.turn->is_cancelled();
      if (wakes) return false;
      ++asleep;
    }
    return jobs_running_ == asleep;
  };
  const auto until = SteadyClock::now() + kPatience;
  std::unique_lock lock(mutex_);
  while (!settled()) {
    if (SteadyClock::now() > until)
      throw TestFailure(TL_TIMEOUT, fmt::format("a job of plugin {} has neither ended nor slept within {} s", plugin_,
                                                kPatience.count()));
    changed_.wait_for(lock, std::chrono::milliseconds(2));
  }
}

void TestHost::post_job(std::function<void()> run) {
  std::lock_guard lock(mutex_);
  ++jobs_running_;
  ++jobs_posted_;
  job_threads_.emplace_back([this, run = std::move(run)] {
    run();
    std::lock_guard lock(mutex_);
    --jobs_running_;
    changed_.notify_all();
  });
}

bool TestHost::sleep(const Turn& turn, std::int64_t us) {
  const std::int64_t until = clock_us_ + us;
  if (std::this_thread::get_id() == asking_.load()) {
    // The test waits for this very method, so time goes on by itself.
    if (talk_ && until >= defer_us_) {
      if (clock_us_ < defer_us_) run_until(defer_us_);
      talk_->defer();
    }
    run_until(until);
    return !turn.is_cancelled();
  }
  if (turn.job.empty()) {  // on_start: the test waits for the host to start
    clock_us_ += us;
    return !turn.is_cancelled();
  }
  std::unique_lock lock(mutex_);
  const auto me = sleepers_.insert(sleepers_.end(), {until, &turn});
  changed_.notify_all();
  while (clock_us_ < until && !closing_ && !turn.is_cancelled()) changed_.wait_for(lock, std::chrono::milliseconds(2));
  sleepers_.erase(me);
  changed_.notify_all();
  return clock_us_ >= until && !closing_ && !turn.is_cancelled();
}

// ---- steps ----

void TestHost::step_is_over(const std::string& what) {
  if (++steps_ != options_.restart_after) return;
  restarted_ = fmt::format("restarted after step {} ({}), {}", options_.restart_after, what,
                           options_.restart_commits ? "everything committed" : "losing what was not committed");
  restart(options_.restart_commits, 0);
}

/// [the job's thread] True: here it ends; nothing is written any more.
bool TestHost::step_of_job(const Turn& turn) {
  if (turn.job.empty() || asking_.load() != no_thread_ || ++steps_ != options_.restart_after) return false;
  restarted_ = fmt::format("restarted after step {} (job {}, at a wait), losing what was not committed",
                           options_.restart_after, turn.job);
  turn.lane.writer().close(SteadyClock::now());
  turn.instance->cancelled = true;
  kill_asked_ = true;
  return true;
}

}  // namespace trellis::host
