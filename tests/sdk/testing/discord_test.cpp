// What a plugin sends to Discord and asks of it, seen by its author's test.
#include <gtest/gtest.h>

#include <trellis/testing.hpp>

using namespace trellis;
using namespace std::chrono_literals;
using trellis::testing::Failure;
using trellis::testing::Host;
using trellis::testing::kGeneral;
using trellis::testing::kRandom;
using trellis::testing::kServer;
using trellis::testing::RestAnswer;
using trellis::testing::RestCall;

namespace {

constexpr UserId kAda{7}, kBrian{8};

class Courier final : public Plugin {
 public:
  explicit Courier(Setup& setup) {
    setup.needs(Intent::MessageContent);
    const bool asks = setup.settings().get("asks", false);
    if (asks) setup.on_start(this, &Courier::start);
    more_ = setup.component("more", this, &Courier::more);
    setup.on(this, &Courier::message).no_bots();
    setup.command("topic", "A channel's topic", this, &Courier::topic, param("channel"));
    setup.command("post", "Posts a file", this, &Courier::post);
    setup.method("me", this, &Courier::me);
    setup.method("elsewhere", this, &Courier::elsewhere);
    setup.job("watch", every(1h), this, &Courier::watch);
  }

 private:
  void start(Request& request) {
    const auto me = request.call(discord::request("GET", "/users/@me", Json()));
    me_ = (*me)["username"].text();
  }
  void message(const MessageCreate& message, Work& work) {
    if (message.content() == "throw") throw std::runtime_error("no");
    work.send(discord::create_message(message.channel_id(), Message("You said " + std::string(message.content()))));
    if (message.content() == "role")
      work.send(discord::add_role(message.guild_id(), message.author().id, RoleId(400), "because"));
  }
  std::string topic(Command& command, ChannelId channel) {
    try {
      const auto found = command.call(discord::request("GET", "/channels/{}", Json(), channel));
      return std::string((*found)["topic"].text());
    } catch (const Error& error) {
      if (error.code() == Code::NotFound) return "no such channel";
      throw;
    }
  }
  std::string post(Command& command) {
    const auto posted =
        command.call(discord::create_message(kRandom, Message("A file").file("a.txt", "abc", "text/plain")));
    return posted->id().text();
  }
  void watch(JobRun& run) {
    const auto latest = run.call(discord::messages(kGeneral, {.limit = 5}));
    run.send(discord::create_message(kRandom, Message("seen").button("More", more_, "1")));
  }

  std::string more(Interaction&) { return "more"; }
  Json me(Request&) { return Json(me_); }
  Json elsewhere(Request& request) {
    request.send(http::get("https://example.com"));
    return Json();
  }

  Component more_;
  std::string me_;
};

std::string said_by(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TRELLIS_PLUGIN(Courier, "courier", "1.0.0")

TEST(Discord, WhatIsSentIsListedInOrder) {
  auto host = trellis::testing::host<Courier>();
  EXPECT_TRUE(host.outbox().empty());
  host.message(kAda, kGeneral, "one").message(kBrian, kRandom, "role");
  const auto sent = host.outbox();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0]["system"].text(), "discord");
  EXPECT_EQ(sent[0]["verb"].text(), "POST");
  EXPECT_EQ(sent[0]["target"].text(), "/channels/100/messages");
  EXPECT_EQ(sent[0]["body"]["content"].text(), "You said one");
  EXPECT_EQ(sent[0]["headers"].size(), 0u);
  EXPECT_EQ(sent[0]["files"].size(), 0u);
  EXPECT_EQ(sent[1]["body"]["content"].text(), "You said role");
  EXPECT_EQ(sent[2]["verb"].text(), "PUT");
  EXPECT_EQ(sent[2]["target"].text(), "/guilds/1/members/8/roles/400");
  EXPECT_EQ(sent[2]["headers"]["x-audit-log-reason"].text(), "because");
  EXPECT_EQ(host.outbox().size(), 3u) << "looking takes nothing away";
}

TEST(Discord, WhatAHandlerThatThrowsHadStagedIsNotSent) {
  auto host = trellis::testing::host<Courier>();
  host.message(kAda, kGeneral, "one");
  EXPECT_THROW(host.message(kAda, kGeneral, "throw"), Failure);
  EXPECT_EQ(host.outbox().size(), 1u);
}

TEST(Discord, WhereverItRestartsThereIsOneEffectForEachMessage) {
  auto host = trellis::testing::host<Courier>();
  host.everywhere([](Host& host) {
    host.message(kAda, kGeneral, "one").message(kAda, kGeneral, "two").restart().message(kAda, kGeneral, "three");
    std::string all;
    for (const Json& effect : host.outbox()) all += std::string(effect["body"]["content"].text()) + "; ";
    EXPECT_EQ(all, "You said one; You said two; You said three; ") << host.restarted();
  });
}

