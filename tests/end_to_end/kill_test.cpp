// kill -9 loses nothing and counts nothing twice.
#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class KillTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(KillTest);

TEST_P(KillTest, UnderLoad) { kill_under_load(*this, 3, scaled(60'000)); }

/// A host that is killed while nothing is connected leaves nothing that the next one stumbles over.
TEST_P(KillTest, BeforeItIsConnected) {
  Simulator& sim = start_simulator({"--rate", "0", "--total", "500"});
  start_host();
  wait_until("the host has a log", [&] { return !host().err().empty(); });
  kill_host();
  start_host();
  expect_everything_counted();
  stop_host();
  expect_same(sim.counts(), stored());
}

}  // namespace
}  // namespace trellis::e2e
