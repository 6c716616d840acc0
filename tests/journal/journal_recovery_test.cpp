#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "journal/format.hpp"
#include "journal_fixture.hpp"

namespace trellis::host {
namespace {
using namespace journal_testing;
using namespace journal_format;
namespace fs = std::filesystem;

std::string bytes_of_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
std::uint32_t generation_of(const std::string& bytes) {
  SegmentHead head{};
  if (bytes.size() >= sizeof head) std::memcpy(&head, bytes.data(), sizeof head);
  return head.generation;
}
/// Where the last record of a segment ends.
std::uint64_t end_of(const std::string& bytes) {
  std::uint64_t offset = sizeof(SegmentHead);
  RecordHead head;
  while (look(bytes.data(), offset, bytes.size(), true, generation_of(bytes), head) == Found::Record) {
    offset += journal_format::bytes_of(head);
  }
  return offset;
}

class RecoveryTest : public JournalTest {
 protected:
  /// What is there are the first so many of what fill() wrote, and the log goes on from there, twice.
  void expect_a_clean_beginning(std::uint32_t most, std::uint32_t& kept) {
    {
      auto journal = open();
      const auto all = read_all(*journal);
      kept = static_cast<std::uint32_t>(all.size());
      ASSERT_LE(kept, most);
      if (kept) expect_filled(all, 1, 1, kept);
      EXPECT_EQ(journal->last(), kept ? Position::of(1, kept) : Position{});
      fill(*journal, 1, kept + 1, kept + 20);
    }
    auto journal = open();
    EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u) << "what was cut is zeroed";
    expect_filled(read_all(*journal), 1, 1, kept + 20);
  }

  void restore(const std::vector<std::pair<fs::path, std::string>>& files) {
    fs::remove_all(options_.folder);
    fs::create_directory(options_.folder);
    for (const auto& [path, bytes] : files) write_file(path, bytes);
  }
  std::vector<std::pair<fs::path, std::string>> copy() {
    std::vector<std::pair<fs::path, std::string>> files;
    for (const auto& path : segment_files(options_.folder)) files.emplace_back(path, bytes_of_file(path));
    return files;
  }
};

TEST_F(RecoveryTest, BitFlipsInTheLastSegment) {
  {
    fill(*open(), 1, 1, 400);
  }
  const auto files = copy();
  ASSERT_EQ(files.size(), 3u);
  std::uint32_t whole_before = 0;  // records of the segments before the last
  {
    RecordHead head;
    std::uint64_t offset = sizeof(SegmentHead);
    SegmentHead last;
    std::memcpy(&last, files[2].second.data(), sizeof last);
    whole_before = Position{last.previous}.seq();
    ASSERT_EQ(look(files[2].second.data(), offset, files[2].second.size(), true, generation_of(files[2].second), head),
              Found::Record);
  }
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    restore(files);
    std::string bytes = files[2].second;
    const std::uint64_t end = end_of(bytes);
    const std::uint64_t at = sizeof(SegmentHead) + random() % (end - sizeof(SegmentHead));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    write_file(files[2].first, bytes);
    // Where it must be cut: before the record that the flip is in (or nowhere: in padding).
    std::uint32_t expected = whole_before;
    std::uint64_t offset = sizeof(SegmentHead);
    RecordHead head;
    while (look(files[2].second.data(), offset, files[2].second.size(), true, generation_of(files[2].second), head) ==
           Found::Record) {
      const std::uint64_t next = offset + journal_format::bytes_of(head);
      if (at >= offset && at < offset + kRecordPrefix + head.length) break;
      if (head.kind == static_cast<int>(RecordKind::Dispatch)) ++expected;
      offset = next;
    }
    std::uint32_t kept = 0;
    expect_a_clean_beginning(400, kept);
    ASSERT_EQ(kept, expected) << "round " << round << " byte " << at;
  }
}