TEST(Discord, ACallIsAnsweredByTheTest) {
  auto host = trellis::testing::host<Courier>();
  host.on_rest("GET /channels/{channel}", [](const RestCall&) {
    return RestAnswer(Json::object({{"message", "Unknown Channel"}, {"code", 10003}}), 404);
  });
  host.on_rest("GET /channels/100", [](const RestCall&) { return Json::object({{"topic", "All of it"}}); });
  EXPECT_EQ(host.command(kAda, "topic", Json::object({{"channel", "100"}})), "All of it");
  EXPECT_EQ(host.command(kAda, "topic", Json::object({{"channel", "555"}})), "no such channel");
  host.on_rest("GET /channels/{channel}", [](const RestCall&) { return RestAnswer(Json::object(), 500); });
  EXPECT_THROW(host.command(kAda, "topic", Json::object({{"channel", "100"}})), Failure) << "the newest answers";
}

TEST(Discord, AnAnswerSeesWhatWasAsked) {
  auto host = trellis::testing::host<Courier>();
  RestCall seen;
  host.on_rest("POST /channels/{channel}/messages", [&](const RestCall& call) {
    seen = call;
    return Json::object({{"id", "4711"}, {"channel_id", "101"}});
  });
  EXPECT_EQ(host.command(kAda, "post"), "4711");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/channels/101/messages");
  EXPECT_EQ(seen.query, "");
  EXPECT_EQ(seen.body["content"].text(), "A file");
  ASSERT_EQ(seen.files.size(), 1u);
  EXPECT_EQ(seen.files[0].name, "a.txt");
  EXPECT_EQ(seen.files[0].type, "text/plain");
  EXPECT_EQ(seen.files[0].bytes, "abc");
}

TEST(Discord, JobsCallAndSend) {
  auto host = trellis::testing::host<Courier>();
  std::string queries;
  host.on_rest("GET /channels/{channel}/messages", [&](const RestCall& call) {
    queries += call.query + ";";
    return Json::array();
  });
  host.restart(10ms, trellis::testing::Restart::Commit).advance(2h);
  EXPECT_EQ(queries, "limit=5;limit=5;") << "it answers after a restart too";
  const auto sent = host.outbox();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1]["body"]["components"][0]["components"][0]["custom_id"].text(), "courier:more:1");
}

TEST(Discord, ACallThatNobodyAnswersIsNamed) {
  auto host = trellis::testing::host<Courier>();
  const std::string said = said_by([&] { host.command(kAda, "topic", Json::object({{"channel", "100"}})); });
  EXPECT_NE(said.find("nobody answers GET /channels/100"), std::string::npos) << said;
  EXPECT_NE(said.find("on_rest(\"GET /channels/100\""), std::string::npos) << said;
  EXPECT_THROW(host.on_rest("/users/@me", [](const RestCall&) { return Json(); }), Error);
  EXPECT_THROW(host.on_rest("GET /users/@me", nullptr), Error);
}

TEST(Discord, WhatAnAnswerThrowsComesOutOfTheStep) {
  auto host = trellis::testing::host<Courier>();
  host.on_rest("GET /channels/{channel}",
               [](const RestCall&) -> RestAnswer { throw std::runtime_error("the test is wrong"); });
  EXPECT_EQ(said_by([&] { host.command(kAda, "topic", Json::object({{"channel", "100"}})); }), "the test is wrong");
  host.on_rest("GET /channels/{channel}", [&](const RestCall&) {
    host.message(kAda, kGeneral, "from inside");
    return Json();
  });
  const std::string said = said_by([&] { host.command(kAda, "topic", Json::object({{"channel", "100"}})); });
  EXPECT_NE(said.find("cannot use the host"), std::string::npos) << said;
  host.message(kAda, kGeneral, "after");
  EXPECT_EQ(host.outbox().size(), 1u);
}

TEST(Discord, OnStartIsAnsweredByWhatTheHostWasGiven) {
  const trellis::testing::RestRoutes rest{
      {"GET /users/@me", [](const RestCall&) { return Json::object({{"username", "Bo"}}); }}};
  auto host = trellis::testing::host<Courier>(R"({"asks": true})", rest);
  EXPECT_EQ(host.method("me").dump(), R"("Bo")");
  host.everywhere([](Host& host) {
    host.message(kAda, kGeneral, "one");
    EXPECT_EQ(host.method("me").dump(), R"("Bo")") << host.restarted();
  });
  const std::string said = said_by([] { trellis::testing::host<Courier>(R"({"asks": true})"); });
  EXPECT_NE(said.find("nobody answers GET /users/@me"), std::string::npos) << said;
}

TEST(Discord, NothingElseIsDelivered) {
  auto host = trellis::testing::host<Courier>();
  const std::string said = said_by([&] { host.method("elsewhere"); });
  EXPECT_NE(said.find("does not deliver to \"http\""), std::string::npos) << said;
  EXPECT_TRUE(host.outbox().empty());
  auto moved = std::move(host);
  moved.message(kAda, kGeneral, "one");
  moved = trellis::testing::host<Courier>();
  EXPECT_TRUE(moved.outbox().empty());
}
