// Counters, gauges and histograms with labels, for Prometheus to read. One object for the whole host, passed to whoever
// needs it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

class Metrics {
 public:
  enum class Kind : std::uint32_t { Counter = 1, Gauge = 2, Histogram = 3 };  // as TL_COUNTER ...
  /// Of a family of series. 0 is none: using it does nothing. Valid as long as the Metrics object.
  using Handle = std::uint64_t;
  using Labels = std::span<const std::string_view>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// [any thread] A family, new or the one that has this name already: a reload registers everything again. Throws
  /// std::invalid_argument with a sentence when a name is not allowed, or when the family exists with another kind,
  /// other labels or other buckets. Another help text is no clash; the first stays. Buckets: upper bounds, rising, in
  /// the measured unit; empty = 100 us to 60 s, in seconds.
  Handle family(Kind, std::string_view name, std::string_view help, const std::vector<std::string>& labels = {},
                const std::vector<double>& buckets = {});

  /// [any thread] Counter: adds (negative values are ignored). Gauge: adds. Histogram: observes. One label value for
  /// each label name; calls with another number of values, and values that are not finite, are ignored. A family keeps
  /// at most kMaxSeries combinations of label values; what comes in further ones is counted in
  /// trellis_metric_values_dropped_total and lost.
  void add(Handle, double value, Labels label_values = {});
  /// [any thread] Gauge: becomes the value. Counter and histogram: as add().
  void set(Handle, double value, Labels label_values = {});
  /// [any thread] Histogram: adds what somebody else has counted: for each bucket and the one above all, how many more
  /// there are, and their sum. Other numbers of buckets are ignored, as other kinds are.
  void add_counts(Handle, std::span<const double> more, double sum, Labels label_values = {});
  /// [any thread] Forgets one series: what it measured exists no more.
  void remove(Handle, Labels label_values);

  /// [any thread] Runs at the beginning of every to_text(), on its thread: for values that are only looked up when
  /// somebody asks. It may call everything here but to_text(). Stays until the returned object goes; that waits for a
  /// run that is under way.
  [[nodiscard]] std::shared_ptr<void> on_read(std::function<void()>);

  /// [any thread] All families, also those without a value yet, as Prometheus's "text/plain; version=0.0.4" in UTF-8.
  std::string to_text();

  static constexpr std::size_t kMaxSeries = 10'000;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
