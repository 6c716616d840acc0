// What each lane's handler is doing, since when, and how long handlers take. One watchdog looks at all of them and
// names those that do not return.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "journal/position.hpp"

namespace trellis::host {

/// How long handlers took: buckets whose bounds grow by a quarter of a power of two, from 1 us to 19 hours.
class HandlerTimes {
 public:
  static constexpr std::size_t kBuckets = 4 * 36;
  struct Snapshot {
    std::array<std::uint64_t, kBuckets> counts{};
    std::uint64_t count = 0;
    double sum_seconds = 0;
    /// Of a share of them, from 0 to 1, as the upper bound of its bucket: at most 25 % too high. 0: there were none.
    double quantile(double share) const;
  };
  /// Upper bound of a bucket, in seconds.
  static double bound(std::size_t bucket);

  /// [one thread at a time]
  void add(std::chrono::nanoseconds) noexcept;
  /// [any thread]
  Snapshot snapshot() const;

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> nanoseconds_ = 0;
};

/// The handler that holds a plugin's baton.
class HandlerWatch {
 public:
  using Clock = std::chrono::steady_clock;
  explicit HandlerWatch(std::string plugin) : plugin_(std::move(plugin)) {}

  // ---- [whoever holds the baton] A handler that hands the baton back to wait ends here and begins again. ----
  void begin_event(std::uint32_t type, Stream, Position) noexcept;
  void begin_request(std::uint32_t kind, std::string_view name);
  void end() noexcept;

  // ---- [any thread] ----
  /// It is over the hard limit.
  bool wedged() const { return wedged_.load(std::memory_order_relaxed); }
  /// "the handler of MESSAGE_CREATE 7:12 (shard 0/1) has not returned for 34.1 s"; empty: none runs.
  std::string text(Clock::time_point now = Clock::now()) const;
  /// When the handler that is over the hard limit began; of the wall clock, 0: none is.
  std::int64_t wedged_since_us() const { return wedged_since_us_.load(std::memory_order_relaxed); }
  /// How often a handler was found over the soft and over the hard limit.
  std::uint64_t slow() const { return slow_.load(std::memory_order_relaxed); }
  std::uint64_t hangs() const { return hangs_.load(std::memory_order_relaxed); }
  const HandlerTimes& times() const { return times_; }

  /// [the watchdog] Logs once per limit and run.
  void look(std::chrono::microseconds soft, std::chrono::microseconds hard, Clock::time_point now);

 private:
  struct Running {
    std::uint64_t run = 0;
    Clock::time_point since;
    std::string what;
  };
  std::optional<Running> running() const;

  const std::string plugin_;
  // Written by one thread at a time, read by others: a run's number is odd while it goes on.
  std::atomic<std::uint64_t> run_ = 0;
  std::atomic<std::int64_t> began_ns_ = 0;
  std::atomic<std::uint32_t> type_ = 0, stream_ = 0, streams_ = 0;  // type 0: a request
  std::atomic<std::uint64_t> position_ = 0;
  mutable std::mutex name_mutex_;
  std::string name_;  // of the request

  std::atomic<std::uint64_t> named_run_ = 0;  // the one that was found over a limit
  std::atomic<bool> wedged_ = false;
  std::atomic<std::int64_t> wedged_since_us_ = 0;
  std::atomic<std::uint64_t> slow_ = 0, hangs_ = 0;
  HandlerTimes times_;
};

/// A thread that looks at every watch a few times within the soft limit.
class Watchdog {
 public:
  Watchdog(std::chrono::microseconds soft, std::chrono::microseconds hard);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// [any thread] The watch stays until it is removed.
  void add(HandlerWatch&);
  void remove(HandlerWatch&);

 private:
  void run();

  const std::chrono::microseconds soft_, hard_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HandlerWatch*> watches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace trellis::host
