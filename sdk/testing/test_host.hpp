// The host of a test: the folders of host/ put together around a clock and a server that are made up.
#pragma once
#include <trellis/testing_abi.h>

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.hpp"
#include "gateway/hot_fields.hpp"
#include "interactions/admission.hpp"
#include "interactions/conversation.hpp"
#include "journal/journal.hpp"
#include "lanes/lane.hpp"
#include "log_lines.hpp"
#include "made_up_discord.hpp"
#include "made_up_server.hpp"
#include "metrics/metrics.hpp"
#include "schedule/scheduler.hpp"

namespace trellis::host {

/// Something that fails the test: a handler failed, or the host cannot do what it was asked for.
class TestFailure : public std::runtime_error {
 public:
  TestFailure(tl_status status, const std::string& text) : std::runtime_error(text), status(status) {}
  const tl_status status;
};

struct TestHostOptions {
  std::string settings = "{}";
  std::filesystem::path program = "/proc/self/exe";
  tl_status (*entry)(const tl_entry_args*, tl_plugin*, char*, std::uint64_t) = nullptr;
  std::uint64_t restart_after = 0;
  bool restart_commits = false;
  trellis_testing_rest rest = nullptr;
  void* rest_self = nullptr;
};

/// Everything throws TestFailure. [one thread at a time: the test's]
class TestHost {
 public:
  explicit TestHost(TestHostOptions);
  ~TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  void event(std::string_view name, std::string_view data);
  void message(std::uint64_t user, std::uint64_t channel, std::string_view content);
  void voice(std::uint64_t user, std::uint64_t channel);
  /// The answer's body; what the handler threw comes with its status.
  std::string method(std::string_view name, std::string_view args);
  /// As trellis_testing_interact(); what the user is refused with has the status TL_REFUSED.
  std::string interact(std::string_view what);
  void advance(std::int64_t us);
  void restart(bool commit_first, std::int64_t away_us);
  std::int64_t now_us() const { return clock_us_; }
  std::uint64_t steps() const { return steps_; }
  const std::string& restarted() const { return restarted_; }
  tl_id query(std::string_view text, std::span<const tl_value> values);
  /// As trellis_testing_outbox().
  std::string outbox();
  const LogLines& log() const { return log_; }

  // ---- rows of the last query ----
  Cursor* rows(tl_id) const;

  std::string text;  // what the last call gave back
  std::string rows_error;

 private:
  struct Process;  // what ends at a restart
  struct Sleeper {
    std::int64_t until_us;
    const Turn* turn;
  };

  void make_current() { set_log_lines(&log_); }
  Lane& lane();
  void start();
  void serve_outside(LaneContext&);
  void kill();
  void begin_session();
  void dispatch(std::string_view name, std::string_view data);
  void wait_until_handled();
  void commit();
  void run_until(std::int64_t us);
  void settle();
  void step_is_over(const std::string& what);
  bool step_of_job(const Turn&);
  bool sleep(const Turn&, std::int64_t us);
  void post_job(std::function<void()>);
  void throw_failures();

  TestHostOptions options_;
  std::string plugin_;
  std::filesystem::path folder_;
  std::vector<EmbeddedFile> files_;
  std::shared_ptr<const Document> settings_;
  LogLines log_;
  HotFields hot_fields_;
  MadeUpIds ids_;
  std::atomic<std::int64_t> clock_us_;
  std::atomic<std::uint64_t> owners_ = 0;
  std::uint32_t epoch_ = 0, seq_ = 0;
  std::uint64_t generation_ = 0;
  std::string restarted_;
  MadeUpDiscord discord_;
  std::unique_ptr<Process> process_;

  tl_id query_ = 0;
  std::unique_ptr<Cursor> cursor_;

  // ---- jobs, and requests that sleep ----
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> job_threads_;
  int jobs_running_ = 0;
  std::uint64_t jobs_posted_ = 0;
  std::list<Sleeper> sleepers_;
  bool closing_ = false;
  std::atomic<bool> kill_asked_ = false;
  std::atomic<std::uint64_t> steps_ = 0;
  std::map<std::string, std::string> job_errors_;  // those that were thrown already
  const std::thread::id no_thread_{};
  std::atomic<std::thread::id> asking_ = std::thread::id();  // the test's thread, while a method runs on it
  std::shared_ptr<Conversation> talk_;                       // with whom that method's like talks; may be null
  std::int64_t defer_us_ = 0;                                // when the host speaks for it
  UsageLimits usage_;
};

}  // namespace trellis::host
