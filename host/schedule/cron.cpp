#include "schedule/cron.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <vector>

namespace trellis::host {
namespace {

using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using LocalMinute = date::local_time<minutes>;

constexpr std::int64_t kMinute = 60'000'000;
// What the calendar can be asked about without overflow: 0001-01-01 to 9999-12-31.
constexpr std::int64_t kFirst = -62'135'596'800ll * 1'000'000, kLast = 253'402'214'400ll * 1'000'000;
constexpr int kYears = 100;  // 29 February on a certain weekday: at most 40

struct Field {
  const char* name;
  int low, high;
  std::array<const char*, 12> names;  // of low, low + 1, ...
};
constexpr Field kFields[] = {
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day", 1, 31, {}},
    {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {"weekday", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators, bool keep_empty) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find_first_of(separators, at), text.size());
    if (end > at || keep_empty) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

/// Bits of the values that a field names. Throws std::string: why not.
class FieldReader {
 public:
  explicit FieldReader(const Field& field) : field_(field) {}

  std::uint64_t read(std::string_view text) const {
    std::uint64_t bits = 0;
    for (const auto part : split(text, ",", true)) bits |= item(part);
    return bits;
  }

 private:
  std::uint64_t item(std::string_view text) const {
    if (text.empty()) throw std::string("there is nothing before or after a comma");
    const auto slash = text.find('/');
    const auto range = text.substr(0, slash);
    int step = 1;
    if (slash != std::string_view::npos) {
      const auto number = text.substr(slash + 1);
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), step);
      if (error != std::errc() || end != number.data() + number.size() || step < 1 || step > field_.high)
        throw fmt::format("the step \"{}\" is not between 1 and {}", number, field_.high);
    }
    int low = field_.low, high = field_.high;
    if (range == "*") {
      if (high == 7) high = 6;
    } else {
      const auto dash = range.find('-', 1);
      low = value(range.substr(0, dash));
      if (dash != std::string_view::npos) {
        high = value(range.substr(dash + 1));
        if (field_.high == 7 && high == 0 && low > 0) high = 7;  // fri-sun
        if (high < low) throw fmt::format("the range {} runs backwards; write it as two, separated by a comma", range);
      } else if (slash == std::string_view::npos) {
        high = low;
      } else if (field_.high == 7) {
        high = 6;
      }
    }
    std::uint64_t bits = 0;
    for (int i = low; i <= high; i += step) bits |= 1ull << (field_.high == 7 && i == 7 ? 0 : i);
    return bits;
  }

  int value(std::string_view text) const {
    const auto word = lower(text);
    for (std::size_t i = 0; i < field_.names.size(); ++i)
      if (field_.names[i] && word == field_.names[i]) return field_.low + static_cast<int>(i);
    int n = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || end != text.data() + text.size() ||
        (error != std::errc() && error != std::errc::result_out_of_range))
      throw fmt::format("\"{}\" is not a number{}{}, *, range (1-5), list (1,5) or step (*/5)", text,
                        field_.names[0] ? ", name like " : "", field_.names[0] ? field_.names[1] : "");
    if (error != std::errc() || n < field_.low || n > field_.high)
      throw fmt::format("{} is not between {} and {}", text, field_.low, field_.high);
    return n;
  }

  const Field& field_;
};

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const auto rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

/// The lowest set bit at or above this one, or -1; the highest at or below.
int bit_from(std::uint64_t bits, int from) {
  const auto rest = from > 63 ? 0 : bits >> from;
  return rest ? from + std::countr_zero(rest) : -1;
}
int bit_down(std::uint64_t bits, int from) {
  const auto rest = from < 0 ? 0 : bits & (from >= 63 ? ~0ull : (1ull << (from + 1)) - 1);
  return rest ? 63 - std::countl_zero(rest) : -1;
}

}  // namespace

struct Cron::Rule {
  std::string text, zone_name;
  const date::time_zone* zone = nullptr;  // null: UTC
  std::int64_t every = 0;                 // > 0: "@every"; the rest is unused
  std::uint64_t minute = 0, hour = 0, day = 0, month = 0, weekday = 0;
  bool either_day = false;  // day or weekday, else both
  bool every_hour = false;

  bool due_on(const date::year_month_day& ymd) const {
    if (!(month >> static_cast<unsigned>(ymd.month()) & 1)) return false;
    const bool d = day >> static_cast<unsigned>(ymd.day()) & 1;
    const bool w = weekday >> date::weekday(date::local_days(ymd)).c_encoding() & 1;
    return either_day ? d || w : d && w;
  }

