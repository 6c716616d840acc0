#include "lanes/baton.hpp"

namespace trellis::host {

namespace {
constexpr int kRequestsInARow = 8;
constexpr std::chrono::milliseconds kRequestsSpell{5};

template <class Predicate>
bool wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Baton::Clock::time_point until,
          Predicate ready) {
  if (until != Baton::Clock::time_point::max()) return changed.wait_until(lock, until, ready);
  changed.wait(lock, ready);
  return true;
}
}  // namespace

bool Baton::acquire_for_request(Clock::time_point until) { return acquire_request(until, false); }
bool Baton::acquire_again(Clock::time_point until) { return acquire_request(until, true); }

bool Baton::acquire_request(Clock::time_point until, bool again) {
  std::unique_lock lock(mutex_);
  int& waiting = again ? again_waiting_ : new_waiting_;
  ++waiting;
  count_eligible();
  const bool got = wait(changed_, lock, until, [&] {
    return closed_ || (refused_ && !again) || (!taken_ && (again || holds_ == 0) && !events_turn());
  });
  --waiting;
  count_eligible();
  if (!got || closed_ || (refused_ && !again)) {
    changed_.notify_all();  // the events may have been waiting for this one
    return false;
  }
  taken_ = true;
  if (requests_in_a_row_++ == 0) row_began_ = Clock::now();
  return true;
}

bool Baton::acquire_for_events(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  events_wait_ = true;
  const bool got =
      wait(changed_, lock, until, [&] { return closed_ || (!taken_ && (eligible_.load() == 0 || events_turn())); });
  events_wait_ = false;
  if (!got || closed_) {
    changed_.notify_all();  // requests may have been waiting for the events' turn
    return false;
  }
  taken_ = true;
  requests_in_a_row_ = 0;
  events_next_ = false;
  return true;
}

void Baton::release() {
  {
    std::lock_guard lock(mutex_);
    taken_ = false;
    // Settled here, once: were it asked of the clock by each that waits, each might find that it is the other's turn.
    events_next_ = requests_in_a_row_ >= kRequestsInARow ||
                   (requests_in_a_row_ > 0 && Clock::now() - row_began_ >= kRequestsSpell);
  }
  changed_.notify_all();
}

void Baton::count_eligible() { eligible_ = again_waiting_ + (holds_ == 0 && !refused_ ? new_waiting_ : 0); }

void Baton::hold_requests() {
  {
    std::lock_guard lock(mutex_);
    ++holds_;
    count_eligible();
  }
  changed_.notify_all();
}

void Baton::admit_requests() {
  {
    std::lock_guard lock(mutex_);
    --holds_;
    count_eligible();
  }
  changed_.notify_all();
}

void Baton::refuse_requests() {
  {
    std::lock_guard lock(mutex_);
    refused_ = true;
    count_eligible();
  }
  changed_.notify_all();
}

void Baton::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

}  // namespace trellis::host
