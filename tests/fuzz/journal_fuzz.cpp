// Opens, reads and continues a journal whose segment files are the input. The first byte says how many files it is cut
// into and whether checksums are made right again: otherwise nothing behind them would ever be reached.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "journal/format.hpp"
#include "journal/journal.hpp"
#include "journal/journal_files.hpp"
#include "scratch_folder.hpp"

namespace {
using namespace trellis::host;
using namespace trellis::host::journal_format;

void check(bool good) {
  if (!good) std::abort();
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  check(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  ::close(fd);
}

void mend(std::string& bytes) {
  if (bytes.size() < sizeof(SegmentHead)) return;
  SegmentHead segment;
  std::memcpy(&segment, bytes.data(), sizeof segment);
  std::memcpy(segment.magic, kMagic, sizeof segment.magic);
  segment.format = 1 + segment.format % kFormat;
  segment.head_bytes = sizeof segment;
  segment.shard_id = 0;
  segment.shard_count = 1;
  segment.crc = head_crc(segment);
  std::memcpy(bytes.data(), &segment, sizeof segment);
  for (std::uint64_t at = sizeof segment; at + sizeof(RecordHead) <= bytes.size();) {
    RecordHead head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    if (head.length == 0) break;
    if (head.length < kRecordFixed || head.length > bytes.size() - at - kRecordPrefix) {
      head.length = static_cast<std::uint32_t>(
          kRecordFixed + head.length % std::min<std::uint64_t>(256, bytes.size() - at - sizeof head + 1));
      std::memcpy(bytes.data() + at, &head, sizeof head);
    }
    head.crc = record_crc(segment.generation, bytes.data() + at + kRecordPrefix, head.length);
    std::memcpy(bytes.data() + at, &head, sizeof head);
    at += bytes_of(head);
  }
}

/// What can be read must rise, and end with the tail.
std::size_t read_all(Journal& journal) {
  auto reader = journal.read_after({});
  Position before;
  std::size_t records = 0, sum = 0;
  while (const Record* record = reader->next()) {
    check(stands_at_last(record->kind) ? record->position >= before : record->position > before);
    before = record->position;
    for (const char c : record->data) sum += static_cast<unsigned char>(c);
    for (int i = 0; i < 64; ++i) sum += static_cast<unsigned char>(record->data.data()[record->data.size() + i]);
    ++records;
  }
  check(before <= journal.tail());
  static volatile std::size_t sink;
  sink = sum;
  return records;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const std::filesystem::path folder = [] {
    std::filesystem::create_directory(scratch_folder() / "journal");
    return scratch_folder() / "journal" / "0-of-1";
  }();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  const unsigned how = data[0];
  const unsigned files = 1 + how % 3;
  const std::string all(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (unsigned i = 0; i < files; ++i) {
    std::string bytes = all.substr(all.size() * i / files, all.size() * (i + 1) / files - all.size() * i / files);
    if (how & 64) mend(bytes);
    char name[32];
    std::snprintf(name, sizeof name, "%016x.log", i + 1);
    write(folder / name, bytes);
  }
  // As an operator would look at it, before anything is cut.
  if (how & 32) {
    static volatile std::size_t sink;
    std::size_t letters = 0;
    JournalFiles(folder).walk({.record =
                                   [&](const Record& record, std::string_view type) {
                                     letters += type.size() + record.data.size();
                                     return true;
                                   },
                               .damage = [](const JournalFiles::Damage&) {},
                               .live = false});
    sink = letters;
  }

  JournalOptions options;
  options.folder = folder;
  options.segment_bytes = 4096;
  options.reserve_bytes = 0;
  options.keep_us = 0;
  try {
    std::size_t records = 0;
    {
      Journal journal(options, {});
      read_all(journal);
      journal.session();
      if (journal.last().value < UINT64_MAX - 64) {
        for (int i = 1; i <= 20; ++i) {
          Record record;
          record.position = {journal.last().value + 1};
          record.type = 3;
          record.data = "{\"id\":\"1\"}";
          check(journal.append(record));
          if (i % 3 == 0) check(!journal.flush());
        }
        check(!journal.flush());
        check(journal.tail() == journal.last());
      }
      records = read_all(journal);
    }
    Journal again(options, {});
    check(again.stats().bytes_cut_at_recovery == 0);
    check(read_all(again) == records);
  } catch (const std::exception&) {
    // A newer format, another shard's: refused in words.
  }
  return 0;
}
