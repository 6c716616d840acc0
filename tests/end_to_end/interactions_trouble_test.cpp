// Interactions while the bot is in trouble: everybody who asked gets an answer in time, or was not heard at all.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>

#include "people.hpp"
#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class InteractionsTroubleTest : public DeskBench {
 protected:
  InteractionsTroubleTest() { more_settings_ = {"--set", "handler.soft_limit=1 s", "--set", "handler.hard_limit=3 s"}; }
  /// A message with buttons, sent by the outbox; its id.
  std::string posted() {
    call("desk", "post", fmt::format(R"({{"channel": "{}"}})", channel_));
    json::object message;
    wait_until("the message is there", [&] { return (message = newest()).at("content") == "Posted"; });
    return std::string(message.at("id").as_string());
  }
  std::string press(const std::string& message) { return act({{"button", "desk:more:a:b"}, {"message", message}}); }
};

TEST_F(InteractionsTroubleTest, APressFindsItsPluginAfterAReloadAndARestart) {
  const std::string message = posted();
  EXPECT_EQ(content(said(press(message))), "More of a:b");
  const Finished reloaded = ctl({"plugin", "reload", "desk"});
  ASSERT_EQ(reloaded.code, 0) << reloaded.err;
  EXPECT_EQ(content(said(press(message))), "More of a:b");
  stop_host();
  start_host(more_settings_);
  wait_for_host();
  EXPECT_EQ(content(said(press(message))), "More of a:b");
  EXPECT_EQ(visits("more"), 3);
  stop_host();
}

TEST_F(InteractionsTroubleTest, AWedgedPluginKeepsNobodyWaitingForAWord) {
  const auto word = folder() / "go";
  const std::string stuck = command("stuck", {{"until", word.string()}});
  wait_until("the handler stands", [&] { return plugin("desk").at("state") == "wedged"; });
  std::vector<std::string> others;
  for (int i = 0; i < 6; ++i) others.push_back(command("silent"));
  for (const std::string& id : others)
    EXPECT_EQ(content(said(id)), "This is not available right now. Please try again in a moment.");
  const json::object suggestions =
      answered(act({{"autocomplete", "find"}, {"options", {{"what", "ab"}}}, {"focused", "what"}}));
  EXPECT_TRUE(suggestions.at("callback").at("data").at("choices").as_array().empty());
  EXPECT_EQ(callback_type(answered(stuck)), 5) << "the host has asked for patience";
  write_file(word, "go");
  EXPECT_EQ(content(said(stuck)), "Free again");
  EXPECT_EQ(content(said(command("silent"))), "Done.");
  stop_host();
}

