// When which shard may IDENTIFY. Two limits of Discord's (Gateway: Session Start Limit): one IDENTIFY per 5 s for each
// key, which is shard id % max_concurrency; and so many a day, after which Discord ends every session and resets the
// bot's token.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace trellis::host {

/// What GET /gateway/bot says of IDENTIFYs.
struct IdentifyLimits {
  std::uint32_t max_concurrency = 1;
  std::uint32_t total = 0;  // a day; 0: Discord did not say
  std::uint32_t remaining = 0;
  std::chrono::steady_clock::time_point resets_at{};  // then `remaining` is `total` again
};

/// The order and the counting, without a clock of its own. [one thread]
class IdentifyQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Sends the IDENTIFY now. False: it is not wanted any more, and was not sent.
  using Go = std::function<bool()>;

  struct Options {
    std::chrono::milliseconds spacing{5'400};  // from one send to the next: 5 s, and what the way there may differ by
    std::uint32_t reserve = 0;  // IDENTIFYs of the day that are not used; of a small budget, no more than half
  };

  explicit IdentifyQueue(Options options) : options_(options) {}

  /// Heard from Discord: replaces what was counted since.
  void set_limits(const IdentifyLimits& limits) { limits_ = limits; }
  const IdentifyLimits& limits() const { return limits_; }

  /// One place in the queue for each shard: asking again keeps the place.
  void ask(std::uint32_t shard, Go go);
  std::size_t waiting() const { return waiting_.size(); }

  /// Lets go who may, the longest waiting first. When there is somebody left: the time to call it again.
  std::optional<Time> run(Time now);
  /// The day's IDENTIFYs are used up but for the reserve: nobody may, until Discord gives new ones.
  bool exhausted(Time now) const;
  /// How many of the day's are kept.
  std::uint32_t reserve() const { return std::min(options_.reserve, limits_.total / 2); }

 private:
  struct Place {
    std::uint32_t shard;
    Go go;
  };
  struct Sent {
    std::uint32_t shard;
    Time at;
  };
  std::uint32_t key(std::uint32_t shard) const { return shard % limits_.max_concurrency; }
  void refill(Time now);

  Options options_;
  IdentifyLimits limits_;
  std::deque<Place> waiting_;
  std::vector<Sent> sent_;  // those that others still have to keep away from
};

}  // namespace trellis::host