  /// The first matching local minute at or after this one / the last at or before it.
  std::optional<LocalMinute> match_up(LocalMinute from) const {
    auto today = date::floor<date::days>(from);
    auto of_day = static_cast<int>((from - today).count());
    for (int tries = 0; tries < kYears * 366; ++tries, today += date::days(1), of_day = 0) {
      if (!due_on(date::year_month_day(today))) continue;
      for (int h = bit_from(hour, of_day / 60); h >= 0; h = bit_from(hour, h + 1)) {
        const int m = bit_from(minute, h == of_day / 60 ? of_day % 60 : 0);
        if (m >= 0) return today + minutes(h * 60 + m);
      }
    }
    return {};
  }
  std::optional<LocalMinute> match_down(LocalMinute from) const {
    auto today = date::floor<date::days>(from);
    auto of_day = static_cast<int>((from - today).count());
    for (int tries = 0; tries < kYears * 366; ++tries, today -= date::days(1), of_day = 1439) {
      if (!due_on(date::year_month_day(today))) continue;
      for (int h = bit_down(hour, of_day / 60); h >= 0; h = bit_down(hour, h - 1)) {
        const int m = bit_down(minute, h == of_day / 60 ? of_day % 60 : 59);
        if (m >= 0) return today + minutes(h * 60 + m);
      }
    }
    return {};
  }

  /// A stretch of time with one offset from UTC.
  struct Period {
    std::int64_t begin, end, offset;  // us
  };
  Period period(std::int64_t us) const {
    if (!zone) return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), 0};
    const auto info = zone->get_info(date::sys_seconds(seconds(floor_to(us, 1'000'000) / 1'000'000)));
    const auto clamp = [](date::sys_seconds time) {
      const auto s =
          std::clamp<std::int64_t>(time.time_since_epoch().count(), kFirst / 1'000'000 - 1, kLast / 1'000'000 + 1);
      return s * 1'000'000;
    };
    return {clamp(info.begin), clamp(info.end), info.offset.count() * 1'000'000ll};
  }
  static LocalMinute local(std::int64_t us, const Period& p) {
    return LocalMinute(minutes(floor_to(us + p.offset, kMinute) / kMinute));
  }
  static std::int64_t instant(LocalMinute at, const Period& p) {
    return at.time_since_epoch().count() * kMinute - p.offset;
  }
  /// When a local time is due: the first of two, or the end of the gap. Rises with the local time.
  std::int64_t due(LocalMinute at) const {
    if (!zone) return at.time_since_epoch().count() * kMinute;
    const auto info = zone->get_info(date::local_seconds(at.time_since_epoch()));
    if (info.result == date::local_info::nonexistent) return info.second.begin.time_since_epoch().count() * 1'000'000ll;
    return at.time_since_epoch().count() * kMinute - info.first.offset.count() * 1'000'000ll;
  }

  std::optional<std::int64_t> next(std::int64_t after) const {
    if (after < kFirst || after >= kLast) return {};
    if (every) return floor_to(after, every) + every;
    auto p = period(after);
    if (every_hour) {
      // Within a period local time simply runs on.
      for (std::int64_t from = after + 1; from < kLast;) {
        auto at = local(from, p);
        if (instant(at, p) < from) at += minutes(1);
        const auto found = match_up(at);
        if (!found) return {};
        if (instant(*found, p) < p.end) return instant(*found, p);
        from = p.end;
        p = period(from);
      }
      return {};
    }
    for (auto at = match_up(local(after, p)); at; at = match_up(*at + minutes(1)))
      if (const auto time = due(*at); time > after) return time;
    return {};
  }

  std::optional<std::int64_t> previous(std::int64_t at_or_before) const {
    if (at_or_before < kFirst || at_or_before >= kLast) return {};
    if (every) return floor_to(at_or_before, every);
    auto p = period(at_or_before);
    if (every_hour) {
      for (std::int64_t until = at_or_before; until > kFirst;) {
        const auto found = match_down(local(until, p));
        if (!found) return {};
        if (instant(*found, p) >= p.begin) return instant(*found, p);
        until = p.begin - 1;
        p = period(until);
      }
      return {};
    }
    // After the clock was put back, later local times were due before.
    auto from = local(at_or_before, p);
    if (p.begin > kFirst) from = std::max(from, local(at_or_before, period(p.begin - 1)));
    for (auto at = match_down(from); at; at = match_down(*at - minutes(1)))
      if (const auto time = due(*at); time <= at_or_before) return time;
    return {};
  }
};

