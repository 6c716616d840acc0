// The lane of one plugin: its events in order, its requests beside them, one baton, and units of work that are
// committed with the positions of the events they came from. Going back, for whatever reason, is one path: drop the
// instance, make a new one at the committed position.
#pragma once
#include <atomic>
#include <boost/json/memory_resource.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.hpp"
#include "crash/crashed_event.hpp"
#include "journal/doorbell.hpp"
#include "journal/journal.hpp"
#include "lanes/asker.hpp"
#include "lanes/baton.hpp"
#include "lanes/dead_letters.hpp"
#include "lanes/gaps.hpp"
#include "lanes/instance.hpp"
#include "lanes/turn.hpp"
#include "lanes/unit_writer.hpp"
#include "lanes/watchdog.hpp"

namespace trellis::host {

/// What a request is asked with.
struct RequestCall {
  std::uint32_t kind = TL_METHOD;
  std::string name;
  boost::json::value args;                       // an object of declared parameters
  std::string key;                               // job
  boost::json::value progress;                   // job
  bool scheduled = false;                        // job: its run is due by its schedule, not started by the plugin
  std::int64_t due_us = 0;                       // job
  std::int64_t deadline_us = 0;                  // 0: none
  int depth = 0;                                 // of service calls
  std::function<void(Unit&)> at_end;             // stages into the last unit, when the handler succeeded
  std::shared_ptr<std::atomic<bool>> cancelled;  // true: its waits end with TL_CANCELLED; may be null

  // ---- of interactions ----
  std::uint32_t command_type = TL_COMMAND_SLASH;
  std::string param = {};  // TL_SUGGEST: the command's parameter that is being typed
  std::uint64_t guild = 0, channel = 0, user = 0, permissions = 0;
  std::shared_ptr<const boost::json::value> raw = nullptr;  // as Discord sent it
  std::string body = {};                                    // data of the component or form; what was typed
  std::shared_ptr<Asker> asker = nullptr;
  /// Looks at what would run, in the generation that would run it: "", or why not, for whoever asked.
  std::function<std::string(const EntrySpec&)> admit = nullptr;
};

/// What lanes need of the host.
struct LaneContext {
  Cache& cache;
  bool postgresql = false;
  UnitWriter::Post post_write;  // onto the writer pool
  std::function<std::int64_t()> now_us;
  std::function<std::uint64_t()> new_owner;  // a number no generation had before
  /// Calls another plugin's method on this thread.
  std::function<RequestAnswer(const std::string& plugin, const RequestCall&)> call_plugin;
  /// An instance runs (after its on_start), or committed changes of its jobs.
  std::function<void(Lane&)> on_started;
  std::function<void(Lane&, const std::vector<Unit::JobChange>&)> on_job_changes;
  /// Looks at an effect while it is staged, and fills in what its target decides; else says why not. Null: nothing is
  /// delivered.
  std::function<tl_status(OutboxRow&, std::string& why)> accept_effect = nullptr;
  /// Does an operation now: calls back once, on any thread, unless it fails at once. What it returns ends it early, by
  /// a call back with TL_CANCELLED. Null: there is nobody to call.
  std::function<std::function<void()>(const OutboxRow&, std::function<void(OutsideAnswer)>)> call_outside = nullptr;
  /// Effects of this lane are in the store. May be null.
  std::function<void(Lane&)> on_effects = nullptr;
  /// The lane has ended: nothing of the plugin runs any more. May be null.
  std::function<void(Lane&)> on_stopped = nullptr;
  /// A request's sleep, by another clock than the steady one; false: it was cancelled. May be null.
  std::function<bool(const Turn&, std::int64_t us)> sleep = nullptr;
  /// A request waits, and what it had staged is in the store. [without the baton] May be null.
  std::function<void(const Turn&)> on_step = nullptr;
  /// On which events the plugin crashed earlier runs. May be null.
  std::function<std::vector<CrashedEvent>(const std::string& plugin)> crashed_events = nullptr;
  Watchdog* watchdog = nullptr;  // lanes end before it does
  /// For the documents of events. Null: the heap.
  boost::json::memory_resource* json_memory = nullptr;
  /// Before each commit: stores what has to be there first. Throws StoreError. May be null.
  std::function<void()> before_commit = nullptr;
};

/// A handler of the plugin does not return.
class LaneBusy : public PluginError {
 public:
  using PluginError::PluginError;
};

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  using Factory = std::function<std::shared_ptr<Instance>()>;  // throws PluginError

