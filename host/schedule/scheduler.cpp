#include "schedule/scheduler.hpp"

#include <boost/json/parse.hpp>
#include <limits>
#include <set>

#include "log/log.hpp"
#include "schedule/cron.hpp"

namespace trellis::host {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr int kScheduledAttempts = 3, kStartedAttempts = 5;

std::int64_t backoff_us(int attempts) { return kSecondUs * 5 * (std::int64_t{1} << std::min(attempts, 8)); }

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

boost::json::value parse_or_null(const std::string& text) {
  boost::json::error_code error;
  auto value = boost::json::parse(text, error);
  return error ? boost::json::value() : value;
}

std::string full_name(const std::string& job, const std::string& key) { return key.empty() ? job : job + "/" + key; }

std::string group_of(const std::string& key) { return key.substr(0, key.find('/')); }

}  // namespace

struct Scheduler::Impl : std::enable_shared_from_this<Impl> {
  struct Run {
    std::string key, args, progress;
    std::int64_t due_us = 0, not_before_us = 0;
    int attempts = 0;
    bool scheduled = false;
    std::string error = {};  // of one that is given up before it runs
  };
  struct Job {
    std::shared_ptr<Lane> lane;
    EntrySpec spec;
    std::optional<Cron> cron;
    std::int64_t next_us = kNever;  // of the clock; of the steady clock for "@every"
    std::int64_t last_due_us = 0;
    std::vector<Run> waiting;
    std::map<std::string, std::shared_ptr<std::atomic<bool>>> running;  // by key; the flag cancels
    std::map<std::string, std::string> saved;                           // progress of running ones, by key
    std::string last_error;
    bool every() const { return cron && cron->every_us(); }
  };
  static DeadLetter dead_run(const std::string& job, const Run& run, const std::string& error,
                             std::uint64_t generation) {
    return {"job",    {},        Position{static_cast<std::uint64_t>(run.due_us)}, full_name(job, run.key), error,
            run.args, generation};
  }
  struct Launch {
    std::shared_ptr<Lane> lane;
    std::string job;
    std::int64_t timeout_us = 0;
    Run run;
    std::shared_ptr<std::atomic<bool>> cancelled;
  };

  explicit Impl(SchedulerOptions given) : options(std::move(given)) {}

  std::int64_t clock_of(const Job& job) const {
    return job.every() && options.own_thread ? steady_us() : options.now_us();
  }

  bool may_run(const Job& job, const Run& run) const {
    if (job.running.contains(run.key) || job.running.size() >= job.spec.at_once) return false;
    if (job.spec.at_once_per_group == 0) return true;
    std::uint32_t in_group = 0;
    for (const auto& [key, flag] : job.running) in_group += group_of(key) == group_of(run.key);
    return in_group < job.spec.at_once_per_group;
  }

  /// Under the lock. What to run now; `next`: when to look again.
  std::vector<Launch> collect(std::int64_t& next) {
    std::vector<Launch> launches;
    const std::int64_t now = options.now_us();
    next = kNever;
    if (stopping) return launches;
    const bool guilds_known = !options.guilds_known || options.guilds_known();
    for (auto& [plugin, jobs] : plugins) {
      std::size_t of_plugin = 0;
      for (const auto& [name, job] : jobs) of_plugin += job.running.size();
      for (auto& [name, job] : jobs) {
        if (job.cron) {
          const std::int64_t clock = clock_of(job);
          if (job.next_us <= clock) {
            // Several missed times are one run, for the latest.
            const bool waits =
                std::any_of(job.waiting.begin(), job.waiting.end(), [](const Run& run) { return run.scheduled; });
            const std::int64_t due = job.every() ? now : job.cron->previous(now).value_or(job.next_us);
            if (!waits) job.waiting.push_back({"", "{}", "null", due, now, 0, true});
            job.next_us = job.every() ? clock + *job.cron->every_us() : job.cron->next(now).value_or(kNever);
          }
          if (job.next_us != kNever) next = std::min(next, now + (job.next_us - clock));
        }
        for (auto run = job.waiting.begin(); run != job.waiting.end();) {
          if (run->not_before_us > now) {
            next = std::min(next, run->not_before_us);
            ++run;
          } else if ((run->scheduled && !guilds_known) || of_plugin >= options.at_once_per_plugin ||
                     !may_run(job, *run)) {
            ++run;  // looked at again when that changes
          } else {
            auto cancelled = std::make_shared<std::atomic<bool>>(false);
            job.running.emplace(run->key, cancelled);
            ++under_way;
            ++of_plugin;
            launches.push_back({job.lane, name, job.spec.timeout_us, std::move(*run), std::move(cancelled)});
            run = job.waiting.erase(run);
          }
        }
      }
    }
    return launches;
  }

