// Commands of real plugins as people use them: registered by the host, used by somebody, answered.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "people.hpp"
#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class PluginCommandsTest : public PeopleBench {
 protected:
  explicit PluginCommandsTest(std::string_view store = "sqlite") : PeopleBench(store) {}
  void start(const std::string& conf) {
    plugins(conf);
    start_people();
    start_host();
    wait_for_host();
    wait_until(
        "the commands are registered",
        [&] {
          const Finished answer = ctl({"commands", "list", "--json"});
          return answer.code == 0 && json::parse(answer.out).at("last") == "written";
        },
        [&] { return host().err(); });
  }
};

class MessageCounterCommandsTest : public PluginCommandsTest, public testing::WithParamInterface<const char*> {
 protected:
  MessageCounterCommandsTest() : PluginCommandsTest(GetParam()) {}
  std::string description(const std::string& id) {
    const json::object shown = embed(said(id));
    const json::value* text = shown.if_contains("description");
    return text ? std::string(text->as_string()) : content(account(id));
  }
};
TRELLIS_ON_BOTH_STORES(MessageCounterCommandsTest);

TEST_P(MessageCounterCommandsTest, AnswerWithWhatWasCounted) {
  start(std::string(kCountEverything));
  expect_everything_counted();
  const std::int64_t before = total(sim().counts());
  for (int i = 0; i < 3; ++i) sim().send_message(server_, channel_, "hi");
  wait_until("they are counted", [&] { return total(stored()) == before + 3; }, [&] { return host().err(); });
  std::int64_t here = 0;
  for (const auto& [key, count] : stored())
    if (std::get<1>(key) == channel_) here += count;

  const std::string channel = description(command("messages", {{"channel", channel_}, {"days", 2}}));
  EXPECT_TRUE(channel.starts_with(fmt::format("**{} messages** in <#{}>", here, channel_))) << channel;
  EXPECT_NE(channel.find("```"), std::string::npos) << channel;
  const std::string all = description(command("messages"));
  EXPECT_TRUE(all.starts_with(fmt::format("**{} messages**", before + 3))) << all;

  EXPECT_NE(description(command("members")).find("`/snapshot`"), std::string::npos);
  const json::value guild = sim().get("/api/v10/guilds/" + server_ + "?with_counts=true");
  const std::string counted = command("snapshot", {}, {{"user", guild.at("owner_id")}});
  EXPECT_NE(description(counted).find("members** today"), std::string::npos) << description(counted);
  EXPECT_EQ(flags(account(counted)), 64);
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM user_counts"), 1);
  EXPECT_NE(description(command("members")).find("counted once, on "), std::string::npos);
  stop_host();
}

class FirstPluginTest : public PluginCommandsTest {};

/// The plugin of share/docs/first-plugin.md.
TEST_F(FirstPluginTest, DoesWhatThePageSays) {
  start(fmt::format("[ideas]\npath = \"{}\"\n", test_plugin("ideas").string()));
  EXPECT_EQ(content(said(command("ideas", {{"topic", "food"}}))), "Who has an idea about **food**?");
  const std::string message(newest().at("id").as_string());
  const auto press_and_tell = [&](const std::string& idea) {
    const std::string pressed = act({{"button", "ideas:tell:food"}, {"message", message}});
    EXPECT_EQ(callback_type(answered(pressed)), 9);
    return content(said(act({{"modal", pressed}, {"fields", {{"idea", idea}}}})));
  };
  EXPECT_EQ(press_and_tell("noodles"), "Idea 1 about **food**: noodles");
  ASSERT_EQ(ctl({"plugin", "reload", "ideas"}).code, 0);
  EXPECT_EQ(press_and_tell("soup"), "Idea 2 about **food**: soup");
  stop_host();
  start_host();
  wait_for_host();
  EXPECT_EQ(press_and_tell("bread"), "Idea 3 about **food**: bread");
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
