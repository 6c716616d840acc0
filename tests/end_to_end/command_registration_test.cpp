// Commands of plugins at Discord: written when they change, and only then.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class CommandRegistrationTest : public StoreBench {
 protected:
  void SetUp() override {
    StoreBench::SetUp();
    install(*this, test_plugin("quests_a"), "quests");
    plugins("[quests]\n");
    start_simulator({"--guilds", "1", "--rate", "1", "--total", "1"});
    server_ = sim().servers().at(0);
    application_ = std::string(sim().get("/api/v10/applications/@me").at("id").as_string());
  }

  void start(std::vector<std::string> more = {}) {
    std::vector<std::string> all{"--set", "plugins.dir=" + (folder() / "plugins").string()};
    all.insert(all.end(), more.begin(), more.end());
    start_host(all);
    wait_for_host();
  }

  /// Requests about commands that anybody but this test made: "PUT /applications/…/commands 200".
  std::vector<std::string> requests(const std::string& method) {
    std::vector<std::string> found;
    const json::value all = sim().get("/_sim/requests");
    for (const json::value& one : all.as_array())
      if (const std::string path(one.at("path").as_string());
          one.at("method").as_string() == method && path.find("/commands") != std::string::npos)
        found.push_back(fmt::format("{} {}", path.substr(path.find("/applications")), one.at("status").as_int64()));
    return found;
  }
  std::size_t writes() { return requests("PUT").size(); }
  void wait_for_writes(std::size_t count) {
    wait_until(
        fmt::format("commands are written {} times", count), [&] { return writes() == count; },
        [&] { return host().err(); });
  }
  json::value registered(const std::string& server = {}) {
    return sim().get(fmt::format("/api/v10/applications/{}{}/commands?with_localizations=true", application_,
                                 server.empty() ? "" : "/guilds/" + server));
  }
  /// The last look at Discord's list has ended, and it was this.
  void wait_for_last(const std::string& last, const std::string& where = "in all servers") {
    wait_until(
        "the commands are looked at: " + last,
        [&] {
          const Finished answer = ctl({"commands", "list", "--json"});
          if (answer.code != 0) return false;
          const json::value list = json::parse(answer.out);
          return list.at("where").as_string() == where && list.at("last").as_string().starts_with(last);
        },
        [&] { return ctl({"commands", "list"}).out + host().err(); });
  }
  std::vector<std::string> names(const json::value& commands) {
    std::vector<std::string> list;
    for (const json::value& one : commands.as_array()) list.emplace_back(one.at("name").as_string());
    std::sort(list.begin(), list.end());
    return list;
  }

  const std::vector<std::string> all_{"Give a quest", "Make it a quest", "quest"};
  std::string server_, application_;
};
TRELLIS_ON_BOTH_STORES(CommandRegistrationTest);

