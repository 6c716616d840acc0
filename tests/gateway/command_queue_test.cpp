// What is asked of the gateway waits for its turn, by a clock of the test's own.
#include "gateway/command_queue.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gateway/websocket_reader.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using Kind = GatewayCommand::Kind;
using Time = CommandQueue::Time;

class Commands : public testing::Test {
 protected:
  struct Result {
    bool done = false;
    GatewayAnswer answer;
  };

  std::shared_ptr<Result> add(std::string_view verb, const json::object& data, Time deadline = Time::max()) {
    std::string why;
    auto command = read_gateway_command(verb, json::serialize(data), why);
    EXPECT_TRUE(command) << why;
    auto result = std::make_shared<Result>();
    queue.add(++last_id, std::move(*command), deadline, now, [result](GatewayAnswer answer) {
      EXPECT_FALSE(result->done) << "twice";
      *result = {true, std::move(answer)};
    });
    return result;
  }
  std::shared_ptr<Result> members(std::uint64_t guild, Time deadline = Time::max()) {
    return add("request_members", {{"guild_id", std::to_string(guild)}, {"query", ""}, {"limit", 0}}, deadline);
  }
  std::shared_ptr<Result> presence(std::string_view status = "idle") {
    return add("set_presence",
               {{"status", json::string_view(status.data(), status.size())}, {"activities", json::array()}});
  }
  std::shared_ptr<Result> voice(std::uint64_t guild) {
    return add("set_voice_state", {{"guild_id", std::to_string(guild)}, {"channel_id", nullptr}});
  }
  std::optional<Time> run() {
    return queue.run(now, &budget, [this](std::string_view text) {
      sent.push_back(json::parse(json::string_view(text.data(), text.size())).as_object());
    });
  }
  std::string nonce(std::size_t index) const { return json::value_to<std::string>(sent.at(index).at("d").at("nonce")); }
  void take(std::string_view type, std::string data) {
    const std::size_t size = data.size();
    data.append(kMessagePadding, ' ');
    queue.take(type, {data.data(), size}, now);
  }
  void chunk(const std::string& nonce, int index, int count, const std::string& members, const std::string& more = "") {
    take("GUILD_MEMBERS_CHUNK",
         fmt::format(R"({{"guild_id":"5","members":[{}],"chunk_index":{},"chunk_count":{},"nonce":"{}"{}}})", members,
                     index, count, nonce, more));
  }
  std::vector<int> opcodes() const {
    std::vector<int> all;
    for (const auto& payload : sent) all.push_back(payload.at("op").to_number<int>());
    return all;
  }

  CommandQueue queue{{.waiting = 200, .answer_bytes = 1000, .all_answers_bytes = 1500}};
  SendBudget budget;
  Time now{};
  std::uint64_t last_id = 0;
  std::vector<json::object> sent;
};

TEST_F(Commands, VoiceAndPresenceGoBeforeMembers) {
  members(5);
  voice(6);
  presence();
  run();
  EXPECT_EQ(opcodes(), (std::vector<int>{4, 3, 8}));
  EXPECT_EQ(sent[0].at("d").at("guild_id"), "6");
  EXPECT_EQ(sent[2].at("d").at("query"), "");
}

TEST_F(Commands, TheWindowIsKeptWithRoomForHeartbeats) {
  budget.reserve_for(41'250ms);
  for (int i = 0; i < 150; ++i) voice(static_cast<std::uint64_t>(i + 1));
  const auto next = run();
  EXPECT_EQ(sent.size(), 117u);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, now + 60s);
  EXPECT_TRUE(budget.take(now, true)) << "a heartbeat never waits";
  EXPECT_EQ(queue.waiting(), 33u);
  now = *next;
  EXPECT_FALSE(run());
  EXPECT_EQ(sent.size(), 150u);
}

