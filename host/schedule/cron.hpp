// When a schedule is due: cron expressions in a time zone, and "@every".
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trellis::host {

/// One sentence that names the field: cron "61 * * * *": minute: 61 is not between 0 and 59
class CronError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Times are microseconds since 1970-01-01 00:00 UTC. Values may be copied and used by any thread.
///
/// Five fields: minute (0-59), hour (0-23), day (1-31), month (1-12, jan-dec), weekday (0-7, sun-sat; 0 and 7 are
/// Sunday). Each is *, a number, a range a-b, a list a,b, or one of those with a step (*/15, 8-18/2; 5/15 is 5-59/15).
/// When day and weekday are both restricted (neither begins with *), either is enough, as everywhere. Also @hourly,
/// @daily, @midnight,
/// @weekly (Sunday), @monthly, @yearly, @annually; and "@every 10s" with d, h, m, s ("@every 1h30m"), which is due at
/// the multiples of the interval since 1970 and knows no zone.
///
/// Summer time: a local time that is skipped is due at the first moment after it, once; one that comes twice is due the
/// first time only. Schedules for every hour (hour is *) follow the clock instead: they come in both hours, and skip
/// what is skipped, so that */5 stays every five minutes.
class Cron {
 public:
  /// zone: "UTC" or a name of the IANA database, of which the system's copy is used; "" is UTC. Throws CronError.
  static Cron parse(std::string_view text, std::string_view zone = "UTC");

  /// The first due time later than this one; nothing when there is none within 100 years or beyond the year 9999.
  std::optional<std::int64_t> next(std::int64_t after_us) const;
  /// The last due time that is not later than this one.
  std::optional<std::int64_t> previous(std::int64_t at_or_before_us) const;
  /// Of "@every": the interval.
  std::optional<std::int64_t> every_us() const;

  const std::string& text() const;
  const std::string& zone() const;

 private:
  struct Rule;
  explicit Cron(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}
  std::shared_ptr<const Rule> rule_;
};

}  // namespace trellis::host
