// The database is away while events pour in: they wait in the journal, not in memory.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "fault_row.hpp"
#include "usage.hpp"

namespace trellis::e2e {
namespace {

class MemoryFaults : public FaultRow {
 protected:
  MemoryFaults() : FaultRow("postgresql") {}

  std::string handled(const std::string& id) const {
    return boost::json::serialize(plugin(id).at("streams").at(0).at("handled"));
  }
};

TEST_F(MemoryFaults, DatabaseAwayFlatMemory) {
  PostgresServer server(folder());
  use_store(server.database());
  const int rate = scaled(20'000), seconds = times(3, 60);
  start_stream({"--rate", std::to_string(rate)});
  start_host({"--set", "journal.budget=4 GiB"});
  wait_for_host();
  let_pass(rate);
  const auto sample = [&] { return usage_of(host().pid()).anonymous_kb; };
  const auto before = sample();
  server.stop();
  caused();
  // A unit is being written and the next one is full: from here on nothing more may be kept.
  std::string stood;
  wait_until("the plugins stand", [&] {
    const std::string was = std::exchange(stood, handled("recorder") + handled("message_counter"));
    let_pass(rate / 4);
    return was == stood && plugin("recorder").at("store_away").as_bool();
  });
  const auto first = sample();
  auto low = first, high = first;
  for (int i = 0; i < seconds * 2; ++i) {
    let_pass(rate / 2);
    const auto now = sample();
    low = std::min(low, now);
    high = std::max(high, now);
  }
  note(fmt::format("memory {} kB before, {} to {} kB while away", before, low, high));
#ifndef TRELLIS_ASAN  // it keeps what is freed
  EXPECT_LE(high, first * 11 / 10);
  EXPECT_GE(low, first * 9 / 10);
#endif
  EXPECT_FALSE(shard().at("paused").as_bool());
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
  server.start();
  finish();
  use_store(nullptr);
}

}  // namespace
}  // namespace trellis::e2e
