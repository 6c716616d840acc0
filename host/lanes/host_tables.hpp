// The host's own tables in a plugin's namespace: who owns it, where it stands, keys, jobs, dead letters.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/position.hpp"
#include "store/store.hpp"

namespace trellis::host {

/// In the open transaction; those of an earlier build are brought to the present form. Throws StoreError, with nothing
/// changed, when they are of a form that this program does not know.
void create_host_tables(Connection&, bool postgresql);

/// The plugin's own row: every commit raises `unit` by one, and only its owner may.
struct UnitRow {
  std::uint64_t owner = 0, unit = 0;
};
/// Locks the row until the transaction ends, so that an older connection still at work is waited for.
UnitRow read_unit_row(Connection&, bool postgresql);
/// Takes the row over. In the open transaction.
void claim_unit_row(Connection&, std::uint64_t owner);
/// The compare-and-set that begins every commit. False: somebody else was first, or it is in already.
bool raise_unit(Connection&, std::uint64_t owner, std::uint64_t expected);

struct StoredPosition {
  Stream stream;
  Position position;
  std::int64_t handled_us = 0;  // when what stands there was received
  std::uint32_t caught_up = 0;  // the newest session of which it was told that the guilds are there
};
std::vector<StoredPosition> read_positions(Connection&);
void write_position(Connection&, const StoredPosition&);
/// With the gaps of the stream that have no end.
void forget_position(Connection&, Stream);

std::optional<std::string> read_key(Connection&, std::string_view key, std::int64_t now_us);
/// Deletes keys that expired until then, `most` of them at a time; how many.
std::uint64_t delete_expired_keys(Connection&, std::int64_t until_us, std::uint64_t most);
struct StoredKey {
  std::string key, value;
};
/// The first key after `after` that begins with `prefix`, in order of the keys' bytes.
std::optional<StoredKey> next_key(Connection&, std::string_view prefix, std::string_view after, std::int64_t now_us);

/// The key of a scheduled run that saved its progress; no plugin can start one of that name.
inline constexpr std::string_view kScheduledRun{"\x01scheduled"};
struct StoredRun {
  std::string job, key, args, progress;
  std::int64_t due_us = 0, not_before_us = 0;
  int attempts = 0;
};
std::vector<StoredRun> read_runs(Connection&);
/// When the scheduled run that was recorded last was due; absent: never.
std::optional<std::int64_t> read_last_due(Connection&, std::string_view job);
void write_last_due(Connection&, std::string_view job, std::int64_t due_us);

}  // namespace trellis::host
