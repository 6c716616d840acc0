// A circuit breaker: where one effect after the other is refused, the next ones wait a while instead of being refused
// too.
#pragma once
#include <algorithm>
#include <cstdint>

namespace trellis::host {

/// Closed; open after three refusals in a row; then half-open: one is let through, and decides. [one thread at a time]
class Breaker {
 public:
  static constexpr int kRefusals = 3;
  static constexpr std::int64_t kFirstPauseUs = 60'000'000, kLongestPauseUs = 1'800'000'000;

  /// 0: closed. In the past: half-open, one may be tried.
  std::int64_t open_until_us() const { return until_us_; }
  bool lets_through(std::int64_t now_us) const { return until_us_ <= now_us; }
  int refusals() const { return refusals_; }

  void refused(std::int64_t now_us) {
    if (++refusals_ < kRefusals) return;
    pause_us_ = pause_us_ == 0 ? kFirstPauseUs : std::min(pause_us_ * 2, kLongestPauseUs);
    until_us_ = now_us + pause_us_;
  }
  void succeeded() { *this = {}; }

 private:
  int refusals_ = 0;
  std::int64_t pause_us_ = 0, until_us_ = 0;
};

}  // namespace trellis::host
