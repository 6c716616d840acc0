#include "replay_log.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace trellis::sim;

namespace {

std::string text_at(const ReplayLog& log, std::uint64_t seq) {
  return std::string(frame_payload(log.read(seq).frame(0)));
}

TEST(ReplayLog, NumbersAndFramesWhatItIsGiven) {
  ReplayLog log(100);
  EXPECT_EQ(log.first_available(), 1U);
  log.append("RESUMED", "{}", 0);
  log.append("MESSAGE_CREATE", R"({"id":"1"})", 0);
  EXPECT_EQ(log.last_seq(), 2U);
  EXPECT_EQ(text_at(log, 1), R"({"t":"RESUMED","s":1,"op":0,"d":{}})");
  EXPECT_EQ(text_at(log, 2), R"({"t":"MESSAGE_CREATE","s":2,"op":0,"d":{"id":"1"}})");
}

TEST(ReplayLog, FramesOfEverySizeLieBackToBack) {
  ReplayLog log(1'000'000);
  std::string written;
  for (const std::size_t size : {0U, 60U, 90U, 91U, 200U, 65'000U, 65'535U, 65'536U, 300'000U, 5U}) {
    log.append("T", std::string(size, 'x'), 0);
  }
  std::uint64_t seq = 1;
  while (seq <= log.last_seq()) {
    const ReplayLog::Slice slice = log.read(seq);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < slice.count; ++i) {
      EXPECT_EQ(slice.frame(i).data(), slice.data() + sum);
      sum += slice.frame(i).size();
    }
    EXPECT_EQ(sum, slice.size());
    seq += slice.count;
  }
  EXPECT_EQ(seq, log.last_seq() + 1);
  EXPECT_EQ(text_at(log, 10), R"({"t":"T","s":10,"op":0,"d":xxxxx})");
}

TEST(ReplayLog, TheReturnedPlaceIsTheData) {
  ReplayLog log(100);
  char* d = log.append("T", "0000", 0);
  d[1] = '7';
  EXPECT_EQ(text_at(log, 1), R"({"t":"T","s":1,"op":0,"d":0700})");
}

TEST(ReplayLog, MemoryInUseDoesNotMoveWhileMoreIsAppended) {
  ReplayLog log(10'000'000);
  log.append("T", "first", 0);
  const ReplayLog::Slice slice = log.read(1);
  const std::string before(slice.data(), slice.size());
  for (int i = 0; i < 20'000; ++i) log.append("T", std::string(100, 'y'), 0);
  EXPECT_EQ(std::string(slice.chunk->data.get(), before.size()), before);
}

TEST(ReplayLog, ForgetsBeyondItsLimitButNeverWhatIsKept) {
  ReplayLog log(1000);
  const std::string d(1000, 'z');
  for (int i = 0; i < 10'000; ++i) log.append("T", d, i);
  log.trim(500, 0);
  EXPECT_LE(log.read(500).chunk->first_seq, 500U);
  EXPECT_EQ(log.first_available(), 9001U);
  log.trim(log.last_seq() + 1, 0);
  EXPECT_EQ(log.first_available(), 9001U);
  EXPECT_EQ(text_at(log, 9001), R"({"t":"T","s":9001,"op":0,"d":)" + d + "}");
}

TEST(ReplayLog, ForgetsWhatIsTooOld) {
  ReplayLog log(1'000'000);
  const std::string d(1000, 'z');
  for (int i = 0; i < 5000; ++i) log.append("T", d, i);
  log.trim(log.last_seq() + 1, 4000);
  EXPECT_GT(log.first_available(), 3500U);
  EXPECT_LE(log.first_available(), 4001U);
}

}  // namespace
