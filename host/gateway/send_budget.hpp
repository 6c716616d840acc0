// Discord closes connections that send more than 120 payloads in 60 s.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>

namespace trellis::host {

/// Sliding window over one connection's sends. Some places are kept for heartbeats, which must never wait.
class SendBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kLimit = 120;
  static constexpr std::chrono::seconds kWindow{60};

  /// Places kept for heartbeats: those of one window and one more.
  void reserve_for(std::chrono::milliseconds heartbeat_interval) {
    const auto per_window = heartbeat_interval.count() > 0 ? kWindow / heartbeat_interval + 2 : 2;
    reserved_ = per_window < 60 ? static_cast<std::size_t>(per_window) : 60;
  }

  /// Counts one send, or says no.
  bool take(Time now, bool heartbeat) {
    forget(now);
    if (used_ >= (heartbeat ? kLimit : kLimit - reserved_)) return false;
    sent_[(first_ + used_) % kLimit] = now;
    ++used_;
    return true;
  }

  /// When something else than a heartbeat may be sent.
  Time free_at(Time now) {
    forget(now);
    const std::size_t places = kLimit - reserved_;
    if (used_ < places) return now;
    return sent_[(first_ + used_ - places) % kLimit] + kWindow;
  }

 private:
  void forget(Time now) {
    while (used_ > 0 && now - sent_[first_] >= kWindow) {
      first_ = (first_ + 1) % kLimit;
      --used_;
    }
  }

  std::array<Time, kLimit> sent_{};
  std::size_t first_ = 0, used_ = 0, reserved_ = 3;
};

}  // namespace trellis::host
