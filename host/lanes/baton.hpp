// Whoever holds a plugin's baton runs the plugin's code; everybody else waits.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace trellis::host {

/// Requests go first; but after 8 of them or 5 ms one batch of events has its turn, so neither starves the other.
class Baton {
 public:
  using Clock = std::chrono::steady_clock;

  /// False: closed meanwhile, or `until` passed.
  bool acquire_for_request(Clock::time_point until = Clock::time_point::max());
  /// As above, for a request that gave the baton back to wait: also while new requests are held.
  bool acquire_again(Clock::time_point until = Clock::time_point::max());
  bool acquire_for_events(Clock::time_point until = Clock::time_point::max());
  void release();

  /// [the events' thread, holding it] A request waits: hand over soon.
  bool request_waits() const { return eligible_.load(std::memory_order_relaxed) > 0; }

  /// New requests wait until every hold is taken back.
  void hold_requests();
  void admit_requests();
  /// For ever: new requests fail; those that gave the baton back to wait may have it again, to end.
  void refuse_requests();
  /// For ever: every acquire fails from now on.
  void close();

 private:
  bool acquire_request(Clock::time_point until, bool again);
  bool events_turn() const { return events_wait_ && events_next_; }
  void count_eligible();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool taken_ = false, closed_ = false, refused_ = false, events_wait_ = false;
  bool events_next_ = false;  // requests have had their spell
  int holds_ = 0;
  int requests_in_a_row_ = 0;
  Clock::time_point row_began_{};
  int new_waiting_ = 0, again_waiting_ = 0;
  std::atomic<int> eligible_ = 0;  // waiting requests that may have it: not those that are held or refused
};

}  // namespace trellis::host