  std::int64_t run_due() {
    std::int64_t next = kNever;
    std::vector<Launch> launches;
    {
      std::lock_guard lock(mutex);
      launches = collect(next);
    }
    for (Launch& launch : launches)
      options.post([self = shared_from_this(), launch = std::move(launch)] { self->execute(launch); });
    return next;
  }

  void execute(const Launch& launch) {
    const Run& run = launch.run;
    RequestCall call;
    call.kind = TL_JOB;
    call.name = launch.job;
    call.args = parse_or_null(run.args);
    call.progress = parse_or_null(run.progress);
    call.key = run.key;
    call.due_us = run.due_us;
    call.scheduled = run.scheduled;
    call.deadline_us = launch.timeout_us ? options.now_us() + launch.timeout_us : 0;
    call.cancelled = launch.cancelled;
    using Kind = Unit::JobChange::Kind;
    call.at_end = [&](Unit& unit) {
      if (run.scheduled)
        unit.change_job({Kind::Schedule, launch.job, run.key, "", run.due_us});
      else
        unit.change_job({Kind::Finish, launch.job, run.key, "", 0});
    };
    const RequestAnswer answer = launch.lane->request(call);
    const bool interrupted = answer.status == TL_CANCELLED || answer.status == TL_UNAVAILABLE;
    const int attempts = run.attempts + 1;
    const bool give_up = attempts >= (run.scheduled ? kScheduledAttempts : kStartedAttempts);
    const std::int64_t again = options.now_us() + (interrupted ? kSecondUs : backoff_us(run.attempts));
    if (answer.status < 0 && !interrupted) {
      log_error("plugin " + launch.lane->plugin(),
                give_up ? "a job failed for the last time" : "a job failed; it is tried again",
                {{"job", launch.job}, {"key", run.key}, {"attempt", attempts}, {"error", answer.error}});
      launch.lane->stage([&](Unit& unit) {
        if (give_up) unit.add_dead_letter(dead_run(launch.job, run, answer.error, launch.lane->generation()));
        if (run.scheduled && give_up)
          unit.change_job({Kind::Schedule, launch.job, run.key, "", run.due_us});
        else if (!run.scheduled)
          unit.change_job({give_up ? Kind::Finish : Kind::Fail, launch.job, run.key, answer.error, again});
      });
    }
    {
      std::lock_guard lock(mutex);
      --under_way;
      if (const auto found = plugins.find(launch.lane->plugin()); found != plugins.end()) {
        if (const auto entry = found->second.find(launch.job); entry != found->second.end()) {
          Job& job = entry->second;
          job.running.erase(run.key);
          job.last_error = answer.status < 0 ? answer.error : "";
          if (answer.status >= 0 && run.scheduled) job.last_due_us = std::max(job.last_due_us, run.due_us);
          const bool known = std::any_of(job.waiting.begin(), job.waiting.end(), [&](const Run& other) {
            return other.key == run.key && other.scheduled == run.scheduled;
          });
          if (answer.status < 0 && (interrupted || !give_up) && !*launch.cancelled && !known) {
            Run next = run;
            next.not_before_us = again;
            if (const auto saved = job.saved.find(run.key); saved != job.saved.end()) next.progress = saved->second;
            if (!interrupted) next.attempts = attempts;
            job.waiting.push_back(std::move(next));
          }
          job.saved.erase(run.key);
        }
      }
      ++changes;
    }
    changed.notify_all();
  }

