// The long forms: cmake/test.sh -L long
#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class LongTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(LongTest);

TEST_P(LongTest, KillTwentyTimes) { kill_under_load(*this, 20, scaled(400'000)); }
TEST_P(LongTest, ReloadForHalfAMinute) { reload_under_load(*this, 100, std::chrono::seconds(30)); }

}  // namespace
}  // namespace trellis::e2e
