#include "gateway/identify_queue.hpp"

#include <algorithm>
#include <map>

namespace trellis::host {

void IdentifyQueue::ask(std::uint32_t shard, Go go) {
  const auto place =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Place& other) { return other.shard == shard; });
  if (place != waiting_.end())
    place->go = std::move(go);
  else
    waiting_.push_back({shard, std::move(go)});
}

void IdentifyQueue::refill(Time now) {
  if (limits_.total == 0 || limits_.remaining >= limits_.total || now < limits_.resets_at) return;
  limits_.remaining = limits_.total;
}

bool IdentifyQueue::exhausted(Time now) const {
  return limits_.total != 0 && limits_.remaining <= reserve() && now < limits_.resets_at;
}

std::optional<IdentifyQueue::Time> IdentifyQueue::run(Time now) {
  refill(now);
  std::erase_if(sent_, [&](const Sent& sent) { return now - sent.at >= options_.spacing; });
  std::map<std::uint32_t, Time> free_at;  // by key; absent: now
  for (const Sent& sent : sent_) {
    Time& at = free_at[key(sent.shard)];
    at = std::max(at, sent.at + options_.spacing);
  }
  std::optional<Time> next;
  for (std::size_t i = 0; i < waiting_.size();) {
    if (exhausted(now)) return limits_.resets_at;
    const auto taken = free_at.find(key(waiting_[i].shard));
    if (taken != free_at.end()) {
      next = next ? std::min(*next, taken->second) : taken->second;
      ++i;
      continue;
    }
    const Place place = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!place.go()) continue;
    if (limits_.total != 0) {
      // A day begins with its first IDENTIFY.
      if (now >= limits_.resets_at) limits_.resets_at = now + std::chrono::hours(24);
      if (limits_.remaining > 0) --limits_.remaining;
    }
    sent_.push_back({place.shard, now});
    free_at[key(place.shard)] = now + options_.spacing;
  }
  return next;
}

}  // namespace trellis::host
