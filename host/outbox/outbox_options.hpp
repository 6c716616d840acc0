// What the outbox needs of the host.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "metrics/metrics.hpp"
#include "outbox/target.hpp"
#include "store/store.hpp"

namespace trellis::host {

struct OutboxOptions {
  std::map<std::string, OutboxTarget*> targets;                               // by system
  std::function<std::unique_ptr<Namespace>(const std::string& plugin)> open;  // throws StoreError
  std::function<void(std::function<void()>)> post;                            // onto the writer pool
  std::function<std::int64_t()> now_us;                                       // the wall clock
  Metrics* metrics = nullptr;                                                 // may be null
  std::size_t parallel = 8;  // deliveries of one plugin at a time, each of another queue
  std::int64_t first_retry_us = 1'000'000, longest_retry_us = 60'000'000;  // doubled from try to try
  bool own_thread = true;  // false: look_again() takes the clock's place
};

/// The outbox's families of metrics; each has the labels plugin and system.
struct OutboxMeters {
  explicit OutboxMeters(Metrics*);
  void add(Metrics::Handle family, const std::string& plugin, const std::string& system, double value = 1) const;
  void set(Metrics::Handle family, const std::string& plugin, const std::string& system, double value) const;

  Metrics* const metrics;
  Metrics::Handle waiting = 0, oldest = 0, dead = 0;       // gauges
  Metrics::Handle delivered = 0, failed = 0, put_off = 0;  // counters
};

}  // namespace trellis::host
