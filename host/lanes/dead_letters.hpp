// Dead letters: events and job runs that could not be handled. They are kept in the plugin's namespace with their
// error, for an operator (or a reload that was rolled back) to try them again.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/position.hpp"
#include "store/own_tables.hpp"
#include "store/store.hpp"

namespace trellis::host {

struct Record;

struct DeadLetter {
  // What it is: no two have the same.
  std::string kind;   // "event" or "job"
  Stream stream;      // event
  Position position;  // event; of a job's run: when it was due, in us
  std::string type;   // the event's; of a job's run: job, or job/key

  std::string error, data;       // data: the JSON of the event's "d", or of the run's arguments
  std::uint64_t generation = 0;  // of the plugin's code, in this run of the host
  std::uint64_t guild = 0, channel = 0, user = 0, id = 0;
  std::int64_t happened_us = 0, received_us = 0;
  std::uint32_t flags = 0;  // kRecordBot ...

  // From the store.
  std::int64_t died_us = 0, tried_us = 0;  // tried: by hand, the last time; 0: never
  std::int64_t tries = 0;                  // by hand

  /// What an operator calls it: "0:1764000000:12" (shard and position, as in the log), "job/key@due".
  std::string name() const;
  bool same(const DeadLetter& other) const {
    return kind == other.kind && stream == other.stream && position == other.position && type == other.type;
  }
};

DeadLetter dead_event(Stream, const Record&, std::string error, std::uint64_t generation);
/// The event again; its data is a view of the letter's.
Record record_of(const DeadLetter&);

/// Of a retry of several.
struct DeadRetries {
  std::size_t done = 0, failed = 0, left = 0;  // left: not tried, or not to be tried now
  std::string error;                           // the last one
};

// ---- the table. Everything throws StoreError ----

OwnTable dead_letter_table();
/// All of them without `data`, in the order they died. None when the plugin never ran.
std::vector<DeadLetter> read_dead_letters(Connection&);
/// Whole; absent: there is none any more.
std::optional<DeadLetter> read_dead_letter(Connection&, const DeadLetter& same);
std::int64_t count_dead_letters(Connection&);
/// One that is there already stays.
void write_dead_letter(Connection&, const DeadLetter&);
/// A retry failed: its error, generation and number of tries.
void note_dead_retry(Connection&, const DeadLetter&);
/// False: it was not there.
bool delete_dead_letter(Connection&, const DeadLetter& same);

}  // namespace trellis::host
