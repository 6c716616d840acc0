#include "outbox/breaker.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

constexpr std::int64_t kMinute = 60'000'000;

TEST(BreakerTest, OpensAtTheThirdRefusalInARow) {
  Breaker breaker;
  breaker.refused(0);
  breaker.refused(0);
  breaker.succeeded();
  breaker.refused(0);
  breaker.refused(0);
  EXPECT_TRUE(breaker.lets_through(0));
  breaker.refused(kMinute);
  EXPECT_FALSE(breaker.lets_through(kMinute));
  EXPECT_FALSE(breaker.lets_through(2 * kMinute - 1));
  EXPECT_TRUE(breaker.lets_through(2 * kMinute));
}

TEST(BreakerTest, PausesLongerEachTimeUpToALimitAndBeginsAnewWithASuccess) {
  Breaker breaker;
  breaker.refused(0);
  breaker.refused(0);
  std::int64_t now = 0;
  for (const std::int64_t minutes : {1, 2, 4, 8, 16, 30, 30}) {
    breaker.refused(now);
    EXPECT_EQ(breaker.open_until_us(), now + minutes * kMinute);
    now = breaker.open_until_us();
  }
  breaker.succeeded();
  EXPECT_TRUE(breaker.lets_through(0));
  EXPECT_EQ(breaker.refusals(), 0);
}

}  // namespace
}  // namespace trellis::host
