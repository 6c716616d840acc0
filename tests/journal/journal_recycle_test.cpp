// Files of released segments are written again. What they held before must never come back.
#include <algorithm>
#include <cstring>
#include <map>
#include <random>

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
SegmentHead head_of(const std::string& bytes) {
  SegmentHead head{};
  if (bytes.size() >= sizeof head) std::memcpy(&head, bytes.data(), sizeof head);
  return head;
}
std::uint64_t end_of(const std::string& bytes) {
  std::uint64_t offset = sizeof(SegmentHead);
  RecordHead head;
  while (look(bytes.data(), offset, bytes.size(), true, head_of(bytes).generation, head) == Found::Record) {
    offset += journal_format::bytes_of(head);
  }
  return offset;
}

class RecycleTest : public JournalTest {
 protected:
  /// A journal that has gone round often enough that its newest segment stands in a file that had several lives.
  /// `last` becomes the last position's seq; `before` the newest file's bytes before its last life.
  std::unique_ptr<Journal> go_round(std::uint32_t& last, std::uint32_t rounds = 12) {
    auto journal = open();
    for (std::uint32_t round = 0; round < rounds; ++round) {
      fill(*journal, 1, last + 1, last + 100);
      last += 100;
      journal->release(Position::of(1, last));
      EXPECT_FALSE(journal->sync());
    }
    return journal;
  }
};

TEST_F(RecycleTest, FilesAreUsedAgain) {
  std::uint32_t last = 0;
  auto journal = go_round(last, 30);
  EXPECT_GT(journal->stats().segments_recycled, 5u);
  EXPECT_LE(spare_files(options_.folder).size(), 2u);
  const auto all = read_all(*journal);
  ASSERT_FALSE(all.empty());
  expect_filled(all, 1, all.front().record.position.seq(), last);
  const std::uint32_t first = all.front().record.position.seq();
  journal.reset();
  EXPECT_TRUE(spare_files(options_.folder).empty());
  for (int round = 0; round < 2; ++round) {
    journal = open();
    EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u) << "old bytes are nothing that was lost";
    expect_filled(read_all(*journal), 1, first, last);
    fill(*journal, 1, last + 1, last + 50);
    last += 50;
    journal.reset();
  }
}

TEST_F(RecycleTest, AFileThatIsReadIsNotWritten) {
  auto journal = open();
  fill(*journal, 1, 1, 500);
  auto standing = journal->read_after({});
  ASSERT_TRUE(standing->next());
  std::uint32_t last = 500;
  for (int round = 0; round < 20; ++round) {
    journal->release(Position::of(1, last));
    ASSERT_FALSE(journal->sync());
    fill(*journal, 1, last + 1, last + 100);
    last += 100;
  }
  std::uint32_t seq = 1;
  while (const Record* record = standing->next()) {
    ASSERT_GT(record->position.seq(), seq);
    seq = record->position.seq();
    ASSERT_EQ(record->data, text_for(record->position, 300));
  }
  EXPECT_EQ(seq, last);
  standing.reset();
  ASSERT_FALSE(journal->sync());
  for (int round = 0; round < 10; ++round) {
    journal->release(Position::of(1, last));
    ASSERT_FALSE(journal->sync());
    fill(*journal, 1, last + 1, last + 100);
    last += 100;
  }
  EXPECT_GT(journal->stats().segments_recycled, 0u);
}

