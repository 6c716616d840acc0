#include "config/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "config/config.hpp"

namespace trellis::host {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kSizes[] = {{"", 1},         {"b", 1},        {"bytes", 1},  {"kib", 0x1p10}, {"mib", 0x1p20},
                           {"gib", 0x1p30}, {"tib", 0x1p40}, {"kb", 1e3},   {"mb", 1e6},     {"gb", 1e9},
                           {"tb", 1e12},    {"k", 0x1p10},   {"m", 0x1p20}, {"g", 0x1p30},   {"t", 0x1p40}};
constexpr Unit kTimes[] = {{"us", 1},         {"ms", 1e3},      {"s", 1e6},       {"sec", 1e6},
                           {"second", 1e6},   {"seconds", 1e6}, {"min", 60e6},    {"minute", 60e6},
                           {"minutes", 60e6}, {"m", 60e6},      {"h", 3600e6},    {"hour", 3600e6},
                           {"hours", 3600e6}, {"d", 86400e6},   {"day", 86400e6}, {"days", 86400e6}};

/// Number and unit, multiplied; nothing when negative, not exact up to rounding, or without such a unit.
template <std::size_t N>
std::optional<double> measure(std::string_view text, const Unit (&units)[N], bool& has_unit) {
  const auto trim = [&] {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  };
  trim();
  if (text.empty() || text[0] < '0' || text[0] > '9') return {};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  trim();
  std::string name(text);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  has_unit = !name.empty();
  for (const auto& unit : units)
    if (unit.name == name) return std::round(number * unit.factor);
  if (number == 0 && name.empty()) return 0;
  return {};
}

/// Where the password stands in the address.
std::optional<std::pair<std::size_t, std::size_t>> password_range(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto begin = scheme + 3;
  const auto end = std::min(url.find_first_of("/?#", begin), url.size());
  // A password may hold an unescaped '@': the last one counts.
  const auto at = url.substr(0, end).rfind('@');
  if (at != std::string_view::npos && at >= begin) {
    const auto colon = url.find(':', begin);
    if (colon < at) return std::pair{colon + 1, at};
  }
  for (auto key = url.find('?'); key != std::string_view::npos; key = url.find('&', key + 1))
    if (url.substr(key + 1).starts_with("password=")) {
      const auto from = key + 1 + std::string_view("password=").size();
      return std::pair{from, std::min(url.find_first_of("&#", from), url.size())};
    }
  return {};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t exact = 0;  // a plain number of bytes, without the detour over double
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return exact;
  bool has_unit = false;
  const auto bytes = measure(text, kSizes, has_unit);
  if (!bytes || *bytes >= 0x1p63) return {};
  return static_cast<std::uint64_t>(*bytes);
}

std::optional<std::chrono::microseconds> parse_duration(std::string_view text) {
  bool has_unit = false;
  const auto us = measure(text, kTimes, has_unit);
  if (!us || *us > 0x1p62) return {};
  return std::chrono::microseconds(static_cast<std::int64_t>(*us));
}

std::string show_size(std::uint64_t bytes) {
  static constexpr std::pair<int, const char*> kUnits[] = {{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}};
  for (const auto& [bits, name] : kUnits)
    if (bytes && bytes % (1ull << bits) == 0) return fmt::format("{} {}", bytes >> bits, name);
  return std::to_string(bytes);
}

std::string show_duration(std::chrono::microseconds time) {
  static constexpr std::pair<std::int64_t, const char*> kUnits[] = {
      {86'400'000'000, "d"}, {3'600'000'000, "h"}, {60'000'000, "min"}, {1'000'000, "s"}, {1000, "ms"}};
  for (const auto& [us, name] : kUnits)
    if (time.count() && time.count() % us == 0) return fmt::format("{} {}", time.count() / us, name);
  return time.count() ? fmt::format("{} us", time.count()) : "0 s";
}

std::string without_password(std::string_view url) {
  std::string out(url);
  if (const auto range = password_range(url)) out.replace(range->first, range->second - range->first, "***");
  return out;
}

std::string password_of(std::string_view url) {
  const auto range = password_range(url);
  return range ? std::string(url.substr(range->first, range->second - range->first)) : "";
}

}  // namespace trellis::host
