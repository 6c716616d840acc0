// What keeps the journal within its room: syncing, releasing, spare files, the disk's reserve.
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "journal/journal_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {
using namespace journal_format;

namespace {

/// Without its head a file is no segment, whatever else is in it.
std::error_code strip_head(int fd) {
  const SegmentHead nothing{};
  if (auto error = write_at(fd, &nothing, sizeof nothing, 0)) return error;
  if (::fdatasync(fd) != 0) return {errno, std::generic_category()};
  return {};
}

}  // namespace

std::error_code Journal::Impl::sync() {
  std::lock_guard one(sync_mutex);
  std::vector<std::pair<std::shared_ptr<Segment>, std::shared_ptr<File>>> dirty;
  std::vector<Spare> stripped;
  bool make_spare = false;
  {
    std::lock_guard lock(mutex);
    for (const auto& segment : segments) {
      if (!segment->file) continue;
      if (segment->dirty.exchange(false, std::memory_order_acq_rel)) {
        dirty.emplace_back(segment, segment->file);
      } else if (segment->sealed.load(std::memory_order_acquire)) {
        segment->file = nullptr;
      }
    }
    // A reader may still stand in it: its bytes must stay until then.
    const auto unread =
        std::partition(retired.begin(), retired.end(), [](const Spare& s) { return !s.mapped.expired(); });
    stripped.assign(std::make_move_iterator(unread), std::make_move_iterator(retired.end()));
    retired.erase(unread, retired.end());
    if (!segments.empty() && spares.empty() && stripped.empty()) {
      const auto& last = segments.back();
      make_spare = last->published.load(std::memory_order_relaxed) > last->size / 2 &&
                   total_bytes + options.segment_bytes <= options.budget_bytes;
    }
  }
  std::error_code error;
  for (const auto& [segment, file] : dirty) {
    if (::fdatasync(file->fd()) != 0) {
      error = {errno, std::generic_category()};
      segment->dirty.store(true);
    }
  }
  bool folder_safe = true;
  if (folder_changed.exchange(false)) {
    if (auto failed = sync_folder(options.folder)) {
      folder_changed.store(true);
      folder_safe = false;
      error = failed;
    }
  }
  // After the folder: a segment must have lost its name for good before it loses its head, and its head before it gets
  // a new name.
  for (Spare& spare : stripped) {
    if (folder_safe && strip_head(spare.file->fd())) {
      ::unlink(spare.path.c_str());
      continue;
    }
    std::lock_guard lock(mutex);
    (folder_safe ? spares : retired).push_back(std::move(spare));
  }
  if (make_spare && (!options.reserve_bytes || free_bytes() >= options.reserve_bytes + options.segment_bytes)) {
    Spare spare;
    {
      std::lock_guard lock(mutex);
      spare.path = spare_path();
    }
    std::error_code no_room;  // the shard will find out, if it is still so then
    if ((spare.file = make_file(spare.path, options.segment_bytes, no_room))) {
      std::lock_guard lock(mutex);
      spares.push_back(std::move(spare));
    }
  }
  look_at_room();
  return error;
}

