#include "lanes/watchdog.hpp"

#include <trellis/abi.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

const char* name_of(std::uint32_t request_kind) {
  static constexpr const char* kNames[] = {"request", "start", "command", "component", "suggestion",
                                           "form",    "route", "method",  "job"};
  return kNames[request_kind < std::size(kNames) ? request_kind : 0];
}

}  // namespace

// ---- times ----

double HandlerTimes::bound(std::size_t bucket) {
  return std::ldexp(1.0 + static_cast<double>(bucket % 4 + 1) / 4, static_cast<int>(bucket / 4)) * 1e-6;
}

void HandlerTimes::add(std::chrono::nanoseconds time) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
  // Less than a microsecond counts as one.
  const std::uint64_t us = std::max<std::uint64_t>(ns / 1000, 1);
  const auto exponent = static_cast<std::size_t>(std::bit_width(us)) - 1;
  const std::uint64_t quarter = exponent >= 2 ? us >> (exponent - 2) & 3 : us << (2 - exponent) & 3;
  const std::size_t bucket = std::min<std::size_t>(exponent * 4 + quarter, kBuckets - 1);
  counts_[bucket].store(counts_[bucket].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  nanoseconds_.store(nanoseconds_.load(std::memory_order_relaxed) + ns, std::memory_order_relaxed);
}

HandlerTimes::Snapshot HandlerTimes::snapshot() const {
  Snapshot snapshot;
  for (std::size_t i = 0; i < kBuckets; ++i)
    snapshot.count += snapshot.counts[i] = counts_[i].load(std::memory_order_relaxed);
  snapshot.sum_seconds = static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) * 1e-9;
  return snapshot;
}

double HandlerTimes::Snapshot::quantile(double share) const {
  if (count == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i)
    if ((seen += counts[i]) >= std::max<std::uint64_t>(wanted, 1)) return bound(i);
  return bound(kBuckets - 1);
}

// ---- one lane ----

void HandlerWatch::begin_event(std::uint32_t type, Stream stream, Position position) noexcept {
  type_.store(type, std::memory_order_relaxed);
  stream_.store(stream.id, std::memory_order_relaxed);
  streams_.store(stream.count, std::memory_order_relaxed);
  position_.store(position.value, std::memory_order_relaxed);
  began_ns_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  run_.store(run_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void HandlerWatch::begin_request(std::uint32_t kind, std::string_view name) {
  {
    std::lock_guard lock(name_mutex_);
    name_.assign(name_of(kind));
    if (!name.empty()) name_.append(" ").append(name);
  }
  type_.store(0, std::memory_order_relaxed);
  began_ns_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  run_.store(run_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void HandlerWatch::end() noexcept {
  const std::uint64_t run = run_.load(std::memory_order_relaxed);
  if (run % 2 == 0) return;
  const std::chrono::nanoseconds took(Clock::now().time_since_epoch().count() -
                                      began_ns_.load(std::memory_order_relaxed));
  times_.add(took);
  std::optional<Running> named;
  if (named_run_.load(std::memory_order_relaxed) == run) named = running();
  run_.store(run + 1);
  if (named_run_.load() != run) return;  // look() finds that it is over, or is found here
  wedged_since_us_ = 0;
  if (!wedged_.exchange(false)) return;
  log_warn("plugin " + plugin_, fmt::format("{} has returned after {:.1f} s; the plugin goes on",
                                            named ? named->what : "the handler", seconds(took)));
}

std::optional<HandlerWatch::Running> HandlerWatch::running() const {
  Running found;
  found.run = run_.load(std::memory_order_acquire);
  if (found.run % 2 == 0) return std::nullopt;
  const std::uint32_t type = type_.load(std::memory_order_relaxed);
  found.since = Clock::time_point(Clock::duration(began_ns_.load(std::memory_order_relaxed)));
  if (type == 0) {
    std::lock_guard lock(name_mutex_);
    found.what = "the handler of " + name_;
  } else {
    found.what = fmt::format("the handler of {} {} (shard {}/{})", event_name(type),
                             Position{position_.load(std::memory_order_relaxed)}.text(),
                             stream_.load(std::memory_order_relaxed), streams_.load(std::memory_order_relaxed));
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (run_.load(std::memory_order_relaxed) != found.run) return std::nullopt;  // over meanwhile
  return found;
}

std::string HandlerWatch::text(Clock::time_point now) const {
  const auto found = running();
  return found ? fmt::format("{} has not returned for {:.1f} s", found->what, seconds(now - found->since)) : "";
}

void HandlerWatch::look(std::chrono::microseconds soft, std::chrono::microseconds hard, Clock::time_point now) {
  const auto began = Clock::time_point(Clock::duration(began_ns_.load(std::memory_order_relaxed)));
  if (run_.load(std::memory_order_relaxed) % 2 == 0 || now - began < std::min(soft, hard)) return;  // as nearly always
  const auto found = running();
  if (!found || now - found->since < std::min(soft, hard)) return;
  if (named_run_ != found->run) {
    named_run_ = found->run;
    ++slow_;
    log_warn("plugin " + plugin_, text(now));
  }
  if (now - found->since < hard || wedged_) return;
  ++hangs_;
  wedged_since_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                         (std::chrono::system_clock::now() - (now - found->since)).time_since_epoch())
                         .count();
  wedged_ = true;
  log_error("plugin " + plugin_, text(now) + "; the plugin stands, everything else goes on");
  if (run_ == found->run) return;
  wedged_ = false;  // it returned just now
  wedged_since_us_ = 0;
}

// ---- all lanes ----

Watchdog::Watchdog(std::chrono::microseconds soft, std::chrono::microseconds hard)
    : soft_(soft), hard_(hard), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::add(HandlerWatch& watch) {
  std::lock_guard lock(mutex_);
  watches_.push_back(&watch);
}

void Watchdog::remove(HandlerWatch& watch) {
  std::lock_guard lock(mutex_);
  std::erase(watches_, &watch);
}

void Watchdog::run() {
  using namespace std::chrono_literals;
  const auto every = std::clamp<std::chrono::microseconds>(std::min(soft_, hard_) / 4, 1ms, 500ms);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, every, [&] { return stopping_; }))
    for (HandlerWatch* watch : watches_) watch->look(soft_, hard_, HandlerWatch::Clock::now());
}

}  // namespace trellis::host
