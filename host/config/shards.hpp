// discord.shards: which gateway connections are this host's.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::host {

struct ShardRange {
  std::uint32_t first = 0, last = 0;  // this host's, both included
  std::uint32_t count = 0;            // of all hosts of the bot; 0: as Discord recommends, and all are this host's

  bool automatic() const { return count == 0; }
  std::uint32_t size() const { return last - first + 1; }
  bool operator==(const ShardRange&) const = default;
};

inline constexpr std::uint32_t kShardsMax = 16'384;

/// "auto", "4", "0-3/16", "5/16". Nothing when it is none of these, or with a sentence in `why` when its numbers do
/// not go together.
std::optional<ShardRange> parse_shards(std::string_view text, std::string& why);

}  // namespace trellis::host
