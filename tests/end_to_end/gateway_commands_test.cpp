// request.call() of what only the gateway does.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <future>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class GatewayCommandsTest : public Bench {
 protected:
  void begin(std::vector<std::string> flags = {}, std::vector<std::string> settings = {}) {
    plugins(fmt::format("[gatekeeper]\npath = \"{}\"\n", test_plugin("gatekeeper").string()));
    flags.insert(flags.end(), {"--guilds", "4", "--rate", "20"});
    start_simulator(std::move(flags));
    guild_ = sim().servers().at(0);
    start_host(std::move(settings));
    wait_for_host();
  }
  json::value ask(const std::string& method, json::object arguments) const {
    return call("gatekeeper", method, json::serialize(arguments));
  }
  Finished refused(const std::string& method, json::object arguments) const {
    Finished answer = ctl({"call", "gatekeeper", method, json::serialize(arguments)});
    EXPECT_NE(answer.code, 0) << answer.out;
    return answer;
  }
  json::value presence() { return sim().get("/_sim/sessions").as_array().at(0).at("presence"); }

  std::string guild_;
};

/// 2500 members come in three pieces, although nobody subscribes to them.
TEST_F(GatewayCommandsTest, AllMembersAtOnceAndNotTwiceIn30Seconds) {
  begin({"--users", "3000", "--members", "2500"});
  const json::value members = sim().truth().at("members").at(guild_);
  EXPECT_GT(members.to_number<int>(), 2000);
  const int got = ask("all", {{"guild", guild_}, {"seconds", 10}}).to_number<int>();
  EXPECT_NEAR(got, members.to_number<int>(), 50) << "members come and go meanwhile";
  const Finished again = refused("all", {{"guild", guild_}, {"seconds", 1}});
  EXPECT_NE(again.err.find("once in 30 s"), std::string::npos) << again.err;
  EXPECT_GT(ask("all", {{"guild", sim().servers().at(1)}, {"seconds", 10}}).to_number<int>(), 1) << "another server";
  EXPECT_EQ(shard().at("reconnects"), 0);
  stop_host();
}

TEST_F(GatewayCommandsTest, SomeMembers) {
  begin();
  const json::value list = sim().get("/api/v10/guilds/" + guild_ + "/members?limit=2");
  const auto first = list.at(0).at("user");
  const std::string name(first.at("username").as_string());
  const json::value named = ask("named", {{"guild", guild_}, {"begins", name.substr(0, 3)}});
  EXPECT_NE(json::serialize(named).find('"' + name + '"'), std::string::npos) << named;
  const json::value these = ask("these", {{"guild", guild_}, {"user", first.at("id")}, {"other", "4711"}});
  EXPECT_EQ(these.at("found"), (json::array{first.at("id")}));
  EXPECT_EQ(these.at("missing"), (json::array{"4711"}));
  const Finished presences = refused("presences", {{"guild", guild_}});
  EXPECT_NE(presences.err.find("GUILD_PRESENCES"), std::string::npos) << presences.err;
  const Finished elsewhere = refused("sounds", {{"guild", "none"}});
  EXPECT_FALSE(elsewhere.err.empty());
  stop_host();
}

TEST_F(GatewayCommandsTest, ThePresenceIsSetNowAndForSessionsToCome) {
  begin({}, {"--set", "discord.presence.status=idle", "--set", "discord.presence.activity=watching the door"});
  EXPECT_EQ(presence().at("status"), "idle");
  EXPECT_EQ(presence().at("activities").at(0).at("name"), "the door");
  EXPECT_EQ(ask("show", {{"text", "on duty"}}), true);
  wait_until("the presence has changed", [&] { return presence().at("status") == "dnd"; });
  EXPECT_EQ(presence().at("activities").at(0).at("state"), "on duty");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(ask("show", {{"text", fmt::format("rush {}", i)}}), true) << "waits its turn";
  wait_until("the last one counts", [&] { return presence().at("activities").at(0).at("state") == "rush 5"; });
  EXPECT_EQ(shard().at("reconnects"), 0);
  sim().fault("invalid_session", {{"resumable", false}});
  wait_until("another session", [&] { return shard().at("identifies") == 2 && shard().at("state") == "ready"; });
  EXPECT_EQ(presence().at("activities").at(0).at("state"), "rush 5");
  stop_host();
}

TEST_F(GatewayCommandsTest, VoiceSoundsAndChannels) {
  begin();
  const json::value channels = sim().get("/api/v10/guilds/" + guild_ + "/channels");
  std::string voice;
  for (const json::value& channel : channels.as_array())
    if (channel.at("type") == 2) voice = channel.at("id").as_string();
  ASSERT_FALSE(voice.empty());
  const std::int64_t before = sim().dispatches("VOICE_SERVER_UPDATE");
  EXPECT_EQ(ask("join", {{"guild", guild_}, {"channel", voice}}), true);
  wait_until("it is there", [&] { return sim().dispatches("VOICE_SERVER_UPDATE") == before + 1; });
  EXPECT_EQ(ask("leave", {{"guild", guild_}}), true);
  EXPECT_EQ(ask("sounds", {{"guild", guild_}}), json::value(guild_));
  EXPECT_EQ(ask("channels", {{"guild", guild_}}), json::value(guild_));
  stop_host();
}

/// The answer is lost with its session: whoever waits is told so, and does not wait for ever.
TEST_F(GatewayCommandsTest, AnAnswerThatIsLostWithItsSession) {
  begin();
  sim().fault("lose", {{"count", 100}});
  const std::string arguments = json::serialize(json::object{{"guild", guild_}, {"seconds", 60}});
  auto asking = std::async(std::launch::async, [&] { return ctl({"call", "gatekeeper", "all", arguments}); });
  wait_until("it was asked", [&] { return sim().dispatches("GUILD_MEMBERS_CHUNK") > 0; });
  sim().fault("invalid_session", {{"resumable", false}});
  const Finished answer = asking.get();
  EXPECT_NE(answer.code, 0);
  EXPECT_NE(answer.err.find("session ended"), std::string::npos) << answer.err;
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