TEST_P(CommandRegistrationTest, OnceAndNotAgainAtARestart) {
  start();
  wait_for_last("written");
  EXPECT_EQ(requests("PUT"), (std::vector<std::string>{fmt::format("/applications/{}/commands 200", application_)}));
  const json::value commands = registered();
  EXPECT_EQ(names(commands), all_);
  for (const json::value& one : commands.as_array()) {
    if (one.at("name") != "quest") continue;
    EXPECT_EQ(one.at("name_localizations"), json::parse(R"({"de": "aufgabe"})"));
    EXPECT_EQ(one.at("default_member_permissions"), json::value(nullptr)) << "/quest list needs no permission";
    ASSERT_EQ(one.at("options").as_array().size(), 3u);
    EXPECT_EQ(one.at("options").at(0).at("options").as_array().size(), 10u);
  }
  const json::value all = sim().get("/_sim/requests");
  EXPECT_EQ(std::ranges::count_if(
                all.as_array(),
                [](const json::value& one) { return one.at("path").as_string().ends_with("/applications/@me"); }),
            2)
      << "this test, and the host once for all that want to know";
  stop_host();

  start();
  wait_for_last("unchanged");
  EXPECT_EQ(writes(), 1u);
  EXPECT_EQ(ctl({"commands", "diff"}).out, "what is registered in all servers is what the plugins declare\n");
  EXPECT_EQ(ctl({"commands", "sync"}).out, "what is registered in all servers is what the plugins declare\n");
  EXPECT_EQ(writes(), 1u);
  const Finished list = ctl({"commands", "list"});
  EXPECT_NE(list.out.find("/quest"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("user command \"Give a quest\""), std::string::npos) << list.out;
  EXPECT_NE(ctl({"metrics"}).out.find("trellis_commands_registered 3"), std::string::npos) << ctl({"metrics"}).out;
  stop_host();
}

TEST_P(CommandRegistrationTest, AReloadWritesWhatChanged) {
  start();
  wait_for_last("written");
  install(*this, test_plugin("quests_b"), "quests");
  ASSERT_EQ(ctl({"plugin", "reload", "quests"}).code, 0);
  wait_for_writes(2);
  wait_for_last("written");
  EXPECT_NE(json::serialize(registered()).find("Other words"), std::string::npos);

  install(*this, test_plugin("quests_wrong"), "quests");
  const Finished refused = ctl({"plugin", "reload", "quests"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("command \"Quest-Log\": \"Quest-Log\" in its name must be in lower case, and has \"Q\""),
            std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("its text must not be empty"), std::string::npos) << refused.err;
  EXPECT_EQ(ctl({"commands", "sync"}).out, "what is registered in all servers is what the plugins declare\n");
  EXPECT_EQ(writes(), 2u);
  stop_host();
}

TEST_P(CommandRegistrationTest, TheyStayWithAPluginThatIsEnabledAndGoWithOneThatIsNot) {
  start();
  wait_for_last("written");
  ASSERT_EQ(ctl({"plugin", "unload", "quests"}).code, 0);
  EXPECT_EQ(ctl({"commands", "sync"}).out, "what is registered in all servers is what the plugins declare\n");
  ASSERT_EQ(ctl({"plugin", "load", "quests"}).code, 0);
  ASSERT_EQ(ctl({"plugin", "disable", "quests"}).code, 0);
  wait_for_writes(2);
  EXPECT_TRUE(registered().as_array().empty());
  ASSERT_EQ(ctl({"plugin", "enable", "quests"}).code, 0);
  wait_for_writes(3);
  EXPECT_EQ(names(registered()), all_);
  stop_host();
}

TEST_P(CommandRegistrationTest, ADevelopmentGuildIsTidiedUp) {
  start({"--set", "discord.development_guild=" + server_});
  wait_for_last("written", "in server " + server_);
  EXPECT_EQ(names(registered(server_)), all_);
  EXPECT_TRUE(registered().as_array().empty());
  stop_host();
  start({"--set", "discord.development_guild=" + server_});
  wait_for_last("unchanged", "in server " + server_);
  EXPECT_EQ(writes(), 1u);
  stop_host();

  start();
  wait_for_last("written");
  EXPECT_EQ(names(registered()), all_);
  EXPECT_TRUE(registered(server_).as_array().empty());
  EXPECT_EQ(writes(), 3u);
  stop_host();
  start();
  wait_for_last("unchanged");
  EXPECT_EQ(writes(), 3u);
  stop_host();
}

TEST_P(CommandRegistrationTest, TroubleIsTriedAgain) {
  sim().fault("rest_error", {{"method", "PUT"}, {"path", "/commands"}, {"count", 5}, {"status", 503}});
  start();
  wait_until(
      "it is said", [&] { return host().err().find("could not be registered") != std::string::npos; },
      [&] { return host().err(); });
  wait_for_last("written");
  EXPECT_EQ(names(registered()), all_);
  EXPECT_NE(ctl({"metrics"}).out.find("trellis_command_syncs_total{outcome=\"failed\"} 1"), std::string::npos);
  stop_host();
}

TEST_P(CommandRegistrationTest, NotByItselfWhenToldSo) {
  start({"--set", "discord.register_commands=false"});
  const Finished diff = ctl({"commands", "diff", "--json"});
  ASSERT_EQ(diff.code, 0) << diff.err;
  EXPECT_EQ(json::parse(diff.out).at("changes").as_array().size(), 3u) << diff.out;
  EXPECT_EQ(writes(), 0u);
  const Finished sync = ctl({"commands", "sync"});
  EXPECT_NE(sync.out.find("+ /quest (quests)"), std::string::npos) << sync.out;
  EXPECT_EQ(writes(), 1u);
  stop_host();
}

class CommandCheckTest : public Bench {};

TEST_F(CommandCheckTest, TheCheckSaysItToo) {
  const Finished answer = trellis({"check", test_plugin("quests_wrong").string()});
  EXPECT_EQ(answer.code, 5) << answer.out;
  EXPECT_NE(answer.out.find("refused: it declares what Discord does not take:"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("command \"Quest-Log\""), std::string::npos) << answer.out;
  EXPECT_EQ(trellis({"check", test_plugin("quests_a").string()}).code, 0);
}

}  // namespace
}  // namespace trellis::e2e
