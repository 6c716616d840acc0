// Whatever happens to the gateway connection, every dispatch is counted once.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class GatewayFaultsTest : public Bench {
 protected:
  /// Troubles a stream `times` times, and compares what arrived.
  void trouble(int times, const std::function<void(Simulator&)>& fault, bool reconnects) {
    const std::vector<std::string> types{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"};
    plugins(std::string(kCountEverything) + recorder_conf(types));
    const int messages = 1000 * (times + 2);
    Simulator& sim =
        start_simulator({"--guilds", "3", "--rate", "4000", "--total", std::to_string(messages), "--span-days", "2"});
    start_host();
    wait_for_host();
    for (int i = 0; i < times; ++i) {
      wait_for_sent(1000 * (i + 1));
      const auto resumes = shard().at("resumes").to_number<int>();
      fault(sim);
      if (!reconnects) continue;
      wait_until(
          "the session is resumed",
          [&] { return shard().at("resumes").to_number<int>() > resumes && shard().at("state") == "ready"; },
          [&] { return ctl({"status"}).out + host().err(); });
    }
    expect_everything_counted();
    expect_recorded(*this, types);
    EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
    if (!reconnects) EXPECT_EQ(shard().at("resumes").to_number<int>(), 0);
    stop_host();
    expect_same(sim.counts(), stored());
  }
};

TEST_F(GatewayFaultsTest, Reconnect) {
  trouble(3, [](Simulator& sim) { sim.fault("reconnect"); }, true);
}
TEST_F(GatewayFaultsTest, InvalidSessionThatCanBeResumed) {
  trouble(2, [](Simulator& sim) { sim.fault("invalid_session", {{"resumable", true}}); }, true);
}
TEST_F(GatewayFaultsTest, Drop) {
  trouble(5, [](Simulator& sim) { sim.fault("drop"); }, true);
}
TEST_F(GatewayFaultsTest, CutMidFrame) {
  trouble(5, [](Simulator& sim) { sim.fault("cut_mid_frame"); }, true);
}
TEST_F(GatewayFaultsTest, Close) {
  trouble(2, [](Simulator& sim) { sim.fault("close", {{"code", 4000}}); }, true);
}
TEST_F(GatewayFaultsTest, HeartbeatRequest) {
  trouble(5, [](Simulator& sim) { sim.fault("heartbeat_request"); }, false);
}
TEST_F(GatewayFaultsTest, Duplicates) {
  trouble(3, [](Simulator& sim) { sim.fault("duplicate", {{"count", 50}}); }, false);
}
TEST_F(GatewayFaultsTest, NonsenseInBetween) {
  trouble(2, [](Simulator& sim) { sim.fault("raw", {{"text", R"({"op":99,"d":{"what":"is this"}})"}}); }, false);
}
/// The resume address refuses for a while; the session is resumed all the same.
TEST_F(GatewayFaultsTest, ResumeRefusedWith503) {
  trouble(
      1,
      [](Simulator& sim) {
        sim.fault("resume_503", {{"count", 2}});
        sim.fault("drop");
      },
      true);
}

/// Op 9 without a way back: another session, another epoch. What had a number before it was delivered before it.
TEST_F(GatewayFaultsTest, InvalidSessionBeginsANewOne) {
  const std::vector<std::string> types{"MESSAGE_CREATE"};
  plugins(std::string(kCountEverything) + recorder_conf(types));
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "4000", "--total", "8000", "--span-days", "2"});
  start_host();
  wait_for_host();
  wait_for_sent(2000);
  const auto epoch = shard().at("tail").at("epoch").to_number<std::int64_t>();
  sim.fault("invalid_session", {{"resumable", false}});
  wait_until(
      "another session",
      [&] { return shard().at("identifies").to_number<int>() == 2 && shard().at("state") == "ready"; },
      [&] { return ctl({"status"}).out; });
  EXPECT_GT(shard().at("tail").at("epoch").to_number<std::int64_t>(), epoch);
  expect_everything_counted();
  expect_recorded(*this, {"MESSAGE_CREATE"});
  stop_host();
  expect_same(sim.counts(), stored());
}

/// A session that expired while the host was away is not resumed: another session, and nothing comes twice.
TEST_F(GatewayFaultsTest, ExpiredSession) {
  const std::vector<std::string> types{"MESSAGE_CREATE"};
  plugins(std::string(kCountEverything) + recorder_conf(types));
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "4000", "--total", "6000"});
  start_host();
  wait_for_host();
  wait_for_sent(2000);
  sim.fault("pause");
  expect_counted(sim.counts());
  const auto epoch = shard().at("tail").at("epoch").to_number<std::int64_t>();
  stop_host();
  sim.fault("expire_session");
  sim.fault("resume_sending");
  start_host();
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
  EXPECT_GT(shard().at("tail").at("epoch").to_number<std::int64_t>(), epoch);
  expect_everything_counted();
  expect_recorded(*this, {"MESSAGE_CREATE"});
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
