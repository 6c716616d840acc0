// The log of one stream: segment files that the shard appends to and everybody else reads.
//
// On disk, in the journal's folder: one file per segment, named by its first position. A segment is a header (magic,
// format version, stream, generation) and records. A record is: length, CRC32C of all that follows (begun with the
// segment's generation: a file may be used again), position, kind, flags, type (a number from the segment's own
// dictionary, whose entries are records too), hot fields, and the JSON of "d". Positions strictly rise over Dispatch,
// Skip and Session records; the others stand where the record before them stands. There is no mutable head: what the
// log says is what its records say.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "journal/doorbell.hpp"
#include "journal/position.hpp"

namespace trellis::host {

enum class RecordKind : std::uint8_t {
  Dispatch = 1,
  Skip = 2,      // everything up to this position was filtered away
  Session = 3,   // data: JSON {"session_id", "resume_url", "intents"}; position {epoch, 0}
  Filter = 4,    // data: JSON array of the dispatch names that are collected from here on; stands at last()
  Type = 5,      // dictionary of the segment; readers never see it
  CaughtUp = 6,  // every guild of the session's READY has been heard of; once per session; stands at last()
};

/// Such a record has no position of its own: it stands where the record before it stands, and holds for what follows.
constexpr bool stands_at_last(RecordKind kind) { return kind == RecordKind::Filter || kind == RecordKind::CaughtUp; }

/// tl_event's flags that are stored.
inline constexpr std::uint8_t kRecordBot = 1;
inline constexpr std::uint8_t kRecordMalformed = 4;
inline constexpr std::uint8_t kRecordJoined = 8;  // GUILD_CREATE: the bot was not in the guild before

/// A record, to append or as read. Views of a read record live until the reader's next call; at least 64 bytes after
/// their end can be read too (whatever they are), so a parser that needs padding needs no copy.
struct Record {
  Position position;
  RecordKind kind = RecordKind::Dispatch;
  std::uint8_t flags = 0;
  std::uint32_t type = 0;  // event_type(); 0 unless Dispatch
  std::uint64_t guild = 0, channel = 0, user = 0, id = 0;
  std::int64_t happened_us = 0, received_us = 0;
  std::string_view data;
};

/// What is needed to RESUME.
struct Session {
  std::uint32_t epoch = 0;
  std::string session_id;
  std::string resume_url;
  std::uint64_t intents = 0;  // it was begun with; 0: not known
};

struct JournalOptions {
  std::filesystem::path folder;               // of this stream; made with mode 0700
  std::uint64_t segment_bytes = 64ull << 20;  // preallocated; a larger record gets a segment of its own
  std::uint64_t budget_bytes = 8ull << 30;    // append() refuses beyond it (errc::no_space_on_device)
  std::int64_t keep_us = 600'000'000;         // segments younger than this are kept even when everybody has passed them
  std::uint64_t reserve_bytes = 256ull << 20;  // free disk left to others: below it, flush() refuses as well; 0 = none
  std::uint64_t spares = 2;                    // files of released segments that are kept to be written again
  /// Free bytes of the file system; empty: asked there.
  std::function<std::uint64_t()> free_bytes;
};

class JournalReader;

class Journal {
 public:
  /// Opens or creates; recovers: cuts at the first bad record and zeroes the rest. Throws std::system_error, or
  /// std::runtime_error with a sentence when the folder belongs to another stream or a newer format.
  Journal(JournalOptions, Stream);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  Stream stream() const;

  // ---- [the shard's thread] ----

  /// Adds to the batch. False: not above the last record's position, a repeat, dropped. (A Session record restarts at
  /// its epoch.)
  bool append(const Record&);
  /// Writes the batch with one pwrite (per segment) and lets readers see it. On an error (disk full, budget, or the
  /// free disk fell below the reserve: all no_space_on_device) the batch is kept: call again later. (SIGXFSZ is ignored
  /// by the process once a journal was made, unless it is handled.)
  std::error_code flush();
  /// Bytes in the batch that flush() has not written.
  std::size_t batched() const;

  /// Of the last record appended (batched or not); {0} when the log is empty.
  Position last() const;
  std::optional<Session> session() const;
  /// The epoch of the newest CaughtUp record; 0: there was none.
  std::uint32_t caught_up() const;
  /// From here on it is as if everything up to `last` had been in this log and released: the session goes on there, and
  /// a reader that stands before sees what is missing. For a log that was lost, or that another one has gone beyond:
  /// `last` is above last() and in the session's epoch. Takes a Session record. [nothing batched]
  void go_on_from(const Record& session, Position last);

  // ---- [any thread] ----

  /// Position of the last record that readers can see.
  Position tail() const;
  /// Reads what comes after `after`. When that is no longer in the log, it begins at the oldest record.
  std::unique_ptr<JournalReader> read_after(Position after);
  /// Rings after every flush, until removed. The bell must outlive that.
  void add_listener(Doorbell*);
  void remove_listener(Doorbell*);
  /// fdatasync of what was written since the last call. Also looks at the free disk, makes the next segment ready and
  /// writes log lines when room gets short. To be called regularly. [not the shard's thread: it may take long]
  std::error_code sync();
  /// Everything up to here is durably in the store for every plugin: whole segments before it, older than keep_us, are
  /// deleted, or kept aside to be written again.
  void release(Position);
  /// Bytes of records after a position: how far somebody who stands there is behind. Whole segments are counted; within
  /// the segment where the position lies it is an estimate.
  std::uint64_t bytes_after(Position) const;
  /// Bytes that can still be appended before flush() refuses, by the budget and the free disk. 0: it refuses now.
  std::uint64_t room() const;

  struct Stats {
    std::uint64_t segments = 0, bytes = 0, records_appended = 0, repeats_dropped = 0, bytes_cut_at_recovery = 0;
    std::uint64_t records_unreadable = 0;  // met by readers in old segments; they went on with the next segment
    Position oldest, tail;
    std::int64_t tail_received_us = 0;
    bool low_disk = false;                // the free disk is below the reserve: flush() refuses
    std::uint64_t segments_recycled = 0;  // that were written into files of earlier segments
  };
  Stats stats() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

/// [one thread at a time] Reads one journal forward. Keeps its segment mapped (read-only) while it stands in it.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  /// The next record after the last one returned, or null at the tail (call again after the bell rang). Type records
  /// are not shown.
  virtual const Record* next() = 0;
  /// Of the last record returned; what read_after() was given before that.
  virtual Position position() const = 0;
  /// What stood before the last record returned: {0} for the first of a new log. Greater than where a consumer stands =
  /// the records between are no longer there.
  virtual Position predecessor() const = 0;
  /// The newest Filter record at or before position(): JSON array of names; empty when none was ever appended. Valid
  /// once next() was called. Lives until the reader's next call.
  virtual std::string_view filter() const = 0;
};

}  // namespace trellis::host
