#include "interactions/arrivals.hpp"

#include <algorithm>

namespace trellis::host {

void Arrivals::pulse(Clock::time_point now) {
  if (last_pulse_ != Clock::time_point{} && now - last_pulse_ > kStall) stalled_at_ = now;
  last_pulse_ = now;
}

bool Arrivals::too_old(std::int64_t created_ms, std::int64_t received_ms, bool behind, Clock::time_point now) {
  const bool stalled = (last_pulse_ != Clock::time_point{} && now - last_pulse_ > kStall) ||
                       (stalled_at_ != Clock::time_point{} && now - stalled_at_ < 2 * kStall);
  const std::int64_t delay = received_ms - created_ms;
  if (!behind && !stalled) {
    delays_ms_.push_back(delay);
    if (delays_ms_.size() > kRemembered) delays_ms_.pop_front();
    return false;
  }
  const std::int64_t usual = delays_ms_.empty() ? 0 : *std::min_element(delays_ms_.begin(), delays_ms_.end());
  return delay - usual > kOld.count();
}

}  // namespace trellis::host