  Lane(std::string plugin, std::unique_ptr<Namespace>, LaneContext&);
  /// stop() first.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  const std::string& plugin() const { return plugin_; }

  /// When a stream is read. Those of an earlier number of shards have numbers, and each of them waits until all with
  /// lower ones are read up to `until`: so what happened in a guild is handled in its order, whichever shard it was on.
  struct StreamTurn {
    static constexpr std::uint32_t kLast = ~0u;  // the streams that grow
    std::uint32_t number = kLast;
    Position until{};
    bool goes_on = true;           // then it is read on with the last ones
    std::int64_t replaces_us = 0;  // of a new stream: when the last event of those that it replaces came; 0: not known
  };

  // ---- life. [the manager's thread] ----

  /// Starts the thread with a first generation: claims the plugin's row, binds tables, runs on_start, reads on from the
  /// committed position. Throws PluginError or StoreError when the first instance does not start; nothing runs then.
  void start(std::shared_ptr<Instance> first, Factory, std::uint64_t generation);
  /// Events of this stream come to the plugin from now on: from its committed position, else from the tail, which is
  /// committed first. Waits for that.
  void attach(Journal&, StreamTurn turn);
  void attach(Journal& journal) { attach(journal, StreamTurn()); }
  /// The plugin's places in other streams are forgotten; it has read those to their end. Throws PluginError.
  void keep_only(const std::vector<Stream>&);
  /// Replaces the running generation: holds requests, gives running ones `grace`, commits, starts the new one at the
  /// committed position. When that does not start, the old factory makes a new instance of the old code, and the reason
  /// is thrown. Events wait in the journal meanwhile.
  /// `between` runs when the old code has committed its last and the new one does not run yet; what it throws ends the
  /// reload like a start that failed. When it sets `old_may_return` to false, the new code stays, paused if need be.
  /// Returns how long events stood still: from the last of the old code, with what was committed then, until they go
  /// on. Throws LaneBusy when a handler does not return within `patience`: nothing was changed.
  using Between = std::function<void(bool& old_may_return)>;
  static constexpr std::chrono::seconds kPatience{30};
  std::chrono::microseconds replace(std::shared_ptr<Instance> next, Factory, std::uint64_t generation,
                                    std::chrono::microseconds grace, const Between& between = {},
                                    std::chrono::microseconds patience = kPatience);
  /// Takes no requests any more, gives running ones `grace` (of the time until the deadline), then ends their waits.
  /// Commits what is staged until the deadline, ends the thread. False: not everything could be committed (it is
  /// replayed at the next start).
  bool stop(std::chrono::steady_clock::time_point deadline, std::chrono::microseconds grace = {});
  /// Ends it as a crash would: what is staged or sealed is lost, and replayed by the next lane. Waits for running
  /// handlers.
  void abandon();

  // ---- requests. [any thread; runs the handler on it] ----
  RequestAnswer request(const RequestCall&);
  /// A unit of the host's own: what `change` stages is in the store when it returns.
  RequestAnswer stage(const std::function<void(Unit&)>& change);
  /// Waits look again whether they were cancelled.
  void wake_waits();

  // ---- dead letters, tried again by the code that runs now. [any thread but the lane's] ----

  /// Handles a dead event once more, after everything that is committed, marked as a replay, in a unit of its own that
  /// takes it out of the dead letters; a dead run of a job is started again. When the handler fails, the letter stays
  /// with the new error. TL_NOT_FOUND: there is no such letter. TL_UNAVAILABLE: nothing was tried (the plugin is
  /// paused, the store is away, a handler does not return until `until`).
  RequestAnswer retry_dead_letter(const DeadLetter& same, std::chrono::steady_clock::time_point until);
  /// All of them, oldest first, that `which` picks. Ends early when three in a row fail with the same error, or none
  /// can be tried now. Throws StoreError when they cannot be read.
  DeadRetries retry_dead_letters(const std::function<bool(const DeadLetter&)>& which,
                                 std::chrono::steady_clock::time_point until);
  /// Those that died under a generation at or after `since_us` (of the wall clock): what a generation that was given up
  /// left is offered to the code that runs now. Throws StoreError.
  DeadRetries retry_dead_letters(std::uint64_t generation, std::int64_t since_us,
                                 std::chrono::steady_clock::time_point until);
  /// Throws StoreError.
  std::vector<DeadLetter> dead_letters() const;
  /// Some were deleted by hand.
  void recount_dead_letters();