  void loop() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      const std::uint64_t seen = changes;
      lock.unlock();
      const std::int64_t next = run_due();
      lock.lock();
      const std::int64_t wait =
          std::clamp<std::int64_t>(next == kNever ? 60 * kSecondUs : next - options.now_us(), 0, 60 * kSecondUs);
      changed.wait_for(lock, std::chrono::microseconds(wait), [&] { return stopping || changes != seen; });
    }
  }

  void touch() {
    {
      std::lock_guard lock(mutex);
      ++changes;
    }
    changed.notify_all();
  }

  const SchedulerOptions options;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::map<std::string, Job>> plugins;
  int under_way = 0;
  std::uint64_t changes = 0;
  bool stopping = false;
  std::thread thread;
};

Scheduler::Scheduler(SchedulerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  if (impl_->options.own_thread) impl_->thread = std::thread([impl = impl_] { impl->loop(); });
}

Scheduler::~Scheduler() { stop(); }

std::string Scheduler::check(const std::string& schedule, const std::string& zone) {
  try {
    if (!schedule.empty()) Cron::parse(schedule, zone);
    return {};
  } catch (const CronError& error) {
    return error.what();
  }
}

void Scheduler::plugin_started(Lane& lane) {
  Lane::JobState state = lane.job_state();
  const std::int64_t now = impl_->options.now_us();
  std::map<std::string, Impl::Job> jobs;
  std::vector<std::string> new_jobs;
  for (EntrySpec& spec : lane.jobs()) {
    Impl::Job& job = jobs[spec.name];
    job.lane = lane.shared_from_this();
    if (!spec.schedule.empty()) {
      job.cron = Cron::parse(spec.schedule, spec.zone);
      const auto last = state.last_due.find(spec.name);
      if (last == state.last_due.end()) {
        new_jobs.push_back(spec.name);  // its schedule begins today; it has missed nothing
        job.last_due_us = now;
      } else {
        job.last_due_us = last->second;
        if (job.last_due_us > now) {
          log_warn("plugin " + lane.plugin(), "a job's last run lies in the future; the clock was probably wrong",
                   {{"job", spec.name}});
          job.last_due_us = now;
        }
      }
      job.next_us = job.every() ? impl_->clock_of(job) + *job.cron->every_us() : job.cron->next(now).value_or(kNever);
      if (!job.every() && (spec.flags & TL_ENTRY_RUN_MISSED))
        if (const auto missed = job.cron->previous(now); missed && *missed > job.last_due_us)
          job.waiting.push_back({"", "{}", "null", *missed, now, 0, true});
    }
    job.spec = std::move(spec);
  }
  for (const StoredRun& run : state.runs) {
    if (const auto job = jobs.find(run.job); job == jobs.end()) {
      continue;
    } else if (run.key == kScheduledRun) {  // interrupted after it had saved its progress
      auto& waiting = job->second.waiting;
      std::erase_if(waiting, [](const Impl::Run& other) { return other.scheduled; });
      waiting.push_back({"", "{}", run.progress, run.due_us, now, 0, true});
    } else {
      job->second.waiting.push_back(
          {run.key, run.args, run.progress, run.due_us, run.not_before_us, run.attempts, false});
    }
  }
  std::vector<std::pair<std::string, Impl::Run>> given_up;
  for (const CrashedRun& crash :
       impl_->options.crashed_runs ? impl_->options.crashed_runs(lane.plugin()) : std::vector<CrashedRun>())
    for (auto& [name, job] : jobs)
      std::erase_if(job.waiting, [&](Impl::Run& run) {
        if (run.due_us != crash.due_us || full_name(name, run.key).substr(0, kCrashNameBytes) != crash.name)
          return false;
        run.attempts = std::max(run.attempts, crash.count);
        run.not_before_us = std::max(run.not_before_us, crash.last_us + backoff_us(crash.count));
        if (!crash.dead) return false;
        run.error = crash.text;
        given_up.emplace_back(name, run);
        return true;
      });
  {
    std::lock_guard lock(impl_->mutex);
    auto& known = impl_->plugins[lane.plugin()];
    for (auto& [name, job] : jobs) {
      const auto found = known.find(name);
      if (found == known.end()) continue;
      Impl::Job& before = found->second;
      job.running = std::move(before.running);
      job.saved = std::move(before.saved);
      job.last_error = std::move(before.last_error);
      if (!job.cron || job.spec.schedule != before.spec.schedule || job.spec.zone != before.spec.zone) continue;
      // The same schedule goes on: an interval does not begin anew, and what was due is still due.
      job.next_us = before.next_us;
      const auto scheduled = [](const Impl::Run& run) { return run.scheduled; };
      const bool gone = std::any_of(given_up.begin(), given_up.end(),
                                    [&](const auto& run) { return run.first == name && run.second.scheduled; });
      if (!gone && std::none_of(job.waiting.begin(), job.waiting.end(), scheduled))
        std::copy_if(before.waiting.begin(), before.waiting.end(), std::back_inserter(job.waiting), scheduled);
    }
    known = std::move(jobs);
    ++impl_->changes;
  }
  impl_->changed.notify_all();
  if (!given_up.empty())
    impl_->options.post([lane = lane.shared_from_this(), given_up] {
      lane->stage([&](Unit& unit) {
        for (const auto& [name, run] : given_up) {
          unit.add_dead_letter(Impl::dead_run(name, run, run.error, lane->generation()));
          unit.change_job({run.scheduled ? Unit::JobChange::Kind::Schedule : Unit::JobChange::Kind::Finish, name,
                           run.key, "", run.due_us});
        }
      });
    });
  if (!new_jobs.empty())
    impl_->options.post([lane = lane.shared_from_this(), new_jobs, now] {
      lane->stage([&](Unit& unit) {
        for (const std::string& job : new_jobs) unit.change_job({Unit::JobChange::Kind::Begin, job, "", "", now});
      });
    });
}

