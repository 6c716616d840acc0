#include "config/shards.hpp"

#include <fmt/format.h>

#include <charconv>

namespace trellis::host {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

std::optional<ShardRange> parse_shards(std::string_view text, std::string& why) {
  if (text == "auto") return ShardRange{};
  const std::size_t slash = text.find('/');
  const auto count = number(slash == std::string_view::npos ? text : text.substr(slash + 1));
  if (!count || *count < 1 || *count > kShardsMax) return std::nullopt;
  if (slash == std::string_view::npos) return ShardRange{0, *count - 1, *count};
  const std::string_view range = text.substr(0, slash);
  const std::size_t dash = range.find('-');
  const auto first = number(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  if (*first > *last) {
    why = fmt::format("shards {} to {}: the first comes after the last", *first, *last);
    return std::nullopt;
  }
  if (*last >= *count) {
    why = fmt::format("there is no shard {} among {}: they are numbered from 0 to {}", *last, *count, *count - 1);
    return std::nullopt;
  }
  return ShardRange{*first, *last, *count};
}

}  // namespace trellis::host