namespace {

const date::time_zone* find_zone(std::string_view name) {
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {
  }
  bool has_data = true;
  try {
    has_data = !date::get_tzdb().zones.empty();
  } catch (const std::exception&) {
    has_data = false;
  }
  throw CronError(has_data ? fmt::format("there is no time zone \"{}\"; names are like Europe/Berlin or UTC", name)
                           : std::string("this system has no time zones; install tzdata"));
}

std::int64_t read_interval(std::string_view text) {
  static constexpr std::pair<char, std::int64_t> kUnits[] = {{'d', 86'400}, {'h', 3600}, {'m', 60}, {'s', 1}};
  constexpr std::int64_t kLongest = 366ll * 86'400;
  std::int64_t total = 0;
  const auto wrong = fmt::format("\"{}\" is not an interval like 10s, 5m or 1h30m", text);
  if (text.empty()) throw wrong;
  while (!text.empty()) {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || n < 0 || end == text.data() + text.size()) throw wrong;
    const auto unit =
        std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) { return u.first == *end; });
    if (unit == std::end(kUnits)) throw wrong;
    if (n > kLongest) throw std::string("the interval is longer than 366 days");
    total += n * unit->second;
    if (total > kLongest) throw std::string("the interval is longer than 366 days");
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  }
  if (total < 1) throw std::string("the interval must be at least 1s");
  return total * 1'000'000;
}

}  // namespace

Cron Cron::parse(std::string_view text, std::string_view zone) {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
  const auto refuse = [&](std::string_view why) { return CronError(fmt::format("cron \"{}\": {}", text, why)); };
  if (text.size() > 1000) throw CronError("cron: the expression is longer than 1000 characters");

  auto rule = std::make_shared<Rule>();
  rule->text = text;
  rule->zone_name = zone.empty() ? "UTC" : std::string(zone);
  try {
    if (rule->zone_name != "UTC") rule->zone = find_zone(rule->zone_name);
  } catch (const CronError& e) {
    throw refuse(e.what());
  }

  auto fields = split(text, " \t\r\n", false);
  if (!fields.empty() && fields[0].starts_with('@')) {
    const auto word = lower(fields[0]);
    if (word == "@every") {
      if (fields.size() != 2) throw refuse("expected one interval, as in \"@every 10s\"");
      try {
        rule->every = read_interval(lower(fields[1]));
      } catch (const std::string& why) {
        throw refuse(why);
      }
      return Cron(rule);
    }
    const auto found =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const auto& w) { return word == w.first; });
    if (found == std::end(kWords) || fields.size() != 1)
      throw refuse("expected @hourly, @daily, @weekly, @monthly, @yearly or \"@every 10s\"");
    fields = split(found->second, " ", false);
  }
  if (fields.size() != 5)
    throw refuse(fmt::format("expected five fields (minute hour day month weekday), got {}", fields.size()));

  std::uint64_t* const sets[] = {&rule->minute, &rule->hour, &rule->day, &rule->month, &rule->weekday};
  for (std::size_t i = 0; i < 5; ++i) {
    try {
      *sets[i] = FieldReader(kFields[i]).read(fields[i]);
    } catch (const std::string& why) {
      throw refuse(fmt::format("{}: {}", kFields[i].name, why));
    }
  }
  rule->either_day = !fields[2].starts_with('*') && !fields[4].starts_with('*');
  rule->every_hour = rule->hour == (1u << 24) - 1;

  static constexpr int kLongest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int longest = 0;
  for (int m = 1; m <= 12; ++m)
    if (rule->month >> m & 1) longest = std::max(longest, kLongest[m]);
  if (!rule->either_day && bit_from(rule->day, 1) > longest)
    throw refuse(fmt::format("day: the months that are named have at most {} days", longest));
  return Cron(rule);
}

std::optional<std::int64_t> Cron::next(std::int64_t after_us) const { return rule_->next(after_us); }
std::optional<std::int64_t> Cron::previous(std::int64_t at) const { return rule_->previous(at); }
std::optional<std::int64_t> Cron::every_us() const { return rule_->every ? std::optional(rule_->every) : std::nullopt; }
const std::string& Cron::text() const { return rule_->text; }
const std::string& Cron::zone() const { return rule_->zone_name; }

}  // namespace trellis::host
