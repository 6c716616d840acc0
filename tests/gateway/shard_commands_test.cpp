// What is asked of the gateway, over the connections and sessions of a shard.
#include <fmt/format.h>

#include "rig.hpp"

namespace trellis::test {
namespace {

namespace json = boost::json;

GatewayCommand presence(const char* status, std::size_t size = 1) {
  GatewayCommand command;
  const json::object activity{{"name", std::string(size, 'x')}, {"type", 0}};
  command.data = {{"status", status}, {"activities", json::array{activity}}};
  return command;
}

GatewayCommand command_of(std::string_view verb, std::string_view body) {
  std::string why;
  auto command = read_gateway_command(verb, body, why);
  EXPECT_TRUE(command) << why;
  return command.value_or(GatewayCommand{});
}

struct Asked {
  std::atomic<int> answers{0};
  Seen<GatewayAnswer> answer;
};

std::shared_ptr<Asked> ask(Rig& rig, GatewayCommand command, std::function<void()> then = {}) {
  auto asked = std::make_shared<Asked>();
  rig.shard->command(std::move(command), std::chrono::steady_clock::now() + std::chrono::seconds(60),
                     [asked, then = std::move(then)](GatewayAnswer got) {
                       if (then) then();
                       asked->answer = std::move(got);
                       ++asked->answers;
                     });
  return asked;
}

TEST(ShardCommands, APresenceThatIsRefusedIsNotOfTheNextSession) {
  std::atomic<bool> refused = false;
  Seen<json::object> second;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    EXPECT_EQ(link.read().at("op"), 3);
    wait_until([&] { return refused.load(); });
    link.send(R"({"t":null,"s":null,"op":9,"d":false})");
    link.read_close();
  });
  gateway.then([&](Link& link) {
    second = link.start("def");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  const auto taken = ask(rig, presence("idle"));
  ASSERT_TRUE(wait_until([&] { return taken->answers == 1; })) << gateway.trouble();
  const auto large = ask(rig, presence("dnd", 5'000));
  ASSERT_TRUE(wait_until([&] { return large->answers == 1; }));
  EXPECT_EQ(large->answer().status, TL_TOO_LARGE);
  refused = true;
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << gateway.trouble();
  EXPECT_LE(json::serialize(second()).size(), 4'000u);
  EXPECT_EQ(second().at("presence").at("status"), "idle");
}

TEST(ShardCommands, AnIdentifyIsNeverTooLarge) {
  Seen<json::object> identify;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    identify = link.start("abc");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.presence = json::serialize(presence("idle", 4'050).data);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 1; })) << gateway.trouble();
  EXPECT_EQ(identify().at("token"), "the-token");
  EXPECT_FALSE(identify().contains("presence"));
}

/// What was sent into a connection that was dead already is lost, and nobody says so.
TEST(ShardCommands, ThePresenceOfACommandIsSentAgainAfterAResume) {
  Seen<json::object> again;
  std::atomic<bool> came = false;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    EXPECT_EQ(link.read().at("op"), 3);
    link.drop();
  });
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("RESUMED", 2, "{}");
    again = link.read();
    came = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  const auto asked = ask(rig, presence("dnd"));
  ASSERT_TRUE(wait_until([&] { return came.load(); })) << gateway.trouble();
  EXPECT_EQ(again().at("op"), 3);
  EXPECT_EQ(again().at("d").at("status"), "dnd");
  EXPECT_EQ(asked->answers, 1);
}

TEST(ShardCommands, ThePresenceOfTheIdentifyStaysOverAResume) {
  std::atomic<bool> came = false;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    EXPECT_EQ(link.read().at("op"), 3);
    link.send(R"({"t":null,"s":null,"op":9,"d":false})");
    link.read_close();
  });
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.start("def").at("presence").at("status"), "dnd");
    link.drop();
  });
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("RESUMED", 2, "{}");
    EXPECT_EQ(link.read().at("op"), 4) << "this session began with the presence";
    came = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ask(rig, presence("dnd"));
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
  ask(rig, command_of("set_voice_state", R"({"guild_id":"10","channel_id":null})"));
  ASSERT_TRUE(wait_until([&] { return came.load(); })) << gateway.trouble();
}

TEST(ShardCommands, MembersThatWereAskedForAreInTheCacheWhenTheAnswerCame) {
  std::atomic<bool> keeps = false;
  std::atomic<int> known = 0;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    wait_until([&] { return keeps.load(); });
    link.start("abc");
    link.dispatch("GUILD_CREATE", 2, R"({"id":"10","name":"g","channels":[],"members":[]})");
    const json::object asked = link.read();
    const auto nonce = json::value_to<std::string>(asked.at("d").at("nonce"));
    for (const int index : {0, 1})
      link.dispatch("GUILD_MEMBERS_CHUNK", 3 + static_cast<std::uint64_t>(index),
                    fmt::format(R"({{"guild_id":"10","members":[{{"user":{{"id":"{}","username":"u"}},"roles":[]}}],)"
                                R"("chunk_index":{},"chunk_count":2,"nonce":"{}"}})",
                                31 + index, index, nonce));
    link.read_close();
  });
  Rig rig(gateway);
  rig.want({"GUILD_MEMBERS_CHUNK"});
  rig.start();
  rig.cache->keep_members(true);
  keeps = true;
  const auto asked = ask(rig, command_of("request_members", R"({"guild_id":"10","query":"","limit":0})"), [&] {
    const GuildPtr guild = rig.cache->guild(10);
    for (const std::uint64_t user : {31u, 32u})
      if (guild && rig.cache->member(*guild, user)) ++known;
  });
  ASSERT_TRUE(wait_until([&] { return asked->answers == 1; })) << gateway.trouble();
  EXPECT_EQ(asked->answer().status, TL_OK) << asked->answer().error;
  EXPECT_EQ(known, 2);
}

}  // namespace
}  // namespace trellis::test
