// What a journal does when it is opened: find its segments, refuse what is not its own, cut what is torn.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "journal/journal_impl.hpp"

namespace trellis::host {
using namespace journal_format;
namespace fs = std::filesystem;

namespace {

/// At least so much is read through and checked; older segments were synced long ago, and their readers check them.
constexpr std::uint64_t kCheckedBytes = 64u << 20;
constexpr std::size_t kCheckedSegments = 2;

struct Candidate {
  fs::path path;
  std::uint64_t name = 0;
  std::uint64_t size = 0;
  SegmentHead head{};
};

struct Scan {
  std::uint64_t end = sizeof(SegmentHead);  // of the last good record
  std::uint64_t cut = 0;                    // bytes after it that this segment's records may have been in
  std::uint64_t rest = 0;                   // bytes after it that are not zero, up to the last of them
  std::uint64_t records = 0;                // that are no copies
  Position last;
  std::int64_t received_us = 0;
  bool has_session = false, has_filter = false;
  std::uint32_t session_epoch = 0, caught_up_epoch = 0;
  std::string session, filter;
  std::vector<std::uint32_t> dictionary;  // event_type() by the segment's number
};

bool all_zero(const char* from, std::size_t count) {
  return count == 0 || (from[0] == 0 && std::memcmp(from, from + 1, count - 1) == 0);
}

/// False: no segment of anybody (cut off while it was made, or its head is damaged).
bool read_head(Candidate& candidate, Stream stream, const fs::path& folder) {
  const File file(::open(candidate.path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0) {
    throw std::system_error(errno, std::generic_category(), "journal segment " + candidate.path.string());
  }
  candidate.size = static_cast<std::uint64_t>(info.st_size);
  SegmentHead& head = candidate.head;
  if (::pread(file.fd(), &head, sizeof head, 0) != static_cast<ssize_t>(sizeof head)) return false;
  if (std::memcmp(head.magic, kMagic, sizeof head.magic) != 0) return false;
  // Before the checksum: a newer format may compute it differently, and must not be taken for damage and deleted.
  if (head.format > kFormat && head.format < 1000) {
    throw std::runtime_error(
        fmt::format("journal {}: its format is {}, this program knows {}: use the newer program, or move the folder "
                    "away (events that were not handled yet are then lost)",
                    folder.string(), head.format, kFormat));
  }
  if (head.format == 0 || head.format > kFormat || head.head_bytes != sizeof head || head.crc != head_crc(head))
    return false;
  if (head.shard_id != stream.id || head.shard_count != stream.count) {
    throw std::runtime_error(fmt::format("journal {}: it belongs to shard {} of {}, not to shard {} of {}",
                                         folder.string(), head.shard_id, head.shard_count, stream.id, stream.count));
  }
  return true;
}

Scan scan(const Candidate& candidate) {
  Scan result;
  const auto mapping = Mapping::open(candidate.path);
  if (!mapping) {
    throw std::system_error(errno, std::generic_category(), "journal segment " + candidate.path.string());
  }
  const char* base = mapping->base();
  const std::uint64_t limit = mapping->size();
  result.last = Position{candidate.head.previous};
  RecordHead head;
  while (look(base, result.end, limit, true, candidate.head.generation, head) == Found::Record) {
    const auto kind = static_cast<RecordKind>(head.kind);
    const std::string_view data = data_of(base, result.end, head);
    const Position position{head.position};
    const bool copy = head.flags & kFlagCopy;
    if (kind == RecordKind::Type) {
      // Numbers count up from 1: anything else is not what this program wrote.
      if (head.type != std::max<std::size_t>(result.dictionary.size(), 1) || head.type >= kEventTypesMax) break;
      result.dictionary.resize(head.type + 1u, 0);
      result.dictionary[head.type] = event_type(data);
    } else if (!copy) {
      if (stands_at_last(kind) ? position < result.last : position <= result.last) break;
      result.last = position;
      if (head.received_us) result.received_us = head.received_us;
      ++result.records;
    }
    if (kind == RecordKind::Session) {
      result.has_session = true;
      result.session_epoch = position.epoch();
      result.session = data;
    } else if (kind == RecordKind::Filter) {
      result.has_filter = true;
      result.filter = data;
    } else if (kind == RecordKind::CaughtUp) {
      result.caught_up_epoch = position.epoch();
    }
    result.end += bytes_of(head);
  }
  std::uint64_t last = limit;
  constexpr std::uint64_t kStep = 1u << 20;
  while (last > result.end) {
    const std::uint64_t from = last - result.end > kStep ? last - kStep : result.end;
    if (!all_zero(base + from, last - from)) break;
    last = from;
  }
  while (last > result.end && base[last - 1] == 0) --last;
  result.rest = last > result.end ? last - result.end : 0;  // the file may end within the last record's padding
  result.cut = result.rest;
  if (result.rest && candidate.head.flags & kRecycled) {
    const Later later = look_for_more(base, result.end, limit, candidate.head);
    result.cut = later.end ? later.end - result.end : 0;
  }
  return result;
}

void fail(const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), "journal segment " + path.string());
}

/// Nothing of what was cut may ever look like a record again.
void zero_after(const Candidate& candidate, std::uint64_t end, std::uint64_t bytes) {
  std::error_code error;
  const auto file = open_file(candidate.path, error);
  if (!file) throw std::system_error(error, "journal segment " + candidate.path.string());
  // Up to the end, with one call where the file system can: it writes nothing then.
  const bool done_at_once = ::fallocate(file->fd(), FALLOC_FL_ZERO_RANGE, static_cast<off_t>(end),
                                        static_cast<off_t>(candidate.size - end)) == 0;
  if (done_at_once) bytes = 0;
  const std::vector<char> zeroes(std::min<std::uint64_t>(bytes, 1u << 20), 0);
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t count = std::min<std::uint64_t>(zeroes.size(), bytes - done);
    if ((error = write_at(file->fd(), zeroes.data(), count, end + done))) {
      throw std::system_error(error, "journal segment " + candidate.path.string());
    }
    done += count;
  }
  if (::fdatasync(file->fd()) != 0) fail(candidate.path);
}

}  // namespace

