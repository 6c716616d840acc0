#include "clock.hpp"

#include <date/date.h>

#include <charconv>
#include <chrono>
#include <cstring>

namespace trellis::sim {

namespace {
void write_number(char* at, int digits, unsigned value) {
  while (digits-- > 0) {
    at[digits] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

void write_day(char* at, std::int64_t day) {
  const date::year_month_day ymd{date::sys_days{date::days{day}}};
  write_number(at, 4, static_cast<unsigned>(static_cast<int>(ymd.year())));
  at[4] = '-';
  write_number(at + 5, 2, static_cast<unsigned>(ymd.month()));
  at[7] = '-';
  write_number(at + 8, 2, static_cast<unsigned>(ymd.day()));
}
}  // namespace

std::string day_text(std::int64_t day) {
  std::string text(10, '0');
  write_day(text.data(), day);
  return text;
}

std::optional<std::int64_t> parse_day(std::string_view text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  const auto number = [&](std::size_t at, std::size_t count, auto& value) {
    const auto end = text.data() + at + count;
    const auto result = std::from_chars(text.data() + at, end, value);
    return result.ec == std::errc{} && result.ptr == end;
  };
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  if (!number(0, 4, year) || !number(5, 2, month) || !number(8, 2, day)) return std::nullopt;
  const date::year_month_day ymd{date::year{year}, date::month{month}, date::day{day}};
  if (!ymd.ok()) return std::nullopt;
  return date::sys_days{ymd}.time_since_epoch().count();
}

void put_time(std::string& out, std::int64_t unix_ms) {
  // Messages of a stream mostly share their day, so the calendar is computed once a day.
  thread_local std::int64_t cached_day = INT64_MIN;
  thread_local char cached[10];
  const std::int64_t day = day_of(unix_ms);
  if (day != cached_day) {
    write_day(cached, day);
    cached_day = day;
  }
  const auto ms = static_cast<unsigned>(unix_ms - day * kDayMs);
  char text[33] = "0000-00-00T00:00:00.000000+00:00";
  std::memcpy(text, cached, 10);
  write_number(text + 11, 2, ms / 3'600'000);
  write_number(text + 14, 2, ms / 60'000 % 60);
  write_number(text + 17, 2, ms / 1000 % 60);
  if (ms % 1000 == 0) {
    out.append(text, 19).append("+00:00");
    return;
  }
  write_number(text + 20, 3, ms % 1000);
  out.append(text, 32);
}

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace trellis::sim
