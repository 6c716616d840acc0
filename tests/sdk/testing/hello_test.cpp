// What an author's test looks like, with the smallest plugin; and what the test host itself promises.
#include "hello/hello.cpp"

#include <gtest/gtest.h>

#include <trellis/testing.hpp>

namespace {

using trellis::testing::Failure;
using trellis::testing::Host;
using trellis::testing::kGeneral;
using trellis::testing::kServer;

constexpr UserId kAda{7}, kBrian{8};

std::int64_t hellos(Host& host) { return host.method("hellos")["hellos"].integer(); }

std::string said_by(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST(Hello, CountsWhoSaysHello) {
  auto host = trellis::testing::host<Hello>();
  host.message(kAda, kGeneral, "hello")
      .message(kAda, kGeneral, "good bye")
      .message(kBrian, kGeneral, "hello")
      .message(kAda, kGeneral, "hello");
  const trellis::Json answer = host.method("hellos", trellis::Json::object({{"guild", kServer}}));
  EXPECT_EQ(answer["hellos"].integer(), 3);
  EXPECT_EQ(answer["people"].integer(), 2);
  EXPECT_EQ(host.method("hellos", trellis::Json::object({{"guild", "999"}}))["hellos"].integer(), 0);
}

TEST(Hello, RowsAreReadAfterACommit) {
  auto host = trellis::testing::host<Hello>();
  host.message(kAda, kGeneral, "hello").message(kBrian, kGeneral, "hello").message(kBrian, kGeneral, "hello");
  EXPECT_EQ((host.query<std::int64_t>("SELECT hellos FROM hello_counts WHERE user_id = $1", kAda).one()), 1);
  std::string all;
  for (auto [user, count] :
       host.query<UserId, std::int64_t>("SELECT user_id, hellos FROM hello_counts ORDER BY user_id"))
    all += user.text() + ":" + std::to_string(count) + " ";
  EXPECT_EQ(all, "7:1 8:2 ");
  const auto rows = host.query<HelloCount>("SELECT * FROM hello_counts ORDER BY hellos DESC").all();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].user_id, kBrian);
  EXPECT_EQ(rows[0].guild_id, kServer);
  EXPECT_NE(said_by([&] { (void)host.query<int>("SELECT nothing FROM hello_counts"); }).find("nothing"),
            std::string::npos);
}

TEST(Hello, BotsAndDirectMessagesDoNotCount) {
  auto host = trellis::testing::host<Hello>();
  const auto message = [](bool bot, bool direct) {
    trellis::Json data =
        trellis::Json::object({{"id", "1200000000000000000"},
                               {"channel_id", "100"},
                               {"content", "hello"},
                               {"author", trellis::Json::object({{"id", "8"}, {"username", "Brian"}, {"bot", bot}})}});
    if (!direct) data.set("guild_id", "1");
    return data;
  };
  host.event("MESSAGE_CREATE", message(true, false)).event("MESSAGE_CREATE", message(false, true));
  EXPECT_EQ(hellos(host), 0);
  host.event("MESSAGE_CREATE", message(false, false));
  EXPECT_EQ(hellos(host), 1);
}

TEST(Hello, NothingIsLostOrCountedTwiceWhereverItRestarts) {
  auto host = trellis::testing::host<Hello>();
  int passes = 0;
  host.everywhere([&](Host& host) {
    ++passes;
    for (int i = 0; i < 4; ++i) host.message(kAda, kGeneral, "hello");
    host.method("hellos");
    host.message(kBrian, kGeneral, "hello");
    EXPECT_EQ((host.query<std::int64_t>("SELECT sum(hellos) FROM hello_counts").one()), 5) << host.restarted();
  });
  EXPECT_EQ(passes, 1 + 2 * 6);
  EXPECT_EQ(hellos(host), 0);
}

TEST(Hello, ARestartReplaysWhatWasNotCommitted) {
  auto host = trellis::testing::host<Hello>();
  host.message(kAda, kGeneral, "hello").restart().message(kAda, kGeneral, "hello");
  host.restart(1h, trellis::testing::Restart::Commit).restart();
  EXPECT_EQ(hellos(host), 2);
  EXPECT_EQ(trellis::iso8601(host.now()), "2024-01-15T13:00:00Z");
}

TEST(Hello, AMethodsErrorReachesTheTest) {
  auto host = trellis::testing::host<Hello>();
  EXPECT_NE(said_by([&] { host.method("goodbyes"); }).find("hellos"), std::string::npos);
  EXPECT_THROW(host.method("hellos", trellis::Json::object({{"guild", "not a number"}})), trellis::Error);
  EXPECT_THROW(host.method("hellos", trellis::Json::object({{"gild", "1"}})), trellis::Error);
}

TEST(Hello, WhatIsNotServedYetSaysSo) {
  auto host = trellis::testing::host<Hello>();
  EXPECT_NE(said_by([&] { host.command(kAda, "/hello"); }).find("declares no command"), std::string::npos);
  EXPECT_EQ(said_by([&] { host.get("/hellos"); }), "this host does not serve HTTP routes yet");
  EXPECT_THROW(host.get("/hellos"), Failure);
}

TEST(Hello, UnknownSettingsAreRefused) {
  const std::string said = said_by([] { trellis::testing::host<Hello>(R"({"greeting": "hi"})"); });
  EXPECT_NE(said.find("greeting"), std::string::npos) << said;
  EXPECT_NE(said_by([] { trellis::testing::host<Hello>("{"); }).find("settings"), std::string::npos);
}
