// Wakes one waiting thread; ringing costs one atomic operation while nobody waits.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace trellis::host {

class Doorbell {
 public:
  /// [any thread]
  void ring() {
    rings_.fetch_add(1);
    if (!waiting_.load()) return;
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  /// How often it rang so far: take it before looking for work, give it to wait().
  std::uint64_t rings() const { return rings_.load(); }

  /// Returns when it has rung since `seen`, or at `until`.
  void wait(std::uint64_t seen, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    waiting_.store(true);
    wake_.wait_until(lock, until, [&] { return rings_.load() != seen; });
    waiting_.store(false);
  }

 private:
  std::atomic<std::uint64_t> rings_ = 0;
  std::atomic<bool> waiting_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace trellis::host
