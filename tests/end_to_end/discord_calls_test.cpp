// request.call() of Discord's API: now, and with an answer.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class DiscordCallsTest : public Bench {
 protected:
  void SetUp() override {
    Bench::SetUp();
    plugins(fmt::format("[echo]\npath = \"{}\"\n", test_plugin("echo").string()));
    Simulator& sim = start_simulator({"--guilds", "1", "--rate", "1", "--total", "1", "--rest-limits", "off"});
    const std::string server = sim.servers().at(0);
    const json::value channels = sim.get("/api/v10/guilds/" + server + "/channels");
    for (const json::value& channel : channels.as_array())
      if (channel_.empty() && channel.at("type") == 0) channel_ = channel.at("id").as_string();
    ASSERT_FALSE(channel_.empty());
    start_host();
    wait_for_host();
  }

  std::string arguments(const std::string& more = "") const {
    return fmt::format(R"({{"channel": "{}"{}}})", channel_, more);
  }

  std::string channel_;
};

TEST_F(DiscordCallsTest, TheAnswerComesBack) {
  const json::value id = call("echo", "say", arguments(R"(, "text": "good morning")"));
  EXPECT_EQ(call("echo", "newest", arguments()), "good morning");
  const json::value messages = sim().get("/api/v10/channels/" + channel_ + "/messages?limit=1");
  EXPECT_EQ(messages.at(0).at("id"), id);
  EXPECT_EQ(call("echo", "forget", arguments(fmt::format(R"(, "message": {})", json::serialize(id)))), true);
  EXPECT_NE(call("echo", "newest", arguments()), "good morning");
  stop_host();
}

TEST_F(DiscordCallsTest, WhatDiscordRefusesIsSaidInItsWords) {
  const Finished unknown = ctl({"call", "echo", "forget", arguments(R"(, "message": "1000000000000000")")});
  EXPECT_NE(unknown.code, 0);
  EXPECT_NE(unknown.err.find("Unknown Message"), std::string::npos) << unknown.err;
  const Finished empty = ctl({"call", "echo", "say", arguments(R"(, "text": "")")});
  EXPECT_NE(empty.code, 0);
  EXPECT_NE(empty.err.find("empty message"), std::string::npos) << empty.err;
  EXPECT_EQ(plugin("echo").at("failures"), 0) << "a request that fails is no failing event";
  stop_host();
}

TEST_F(DiscordCallsTest, ReadsAreTriedAgainAndHaveATimeLimit) {
  call("echo", "say", arguments(R"(, "text": "still here")"));
  sim().fault("rest_error", {{"method", "GET"}, {"path", "/messages"}, {"count", 2}, {"status", 502}});
  EXPECT_EQ(call("echo", "newest", arguments()), "still here");
  sim().fault("rest_error", {{"method", "GET"}, {"path", "/messages"}, {"count", 1'000'000}, {"status", 503}});
  const Finished late = ctl({"call", "echo", "newest", arguments()});
  EXPECT_NE(late.code, 0);
  EXPECT_FALSE(late.err.empty());
  sim().fault("rest_clear");
  EXPECT_EQ(call("echo", "newest", arguments()), "still here");
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
