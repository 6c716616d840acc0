// The SDK's typed operations, each done by a plugin through the host at a Discord that takes them apart.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class DiscordOperationsTest : public Bench {
 protected:
  void SetUp() override {
    Bench::SetUp();
    plugins(fmt::format("[operator]\npath = \"{}\"\n", test_plugin("operator").string()));
    Simulator& sim = start_simulator({"--guilds", "1", "--users", "1300", "--members", "1200", "--rate", "1", "--total",
                                      "1", "--dm-share", "0", "--rest-limits", "off"});
    guild_ = sim.servers().at(0);
    const json::value channels = sim.get("/api/v10/guilds/" + guild_ + "/channels");
    for (const json::value& channel : channels.as_array())
      channels_.emplace(channel.at("type").to_number<int>(), channel.at("id").as_string());
    const std::string owner(sim.get("/api/v10/guilds/" + guild_).at("owner_id").as_string());
    const json::value members = sim.get("/api/v10/guilds/" + guild_ + "/members?limit=50");
    for (const json::value& member : members.as_array()) {
      const json::object& user = member.at("user").as_object();
      const bool bot = user.contains("bot") && user.at("bot").as_bool();
      if (!bot && user.at("id").as_string() != owner) people_.emplace_back(user.at("id").as_string());
    }
    ASSERT_GE(people_.size(), 2u);
    start_host();
    wait_for_host();
  }

  /// The method says what did not come about.
  void run(const std::string& method, const json::object& arguments) {
    const Finished done = ctl({"call", "operator", method, json::serialize(arguments)});
    EXPECT_EQ(done.code, 0) << method << ": " << done.err;
    // What was refused was refused on purpose; nothing is out of form.
    const json::value requests = sim().get("/_sim/requests");
    for (const json::value& request : requests.as_array())
      if (const auto status = request.at("status").to_number<int>(); status >= 400)
        EXPECT_TRUE(allowed_.contains(status)) << json::serialize(request);
    stop_host();
  }
  std::string channel(int type) const { return channels_.at(type); }

  std::string guild_;
  std::map<int, std::string> channels_;  // one of each type
  std::vector<std::string> people_;
  std::set<int> allowed_;
};

constexpr int kText = 0, kVoice = 2, kForum = 15;

TEST_F(DiscordOperationsTest, Messages) { run("messages", {{"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Layouts) { run("layouts", {{"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Reactions) { run("reactions", {{"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Pages) { run("pages", {{"guild", guild_}, {"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Roles) { run("roles", {{"guild", guild_}, {"user", people_[0]}}); }
TEST_F(DiscordOperationsTest, Members) {
  allowed_ = {400};  // of a member who is in no voice channel
  run("members", {{"guild", guild_}, {"user", people_[0]}, {"voice", channel(kVoice)}});
}
TEST_F(DiscordOperationsTest, Bans) {
  allowed_ = {404};  // a ban that is no more
  run("bans", {{"guild", guild_}, {"user", people_[0]}, {"other", people_[1]}});
}
TEST_F(DiscordOperationsTest, Channels) {
  run("channels", {{"guild", guild_}, {"user", people_[0]}, {"voice", channel(kVoice)}});
}
TEST_F(DiscordOperationsTest, Threads) {
  run("threads", {{"guild", guild_}, {"channel", channel(kText)}, {"forum", channel(kForum)}, {"user", people_[0]}});
}
TEST_F(DiscordOperationsTest, Webhooks) { run("webhooks", {{"guild", guild_}, {"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Invites) { run("invites", {{"guild", guild_}, {"channel", channel(kText)}}); }
TEST_F(DiscordOperationsTest, Emojis) { run("emojis", {{"guild", guild_}}); }
TEST_F(DiscordOperationsTest, Guilds) { run("guilds", {{"guild", guild_}}); }

}  // namespace
}  // namespace trellis::e2e
