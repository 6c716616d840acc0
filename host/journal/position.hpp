// Where something stands in the log of one stream.
#pragma once
#include <compare>
#include <cstdint>
#include <string>

namespace trellis::host {

/// One stream of dispatches: shard `id` of `count`. A change of count makes other streams (guilds move between shards).
struct Stream {
  std::uint32_t id = 0;
  std::uint32_t count = 1;
  friend auto operator<=>(Stream, Stream) = default;
};

/// (epoch, seq) as one ordered number: the epoch is a gateway session (never used twice; at least the Unix seconds of
/// its IDENTIFY), seq is Discord's `s` within it. {epoch, 0} is the session itself, before its first dispatch. 0 =
/// before everything.
struct Position {
  std::uint64_t value = 0;

  static constexpr Position of(std::uint32_t epoch, std::uint32_t seq) { return {std::uint64_t{epoch} << 32 | seq}; }
  constexpr std::uint32_t epoch() const { return static_cast<std::uint32_t>(value >> 32); }
  constexpr std::uint32_t seq() const { return static_cast<std::uint32_t>(value); }
  std::string text() const { return std::to_string(epoch()) + ":" + std::to_string(seq()); }
  friend constexpr auto operator<=>(Position, Position) = default;
};

}  // namespace trellis::host
