// Several shards, and leave to IDENTIFY.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class ShardingTest : public Bench {
 protected:
  json::array shards() const { return status().at("shards").as_array(); }
  void wait_until_ready(std::size_t count) {
    wait_until(
        "all shards are ready",
        [&] {
          const json::array all = shards();
          return all.size() == count &&
                 std::all_of(all.begin(), all.end(), [](const auto& shard) { return shard.at("state") == "ready"; });
        },
        [&] { return ctl({"status"}).out; });
  }
};

/// The simulator refuses an IDENTIFY that comes too soon (op 9), and closes for a shard that is none of the bot's.
TEST_F(ShardingTest, ShardsIdentifyAsFastAsAllowedAndResumeAllAtOnce) {
  plugins(kCountEverything);
  start_simulator({"--guilds", "8", "--shards", "4", "--max-concurrency", "2", "--identify-interval", "5", "--rate",
                   "200", "--total", "3000"});
  start_host();
  wait_for_host();
  wait_until_ready(4);
  for (const json::value& shard : shards()) {
    EXPECT_EQ(shard.at("identifies"), 1);
    EXPECT_EQ(shard.at("reconnects"), 0) << shard.at("last_error");
  }
  EXPECT_EQ(sim().get("/api/v10/gateway/bot").at("session_start_limit").at("remaining"), 996);
  const std::string shown = ctl({"gateway"}).out;
  EXPECT_NE(shown.find("identifies: 996 of 1000 left"), std::string::npos) << shown;
  EXPECT_NE(shown.find("shard 3/4: ready for"), std::string::npos) << shown;
  EXPECT_NE(shown.find("compression zstd-stream, 0 commands wait, identifies 1, resumes 0"), std::string::npos)
      << shown;
  const json::value as_json = json::parse(ctl({"gateway", "--json"}).out);
  EXPECT_EQ(as_json.at("identifies").at("remaining"), 996);
  EXPECT_EQ(as_json.at("shards").as_array().size(), 4u);
  const std::string metrics = ctl({"metrics"}).out;
  for (const char* line : {"trellis_gateway_identifies_left 996", "trellis_gateway_identifies_total{shard=\"2\"} 1",
                           "trellis_gateway_ready{shard=\"3\"} 1", "trellis_gateway_commands_waiting{shard=\"0\"} 0"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  stop_host();
  start_host();
  wait_for_host();
  wait_until_ready(4);
  for (const json::value& shard : shards()) {
    EXPECT_EQ(shard.at("identifies"), 0);
    EXPECT_EQ(shard.at("resumes"), 1);
  }
  expect_everything_counted();
  stop_host();
}

TEST_F(ShardingTest, AHostCanHaveAPartOfThem) {
  plugins(kCountEverything);
  start_simulator({"--guilds", "8", "--shards", "4", "--max-concurrency", "4", "--rate", "100"});
  start_host({"--set", "discord.shards=1-2/4"});
  wait_for_host();
  wait_until_ready(2);
  EXPECT_EQ(shards()[0].at("shard"), 1);
  EXPECT_EQ(shards()[1].at("shard"), 2);
  EXPECT_EQ(shards()[1].at("shards"), 4);
  EXPECT_NE(host().err().find("1 to 2 of 4"), std::string::npos);
  stop_host();
}

/// Discord gives bots in more than 150,000 servers a number, and closes with 4010 unless the shards are a multiple of
/// it.
TEST_F(ShardingTest, ANumberThatDiscordMayRefuseIsWarnedOf) {
  plugins(kCountEverything);
  start_simulator({"--guilds", "8", "--shards", "4", "--max-concurrency", "2", "--rate", "1", "--total", "1"});
  const auto warned = [&](const char* shards) {
    start_host({"--set", fmt::format("discord.shards={}", shards)});
    wait_until("it has its shards", [&] { return ctl({"gateway"}).code == 0; }, [&] { return host().err(); });
    stop_host();
    return host().err().find("takes only multiples of the number it has assigned to it (close code 4010)") !=
           std::string::npos;
  };
  EXPECT_TRUE(warned("5"));
  EXPECT_FALSE(warned("6"));
}

/// With all of them used up Discord resets the token, and the simulator refuses it from then on.
TEST_F(ShardingTest, TheLastIdentifiesOfTheDayAreKept) {
  plugins(kCountEverything);
  Simulator& sim = start_simulator({"--identify-total", "4", "--identify-reset", "20", "--identify-interval", "0"});
  start_host();
  wait_for_host();
  wait_until_ready(1);
  sim.fault("invalid_session", {{"resumable", false}});
  wait_until("a second session", [&] { return shard().at("identifies") == 2 && shard().at("state") == "ready"; });
  const Finished refused = ctl({"gateway", "reidentify"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("2 IDENTIFYs are left of the day's 4, of which 2 are kept"), std::string::npos)
      << refused.err;
  EXPECT_EQ(shard().at("state"), "ready") << "the session goes on";
  sim.fault("invalid_session", {{"resumable", false}});
  wait_until(
      "it is said that there are none left",
      [&] { return host().err().find("would reset the bot's token") != std::string::npos; },
      [&] { return host().err(); });
  EXPECT_EQ(shard().at("state"), "identifying");
  EXPECT_EQ(shard().at("identifies"), 2) << "half of so small a budget is kept";
  EXPECT_EQ(sim.get("/api/v10/gateway/bot").at("session_start_limit").at("remaining"), 2);
  wait_until("there are new ones", [&] { return shard().at("identifies") == 3 && shard().at("state") == "ready"; });
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
