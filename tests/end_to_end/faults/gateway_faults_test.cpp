// Whatever happens to the gateway connection, every dispatch is handled once.
#include <boost/json.hpp>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

class GatewayFaults : public FaultRow {};

TEST_F(GatewayFaults, CutMidFrame) {
  Simulator& sim = start_stream();
  start_host();
  wait_for_host();
  for (int i = 0; i < times(5, 50); ++i) {
    let_pass(1000);
    sim.fault("cut_mid_frame");
    caused();
  }
  finish();
}

}  // namespace
}  // namespace trellis::e2e
