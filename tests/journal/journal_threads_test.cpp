// One writer, readers and housekeeping at the same time; also run under ThreadSanitizer.
#include <atomic>
#include <thread>

#include "journal_fixture.hpp"

namespace trellis::host {
namespace {
using namespace journal_testing;
using namespace std::chrono_literals;

class ThreadsTest : public JournalTest {
 protected:
  static constexpr std::uint32_t kRecords = 20'000;
  static std::size_t bytes_for(std::uint32_t seq) { return seq % 997 == 0 ? 100'000 : 60 + seq % 500; }

  void write(Journal& journal) {
    for (std::uint32_t seq = 1; seq <= kRecords; ++seq) {
      const Position at = Position::of(1, seq);
      journal.append(dispatch(at, text_for(at, bytes_for(seq)), kNames[seq % 3]));
      if (seq % 13 == 0 && journal.flush()) FAIL();
    }
    ASSERT_FALSE(journal.flush());
  }

  /// Reads to the end as a lane does. The number of records.
  static std::uint32_t follow(Journal& journal, std::uint32_t from, std::atomic<std::uint32_t>* passed = nullptr) {
    Doorbell bell;
    journal.add_listener(&bell);
    auto reader = journal.read_after(Position::of(1, from));
    std::uint32_t seq = from;
    while (seq < kRecords) {
      const auto rings = bell.rings();
      const Record* record = reader->next();
      if (!record) {
        bell.wait(rings, std::chrono::steady_clock::now() + 30s);
        if (bell.rings() == rings && journal.tail().seq() == seq) break;
        continue;
      }
      const Position at = Position::of(1, ++seq);
      const std::string data = text_for(at, bytes_for(seq));
      if (!same(*record, dispatch(at, data, kNames[seq % 3]))) {
        ADD_FAILURE() << "wrong record at " << at.text();
        break;
      }
      if (passed) passed->store(seq);
    }
    journal.remove_listener(&bell);
    return seq;
  }
};

TEST_F(ThreadsTest, ReadersFollowTheWriter) {
  auto journal = open();
  std::atomic<std::uint32_t> read[2] = {};
  std::atomic<bool> done = false;
  {
    std::jthread first([&] { read[0] = follow(*journal, 0); });
    std::jthread late([&] {
      while (journal->tail().seq() < kRecords / 3) std::this_thread::yield();
      read[1] = follow(*journal, kRecords / 4);
    });
    std::jthread sync([&] {
      while (!done) {
        EXPECT_FALSE(journal->sync());
        std::this_thread::sleep_for(1ms);
      }
    });
    write(*journal);
    first.join();
    late.join();
    done = true;
  }
  EXPECT_EQ(read[0], kRecords);
  EXPECT_EQ(read[1], kRecords);
  EXPECT_GT(journal->stats().segments, 50u);
}

TEST_F(ThreadsTest, SegmentsAreReleasedBehindTheReader) {
  auto journal = open();
  std::atomic<std::uint32_t> passed = 0, read = 0;
  std::atomic<bool> done = false;
  {
    std::jthread reader([&] { read = follow(*journal, 0, &passed); });
    std::jthread house([&] {
      while (!done) {
        journal->release(Position::of(1, passed.load()));
        EXPECT_FALSE(journal->sync());
        journal->stats();
        std::this_thread::sleep_for(1ms);
      }
    });
    write(*journal);
    reader.join();
    done = true;
  }
  EXPECT_EQ(read, kRecords);
  journal->release(Position::of(1, kRecords));
  EXPECT_EQ(journal->stats().segments, 1u);
  EXPECT_EQ(segment_files(options_.folder).size(), 1u);
}

}  // namespace
}  // namespace trellis::host
