// The database goes away and comes back; events wait in the journal meanwhile.
#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class StoreAwayTest : public Bench {
 protected:
  StoreAwayTest() : Bench("postgresql") {}
};

TEST_F(StoreAwayTest, ConnectionsAreCut) {
  const std::vector<std::string> types{"MESSAGE_CREATE", "MESSAGE_UPDATE"};
  plugins(std::string(kCountEverything) + recorder_conf(types));
  const int step = scaled(8'000);
  Simulator& sim =
      start_simulator({"--guilds", "4", "--rate", "0", "--total", std::to_string(step * 6), "--span-days", "3"});
  start_host();
  wait_for_host();
  for (int cut = 1; cut <= 5; ++cut) {
    wait_for_sent(step * cut);
    store().cut_connections();
  }
  expect_everything_counted();
  expect_recorded(*this, types);
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
  EXPECT_EQ(plugin("message_counter").at("dead_letters").to_number<int>(), 0);
  stop_host();
  expect_same(sim.counts(), stored());
  expect_recorded(*this, types);
}

TEST_F(StoreAwayTest, ServerIsStopped) {
  PostgresServer server(folder());
  use_store(server.database());
  const std::vector<std::string> types{"MESSAGE_CREATE", "MESSAGE_UPDATE"};
  plugins(std::string(kCountEverything) + recorder_conf(types));
  Simulator& sim = start_simulator({"--guilds", "4", "--rate", "3000", "--span-days", "3"});
  start_host();
  wait_for_host();
  wait_for_sent(2000);
  server.stop();
  wait_until(
      "the plugin notices", [&] { return plugin("message_counter").at("store_away").as_bool(); },
      [&] { return ctl({"status"}).out; });
  EXPECT_NE(ctl({"status"}).out.find("the store is away"), std::string::npos);
  // Nobody waits: the gateway is read on.
  const auto before = shard().at("dispatches").to_number<std::int64_t>();
  wait_until(
      "events come in without a store",
      [&] { return shard().at("dispatches").to_number<std::int64_t>() > before + 5000; },
      [&] { return ctl({"status"}).out; });
  const Finished call = ctl({"call", "message_counter", "dailySummary", R"({"date": "2026-06-01"})"});
  EXPECT_EQ(call.code, 1) << "answered without a store: " << call.out;
  EXPECT_FALSE(call.err.empty());
  server.start();
  sim.fault("pause");
  expect_counted(sim.counts());
  expect_recorded(*this, types);
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
  EXPECT_FALSE(plugin("message_counter").at("store_away").as_bool());
  EXPECT_EQ(plugin("message_counter").at("dead_letters").to_number<int>(), 0);
  stop_host();
  expect_same(sim.counts(), stored());
  use_store(nullptr);
}

}  // namespace
}  // namespace trellis::e2e