/// Pages of the newest segment never got to the disk: there, the file still holds what it held before.
TEST_F(RecycleTest, TornTailsAmongOldRecords) {
  // Records of the same size in every life: an old one stands exactly where a new one would.
  const auto add = [&](Journal& journal, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t seq = first; seq <= last; ++seq) {
      const Position at = Position::of(1, seq);
      ASSERT_TRUE(journal.append(dispatch(at, text_for(Position::of(1, seq % 10), 300))));
      ASSERT_FALSE(journal.flush());
    }
  };
  // What the file was in its earlier lives, by inode: the bytes under a page that was not written.
  std::map<ino_t, std::string> earlier;
  const auto inode = [](const fs::path& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  };
  std::uint32_t last = 0;
  {
    auto journal = open();
    for (int round = 0; round < 20 || (round < 60 && journal->stats().segments_recycled < 6); ++round) {
      add(*journal, last + 1, last + 90);
      last += 90;
      for (const auto& path : segment_files(options_.folder)) {
        if (head_of(bytes_of_file(path)).generation) earlier.try_emplace(inode(path));
      }
      const auto files = segment_files(options_.folder);
      for (std::size_t i = 0; i + 1 < files.size(); ++i) earlier[inode(files[i])] = bytes_of_file(files[i]);
      journal->release(Position::of(1, last));
      ASSERT_FALSE(journal->sync());
    }
    ASSERT_GE(journal->stats().segments_recycled, 6u);
  }
  const auto files = segment_files(options_.folder);
  const fs::path newest = files.back();
  const std::string whole = bytes_of_file(newest);
  std::string old = earlier[inode(newest)];
  ASSERT_EQ(old.size(), whole.size()) << "the newest file was a segment before";
  ASSERT_TRUE(head_of(whole).flags & kRecycled);
  ASSERT_NE(head_of(whole).generation, head_of(old).generation);
  std::memset(old.data(), 0, sizeof(SegmentHead));  // as sync() left it

  std::map<fs::path, std::string> others;
  for (const auto& path : files) others[path] = bytes_of_file(path);
  const std::uint64_t end = end_of(whole);
  ASSERT_GT(end, 5'000u);
  std::mt19937 random(23);
  for (int round = 0; round < 120; ++round) {
    for (const auto& path : segment_files(options_.folder)) fs::remove(path);
    for (const auto& [path, bytes] : others) write_file(path, bytes);
    std::string torn = whole;
    std::uint64_t first_lost = 0;
    if (round % 3 == 0) {  // all from some page on
      first_lost = random() % (end / kPage + 1) * kPage;
      std::copy(old.begin() + static_cast<long>(first_lost), old.end(), torn.begin() + static_cast<long>(first_lost));
    } else if (round % 3 == 1) {  // one page in the middle
      first_lost = random() % (end / kPage + 1) * kPage;
      std::copy_n(old.begin() + static_cast<long>(first_lost), kPage, torn.begin() + static_cast<long>(first_lost));
    } else {  // from a record's border on: the old record there is whole
      std::vector<std::uint64_t> borders;
      RecordHead head;
      for (std::uint64_t at = sizeof(SegmentHead);
           look(whole.data(), at, whole.size(), true, head_of(whole).generation, head) == Found::Record;
           at += journal_format::bytes_of(head)) {
        borders.push_back(at);
      }
      first_lost = borders[random() % borders.size()];
      std::copy(old.begin() + static_cast<long>(first_lost), old.end(), torn.begin() + static_cast<long>(first_lost));
    }
    write_file(newest, torn);
    // The records before the first lost byte, unless the old bytes there are the same.
    std::uint64_t same_until = 0;
    while (same_until < end && torn[same_until] == whole[same_until]) ++same_until;
    Position expected{head_of(whole).previous};
    if (others.size() == 1) expected = {};  // without a record of its own, nothing is left
    if (same_until >= sizeof(SegmentHead)) {
      RecordHead head;
      for (std::uint64_t at = sizeof(SegmentHead);
           at < same_until &&
           look(torn.data(), at, torn.size(), true, head_of(whole).generation, head) == Found::Record;
           at += journal_format::bytes_of(head)) {
        if (head.kind == static_cast<int>(RecordKind::Dispatch)) expected = Position{head.position};
      }
    }
    std::uint32_t kept = 0;
    {
      auto journal = open();
      ASSERT_EQ(journal->last(), expected) << "round " << round << ", lost from " << first_lost;
      Position before{};
      for (const auto& record : read_all(*journal)) {
        ASSERT_GT(record.record.position, before);
        before = record.record.position;
        ASSERT_EQ(record.data, text_for(Position::of(1, before.seq() % 10), 300));
      }
      ASSERT_EQ(before, expected);
      kept = expected.seq();
      add(*journal, kept + 1, kept + 7);
    }
    auto journal = open();
    EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u);
    ASSERT_EQ(journal->last(), Position::of(1, kept + 7)) << "round " << round;
  }
}

TEST_F(RecycleTest, GenerationsAreNeverGivenTwice) {
  std::uint32_t last = 0;
  go_round(last, 20).reset();
  const auto files = segment_files(options_.folder);
  std::uint32_t highest = 0;
  for (const auto& path : files) highest = std::max(highest, head_of(bytes_of_file(path)).generation);
  auto journal = open();
  fill(*journal, 1, last + 1, last + 400);
  std::uint32_t before = highest;
  for (const auto& path : segment_files(options_.folder)) {
    const auto generation = head_of(bytes_of_file(path)).generation;
    if (std::find(files.begin(), files.end(), path) != files.end()) continue;
    EXPECT_GT(generation, before);
    before = generation;
  }
  EXPECT_GT(before, highest);
}

TEST_F(RecycleTest, SegmentsOfTheFirstFormatGoOn) {
  {
    fill(*open(), 1, 1, 100);
  }
  // A segment of the first format: no generation, no flags.
  const auto path = segment_files(options_.folder).at(0);
  std::string bytes = bytes_of_file(path);
  SegmentHead segment = head_of(bytes);
  const std::uint64_t end = end_of(bytes);
  for (std::uint64_t at = sizeof(SegmentHead); at < end;) {
    RecordHead head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    head.crc = record_crc(0, bytes.data() + at + kRecordPrefix, head.length);
    std::memcpy(bytes.data() + at, &head, sizeof head);
    at += journal_format::bytes_of(head);
  }
  segment.format = 1;
  segment.generation = 0;
  segment.crc = head_crc(segment);
  std::memcpy(bytes.data(), &segment, sizeof segment);
  write_file(path, bytes);
  {
    auto journal = open();
    expect_filled(read_all(*journal), 1, 1, 100);
    fill(*journal, 1, 101, 400);
  }
  expect_filled(read_all(*open()), 1, 1, 400);
}

}  // namespace
}  // namespace trellis::host