  // ---- [any thread] ----
  std::uint64_t generation() const;
  struct StreamStatus {
    Stream stream;
    Position position;  // handled
    Position committed;
    std::int64_t handled_us = 0;  // when the last handled event was received
  };
  struct Status {
    /// running, waiting (for the store), paused (it tries again from time to time), wedged (a handler does not return),
    /// stopped
    std::string state;
    std::string why;            // unless it runs
    std::int64_t since_us = 0;  // unless it runs; of the wall clock
    std::int64_t retry_us = 0;  // paused: when it tries again; 0: never
    std::uint64_t generation = 0;
    std::int64_t started_us = 0;
    std::uint64_t events = 0, failures = 0, went_back = 0, requests = 0;
    std::uint64_t dead_letters = 0;  // in the store
    UnitWriter::Status writer;
    HandlerTimes::Snapshot times;
    std::vector<StreamStatus> streams;
    std::vector<Gap> gaps;  // the newest kGapsShown; those without an end last
  };
  Status status() const;
  const HandlerWatch& watch() const { return watch_; }
  std::vector<StoredPosition> durable_positions() const { return writer_.durable(); }
  std::vector<StoredPosition> committed_positions() const { return writer_.committed(); }
  /// Started runs and the last due times of scheduled jobs, for the scheduler. Throws StoreError.
  struct JobState {
    std::vector<StoredRun> runs;
    std::map<std::string, std::int64_t> last_due;
  };
  JobState job_state() const;
  std::vector<EntrySpec> jobs() const;
  std::vector<EntrySpec> methods() const;
  /// Everything the running instance declared; nothing while there is none.
  std::vector<EntrySpec> entries() const;

  // ---- for turns. [whoever holds the baton] ----
  Unit& event_unit() { return *unit_; }
  UnitWriter& writer() { return writer_; }
  LaneContext& context() { return context_; }
  void seal_events();
  tl_pending pending(const Turn&) const;
  /// Ends the step, commits what it staged (and the events before it, when `all`), gives the baton back, runs `wait`,
  /// takes it again.
  tl_status yield(Turn&, bool all, const std::function<tl_status()>& wait);
  /// For a yielding function: ends early when the instance is cancelled. True: slept to the end.
  bool sleep(const Turn&, std::int64_t us);
  /// For a yielding function: until wake_waits() was called and it is so. False: the instance was cancelled.
  bool wait_until(const Turn&, const std::function<bool()>& so);
  /// A connection for reading beside the unit's, and back. Throws StoreError.
  std::unique_ptr<Connection> take_reader() const;
  void give_back(std::unique_ptr<Connection>) const;
  /// Reads with one, and once more with a new one when it turns out that a kept one had been cut. Throws StoreError.
  void with_reader(const std::function<void(std::unique_ptr<Connection>&)>& read) const;
  /// A connection for reading what is committed, waiting for the store as long as the turn may; null: see turn.error.
  Connection* connection(Turn&, bool in_transaction);

 private:
  using Clock = std::chrono::steady_clock;
  struct StreamState {
    Stream stream;
    Journal* journal = nullptr;
    std::unique_ptr<JournalReader> reader;
    const Record* next = nullptr;  // read and not handled yet
    Position delivered;            // the highest that was given to a handler in this process
    Position handled;              // staged or committed
    std::int64_t handled_us = 0;   // when that was received
    GapFinder gaps;
    StreamTurn turn;  // as given
    std::uint32_t reads_in = StreamTurn::kLast;
    bool ended = false;           // there is nothing more to come
    Position enters_at;           // it was switched off, and begins here again; {0}: it was not
    std::uint32_t caught_up = 0;  // the session of which the plugin was told so last
  };
  struct Suspect {  // an event whose handler failed once
    Stream stream;
    Position position;
  };

  // lane.cpp: the lane's thread
  void run();
  bool batch();  // true: there is more to read
  bool handle(StreamState&, std::size_t index, const Record&);
  tl_status call_handlers(StreamState&, const Record&);
  static bool takes(const Subscription&, const Record&);
  bool full() const;
  bool time_to_seal(bool more) const;
  void note_positions();
  bool settle(Clock::time_point until);  // waits until everything sealed is in the store
  void begin_instance(std::shared_ptr<Instance>);
  void drop_instance();
  void reopen_readers(const Instance&, Connection&);
  void run_tasks();
  void publish_status(const char* state);
  Clock::time_point next_wake() const;

