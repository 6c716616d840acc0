// What ends by itself, as a rule: it is waited for as long as there is time, and named when it did not.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace trellis::host {

/// [one thread]
class Endings {
 public:
  /// Runs `wait`, which returns when it has ended, on a thread of its own. That thread stays when it does not: only the
  /// end of the process ends it then, and nothing that it uses may be destroyed.
  void add(const std::string& what, std::function<void()> wait) {
    {
      std::lock_guard lock(state_->mutex);
      state_->open.insert(what);
    }
    std::thread([state = state_, what, wait = std::move(wait)] {
      wait();
      std::lock_guard lock(state->mutex);
      state->open.erase(what);
      state->changed.notify_all();
    }).detach();
  }

  /// False: some have not ended by then.
  bool all(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_until(lock, until, [&] { return state_->open.empty(); });
  }

  std::set<std::string> open() const {
    std::lock_guard lock(state_->mutex);
    return state_->open;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> open;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace trellis::host
