// Discord's times: milliseconds since 1970, UTC days, snowflakes and ISO 8601 text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::sim {

using Snowflake = std::uint64_t;

inline constexpr std::int64_t kDiscordEpochMs = 1420070400000;
inline constexpr std::int64_t kDayMs = 86'400'000;

/// The smallest snowflake of that millisecond; the low 22 bits are free for the caller.
constexpr Snowflake snowflake_at(std::int64_t unix_ms) {
  return static_cast<Snowflake>(unix_ms - kDiscordEpochMs) << 22;
}

/// Days since 1970-01-01 UTC, rounded down.
constexpr std::int64_t day_of(std::int64_t unix_ms) {
  return unix_ms >= 0 ? unix_ms / kDayMs : -((-unix_ms + kDayMs - 1) / kDayMs);
}

/// "2026-06-01" for a day number.
std::string day_text(std::int64_t day);

/// Day number of "2026-06-01" (further characters are ignored); nothing if it is not a date.
std::optional<std::int64_t> parse_day(std::string_view text);

/// Appends `2026-06-01T12:00:00.123000+00:00`, as Discord writes it: without a fraction when it would be zero.
void put_time(std::string& out, std::int64_t unix_ms);

std::int64_t wall_clock_ms();

/// Steady milliseconds, for intervals.
std::int64_t steady_ms();

}  // namespace trellis::sim
