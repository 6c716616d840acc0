#include "interactions/arrivals.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class ArrivalsTest : public testing::Test {
 protected:
  /// Time goes on, and the io thread with it.
  void run(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds passed{0}; passed < time; passed += 250ms) {
      now_ += 250ms;
      arrivals_.pulse(now_);
    }
  }
  void stand(std::chrono::milliseconds time) { now_ += time; }
  /// One that Discord made so long ago, by a clock that is `ahead` of Discord's.
  bool too_old(std::chrono::milliseconds age, bool behind = false) {
    const auto our_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
    return arrivals_.too_old(our_ms - ahead_.count() - age.count(), our_ms, behind, now_);
  }

  Arrivals arrivals_;
  Arrivals::Clock::time_point now_ = Arrivals::Clock::time_point(100'000s);
  std::chrono::milliseconds ahead_{0};
};

TEST_F(ArrivalsTest, WhatComesInTheNormalWayIsFreshWhateverTheClocksSay) {
  run(1s);
  for (const auto ahead : {0ms, 3'600'000ms, -3'600'000ms}) {
    ahead_ = ahead;
    EXPECT_FALSE(too_old(100ms));
  }
}

TEST_F(ArrivalsTest, WhatIsReplayedIsAsOldAsItsIdSays) {
  run(1s);
  EXPECT_FALSE(too_old(1s, true));
  EXPECT_TRUE(too_old(3s, true));
}

TEST_F(ArrivalsTest, AClockThatIsWrongIsKnownFromTheOthers) {
  run(1s);
  ahead_ = 1h;
  EXPECT_FALSE(too_old(80ms));
  EXPECT_FALSE(too_old(2s, true));
  EXPECT_TRUE(too_old(4s, true));
  ahead_ = -1h;
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(too_old(80ms));
  EXPECT_FALSE(too_old(2s, true));
  EXPECT_TRUE(too_old(4s, true));
}

TEST_F(ArrivalsTest, WhatComesAfterAStandstillMayBeOld) {
  run(1s);
  EXPECT_FALSE(too_old(80ms));
  stand(10s);
  EXPECT_TRUE(too_old(8s)) << "the pulse has not been heard yet";
  arrivals_.pulse(now_);
  EXPECT_TRUE(too_old(8s)) << "and it has";
  EXPECT_FALSE(too_old(80ms));
  run(5s);
  ahead_ = 8s;
  EXPECT_FALSE(too_old(80ms)) << "from here on everything is normal again";
}

}  // namespace
}  // namespace trellis::host
