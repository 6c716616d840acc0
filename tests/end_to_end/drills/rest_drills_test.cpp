// Limits and outages of the HTTP API, as a plugin's calls meet them.
#include <fmt/format.h>

#include <thread>

#include "drill.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class RestDrill : public Drill {
 protected:
  void start(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--guilds", "1", "--rate", "1", "--total", "1"});
    start_simulator(flags);
    channel_ = text_channel();
    start_host();
    wait_for_host();
  }
  Finished ask(const std::string& method, json::object more) {
    more["channel"] = channel_;
    return ctl({"call", "renamer", method, json::serialize(more)});
  }
  void say(const std::string& text) {
    const Finished said = ask("say", {{"text", text}});
    EXPECT_EQ(said.code, 0) << said.err;
  }

  std::string channel_;
};

/// A limit over all routes was hit: nothing is sent until it is over, whatever the route, and then everything.
TEST_F(RestDrill, GlobalLimit) {
  start();
  sim().fault("rest_limit", {{"scope", "global"}, {"retry_after", 2.0}, {"count", 1}});
  const auto from = std::chrono::steady_clock::now();
  std::thread other([&] { EXPECT_EQ(ask("mark", {{"nsfw", true}}).code, 0); });
  for (int i = 0; i < 3; ++i) say(fmt::format("message {}", i));
  other.join();
  EXPECT_GE(std::chrono::steady_clock::now() - from, std::chrono::seconds(2));
  EXPECT_EQ(requests("POST", "/messages", 429) + requests("PATCH", "/channels/", 429), 1u) << "it was asked again";
  stop_host();
  found("one 429, then all of it");
}

/// A channel may be renamed twice in ten minutes, which no header says. Only renaming waits then.
TEST_F(RestDrill, RenamingHasALimitOfItsOwn) {
  start();
  for (const char* name : {"one", "two"}) EXPECT_EQ(ask("rename", {{"name", name}}).code, 0);
  std::thread third([&] {
    const Finished late = ask("rename", {{"name", "three"}});
    EXPECT_NE(late.code, 0) << "the limit is ten minutes long";
    EXPECT_FALSE(late.err.empty());
  });
  wait_until("the third is refused", [&] { return requests("PATCH", "/channels/", 429) == 1; });
  say("still here");
  EXPECT_EQ(ask("mark", {{"nsfw", true}}).code, 0) << "other changes of the channel go on";
  third.join();
  EXPECT_EQ(requests("PATCH", "/channels/", 429), 1u) << "it was asked again";
  stop_host();
  found("renaming waits, messages and other changes go on");
}

/// Cloudflare's page instead of an answer: HTML, and every request of this address. All of them wait.
TEST_F(RestDrill, CloudflarePage) {
  start();
  sim().fault("rest_ban", {{"seconds", 3}});
  const auto from = std::chrono::steady_clock::now();
  say("after the ban");
  EXPECT_GE(std::chrono::steady_clock::now() - from, std::chrono::seconds(2));
  EXPECT_NE(host().err().find("requests from this address are refused"), std::string::npos) << host().err();
  EXPECT_EQ(requests("POST", "/messages", 200), 1u);
  stop_host();
  found("everything waits, nothing is lost");
}

/// 502 and 503 as HTML: what may be done twice is tried again.
TEST_F(RestDrill, BadGateways) {
  start({"--rest-limits", "off"});
  sim().fault("rest_error", {{"method", "PATCH"}, {"path", "/channels/"}, {"count", 2}, {"status", 502}});
  const Finished marked = ask("mark", {{"nsfw", true}});
  EXPECT_EQ(marked.code, 0) << marked.err;
  EXPECT_EQ(requests("PATCH", "/channels/", 502), 2u);
  stop_host();
  found("tried again");
}

/// A resource that others use up: only that one waits, and it counts as nothing against the bot.
TEST_F(RestDrill, SharedLimit) {
  start();
  sim().fault("rest_limit",
              {{"scope", "shared"}, {"retry_after", 1.0}, {"count", 1}, {"method", "PATCH"}, {"path", "/channels/"}});
  std::thread marking([&] { EXPECT_EQ(ask("mark", {{"nsfw", true}}).code, 0); });
  wait_until("it is refused", [&] { return requests("PATCH", "/channels/", 429) == 1; });
  say("not held up");
  marking.join();
  stop_host();
  found("only that resource waits");
}

}  // namespace
}  // namespace trellis::e2e