  // lane_failures.cpp
  void event_failed(StreamState&, std::size_t index, const Record&);
  bool to_dead_letters(StreamState&, std::size_t index, const Record&, std::string error);
  bool take_apart();
  bool apart(const StreamState&, const Record&) const;
  bool is_suspect(const StreamState&, const Record&) const;
  const CrashedEvent* crashed_on(const StreamState&, const Record&) const;
  bool settle_or_wait();  // as settle(); with the store away the lane has let go of its instance when it is false
  bool may_try_again() const;
  void go_back(std::string_view why);
  void pause(std::string why);
  void wait_for_store(const std::string& why);
  void stand(std::string why);
  bool host_fault();
  void ask_store();

  // lane_dead_letters.cpp
  RequestAnswer handle_dead_letter(const DeadLetter& same, Clock::time_point until);
  RequestAnswer start_dead_run(Connection&, const DeadLetter&);
  void dead_letter_handled(const DeadLetter&, bool done);

  // lane_gaps.cpp: what is missing in a stream
  bool take(StreamState&, std::size_t index, const Record&);
  bool enter(StreamState&, std::size_t index);
  bool tell(StreamState&, std::size_t index, Gap);
  void pass(StreamState&, std::size_t index, const Record&);
  void note(const Gap&);
  void open_reader(StreamState&, const Instance*);
  bool turn_is_over(StreamState&);
  void begin_reshard_gap(const StreamState&);

  // lane_life.cpp: start, replace, stop
  void on_lane(std::function<void()>, Clock::time_point until);
  bool wait_for_requests(Clock::time_point until);
  Instance* cancel_instance();

  // lane_requests.cpp
  RequestAnswer run_request(const std::shared_ptr<Instance>&, const EntrySpec&, const RequestCall&,
                            UnitWriter::Ticket& ticket);

  const std::string plugin_;
  std::unique_ptr<Namespace> namespace_;
  LaneContext& context_;
  Baton baton_;
  UnitWriter writer_;
  HandlerWatch watch_;
  Doorbell bell_;
  std::unique_ptr<Turn> event_turn_;

  mutable std::mutex instance_mutex_;   // for readers without the baton
  std::shared_ptr<Instance> instance_;  // changed by the lane's thread, holding baton and mutex; null: paused
  Factory factory_;
  std::uint64_t generation_ = 0, owner_ = 0;
  std::vector<std::uint64_t> owners_;  // all numbers this lane took the plugin's row with
  std::unique_ptr<Unit> unit_;         // of events
  std::vector<StreamState> streams_;
  std::vector<Gap> gaps_;         // as in the store, and those staged
  const Gap* telling_ = nullptr;  // the event being handled is this
  std::optional<Suspect> suspect_;
  std::optional<std::pair<Suspect, std::string>>
      condemned_;  // its rows were refused: to the dead letters, with the reason
  std::vector<StoredPosition>
      apart_until_;  // up to here each event has a unit of its own, to find the one whose rows are refused
  std::vector<StoredPosition> apart_from_;  // what was committed when that began
  std::vector<CrashedEvent> crashed_events_;
  std::atomic<std::int64_t> dead_letters_ = 0;  // in the store
  std::string dead_error_;                      // of the last dead letters
  int dead_in_a_row_ = 0;
  std::size_t first_stream_ = 0;  // of the next batch
  std::uint64_t events_ = 0;
  std::int64_t keys_expired_us_ = 0;  // when expired keys were last deleted; of the wall clock
  Clock::time_point last_seal_{}, retry_at_{};
  std::chrono::milliseconds retry_delay_{0};
  bool waits_for_store_ = false, store_answers_ = false;
  std::string paused_why_;
  std::int64_t paused_us_ = 0;  // since when, of the wall clock; 0: it runs

  mutable std::mutex requests_mutex_;
  std::condition_variable requests_changed_;
  int requests_running_ = 0;
  bool ended_ = false;  // the thread

  struct Task {
    std::function<void()> run;
    std::exception_ptr error;  // what it threw
    bool begun = false, dropped = false, finished = false;
  };
  std::mutex tasks_mutex_;
  std::condition_variable tasks_changed_;
  std::vector<std::shared_ptr<Task>> tasks_;
  bool tasks_ended_ = false;            // the thread runs no more of them
  std::atomic<bool> ending_ = false;    // no new instance any more
  std::atomic<bool> stopping_ = false;  // the thread ends
  std::shared_ptr<Lane> self_;          // it could not be ended, so it must not be destroyed
  std::thread thread_;

  mutable std::mutex readers_mutex_;
  mutable std::vector<std::unique_ptr<Connection>> readers_;

  mutable std::mutex status_mutex_;
  Status status_;
};

}  // namespace trellis::host
