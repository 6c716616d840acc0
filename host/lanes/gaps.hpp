// What a plugin misses of a stream: each time is a Gap, found by its lane as it reads, told to the plugin as the event
// TRELLIS_GAP, and kept in the plugin's namespace.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal.hpp"
#include "store/own_tables.hpp"
#include "store/store.hpp"

namespace trellis::host {

/// Events that do not come from Discord. Their positions may be those of events of Discord's.
std::uint32_t gap_type();        // TRELLIS_GAP
std::uint32_t caught_up_type();  // TRELLIS_CAUGHT_UP

enum class GapCause {
  Lost,     // what stood between was in the log no more, or never in this one
  Session,  // the gateway session could not be resumed: what came between the two is not known
  Filter,   // events of some types were not collected
  Disabled  // the plugin was switched off
};
std::string_view name_of(GapCause);

struct Gap {
  Stream stream;
  GapCause cause = GapCause::Lost;
  Position from, to;                    // events after `from`, up to `to`, may be missing; to {0}: it has no end yet
  std::int64_t from_us = 0, to_us = 0;  // when those at either end were received, as far as that is known
  std::vector<std::string> types = {};  // Filter: those that were not collected; else all
  bool open() const { return to == Position{}; }
  bool nothing_missed() const { return to == from; }
  /// What the event holds: {"from", "to", "cause", "from_position", "to_position", "types"}.
  std::string json() const;
  /// For people: "session, 7:100 to 8:0 (2026-05-01T10:00:00Z to 2026-05-01T10:05:00Z)".
  std::string text() const;
};

/// Finds the gaps of one stream for one instance. [the lane's thread]
class GapFinder {
 public:
  /// `types`: dispatch names that the instance subscribes to. `open`: gaps of this stream that have no end yet. One of
  /// cause Session ends with the stream's first session: it took the place of streams of another number of shards.
  void begin(std::vector<std::string> types, std::vector<Gap> open);
  /// What has to be noted before the record is handled, for a plugin that stands at `stands`; asked again after each
  /// until there is nothing more. With an end: to be told to the plugin. Open: it begins here.
  std::optional<Gap> before(const Record&, const JournalReader&, Position stands, std::int64_t stands_us);
  /// It was told or, when it is open, staged.
  void noted(const Gap&);
  /// The plugin was switched off and is not told yet.
  const std::optional<Gap>& switched_off() const { return switched_off_; }

 private:
  void look_at(std::string_view filter);

  std::vector<std::string> types_, lacking_;  // lacking_: those that are not collected where the reader stands
  bool filter_known_ = false;
  std::optional<Gap> filtered_, switched_off_, resharded_;
};

// ---- the table trellis_gaps of a plugin's namespace ----

inline constexpr std::size_t kGapsShown = 20;
OwnTable gap_table();
/// Those without an end, and the newest kGapsShown others; oldest first.
std::vector<Gap> read_gaps(Connection&);
/// Known by its stream, cause and beginning: writing it again changes its end. In the open transaction.
void write_gap(Connection&, const Gap&);
/// The plugin is switched off: where it stands, a gap begins in each of its streams. In the open transaction.
void switch_off(Connection&);

}  // namespace trellis::host
