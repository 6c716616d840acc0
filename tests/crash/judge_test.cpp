#include "crash/judge.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

using What = CrashVerdict::What;
constexpr std::int64_t kMinute = 60'000'000;

CrashReport at_event(std::int64_t at_us, std::uint32_t seq, Stream stream = {0, 1}) {
  CrashReport report;
  report.at_us = at_us;
  report.signal = 11;
  report.plugin = "p";
  report.kind = CrashKind::Event;
  report.stream = stream;
  report.position = Position::of(1'700'000'000, seq);
  report.name = "MESSAGE_CREATE";
  return report;
}

CrashReport elsewhere(std::int64_t at_us, CrashKind kind, std::string name = "") {
  CrashReport report = at_event(at_us, 0);
  report.kind = kind;
  report.position = {};
  report.name = std::move(name);
  return report;
}

/// Stores what was judged, as the host does.
class Judge : public testing::Test {
 protected:
  What crash(const CrashReport& report) {
    last_ = judge(stored_, report);
    std::erase_if(stored_, [&](const StoredCrash& old) { return old.same_place(last_.crash); });
    stored_.push_back(last_.crash);
    EXPECT_EQ(last_.why_quarantine.empty(), last_.what != What::Quarantine);
    return last_.what;
  }
  void release() {
    for (StoredCrash& crash : stored_) crash.released = true;
  }
  std::vector<StoredCrash> stored_;
  CrashVerdict last_;
};

TEST_F(Judge, AnEventHasASecondChanceAndNoThird) {
  EXPECT_EQ(crash(at_event(kMinute, 7)), What::Once);
  EXPECT_EQ(last_.crash.count, 1);
  EXPECT_EQ(crash(at_event(kMinute + 5, 7)), What::DeadLetter);
  EXPECT_EQ(last_.crash.count, 2);
  EXPECT_NE(last_.crash.text.find("SIGSEGV"), std::string::npos) << last_.crash.text;
}

TEST_F(Judge, TheSecondChanceIsNotForgottenWhileTheHostWasDown) {
  EXPECT_EQ(crash(at_event(kMinute, 7)), What::Once);
  EXPECT_EQ(crash(at_event(500 * kMinute, 7)), What::DeadLetter);
}

TEST_F(Judge, TheSameReportCountsOnce) {
  EXPECT_EQ(crash(at_event(kMinute, 7)), What::Once);
  EXPECT_EQ(crash(at_event(kMinute, 7)), What::Known);
  EXPECT_EQ(last_.crash.count, 1);
}

TEST_F(Judge, AnotherEventAfterADeadOneIsQuarantine) {
  crash(at_event(1, 7));
  crash(at_event(2, 7));
  EXPECT_EQ(crash(at_event(10 * kMinute, 8)), What::Quarantine);
}

TEST_F(Judge, AnotherEventMuchLaterIsNot) {
  crash(at_event(1, 7));
  crash(at_event(2, 7));
  EXPECT_EQ(crash(at_event(11 * kMinute, 8)), What::Once);
  EXPECT_EQ(crash(at_event(11 * kMinute + 1, 8)), What::DeadLetter);
}

TEST_F(Judge, TheSamePositionOfAnotherShardIsAnotherEvent) {
  crash(at_event(1, 7, {0, 2}));
  EXPECT_EQ(crash(at_event(2, 7, {1, 2})), What::Once);
  EXPECT_EQ(crash(at_event(3, 7, {0, 2})), What::DeadLetter);
  EXPECT_EQ(crash(at_event(4, 7, {1, 2})), What::Quarantine);
}

TEST_F(Judge, EachEventOnceIsNoEvent) {
  EXPECT_EQ(crash(at_event(1, 1)), What::Once);
  EXPECT_EQ(crash(at_event(2, 2)), What::Once);
  EXPECT_EQ(crash(at_event(3, 3)), What::Quarantine);
}

TEST_F(Judge, TwoCrashesOutsideOfEvents) {
  EXPECT_EQ(crash(elsewhere(1, CrashKind::Method, "hellos")), What::Once);
  EXPECT_EQ(crash(elsewhere(2, CrashKind::Start)), What::Quarantine);
  release();
  EXPECT_EQ(crash(elsewhere(3, CrashKind::Method, "hellos")), What::Once);
  EXPECT_EQ(crash(elsewhere(4, CrashKind::Method, "hellos")), What::Quarantine);
  EXPECT_EQ(crash(elsewhere(20 * kMinute, CrashKind::Method, "hellos")), What::Once) << "long ago";
}

TEST_F(Judge, ARunOfAJobIsGivenUpLikeAnEvent) {
  const auto run = [](std::int64_t at_us, std::uint64_t due) {
    CrashReport report = elsewhere(at_us, CrashKind::Job, "nightly");
    report.position = {due};
    return report;
  };
  EXPECT_EQ(crash(run(1, 100)), What::Once);
  EXPECT_EQ(crash(run(2, 100)), What::DeadLetter);
  EXPECT_EQ(crash(run(20 * kMinute, 200)), What::Once) << "another run, much later";
  EXPECT_EQ(crash(run(20 * kMinute + 1, 200)), What::DeadLetter);
  EXPECT_EQ(crash(run(20 * kMinute + 2, 300)), What::Quarantine) << "one run after the other";
}

TEST_F(Judge, ReleaseForgivesButDoesNotForget) {
  crash(at_event(1, 7));
  crash(at_event(2, 7));
  EXPECT_EQ(crash(at_event(3, 8)), What::Quarantine);
  release();
  EXPECT_EQ(crash(at_event(4, 8)), What::DeadLetter) << "its second";
  EXPECT_EQ(crash(at_event(5, 9)), What::Quarantine);
}

}  // namespace
}  // namespace trellis::host