void Scheduler::plugin_stopped(const std::string& plugin) {
  std::lock_guard lock(impl_->mutex);
  impl_->plugins.erase(plugin);
}

void Scheduler::runs_changed(Lane& lane, const std::vector<Unit::JobChange>& changes) {
  bool cancelled = false;
  {
    std::lock_guard lock(impl_->mutex);
    const auto plugin = impl_->plugins.find(lane.plugin());
    if (plugin == impl_->plugins.end()) return;
    for (const Unit::JobChange& change : changes) {
      const auto job = plugin->second.find(change.job);
      if (job == plugin->second.end()) continue;
      auto& waiting = job->second.waiting;
      const auto same = [&](const Impl::Run& run) { return !run.scheduled && run.key == change.key; };
      switch (change.kind) {
        case Unit::JobChange::Kind::Start:
          // One that is being cancelled is as good as over.
          if (const auto running = job->second.running.find(change.key);
              (running == job->second.running.end() || *running->second) &&
              std::none_of(waiting.begin(), waiting.end(), same))
            waiting.push_back({change.key, change.text, "null", change.at_us, change.at_us, 0, false});
          break;
        case Unit::JobChange::Kind::Stop:
          std::erase_if(waiting, same);
          if (const auto running = job->second.running.find(change.key); running != job->second.running.end())
            *running->second = cancelled = true;
          break;
        case Unit::JobChange::Kind::Save:
          for (Impl::Run& run : waiting)
            if (same(run)) run.progress = change.text;
          if (job->second.running.contains(change.key)) job->second.saved[change.key] = change.text;
          break;
        default:
          break;
      }
    }
    ++impl_->changes;
  }
  if (cancelled) lane.wake_waits();
  impl_->changed.notify_all();
}

void Scheduler::look_again() { impl_->touch(); }

std::int64_t Scheduler::run_due() { return impl_->run_due(); }

bool Scheduler::idle() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->under_way == 0;
}

void Scheduler::stop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::vector<Scheduler::JobStatus> Scheduler::status() const {
  std::vector<JobStatus> list;
  std::lock_guard lock(impl_->mutex);
  for (const auto& [plugin, jobs] : impl_->plugins)
    for (const auto& [name, job] : jobs)
      list.push_back({plugin, name, job.spec.schedule, job.last_error,
                      job.next_us == kNever ? 0 : impl_->options.now_us() + (job.next_us - impl_->clock_of(job)),
                      job.last_due_us, job.waiting.size(), job.running.size()});
  return list;
}

}  // namespace trellis::host
