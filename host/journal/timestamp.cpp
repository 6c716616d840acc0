#include "journal/timestamp.hpp"

namespace trellis::host {

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  // YYYY-MM-DDTHH:MM:SS[.fraction](Z|+HH:MM|-HH:MM)
  auto number = [&](std::size_t at, std::size_t length, int& out) {
    out = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      if (text[i] < '0' || text[i] > '9') return false;
      out = out * 10 + (text[i] - '0');
    }
    return true;
  };
  if (text.size() < 20) return std::nullopt;
  int year, month, day, hour, minute, second;
  if (!number(0, 4, year) || text[4] != '-' || !number(5, 2, month) || text[7] != '-' || !number(8, 2, day) ||
      (text[10] != 'T' && text[10] != ' ') || !number(11, 2, hour) || text[13] != ':' || !number(14, 2, minute) ||
      text[16] != ':' || !number(17, 2, second)) {
    return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60) return std::nullopt;
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (text[at] == '.') {
    std::int64_t unit = 100'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) micros += (text[at] - '0') * unit;
    if (at == first) return std::nullopt;
  }
  int offset_minutes = 0;
  if (at == text.size()) return std::nullopt;
  if (text[at] == '+' || text[at] == '-') {
    int hours, minutes;
    if (text.size() != at + 6 || !number(at + 1, 2, hours) || text[at + 3] != ':' || !number(at + 4, 2, minutes)) {
      return std::nullopt;
    }
    offset_minutes = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
  } else if (text[at] != 'Z' || text.size() != at + 1) {
    return std::nullopt;
  }
  // Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years from the first of March.
  const int y = month <= 2 ? year - 1 : year;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const int year_of_era = y - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  const std::int64_t days = std::int64_t{era} * 146'097 + day_of_era - 719'468;
  return ((days * 24 + hour) * 60 + minute - offset_minutes) * 60'000'000 + second * 1'000'000ll + micros;
}

}  // namespace trellis::host