TEST_F(RecoveryTest, TornTails) {
  {
    fill(*open(), 1, 1, 100);
  }
  const auto files = copy();
  ASSERT_EQ(files.size(), 1u);
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    std::string bytes = files[0].second;
    const std::uint64_t end = end_of(bytes);
    const std::uint64_t at = random() % end;
    if (round % 2) {
      bytes.resize(at);  // the file is shorter
    } else {
      std::fill(bytes.begin() + static_cast<long>(at), bytes.end(), '\0');  // its pages never got to the disk
    }
    restore({{files[0].first, bytes}});
    std::uint32_t kept = 0;
    expect_a_clean_beginning(100, kept);
    // All whole records are still there.
    std::uint32_t whole = 0;
    std::uint64_t offset = sizeof(SegmentHead);
    RecordHead head;
    while (offset < at && look(bytes.data(), offset, std::min<std::uint64_t>(at, bytes.size()), true,
                               generation_of(files[0].second), head) == Found::Record) {
      if (head.kind == static_cast<int>(RecordKind::Dispatch)) ++whole;
      offset += journal_format::bytes_of(head);
    }
    ASSERT_EQ(kept, at < sizeof(SegmentHead) ? 0 : whole) << "round " << round << " at " << at;
  }
}

TEST_F(RecoveryTest, APageLostInTheMiddle) {
  {
    fill(*open(), 1, 1, 150);
  }
  const auto files = copy();
  ASSERT_EQ(files.size(), 1u);
  std::string bytes = files[0].second;
  std::fill_n(bytes.begin() + 16'384, 4'096, '\0');
  restore({{files[0].first, bytes}});
  {
    auto journal = open();
    const auto stats = journal->stats();
    EXPECT_GT(stats.bytes_cut_at_recovery, 10'000u);
    const auto all = read_all(*journal);
    ASSERT_GT(all.size(), 30u);
    ASSERT_LT(all.size(), 60u);
    expect_filled(all, 1, 1, static_cast<std::uint32_t>(all.size()));
  }
  const std::string now = bytes_of_file(files[0].first);
  EXPECT_EQ(now.find_first_not_of('\0', end_of(now)), std::string::npos) << "the rest is zeroed";
}

TEST_F(RecoveryTest, DamageBeforeTheLastSegmentCutsWhatFollows) {
  {
    fill(*open(), 1, 1, 400);
  }
  const auto files = copy();
  ASSERT_EQ(files.size(), 3u);
  std::string bytes = files[1].second;
  bytes[10'000] ^= 1;
  restore({files[0], {files[1].first, bytes}, files[2]});
  std::uint32_t kept = 0;
  expect_a_clean_beginning(400, kept);
  EXPECT_GT(kept, 100u);
  EXPECT_LT(kept, 250u);
}

TEST_F(RecoveryTest, ASegmentThatVanished) {
  {
    fill(*open(), 1, 1, 400);
  }
  const auto files = copy();
  restore({files[0], files[2]});
  std::uint32_t kept = 0;
  expect_a_clean_beginning(400, kept);
  EXPECT_GT(kept, 100u);
  EXPECT_LT(kept, 200u);
}

TEST_F(RecoveryTest, ASegmentWithoutRecordsFallsBackToTheOneBefore) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(session(1, R"({"session_id":"abc","resume_url":"u"})")));
    fill(*journal, 1, 1, 200);
  }
  const auto files = copy();
  ASSERT_EQ(files.size(), 2u);
  for (std::size_t keep : {std::size_t{0}, sizeof(SegmentHead), sizeof(SegmentHead) + 100}) {
    std::string bytes = files[1].second;
    std::fill(bytes.begin() + static_cast<long>(keep), bytes.end(), '\0');
    restore({files[0], {files[1].first, bytes}});
    auto journal = open();
    EXPECT_EQ(journal->stats().segments, 1u);
    ASSERT_TRUE(journal->session());
    EXPECT_EQ(journal->session()->session_id, "abc");
    fill(*journal, 1, journal->last().seq() + 1, 300);
    EXPECT_EQ(read_all(*journal).size(), 301u);
  }
}