TEST_F(InteractionsTroubleTest, AReloadHoldsWhatComesMeanwhile) {
  const std::string running = command("slow", {{"ms", 600'000}});
  wait_until("the command runs", [&] { return visits("slow begins") == 1; });
  std::vector<std::string> ids;
  std::atomic<bool> over = false;
  std::thread people([&] {
    while (!over) {
      ids.push_back(command("silent"));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  const Finished reloaded = ctl({"plugin", "reload", "desk"});
  over = true;
  people.join();
  ASSERT_EQ(reloaded.code, 0) << reloaded.err;
  for (const std::string& id : ids) EXPECT_EQ(content(said(id)), "Done.");
  EXPECT_EQ(content(said(running)), "This was interrupted, because the bot is being restarted. Please try again.");
  EXPECT_EQ(visits("silent"), static_cast<std::int64_t>(ids.size()));
  stop_host();
}

TEST_F(InteractionsTroubleTest, AStopTellsWhoeverWaits) {
  const std::string running = command("slow", {{"ms", 600'000}});
  wait_until("the command runs", [&] { return visits("slow begins") == 1; });
  stop_host();
  EXPECT_EQ(content(account(running)), "This was interrupted, because the bot is being restarted. Please try again.");
}

TEST_F(InteractionsTroubleTest, WhatCameWhileTheHostStoodStillIsNotExecuted) {
  EXPECT_EQ(content(said(command("silent"))), "Done.");
  host().signal(SIGSTOP);
  const std::string late = command("silent");
  may_fail_.push_back(late);
  wait_until("it is too late to answer", [&] { return account(late).at("failed").as_bool(); });
  host().signal(SIGCONT);
  wait_until("the late one was seen",
             [&] { return ctl({"metrics"}).out.find(R"(outcome="too_old")") != std::string::npos; });
  EXPECT_TRUE(account(late).at("refused").as_array().empty()) << "not even tried";
  wait_for_host();
  EXPECT_EQ(content(said(command("silent"))), "Done.");
  EXPECT_EQ(visits("silent"), 2) << "the late one was not executed";
  stop_host();
}

TEST_F(InteractionsTroubleTest, WhatCameWhileTheHostWasDownIsNotExecuted) {
  kill_host();
  const std::string late = command("silent");
  may_fail_.push_back(late);
  wait_until("it is too late to answer", [&] { return account(late).at("failed").as_bool(); });
  start_host(more_settings_);
  wait_for_host();
  EXPECT_EQ(shard().at("resumes"), 1);
  wait_until("the late one was seen",
             [&] { return ctl({"metrics"}).out.find(R"(outcome="too_old")") != std::string::npos; });
  EXPECT_EQ(content(said(command("silent"))), "Done.");
  EXPECT_EQ(visits("silent"), 1);
  stop_host();
}

TEST_F(InteractionsTroubleTest, AnExecutedOneIsNotExecutedAgainAfterACrash) {
  EXPECT_EQ(content(said(command("silent"))), "Done.");
  EXPECT_EQ(visits("silent"), 1);
  kill_host();
  start_host(more_settings_);
  wait_for_host();
  EXPECT_EQ(content(said(command("card"))), "A card");
  EXPECT_EQ(visits("silent"), 1);
  stop_host();
}

TEST_F(InteractionsTroubleTest, ManyAtOnceAreAllAnswered) {
  std::vector<std::string> ids;
  for (int i = 0; i < scaled(200); ++i) ids.push_back(command("silent"));
  for (const std::string& id : ids) EXPECT_EQ(content(said(id)), "Done.");
  EXPECT_EQ(visits("silent"), static_cast<std::int64_t>(ids.size()));
  stop_host();
}

TEST_F(InteractionsTroubleTest, ALostAnswerIsSentAgainAndDoesNoHarm) {
  // Once before Discord took it, once after: then the second try hears that there was an answer already.
  for (const bool after : {false, true}) {
    sim().fault("rest_error",
                {{"method", "POST"}, {"path", "/callback"}, {"count", 1}, {"status", 502}, {"after", after}});
    const std::string id = command("silent");
    if (after) may_fail_.push_back(id);  // it is answered twice, which others are not
    EXPECT_EQ(content(said(id)), "Done.");
    wait_until("the host knows", [&] { return status().at("interactions").at("open") == 0; });
    const json::object seen = account(id);
    EXPECT_TRUE(seen.at("answered").as_bool());
    EXPECT_FALSE(seen.at("failed").as_bool());
    EXPECT_TRUE(seen.at("edits").as_array().empty()) << json::serialize(seen);
    EXPECT_TRUE(seen.at("followups").as_array().empty()) << json::serialize(seen);
    const json::array& refused = seen.at("refused").as_array();
    ASSERT_EQ(refused.size(), after ? 1u : 0u) << json::serialize(seen);
    if (after) EXPECT_EQ(refused.at(0).at("code"), 40060);
  }
  EXPECT_EQ(visits("silent"), 2);
  const std::string metrics = ctl({"metrics"}).out;
  EXPECT_NE(metrics.find(R"(trellis_interactions_total{kind="command",outcome="answered",plugin="desk"} 2)"),
            std::string::npos)
      << metrics;
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
