// How old an interaction is when it comes: one that is too old to be answered must not be executed.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>

namespace trellis::host {

/// Discord counts 3 s from when it made the interaction. One that comes in the normal way is as old as its way was
/// long, whatever the clocks say. One that a RESUME brings, or that comes after this process stood still, may be of any
/// age: then its id tells, by Discord's clock, and how far ours is off is known from those that came in the normal way.
/// [the io thread]
class Arrivals {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kOld{2500};    // 3 s, and a little for the answer's way
  static constexpr std::chrono::milliseconds kStall{1000};  // nobody ran for so long: what comes now may have waited

  /// To be called a few times a second.
  void pulse(Clock::time_point now);
  /// `behind`: it is replayed, or reading stood still. True: too late.
  bool too_old(std::int64_t created_ms, std::int64_t received_ms, bool behind, Clock::time_point now);

 private:
  static constexpr std::size_t kRemembered = 32;
  Clock::time_point last_pulse_{}, stalled_at_{};
  std::deque<std::int64_t> delays_ms_;  // of the last that came in the normal way
};

}  // namespace trellis::host
