// `trellis journal stat|cat|verify`: looks at a state directory's journals, whether a host runs or not.
#pragma once
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace trellis::host {

struct JournalCommand {
  enum class What { Stat, Cat, Verify } what = What::Stat;
  std::optional<std::uint32_t> shard;  // that one only
  // Cat:
  std::uint64_t from = 0;          // a position: that record and what follows
  std::vector<std::string> types;  // empty: all
  std::optional<std::uint64_t> guild, limit;
  bool all = false;  // also what is no dispatch
};

/// "1763600000:17" (or 1763600000, its session) as a position.
std::optional<std::uint64_t> parse_position(const std::string&);

/// Reads only. Returns the exit code: 1 when verify found something bad. Throws std::runtime_error with a sentence.
int run_journal_command(const JournalCommand&, const std::filesystem::path& state, std::ostream& out);

}  // namespace trellis::host
