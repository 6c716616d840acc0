// Inside of Journal: what the shard's side, the readers and the recovery share.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "journal/event_types.hpp"
#include "journal/journal.hpp"
#include "journal/segment.hpp"

namespace trellis::host {

struct Journal::Impl {
  Impl(JournalOptions, Stream);
  ~Impl();

  // ---- journal_recovery.cpp ----
  void recover();

  // ---- [the shard's thread] journal.cpp ----
  bool append(const Record&);
  std::error_code flush();
  void go_on_from(const Record& session, Position);

  // ---- [any thread] ----
  /// The segment that follows number `after`, with its bytes; null when there is none (yet).
  std::shared_ptr<Segment> next_segment(std::uint64_t after, std::shared_ptr<const Mapping>&);
  /// Where a reader that wants what follows `after` begins.
  std::shared_ptr<Segment> first_segment(Position after, std::shared_ptr<const Mapping>&);
  std::error_code sync();
  void release(Position);
  std::uint64_t bytes_after(Position);
  std::uint64_t room();

  const JournalOptions options;
  const Stream stream;

  // What any thread reads.
  std::atomic<std::uint64_t> tail{0};
  std::atomic<std::int64_t> tail_received_us{0};
  std::atomic<std::uint64_t> appended{0}, repeats{0}, unreadable{0};
  std::uint64_t bytes_cut = 0;              // set by recover()
  std::atomic<std::uint64_t> newest{0};     // number of the newest segment, 0 = none yet
  std::atomic<bool> folder_changed{false};  // since the last sync

  std::mutex mutex;  // held shortly, never while a file is synced or removed
  std::deque<std::shared_ptr<Segment>> segments;
  std::uint64_t total_bytes = 0;  // of all segments

  /// A file for a later segment, so that the shard need not wait for the file system. At most options.spares, or one
  /// made ahead.
  struct Spare {
    std::filesystem::path path;
    std::shared_ptr<File> file;
    bool recycled = false;                // it was a segment
    std::weak_ptr<const Mapping> mapped;  // while it is: readers that still stand in that segment
  };
  std::vector<Spare> spares;   // to be used. Those that were segments have no head, durably.
  std::vector<Spare> retired;  // renamed, not yet stripped of their heads: sync() does that
  std::uint64_t spare_names = 0;

  std::atomic<bool> low_disk{false};         // as sync() saw it
  std::atomic<bool> segment_refused{false};  // the last one wanted would not have left the reserve
  std::atomic<std::uint64_t> recycled{0};
  std::mutex sync_mutex;  // one sync() at a time
  // Of sync(): what was said, so that it is said once.
  bool said_budget = false, said_low_disk = false;

  std::mutex listeners_mutex;
  std::vector<Doorbell*> listeners;

 private:
  /// A stretch of the batch that goes into one segment.
  struct Chunk {
    std::size_t begin = 0, bytes = 0;  // in the batch
    std::uint64_t target = 0;          // offset in the segment
    bool opens_segment = false, jump = false;
    std::uint32_t generation = 0;  // of the segment it opens
    std::uint64_t capacity = 0;    // of the segment it opens
    Position first, previous;
    std::uint64_t previous_end = 0;
    Position last;
    std::int64_t last_received_us = 0;
    std::uint64_t records = 0;
  };

  std::shared_ptr<Segment> map(const std::shared_ptr<Segment>&, std::shared_ptr<const Mapping>&);
  void start_segment(Position first, std::uint64_t room);
  std::error_code open_segment(const Chunk&);
  void encode(RecordKind, std::uint8_t flags, std::uint16_t type, Position, const Record&, std::string_view data);
  std::uint64_t free_bytes() const;
  void look_at_room();
  /// With the mutex held.
  std::filesystem::path spare_path() { return options.folder / ("spare-" + std::to_string(++spare_names) + ".tmp"); }

  // The batch. Its buffer is kept between flushes.
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0, capacity_ = 0;
  std::vector<Chunk> chunks_;

  // Where the next record goes: in the newest segment, or in one that the batch will open.
  std::uint64_t target_ = 0, target_capacity_ = 0;
  std::array<std::uint16_t, kEventTypesMax> local_types_{};
  std::uint16_t local_type_count_ = 0;
  std::shared_ptr<Segment> current_;
  std::uint64_t last_name_ = 0;
  std::uint32_t generation_ = 0;          // of the segment that target_ is in
  std::uint32_t highest_generation_ = 0;  // ever given

  friend class Journal;
  Position last_;
  std::uint32_t session_epoch_ = 0, caught_up_epoch_ = 0;
  bool has_session_ = false, jumped_ = false;
  std::string session_data_, filter_data_;
  bool has_filter_ = false;
};

std::unique_ptr<JournalReader> make_reader(std::shared_ptr<Journal::Impl>, Position after);

}  // namespace trellis::host
