// Writes one plugin's sealed units, in order, each in one transaction that begins with a compare-and-set on the
// plugin's own row. So a commit whose outcome nobody heard is never done twice, and a host that was paused or replaced
// never overwrites what came after it.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lanes/host_tables.hpp"
#include "lanes/unit.hpp"
#include "store/store.hpp"

namespace trellis::host {

class UnitWriter {
 public:
  using Clock = std::chrono::steady_clock;
  using Ticket = std::uint64_t;
  /// Runs a function on a thread of the writer pool.
  using Post = std::function<void(std::function<void()>)>;

  UnitWriter(std::string plugin, Namespace&, bool postgresql, Post);
  /// Nothing may be under way: close() first.
  ~UnitWriter();

  /// [nothing sealed or under way] Connects, makes the host's tables, takes the plugin's row with a new owner number
  /// and reads where it stands. Forgets an earlier failure. Throws StoreError.
  /// When `ours` is not empty and the row belongs to none of these, it is left alone and the failure is Owner.
  std::vector<StoredPosition> claim(std::uint64_t owner, const std::vector<std::uint64_t>& ours = {});

  // ---- [whoever holds the baton] ----

  Ticket seal(std::unique_ptr<Unit>);
  /// The connection, when nothing is under way: waits for that. Null: close() was called, a unit failed, or the store
  /// is away for longer than one waits for it. Throws StoreError when it cannot connect.
  Connection* connection(Clock::time_point until = Clock::time_point::max());
  /// As connection(), inside a transaction that has raised the unit already: SQL of the unit being staged runs in it.
  Connection* transaction(Unit&);
  /// Takes back what transaction() began.
  void abandon_transaction();
  /// Staged rows of events could not be written by transaction(): as if the writer had met it.
  void fail_events(const StoreError&);

  // ---- [any thread] ----

  enum class Outcome { Committed, Failed, Timeout };
  enum class Patience {
    Some,    // gives up (Timeout) when the store is away for some seconds
    Endless  // waits until it is back
  };
  /// Waits until the ticket's unit (and all before) is in the store.
  /// `error`: why it failed.
  Outcome wait(Ticket, Clock::time_point until = Clock::time_point::max(), std::string* error = nullptr,
               Patience = Patience::Endless);
  /// Waits until everything sealed is in the store. False: failed, closed, or the store is away for some seconds.
  bool settle();
  /// The store is away, or does not answer, for longer than anybody should wait for it.
  bool store_gone() const;
  /// Waits until at most `count` units are sealed or being written. False: failed, closed or timeout.
  bool wait_below(std::size_t count, Clock::time_point until = Clock::time_point::max());
  std::size_t waiting() const;
  Ticket last_sealed() const;

  /// What stopped it; the lane goes back to the committed position then.
  enum class Failure {
    None,
    Data,    // rows of events were refused for their values
    Schema,  // the database cannot take them: a missing table, a right
    Replay,  // the unit cannot be written again as it is
    Owner    // the plugin's row is another's
  };
  struct Status {
    Failure failure = Failure::None;
    std::string error;        // of the failure
    bool store_away = false;  // it is retrying
    std::string store_error;
    bool keys_left = false;  // more keys have expired than one unit deletes
    std::uint64_t commits = 0, sync_commits = 0, errors = 0;
    std::uint64_t events_waiting = 0, rows_waiting = 0;  // sealed, not in the store
    std::uint64_t owner = 0, unit = 0;
    std::int64_t last_commit_us = 0;
  };
  Status status() const;
  Failure failure() const;
  /// Positions that are in the store (durable: also after a power loss).
  std::vector<StoredPosition> committed() const;
  std::vector<StoredPosition> durable() const;
  /// Something that is in the store might not outlive a power loss yet.
  bool durable_lags() const;

  /// Called on the writer's thread after each commit, before it is told to anybody who waits.
  void on_commit(std::function<void(const Unit&)>);
  /// Called on the writer's thread before each commit; what it throws (StoreError) is met as if the commit had thrown
  /// it.
  void before_commit(std::function<void()>);
  /// Called when a unit is in the store or has failed, and waiting() and failure() say so.
  void on_settled(std::function<void()>);

  /// Tries what is sealed until `until`; afterwards nothing is begun any more. False: something was not written, or the
  /// store has not answered yet.
  bool close(Clock::time_point until);
  /// Nothing is under way.
  bool idle() const;

 private:
  void run();
  void write(Unit&);
  bool commit_once(Unit&);
  bool harden();
  void fail(Failure, std::string error);
  static Failure failure_of(const Unit&, const StoreError&);
  void settle_as_failed(Ticket first, const std::string& error);
  bool in_doubt(Unit&);
  bool pause(std::chrono::milliseconds);
  bool gone() const;  // under the mutex
  template <class Ready>
  bool wait_some(std::unique_lock<std::mutex>&, Clock::time_point until, Ready);
  void store_failed(const StoreError&);
  void store_answered();

  const std::string plugin_;
  Namespace& namespace_;
  const bool postgresql_;
  const Post post_;
  std::function<void()> before_commit_;
  std::function<void(const Unit&)> on_commit_;
  std::function<void()> on_settled_;

  std::unique_ptr<Connection> connection_;  // the writer's while running_, else the baton holder's
  std::uint64_t owner_ = 0, unit_ = 0;
  Clock::time_point last_sync_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Unit>> sealed_;  // the front is being written while running_
  bool running_ = false, closed_ = false;
  Ticket last_ticket_ = 0, settled_ticket_ = 0;  // settled: in the store, or failed
  struct Failed {
    Ticket first, last;
    std::string error;
  };
  std::deque<Failed> failed_tickets_;  // the newest few
  Status status_;
  Clock::time_point away_since_{};   // while status_.store_away
  Clock::time_point write_began_{};  // of the front, while running_
  std::vector<StoredPosition> committed_, durable_;
};

}  // namespace trellis::host
