// Runs the jobs of all plugins: by schedule, or started by a plugin. A run is recorded in its last unit, so one that
// was interrupted is run again. One that fails is tried again after a delay that grows: a scheduled run 3 times, a
// started one 5 times; one that crashes the host, twice. Then it goes to the dead letters.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lanes/lane.hpp"

namespace trellis::host {

struct SchedulerOptions {
  std::function<std::int64_t()> now_us;             // the wall clock
  std::function<void(std::function<void()>)> post;  // onto the request pool
  std::function<bool()> guilds_known;               // scheduled jobs wait for the cache to be whole
  bool own_thread = true;                           // false: run_due() is called by hand
  std::size_t at_once_per_plugin = 4;               // runs; so that one plugin cannot take the whole pool
  /// In which runs the plugin crashed the host. May be null. Throws StoreError.
  std::function<std::vector<CrashedRun>(const std::string& plugin)> crashed_runs = nullptr;
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions);
  /// stop() first.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// "" when the text and zone are a schedule, else what is wrong with it.
  static std::string check(const std::string& schedule, const std::string& zone);

  // ---- [any thread] ----
  /// An instance runs: its jobs replace those of the one before; what was missed or interrupted becomes due. Throws
  /// StoreError.
  void plugin_started(Lane&);
  void plugin_stopped(const std::string& plugin);
  /// Committed changes of started runs.
  void runs_changed(Lane&, const std::vector<Unit::JobChange>&);
  /// Something that guilds_known() depends on changed.
  void look_again();
  /// Starts what is due; the time of the next, or INT64_MAX.
  std::int64_t run_due();
  /// No run is under way.
  bool idle() const;
  /// No new runs; waits for none (lanes end theirs).
  void stop();

  struct JobStatus {
    std::string plugin, job, schedule, last_error;
    std::int64_t next_us = 0, last_due_us = 0;  // 0: none
    std::size_t waiting = 0, running = 0;
  };
  std::vector<JobStatus> status() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
