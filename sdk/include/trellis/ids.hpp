// Discord ids with a type each, and times.
#pragma once
#include <sys/random.h>

#include <charconv>
#include <chrono>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

using namespace std::chrono_literals;
using Duration = std::chrono::microseconds;
using Time = std::chrono::sys_time<std::chrono::microseconds>;  // always UTC
using Day = std::chrono::sys_days;                              // a UTC day

inline Day day_of(Time time) { return std::chrono::floor<std::chrono::days>(time); }
inline std::int64_t unix_seconds(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}
inline Time from_unix_seconds(std::int64_t seconds) { return Time{std::chrono::seconds{seconds}}; }

/// 2024-01-15
inline std::string iso8601(Day day) {
  const std::chrono::year_month_day date{day};
  char text[32];
  const int n = std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                              static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return {text, static_cast<std::size_t>(n)};
}

/// 2024-01-15T10:30:45.123456Z; no fraction when it is zero.
inline std::string iso8601(Time time) {
  const Day day = day_of(time);
  const std::int64_t us = (time - day).count();
  const std::int64_t seconds = us / 1'000'000;
  char text[48];
  int n = std::snprintf(text, sizeof text, "T%02d:%02d:%02d", static_cast<int>(seconds / 3600),
                        static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  if (us % 1'000'000 != 0)
    n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), ".%06d", static_cast<int>(us % 1'000'000));
  return iso8601(day).append(text, static_cast<std::size_t>(n)).append("Z");
}

namespace detail {
inline std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}
}  // namespace detail

/// "2024-01-15", and nothing else.
inline std::optional<Day> parse_day(std::string_view text) {
  const auto year = detail::digits(text, 0, 4), month = detail::digits(text, 5, 2), day = detail::digits(text, 8, 2);
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return Day{date};
}

/// ISO 8601 as Discord and both databases write it: "2024-01-15T10:30:45.123456+00:00", a space for the T, any number
/// of digits after the point, Z, an offset or nothing (then it is UTC) at the end.
inline std::optional<Time> parse_time(std::string_view text) {
  const auto day = parse_day(text.substr(0, 10));
  if (!day) return std::nullopt;
  if (text.size() == 10) return Time{*day};
  const auto hour = detail::digits(text, 11, 2), minute = detail::digits(text, 14, 2),
             second = detail::digits(text, 17, 2);
  if ((text[10] != 'T' && text[10] != ' ') || !hour || !minute || !second || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  Time time = Time{*day} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second};
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = 100'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      time += Duration{(text[at] - '0') * unit};
  }
  if (at == text.size() || text.substr(at) == "Z") return time;
  if (text[at] != '+' && text[at] != '-') return std::nullopt;
  const auto hours = detail::digits(text, at + 1, 2);
  const std::size_t colon = at + 3 < text.size() && text[at + 3] == ':' ? 1 : 0;
  const auto minutes = at + 3 == text.size() ? std::optional<int>{0} : detail::digits(text, at + 3 + colon, 2);
  if (!hours || !minutes || (at + 3 != text.size() && at + 5 + colon != text.size())) return std::nullopt;
  const Duration offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  return text[at] == '+' ? time - offset : time + offset;
}

/// 256 bits of the operating system as 64 hexadecimal digits, for tokens and states. work.random() is for games.
inline std::string secret_token() {
  unsigned char bits[32];
  for (std::size_t have = 0; have < sizeof bits;) {
    const ssize_t n = getrandom(bits + have, sizeof bits - have, 0);
    if (n > 0) have += static_cast<std::size_t>(n);  // only interruptions by signals fail, and they pass
  }
  std::string text;
  for (unsigned char byte : bits) text += "0123456789abcdef"[byte >> 4], text += "0123456789abcdef"[byte & 15];
  return text;
}

/// A snowflake. 0 is "none": false in a condition, NULL in a column.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  explicit constexpr Id(std::uint64_t value) : value_(value) {}

  /// Decimal digits only, 1 to 20 of them, fitting 64 bits.
  static constexpr std::optional<Id> parse(std::string_view text) {
    if (text.empty() || text.size() > 20) return std::nullopt;
    std::uint64_t value = 0;
    for (char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (value > (~std::uint64_t{0} - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
    }
    return Id{value};
  }

  constexpr std::uint64_t value() const { return value_; }
  explicit constexpr operator bool() const { return value_ != 0; }
  /// When Discord made it, to the millisecond.
  constexpr Time created_at() const {
    return Time{std::chrono::milliseconds{static_cast<std::int64_t>(value_ >> 22) + 1420070400000}};
  }
  std::string text() const { return std::to_string(value_); }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  std::uint64_t value_ = 0;
};

using GuildId = Id<struct GuildTag>;
using ChannelId = Id<struct ChannelTag>;
using UserId = Id<struct UserTag>;
using RoleId = Id<struct RoleTag>;
using MessageId = Id<struct MessageTag>;
using EmojiId = Id<struct EmojiTag>;
using MentionableId = Id<struct MentionableTag>;  // a user or a role
using InteractionId = Id<struct InteractionTag>;
using ApplicationId = Id<struct ApplicationTag>;
using WebhookId = Id<struct WebhookTag>;
using AttachmentId = Id<struct AttachmentTag>;
using AuditEntryId = Id<struct AuditEntryTag>;

}  // namespace trellis

template <class Tag>
struct std::hash<trellis::Id<Tag>> {
  std::size_t operator()(trellis::Id<Tag> id) const { return std::hash<std::uint64_t>{}(id.value()); }
};
