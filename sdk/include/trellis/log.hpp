// Log lines with fields, and metrics. Both may be used from any thread, and neither is exactly-once: a replay says and
// counts again.
#pragma once
#include <array>
#include <trellis/json.hpp>

namespace trellis {

/// The text is constant, what varies is in the fields: log.info("snapshot taken", {{"guild", id}, {"members", n}}).
/// The host adds plugin, handler, event position or interaction, and marks what a replay repeats.
class Log {
 public:
  Log(const tl_core_v1* core, tl_host* host) : core_(core), host_(host) {}

  void debug(std::string_view text, std::initializer_list<Field> fields = {}) const { write(TL_DEBUG, text, fields); }
  void info(std::string_view text, std::initializer_list<Field> fields = {}) const { write(TL_INFO, text, fields); }
  void warn(std::string_view text, std::initializer_list<Field> fields = {}) const { write(TL_WARN, text, fields); }
  void error(std::string_view text, std::initializer_list<Field> fields = {}) const { write(TL_ERROR, text, fields); }

 private:
  void write(std::uint32_t level, std::string_view text, std::initializer_list<Field> fields) const {
    std::array<tl_field, 32> raw;  // more than that is no log line
    std::size_t count = 0;
    for (const Field& field : fields) {
      if (count == raw.size()) break;
      raw[count++] = {detail::str(field.name), field.value.raw()};
    }
    core_->log(host_, level, detail::str(text), raw.data(), count);
  }

  const tl_core_v1* core_;
  tl_host* host_;
};

namespace detail {
/// A metric of the host's, by its id. Empty ones (a member that setup has not filled in) do nothing.
class Metric {
 public:
  Metric() = default;
  Metric(const tl_core_v1* core, tl_host* host, tl_id id) : core_(core), host_(host), id_(id) {}

 protected:
  template <class... Label>
  void report(double value, const Label&... labels) const {
    if (!core_) return;
    const std::array<Value, sizeof...(Label)> values{Value(labels)...};
    std::array<tl_value, sizeof...(Label)> raw;
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = values[i].raw();
    core_->count(host_, id_, value, raw.data(), raw.size());
  }

 private:
  const tl_core_v1* core_ = nullptr;
  tl_host* host_ = nullptr;
  tl_id id_ = 0;
};
}  // namespace detail

/// What the process saw, not what the database says: a replayed event counts again.
class Counter : detail::Metric {
 public:
  using Metric::Metric;
  template <class... Label>
  void add(double count, const Label&... labels) const {
    report(count, labels...);
  }
};

class Gauge : detail::Metric {
 public:
  using Metric::Metric;
  template <class... Label>
  void set(double value, const Label&... labels) const {
    report(value, labels...);
  }
};

/// Durations, in seconds.
class Histogram : detail::Metric {
 public:
  using Metric::Metric;
  template <class... Label>
  void observe(Duration duration, const Label&... labels) const {
    report(std::chrono::duration<double>(duration).count(), labels...);
  }

  /// Observes the time until it goes out of scope; the histogram stays.
  class Timer {
   public:
    explicit Timer(const Histogram& histogram) : histogram_(&histogram) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { histogram_->observe(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - since_)); }

   private:
    const Histogram* histogram_;
    std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  };
  [[nodiscard]] Timer time() const { return Timer(*this); }
};

}  // namespace trellis
