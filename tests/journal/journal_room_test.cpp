// The reserve of free disk, alarms, and how far somebody is behind.
#include <atomic>

#include "journal_fixture.hpp"
#include "log/log.hpp"

namespace trellis::host {
namespace {
using namespace journal_testing;

class RoomTest : public JournalTest {
 protected:
  RoomTest() {
    options_.reserve_bytes = 256ull << 20;
    options_.free_bytes = [this] { return free_.load(); };
    log_ = root_ / "log";
    start_log("info", "text", log_.string());
  }
  ~RoomTest() override { start_log("info", "text", ""); }

  std::size_t lines_with(const std::string& text) {
    std::ifstream in(log_);
    std::size_t count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(text) != std::string::npos;
    return count;
  }
  void sync_often(Journal& journal) {
    for (int i = 0; i < 5; ++i) ASSERT_FALSE(journal.sync());
  }

  std::atomic<std::uint64_t> free_ = 10ull << 30;
  std::filesystem::path log_;
};

TEST_F(RoomTest, WritingPausesBelowTheReserveAndGoesOn) {
  auto journal = open();
  fill(*journal, 1, 1, 50);
  sync_often(*journal);
  EXPECT_FALSE(journal->stats().low_disk);
  EXPECT_GT(journal->room(), 1ull << 30);

  free_ = options_.reserve_bytes - 1;
  sync_often(*journal);
  EXPECT_TRUE(journal->stats().low_disk);
  EXPECT_EQ(journal->room(), 0u);
  EXPECT_EQ(lines_with("too little free disk"), 1u);
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 51), text_for(Position::of(1, 51), 300), kNames[51 % 3])));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(journal->flush(), std::errc::no_space_on_device);
  EXPECT_EQ(journal->tail(), Position::of(1, 50));
  EXPECT_TRUE(spare_files(options_.folder).empty()) << "what lies ready is given back";

  free_ = options_.reserve_bytes + 1;  // too little to begin again
  sync_often(*journal);
  EXPECT_TRUE(journal->flush());
  EXPECT_EQ(lines_with("there is free disk again"), 0u);

  free_ = options_.reserve_bytes * 2;
  sync_often(*journal);
  EXPECT_FALSE(journal->stats().low_disk);
  ASSERT_FALSE(journal->flush());
  expect_filled(read_all(*journal), 1, 1, 51);
  EXPECT_EQ(lines_with("too little free disk"), 1u);
  EXPECT_EQ(lines_with("there is free disk again"), 1u);
}

TEST_F(RoomTest, ANewSegmentMustLeaveTheReserve) {
  auto journal = open();
  free_ = options_.reserve_bytes + options_.segment_bytes - 1;
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 1), text_for(Position::of(1, 1), 300), kNames[1])));
  EXPECT_EQ(journal->flush(), std::errc::no_space_on_device);
  EXPECT_TRUE(journal->stats().low_disk);
  EXPECT_EQ(journal->room(), 0u);
  EXPECT_TRUE(segment_files(options_.folder).empty());
  sync_often(*journal);
  EXPECT_EQ(lines_with("too little free disk"), 1u);
  free_ = options_.reserve_bytes + options_.segment_bytes;
  ASSERT_FALSE(journal->flush());
  EXPECT_FALSE(journal->stats().low_disk);
  sync_often(*journal);
  EXPECT_EQ(lines_with("there is free disk again"), 1u);
  expect_filled(read_all(*journal), 1, 1, 1);
}

TEST_F(RoomTest, TheRealDiskIsAsked) {
  options_.free_bytes = nullptr;
  options_.reserve_bytes = 1ull << 60;
  auto journal = open();
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 1), "{}")));
  EXPECT_EQ(journal->flush(), std::errc::no_space_on_device);
  options_.reserve_bytes = 1;
  journal = open();
  fill(*journal, 1, 1, 10);
  sync_often(*journal);
  EXPECT_FALSE(journal->stats().low_disk);
}

TEST_F(RoomTest, TheBudgetsAlarmIsSaidOnce) {
  options_.budget_bytes = 10 * options_.segment_bytes;
  auto journal = open();
  std::uint32_t seq = 0;
  const auto grow = [&](std::uint64_t segments) {
    while (journal->stats().segments < segments) {
      fill(*journal, 1, seq + 1, seq + 10);
      seq += 10;
    }
    sync_often(*journal);
  };
  grow(7);
  EXPECT_EQ(lines_with("80 % of journal.budget"), 0u);
  const auto room = journal->room();
  EXPECT_GE(room, 3 * options_.segment_bytes);
  EXPECT_LT(room, 4 * options_.segment_bytes);
  grow(9);
  EXPECT_EQ(lines_with("80 % of journal.budget"), 1u);
  EXPECT_LT(journal->room(), room);
  journal->release(Position::of(1, seq));
  sync_often(*journal);
  EXPECT_EQ(lines_with("less than 70 %"), 1u);
  grow(9);
  EXPECT_EQ(lines_with("80 % of journal.budget"), 2u);
}

TEST_F(RoomTest, BytesAfterAPosition) {
  auto journal = open();
  EXPECT_EQ(journal->bytes_after({}), 0u);
  fill(*journal, 3, 1, 1'000);
  const std::uint64_t one = (72 + 300 + 7) / 8 * 8;
  const auto about = [&](std::uint64_t bytes, std::uint64_t records) {
    const auto expected = static_cast<double>(records * one);
    EXPECT_NEAR(static_cast<double>(bytes), expected, 0.03 * expected + 2'000) << records;
  };
  about(journal->bytes_after({}), 1'000);
  for (std::uint32_t seq : {0u, 1u, 100u, 170u, 500u, 900u, 999u}) {
    about(journal->bytes_after(Position::of(3, seq)), 1'000 - seq);
  }
  EXPECT_EQ(journal->bytes_after(Position::of(3, 1'000)), 0u);
  EXPECT_EQ(journal->bytes_after(Position::of(9, 0)), 0u);
  std::uint64_t before = journal->bytes_after({});
  for (std::uint32_t seq = 1; seq <= 1'000; ++seq) {
    const auto now = journal->bytes_after(Position::of(3, seq));
    ASSERT_LE(now, before) << "never more from further on";
    before = now;
  }
  fill(*journal, 4, 1, 1'000);  // where two sessions share a segment it knows less
  EXPECT_NEAR(static_cast<double>(journal->bytes_after(Position::of(3, 1'000))), 1'000.0 * one, options_.segment_bytes);
  journal->release(Position::of(4, 1'000));
  EXPECT_LE(journal->bytes_after({}), options_.segment_bytes);
}

}  // namespace
}  // namespace trellis::host
