// The bytes of a segment file. Changing them needs a new kFormat.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "journal/crc32c.hpp"
#include "journal/position.hpp"

namespace trellis::host::journal_format {

static_assert(std::endian::native == std::endian::little, "segment files are little-endian");

inline constexpr char kMagic[9] = "TRLSJRNL";
/// Format 1 had zeroes where generation, flags and previous_end are, which means the same; 2 had no CaughtUp records.
inline constexpr std::uint32_t kFormat = 3;

struct SegmentHead {
  char magic[8];
  std::uint32_t format;
  std::uint32_t head_bytes;
  std::uint32_t shard_id, shard_count;
  std::int64_t created_us;
  std::uint64_t first;     // position of the first record that is no copy
  std::uint64_t previous;  // position of the last record before this segment: shows what is missing
  // No two segments of a folder have the same one. Every record's CRC goes on from it, so a record of an earlier life
  // of the file can never pass for one of this life: with the same bytes, two different beginnings give two different
  // CRCs.
  std::uint32_t generation;
  std::uint32_t flags;
  std::uint32_t previous_end;  // where the records of the segment before end, in units of 8 bytes; 0 = not known
  std::uint32_t crc;           // of all before it
};
static_assert(sizeof(SegmentHead) == 64);

struct RecordHead {
  std::uint32_t length;  // bytes from `position` to the end of the data; 0 = no record here
  std::uint32_t crc;     // of those
  std::uint64_t position;
  std::uint8_t kind, flags;
  std::uint16_t type;  // number in the segment's dictionary
  std::uint32_t reserved;
  std::uint64_t guild, channel, user, id;
  std::int64_t happened_us, received_us;
};
static_assert(sizeof(RecordHead) == 72);

/// In SegmentHead::flags: the file had an earlier life, whose bytes may stand after the last record.
inline constexpr std::uint32_t kRecycled = 1;
/// In SegmentHead::flags: what stood between the segment before and `previous` was never in this folder.
inline constexpr std::uint32_t kJump = 2;

inline constexpr std::size_t kRecordPrefix = offsetof(RecordHead, position);
inline constexpr std::size_t kRecordFixed = sizeof(RecordHead) - kRecordPrefix;
/// A session, filter or caught-up record that repeats what was true before the segment: so a segment stands on its own.
inline constexpr std::uint8_t kFlagCopy = 0x80;
/// Bytes at the end of a segment that never hold a record: whoever parses a record's data in place may read past it.
inline constexpr std::size_t kTailReserve = 64;
inline constexpr std::size_t kPage = 4096;
/// The greatest RecordKind.
inline constexpr std::uint8_t kKindMax = 6;
/// Larger data is not stored (the gateway's own limit is far below).
inline constexpr std::size_t kDataMax = 1u << 30;

constexpr std::uint64_t align(std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; }
constexpr std::uint64_t record_bytes(std::uint64_t data) { return align(sizeof(RecordHead) + data, 8); }

inline std::uint32_t head_crc(const SegmentHead& head) { return crc32c(0, &head, offsetof(SegmentHead, crc)); }

enum class Found { Record, End, Bad };

inline std::uint32_t record_crc(std::uint32_t generation, const void* from_position, std::size_t length) {
  return crc32c(generation, from_position, length);
}

/// Looks at `offset` of a segment's bytes, of which the first `limit` may hold records.
inline Found look(const char* base, std::uint64_t offset, std::uint64_t limit, bool verify, std::uint32_t generation,
                  RecordHead& head) {
  if (offset + sizeof(RecordHead) > limit) return Found::End;
  std::memcpy(&head, base + offset, sizeof head);
  if (head.length == 0) return Found::End;
  if (head.length < kRecordFixed || head.length > limit - offset - kRecordPrefix) return Found::Bad;
  if (verify && record_crc(generation, base + offset + kRecordPrefix, head.length) != head.crc) return Found::Bad;
  return Found::Record;
}

inline std::string_view data_of(const char* base, std::uint64_t offset, const RecordHead& head) {
  return {base + offset + sizeof(RecordHead), head.length - kRecordFixed};
}
inline std::uint64_t bytes_of(const RecordHead& head) { return align(kRecordPrefix + head.length, 8); }

/// Records of this segment that stand somewhere after `offset`, where none can be read: what was cut off from the rest.
/// Bytes of an earlier life of the file do not count, except that they cannot be told from a record at `offset` itself
/// whose head is damaged.
struct Later {
  std::uint64_t first = 0;    // offset of the first whole record; 0 = none
  Position first_position{};  // and its position
  std::uint64_t end = 0;      // of the last one, or of an unfinished one at `offset`; 0 = there is nothing
  bool unfinished = false;    // what stands at `offset` looks like a record of this segment
};
inline Later look_for_more(const char* base, std::uint64_t offset, std::uint64_t limit, const SegmentHead& segment) {
  Later later;
  RecordHead head;
  for (std::uint64_t at = offset; at + sizeof(RecordHead) <= limit; at += 8) {
    std::memcpy(&head, base + at, sizeof head);
    if (head.length < kRecordFixed || head.length > limit - at - kRecordPrefix) continue;
    // Positions rise: those of an earlier life are lower than all of this one.
    if (head.kind == 0 || head.kind > kKindMax || head.position < segment.previous) continue;
    const bool whole = record_crc(segment.generation, base + at + kRecordPrefix, head.length) == head.crc;
    if (!whole && at != offset) continue;
    if (whole && !later.first) {
      later.first = at;
      later.first_position = Position{head.position};
    }
    if (at == offset) later.unfinished = !whole;
    later.end = at + bytes_of(head);
    if (whole) at = later.end - 8;
  }
  return later;
}

/// The number in "<16 hex digits>.log", the name of a segment file.
bool segment_name(std::string_view file_name, std::uint64_t& number);

}  // namespace trellis::host::journal_format