void Journal::Impl::recover() {
  std::error_code error;
  fs::create_directories(options.folder.parent_path(), error);
  if (::mkdir(options.folder.c_str(), 0700) != 0 && errno != EEXIST) {
    throw std::system_error(errno, std::generic_category(), "journal folder " + options.folder.string());
  }
  std::vector<Candidate> found;
  std::vector<fs::path> left_over;
  for (const auto& entry : fs::directory_iterator(options.folder)) {
    Candidate candidate;
    candidate.path = entry.path();
    const std::string name = candidate.path.filename().string();
    if (segment_name(name, candidate.name)) found.push_back(std::move(candidate));
    if (name.starts_with("spare-") || name == "spare.tmp") left_over.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });

  const auto drop = [&](const Candidate& candidate) {
    bytes_cut += candidate.size;
    fs::remove(candidate.path);
    folder_changed.store(true);
  };
  // Look at every head before anything is changed: a folder of somebody else stays as it is.
  std::vector<bool> usable(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) usable[i] = read_head(found[i], stream, options.folder);
  for (const auto& path : left_over) fs::remove(path, error);
  std::vector<Candidate> kept;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (usable[i]) {
      // Also of those that are cut below: what is left of a generation must not meet it again.
      highest_generation_ = std::max(highest_generation_, found[i].head.generation);
      kept.push_back(std::move(found[i]));
    } else {
      drop(found[i]);
    }
  }
  if (kept.empty()) return;
  last_name_ = kept.back().name;

  std::size_t first_checked = kept.size();
  for (std::uint64_t bytes = 0;
       first_checked > 0 && (bytes < kCheckedBytes || kept.size() - first_checked < kCheckedSegments);) {
    bytes += kept[--first_checked].size;
  }
  std::vector<Scan> scans(kept.size());
  const auto cut_to = [&](std::size_t count) {
    for (std::size_t i = count; i < kept.size(); ++i) drop(kept[i]);
    kept.resize(count);
    scans.resize(count);
  };
  for (std::size_t i = first_checked; i < kept.size(); ++i) {
    scans[i] = scan(kept[i]);
    // The next segment says where and with what this one ended.
    if (i + 1 == kept.size()) break;
    const SegmentHead& next = kept[i + 1].head;
    if (scans[i].cut || (!(next.flags & kJump) && scans[i].last.value != next.previous) ||
        (next.previous_end && scans[i].end != std::uint64_t{next.previous_end} * 8)) {
      cut_to(i + 1);
    }
  }
  while (!kept.empty() && scans.back().records == 0) {
    cut_to(kept.size() - 1);
    if (!kept.empty() && first_checked >= kept.size()) {
      first_checked = kept.size() - 1;
      scans.back() = scan(kept.back());
    }
  }
  if (kept.empty()) return;
  Candidate& newest_kept = kept.back();
  const Scan& end = scans.back();
  bytes_cut += end.cut;
  if (end.rest) zero_after(newest_kept, end.end, end.rest);
  const auto file = open_file(newest_kept.path, error);
  if (!file) throw std::system_error(error, "journal segment " + newest_kept.path.string());
  if (end.end + kTailReserve > newest_kept.size) {  // the file was cut short
    newest_kept.size = align(end.end + kTailReserve, kPage);
    if (::ftruncate(file->fd(), static_cast<off_t>(newest_kept.size)) != 0) fail(newest_kept.path);
  }

  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Candidate& candidate = kept[i];
    const std::uint64_t number = newest.load() + 1;
    auto segment = std::make_shared<Segment>(candidate.path, candidate.head, number, candidate.size);
    if (i + 1 < kept.size()) {
      segment->verify = i < first_checked;
      const std::uint64_t ended = std::uint64_t{kept[i + 1].head.previous_end} * 8;
      segment->published = i >= first_checked ? scans[i].end
                           : ended >= sizeof(SegmentHead) && ended <= candidate.size
                               ? ended
                               : std::max(candidate.size, sizeof(SegmentHead) + kTailReserve) - kTailReserve;
      segment->last = Position{kept[i + 1].head.previous};
      segment->sealed_us = kept[i + 1].head.created_us;
      segment->sealed = true;
    } else {
      segment->published = end.end;
      segment->file = file;
      segment->dirty = true;
    }
    total_bytes += candidate.size;
    newest = number;
    segments.push_back(std::move(segment));
  }

  current_ = segments.back();
  last_ = end.last;
  tail = end.last.value;
  tail_received_us = end.received_us;
  target_ = end.end;
  target_capacity_ = newest_kept.size;
  generation_ = newest_kept.head.generation;
  for (std::size_t local = 1; local < end.dictionary.size(); ++local) {
    local_types_[end.dictionary[local]] = static_cast<std::uint16_t>(local);
    local_type_count_ = static_cast<std::uint16_t>(local);
  }
  has_session_ = end.has_session;
  session_epoch_ = end.session_epoch;
  session_data_ = end.session;
  has_filter_ = end.has_filter;
  filter_data_ = end.filter;
  caught_up_epoch_ = end.caught_up_epoch;
}

}  // namespace trellis::host