std::uint64_t Journal::Impl::free_bytes() const {
  if (options.free_bytes) return options.free_bytes();
  struct statvfs info{};
  if (::statvfs(options.folder.c_str(), &info) != 0) return UINT64_MAX;  // then writing says what is wrong
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

/// [sync] A little more than the reserve must be free again before it goes on: so it does not go back and forth.
void Journal::Impl::look_at_room() {
  if (options.reserve_bytes) {
    const std::uint64_t free = free_bytes();
    const bool low = low_disk.load(std::memory_order_relaxed) ? free < options.reserve_bytes + options.reserve_bytes / 8
                                                              : free < options.reserve_bytes;
    low_disk.store(low, std::memory_order_relaxed);
    if (low) {
      std::vector<Spare> dropped;
      {
        std::lock_guard lock(mutex);
        dropped.swap(spares);
      }
      for (const Spare& spare : dropped) ::unlink(spare.path.c_str());
    }
    const bool refuses = low || segment_refused.load(std::memory_order_relaxed);
    if (refuses != said_low_disk) {
      said_low_disk = refuses;
      if (refuses) {
        log_error("journal",
                  "too little free disk: nothing more is written and reading from Discord pauses; free some, events "
                  "wait at Discord for a few minutes",
                  {{"shard", stream.id},
                   {"folder", options.folder.string()},
                   {"free_mib", free >> 20},
                   {"journal.reserve_mib", options.reserve_bytes >> 20}});
      } else {
        log_info("journal", "there is free disk again: writing goes on",
                 {{"shard", stream.id}, {"free_mib", free >> 20}});
      }
    }
  }
  std::uint64_t used = 0;
  {
    std::lock_guard lock(mutex);
    used = total_bytes;
  }
  const std::uint64_t alarm = options.budget_bytes / 10 * 8;
  if (!said_budget && used >= alarm) {
    said_budget = true;
    log_warn(
        "journal",
        "80 % of journal.budget is used: a plugin is far behind (trellis ctl status shows which); when it is full, "
        "reading from Discord pauses",
        {{"shard", stream.id}, {"used_mib", used >> 20}, {"budget_mib", options.budget_bytes >> 20}});
  } else if (said_budget && used < options.budget_bytes / 10 * 7) {
    said_budget = false;
    log_info("journal", "less than 70 % of journal.budget is used again",
             {{"shard", stream.id}, {"used_mib", used >> 20}, {"budget_mib", options.budget_bytes >> 20}});
  }
}

void Journal::Impl::release(Position passed) {
  struct Gone {
    std::shared_ptr<Segment> segment;
    std::filesystem::path spare;  // empty: it is not kept
  };
  std::vector<Gone> gone;
  const std::int64_t now = clock_us();
  {
    std::lock_guard lock(mutex);
    while (segments.size() > 1) {
      const auto& oldest = segments.front();
      if (oldest->last > passed || now - oldest->sealed_us < options.keep_us) break;
      total_bytes -= oldest->size;
      gone.push_back({oldest, {}});
      segments.pop_front();
    }
    // The newest of them become spare files: the system may still have their pages.
    std::uint64_t aside = spares.size() + retired.size();
    for (auto one = gone.rbegin(); one != gone.rend(); ++one) {
      if (one->segment->size != options.segment_bytes || aside >= options.spares ||
          low_disk.load(std::memory_order_relaxed) ||
          total_bytes + (aside + 1) * options.segment_bytes > options.budget_bytes) {
        continue;
      }
      one->spare = spare_path();
      ++aside;
    }
  }
  if (gone.empty()) return;
  // They lose their names oldest first: who looks meanwhile, or starts after a kill, finds no hole.
  for (const auto& [segment, spare] : gone) {
    std::error_code error;
    if (!spare.empty()) std::filesystem::rename(segment->path, spare, error);
    if (spare.empty() || error) {
      ::unlink(segment->path.c_str());
      continue;
    }
    if (auto file = open_file(spare, error)) {
      std::lock_guard lock(mutex);
      retired.push_back({spare, std::move(file), true, segment->mapping});
    } else {
      ::unlink(spare.c_str());
    }
  }
  folder_changed.store(true);
}

std::uint64_t Journal::Impl::bytes_after(Position position) {
  const auto records_of = [](const Segment& segment) {
    return segment.published.load(std::memory_order_acquire) - sizeof(SegmentHead);
  };
  std::uint64_t bytes = 0;
  std::lock_guard lock(mutex);
  for (auto at = segments.rbegin(); at != segments.rend(); ++at) {
    const Segment& segment = **at;
    const std::uint64_t all = records_of(segment);
    const bool newest = at == segments.rbegin();
    const Position last = newest ? Position{tail.load(std::memory_order_acquire)} : segment.last;
    if (last <= position) break;
    const Position before{segment.head.previous};
    if (before >= position) {
      bytes += all;
      continue;
    }
    // Positions of one session count records; of what spans two, half is as good as any guess.
    const double part = last.epoch() == Position{segment.head.first}.epoch() && position >= Position{segment.head.first}
                            ? static_cast<double>(last.value - position.value) /
                                  static_cast<double>(last.value - segment.head.first + 1)
                        : position < Position{segment.head.first} ? 1.0
                                                                  : 0.5;
    bytes += static_cast<std::uint64_t>(static_cast<double>(all) * part);
    break;
  }
  return bytes;
}

std::uint64_t Journal::Impl::room() {
  if (low_disk.load(std::memory_order_relaxed)) return 0;
  std::uint64_t by_disk = UINT64_MAX;
  if (options.reserve_bytes) {
    const std::uint64_t free = free_bytes();
    by_disk = free > options.reserve_bytes ? free - options.reserve_bytes : 0;
  }
  std::lock_guard lock(mutex);
  const std::uint64_t by_budget = options.budget_bytes > total_bytes ? options.budget_bytes - total_bytes : 0;
  // Whole segments, and what is left of the newest.
  std::uint64_t bytes = std::min(by_budget, by_disk) / options.segment_bytes * options.segment_bytes;
  if (!segments.empty()) {
    const Segment& newest_one = *segments.back();
    const std::uint64_t end = newest_one.published.load(std::memory_order_acquire) + kTailReserve;
    if (newest_one.size > end) bytes += newest_one.size - end;
  }
  return bytes;
}

}  // namespace trellis::host