TEST_F(Commands, FivePresencesIn20SecondsAndOnlyTheLatest) {
  for (int i = 0; i < 5; ++i) {
    presence();
    run();
  }
  EXPECT_EQ(sent.size(), 5u);
  const auto superseded = presence("dnd");
  EXPECT_EQ(run(), now + 20'500ms) << "20 s, and a little for the way";
  const auto last = presence("invisible");
  EXPECT_TRUE(superseded->done);
  EXPECT_EQ(superseded->answer.status, TL_OK);
  EXPECT_FALSE(last->done);
  voice(1);
  run();
  EXPECT_EQ(sent.back().at("op"), 4) << "others need not wait for that";
  now += 20'500ms;
  EXPECT_FALSE(run());
  EXPECT_EQ(sent.back().at("d").at("status"), "invisible");
  EXPECT_TRUE(last->done);
}

TEST_F(Commands, AResumeRepeatsTheLastPresenceWithinTheLimit) {
  queue.resumed();
  EXPECT_FALSE(run());
  EXPECT_TRUE(sent.empty()) << "no command set one";
  for (int i = 0; i < 5; ++i) {
    presence(i == 4 ? "dnd" : "idle");
    run();
  }
  queue.resumed();
  EXPECT_EQ(run(), now + 20'500ms) << "five in 20 s, repeats too";
  queue.resumed();
  EXPECT_EQ(run(), now + 20'500ms);
  EXPECT_EQ(queue.waiting(), 1u) << "one is enough";
  const auto newer = presence("invisible");
  queue.resumed();
  now += 20'500ms;
  EXPECT_FALSE(run());
  EXPECT_TRUE(newer->done);
  ASSERT_EQ(sent.size(), 6u);
  EXPECT_EQ(sent[5].at("d").at("status"), "invisible");
  queue.resumed();
  EXPECT_FALSE(queue.run(now, nullptr, {})) << "not before there is a session to send in";
  run();
  ASSERT_EQ(sent.size(), 7u);
  EXPECT_EQ(sent[6], sent[5]);
  run();
  EXPECT_EQ(sent.size(), 7u) << "once for each";
  queue.fail_all(TL_UNAVAILABLE, "over");
  queue.resumed();
  run();
  EXPECT_EQ(sent.size(), 7u) << "another session begins with it";
}

TEST_F(Commands, AllMembersOfAServerOnceIn30Seconds) {
  const auto first = members(5);
  const auto second = members(5);
  const auto other = members(6);
  EXPECT_EQ(run(), now + 30s);
  EXPECT_EQ(sent.size(), 2u);
  const auto hurried = members(5, now + 10s);
  EXPECT_TRUE(hurried->done);
  EXPECT_EQ(hurried->answer.status, TL_RATE_LIMITED);
  EXPECT_NE(hurried->answer.error.find("30 s"), std::string::npos);
  add("request_members", {{"guild_id", "5"}, {"query", "ab"}, {"limit", 10}});
  run();
  EXPECT_EQ(sent.size(), 3u) << "a search is something else";
  now += 30s;
  run();
  EXPECT_EQ(sent.size(), 4u);
  EXPECT_FALSE(first->done || second->done || other->done) << "they wait for their answers";
}

TEST_F(Commands, ChunksAreCollectedInAnyOrderByTheirNonce) {
  const auto first = members(5);
  const auto second = members(6);
  run();
  ASSERT_NE(nonce(0), nonce(1));
  EXPECT_LE(nonce(0).size(), 32u);
  chunk(nonce(0), 2, 3, R"({"user":{"id":"3"}})", R"(,"presences":[{"status":"idle"}])");
  chunk(nonce(1), 0, 2, R"({"user":{"id":"9"}})");
  chunk(nonce(0), 0, 3, R"({"user":{"id":"1"}}, {"user":{"id":"2"}})", R"(,"not_found":["7", 0 ])");
  chunk(nonce(0), 0, 3, R"({"user":{"id":"1"}})");  // again, after a RESUME
  chunk("somebody-elses", 0, 1, "{}");
  EXPECT_FALSE(first->done);
  chunk(nonce(0), 1, 3, "");
  ASSERT_TRUE(first->done);
  EXPECT_EQ(json::parse(first->answer.body),
            json::parse(R"({"members":[{"user":{"id":"3"}},{"user":{"id":"1"}},{"user":{"id":"2"}}],)"
                        R"("not_found":["7",0],"presences":[{"status":"idle"}]})"));
  EXPECT_FALSE(second->done);
}

TEST_F(Commands, ChunksThatAreNoneChangeNothing) {
  const auto asked = members(5);
  run();
  for (const std::string data : {"", "null", "[]", "{", R"({"nonce":7})", R"({"members":{},"nonce":null})"})
    take("GUILD_MEMBERS_CHUNK", data);
  const std::string mine = nonce(0);
  chunk(mine, 5, 3, "{}");
  chunk(mine, 0, 0, "{}");
  chunk(mine, -1, 3, "{}");
  chunk(mine, 0, 2'000'000'000, "{}");
  take("RATE_LIMITED", R"({"opcode":8,"retry_after":"soon","meta":[]})");
  EXPECT_FALSE(asked->done);
  chunk(mine, 0, 1, "{}");
  EXPECT_TRUE(asked->done);
  EXPECT_EQ(asked->answer.body, R"({"members":[{}],"not_found":[],"presences":[]})");
}

TEST_F(Commands, AnAnswerThatIsTooLargeEndsTheRequest) {
  const auto asked = members(5);
  run();
  chunk(nonce(0), 0, 3, '"' + std::string(600, 'x') + '"');
  EXPECT_FALSE(asked->done);
  chunk(nonce(0), 1, 3, '"' + std::string(600, 'x') + '"');
  ASSERT_TRUE(asked->done);
  EXPECT_EQ(asked->answer.status, TL_TOO_LARGE);
  chunk(nonce(0), 2, 3, "");  // nobody waits for it any more
}

TEST_F(Commands, TooManyAnswersAtOnceAreToldAsSuch) {
  const auto first = members(5), second = members(6);
  run();
  chunk(nonce(0), 0, 2, '"' + std::string(800, 'x') + '"');
  chunk(nonce(1), 0, 2, '"' + std::string(800, 'x') + '"');
  ASSERT_TRUE(second->done);
  EXPECT_EQ(second->answer.status, TL_UNAVAILABLE);
  EXPECT_NE(second->answer.error.find("too many answers at once"), std::string::npos) << second->answer.error;
  EXPECT_FALSE(first->done);
  chunk(nonce(0), 1, 2, "");
  EXPECT_EQ(first->answer.status, TL_OK);
  EXPECT_TRUE(first->done);
}

TEST_F(Commands, WhatDiscordLimitsIsAskedAgainWhenItSays) {
  const auto patient = members(5);
  const auto hurried = members(6, now + 3s);
  run();
  const auto limit = [&](std::size_t index, const char* guild) {
    take("RATE_LIMITED", fmt::format(R"({{"opcode":8,"retry_after":7.25,"meta":{{"guild_id":"{}","nonce":"{}"}}}})",
                                     guild, nonce(index)));
  };
  limit(0, "5");
  limit(1, "6");
  ASSERT_TRUE(hurried->done);
  EXPECT_EQ(hurried->answer.status, TL_RATE_LIMITED);
  EXPECT_NE(hurried->answer.error.find("8 s"), std::string::npos) << hurried->answer.error;
  EXPECT_EQ(run(), now + 7250ms);
  EXPECT_EQ(sent.size(), 2u);
  now += 7250ms;
  run();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(nonce(2), nonce(0));
  chunk(nonce(2), 0, 1, "");
  EXPECT_TRUE(patient->done);
  EXPECT_EQ(patient->answer.status, TL_OK);
}

TEST_F(Commands, EverythingEndsSomehow) {
  const auto sent_one = members(5, now + 10s);
  run();
  const auto waits = members(5, now + 40s);
  EXPECT_EQ(queue.run(now, nullptr, {}), now + 10s) << "without a session only time passes";
  now += 10s;
  queue.run(now, nullptr, {});
  ASSERT_TRUE(sent_one->done);
  EXPECT_EQ(sent_one->answer.status, TL_TIMEOUT);
  now += 30s;
  queue.run(now, nullptr, {});
  EXPECT_EQ(waits->answer.status, TL_TIMEOUT);
  const auto cancelled = voice(1);
  queue.cancel(last_id);
  EXPECT_EQ(cancelled->answer.status, TL_CANCELLED);
  const auto first = voice(1), second = members(7);
  queue.fail_all(TL_UNAVAILABLE, "over");
  EXPECT_EQ(first->answer.error, "over");
  EXPECT_EQ(second->answer.status, TL_UNAVAILABLE);
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST_F(Commands, TooMuchIsRefused) {
  json::array ids;
  for (int i = 0; i < 100; ++i) ids.emplace_back(std::string(60, '1'));
  const auto large = add("request_members", {{"guild_id", "5"}, {"user_ids", ids}});
  ASSERT_TRUE(large->done);
  EXPECT_EQ(large->answer.status, TL_TOO_LARGE);
  EXPECT_NE(large->answer.error.find("4096"), std::string::npos);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(voice(static_cast<std::uint64_t>(i + 1))->done);
  const auto beyond = voice(1);
  EXPECT_EQ(beyond->answer.status, TL_UNAVAILABLE);
}

TEST_F(Commands, SoundsAndChannelsAreAnsweredByServer) {
  const auto sounds = add("request_soundboard_sounds", {{"guild_id", "5"}});
  const auto info = add("request_channel_info", {{"guild_id", "5"}, {"fields", {"status"}}});
  run();
  EXPECT_EQ(opcodes(), (std::vector<int>{31, 43}));
  EXPECT_EQ(sent[0].at("d"), (json::object{{"guild_ids", {"5"}}}));
  take("CHANNEL_INFO", R"({"guild_id":"6","channels":[]})");
  take("SOUNDBOARD_SOUNDS", R"({"guild_id":"5","soundboard_sounds":[]})");
  EXPECT_TRUE(sounds->done);
  EXPECT_FALSE(info->done);
  take("CHANNEL_INFO", R"({"guild_id":"5","channels":[]})");
  EXPECT_EQ(info->answer.body, R"({"guild_id":"5","channels":[]})");
}

TEST(GatewayCommand, WhatDiscordWouldNotTakeIsRefusedInWords) {
  std::string why;
  for (const auto& [verb, body] : std::vector<std::pair<const char*, const char*>>{
           {"dance", R"({"guild_id":"5"})"},
           {"request_members", "[]"},
           {"request_members", "{"},
           {"request_members", R"({"query":"","limit":0})"},
           {"request_members", R"({"guild_id":5,"query":"","limit":0})"},
           {"request_members", R"({"guild_id":"5"})"},
           {"request_members", R"({"guild_id":"5","query":"a","user_ids":["1"]})"},
           {"request_members", R"({"guild_id":"5","query":"a","limit":0})"},
           {"request_members", R"({"guild_id":"5","query":"a","limit":101})"},
           {"request_members", R"({"guild_id":"5","query":1,"limit":1})"},
           {"request_members", R"({"guild_id":"5","user_ids":[]})"},
           {"set_presence", R"({"status":"away","activities":[]})"},
           {"set_presence", R"({"status":"idle"})"},
           {"set_voice_state", R"({"channel_id":"5"})"}}) {
    why.clear();
    EXPECT_FALSE(read_gateway_command(verb, body, why)) << verb << body;
    EXPECT_FALSE(why.empty()) << verb << body;
  }
  const std::string many = R"({"status":"idle","activities":[{"name":")" + std::string(2'050, 'x') + R"("}]})";
  EXPECT_FALSE(read_gateway_command("set_presence", many, why)) << "an IDENTIFY must have room for it";
  EXPECT_NE(why.find("2048"), std::string::npos) << why;
  const auto list = read_gateway_command("request_members", R"({"guild_id":"5","query":"","limit":0})", why);
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->whole_list);
  EXPECT_EQ(list->guild, 5u);
}

}  // namespace
}  // namespace trellis::host