TEST_F(RecoveryTest, ReaderGoesPastDamageInAnOldSegment) {
  options_.segment_bytes = 16 << 20;
  {
    fill(*open(), 1, 1, 3'000, 30'000);
  }  // more than is read through at the start
  const auto files = segment_files(options_.folder);
  ASSERT_GE(files.size(), 6u);
  for (int where : {3'000, 5'000'000}) {
    std::fstream file(files[0], std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(where);
    file.put('\x7f');
  }
  auto journal = open();
  EXPECT_EQ(journal->last(), Position::of(1, 3'000));
  EXPECT_EQ(journal->stats().records_unreadable, 0u);
  auto reader = journal->read_after({});
  Position stood;
  std::uint32_t holes = 0, records = 0;
  while (const Record* record = reader->next()) {
    if (reader->predecessor() != stood) ++holes;
    stood = record->position;
    ASSERT_EQ(record->data, text_for(stood, 30'000));
    ++records;
  }
  EXPECT_EQ(stood, Position::of(1, 3'000));
  EXPECT_EQ(holes, 1u) << "the consumer can tell";
  EXPECT_GT(records, 2'000u);
  EXPECT_LT(records, 3'000u);
  EXPECT_EQ(journal->stats().records_unreadable, 1u);
}

TEST_F(RecoveryTest, RandomBytesNeverCrash) {
  {
    fill(*open(), 1, 1, 100);
  }
  const auto files = copy();
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    std::string bytes = files[0].second;
    const std::size_t from = sizeof(SegmentHead) + random() % 30'000;
    for (std::size_t i = 0; i < 3'000; ++i) bytes[from + i] = static_cast<char>(random());
    restore({{files[0].first, bytes}});
    std::uint32_t kept = 0;
    expect_a_clean_beginning(100, kept);
  }
}

TEST_F(RecoveryTest, AKilledProcessLosesNothingItHadFlushed) {
  auto* flushed = static_cast<std::atomic<std::uint32_t>*>(
      mmap(nullptr, 4'096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(flushed, MAP_FAILED);
  std::uint32_t known = 0;
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      auto journal = open();
      for (std::uint32_t seq = known + 1;; ++seq) {
        const Position at = Position::of(1, seq);
        journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3]));
        if (seq % 5 == 0 && !journal->flush()) flushed->store(seq);
      }
    }
    ASSERT_GT(child, 0);
    const std::uint32_t enough = known + 200 + static_cast<std::uint32_t>(round) * 37;
    while (flushed->load() < enough) std::this_thread::yield();
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    const std::uint32_t promised = flushed->load();
    auto journal = open();
    known = journal->last().seq();
    ASSERT_GE(known, promised);
    expect_filled(read_all(*journal), 1, 1, known);
    flushed->store(known);
  }
  munmap(flushed, 4'096);
}

TEST_F(RecoveryTest, AnotherStreamsFolderIsRefused) {
  {
    fill(*open(Stream{0, 1}), 1, 1, 10);
  }
  try {
    open(Stream{0, 2});
    FAIL() << "opened";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("belongs to shard 0 of 1, not to shard 0 of 2"), std::string::npos)
        << e.what();
  }
  expect_filled(read_all(*open(Stream{0, 1})), 1, 1, 10);
}

TEST_F(RecoveryTest, ANewerFormatIsRefusedAndLeftAlone) {
  {
    fill(*open(), 1, 1, 10);
  }
  const auto files = copy();
  std::string bytes = files[0].second;
  const std::uint32_t format = kFormat + 1;
  std::memcpy(bytes.data() + offsetof(SegmentHead, format), &format, sizeof format);
  write_file(files[0].first, bytes);
  try {
    open();
    FAIL() << "opened";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("newer program"), std::string::npos) << e.what();
  }
  EXPECT_EQ(bytes_of_file(files[0].first), bytes);
}

TEST_F(RecoveryTest, OtherFilesInTheFolderAreLeftAlone) {
  fs::create_directory(options_.folder);
  write_file(options_.folder / "README", "mine");
  write_file(options_.folder / "notes.log", "mine");
  {
    fill(*open(), 1, 1, 10);
  }
  expect_filled(read_all(*open()), 1, 1, 10);
  EXPECT_EQ(bytes_of_file(options_.folder / "README"), "mine");
  EXPECT_EQ(bytes_of_file(options_.folder / "notes.log"), "mine");
}

TEST_F(RecoveryTest, AFolderThatCannotBeMade) {
  write_file(root_ / "file", "");
  options_.folder = root_ / "file" / "0";
  EXPECT_THROW(open(), std::system_error);
}

}  // namespace
}  // namespace trellis::host
