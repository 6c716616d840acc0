// Limits and outages of the HTTP API, as a plugin's calls meet them.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
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

  /// In the channel; the host does not know where it writes to.
  json::object webhook() {
    return sim().post("/api/v10/channels/" + channel_ + "/webhooks", {{"name", "hook"}}).as_object();
  }
  Finished through(const json::object& hook, const std::string& method, json::object more) {
    more["id"] = hook.at("id");
    more["token"] = hook.at("token");
    return ctl({"call", "renamer", method, json::serialize(more)});
  }
  /// Messages of the channel with this text.
  std::size_t written(const std::string& text) {
    const json::value messages = sim().get("/api/v10/channels/" + channel_ + "/messages?limit=100");
    const json::array& all = messages.as_array();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& one) { return one.at("content") == text.c_str(); }));
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

/// 502 and 503 as HTML: what may be done twice is tried again. A webhook's post may not: nobody knows whether it was
/// done, and it is never written twice.
TEST_F(RestDrill, BadGateways) {
  start({"--rest-limits", "off"});
  bool nsfw = false;
  for (const int status : {502, 503}) {
    sim().fault("rest_error", {{"method", "PATCH"}, {"path", "/channels/"}, {"count", 2}, {"status", status}});
    const Finished marked = ask("mark", {{"nsfw", nsfw = !nsfw}});
    EXPECT_EQ(marked.code, 0) << marked.err;
    EXPECT_EQ(requests("PATCH", "/channels/", status), 2u);
  }
  const json::object hook = webhook();
  const std::string path = "/webhooks/" + std::string(hook.at("id").as_string());
  std::size_t posts = 0;
  for (const int status : {502, 503})
    for (const bool after : {false, true}) {
      sim().fault("rest_error",
                  {{"method", "POST"}, {"path", path}, {"count", 1}, {"status", status}, {"after", after}});
      const Finished posted = through(hook, "post", {{"text", "once"}});
      EXPECT_NE(posted.code, 0) << "it is not known whether it was done";
      EXPECT_NE(posted.err.find(std::to_string(status)), std::string::npos) << posted.err;
      EXPECT_EQ(requests("POST", path), ++posts) << "it was sent again";
    }
  EXPECT_EQ(written("once"), 2u) << "those that took effect before the answer was lost";
  stop_host();
  found("tried again where that is safe; a webhook's post is not");
}

/// A resource that others use up: only that one waits.
TEST_F(RestDrill, SharedLimit) {
  start();
  sim().fault("rest_limit",
              {{"scope", "shared"}, {"retry_after", 5.0}, {"count", 1}, {"method", "PATCH"}, {"path", "/channels/"}});
  std::atomic<bool> marked = false;
  std::jthread marking([&] {
    EXPECT_EQ(ask("mark", {{"nsfw", true}}).code, 0);
    marked = true;
  });
  wait_until("it is refused", [&] { return requests("PATCH", "/channels/", 429) == 1; });
  const auto refused = std::chrono::steady_clock::now();
  say("not held up");
  // On a machine where a message alone takes so long, this says nothing.
  if (std::chrono::steady_clock::now() - refused < std::chrono::seconds(4))
    EXPECT_FALSE(marked) << "the message came after what was parked";
  marking.join();
  EXPECT_EQ(requests("PATCH", "/channels/", 200), 1u);
  stop_host();
  found("only that resource waits");
}

/// A webhook that was deleted is asked once: later posts are refused here, and so is what waits in the outbox.
TEST_F(RestDrill, WebhookThatIsGone) {
  start({"--rest-limits", "off"});
  const json::object hook = webhook(), other = webhook();
  const std::string id(hook.at("id").as_string());
  EXPECT_EQ(through(hook, "post", {{"text", "while it is there"}}).code, 0);
  EXPECT_EQ(through(hook, "remove", {}).code, 0);
  const std::size_t before = requests("POST", "/webhooks/" + id);
  const Finished first = through(hook, "post", {{"text", "too late"}});
  EXPECT_NE(first.err.find("Unknown Webhook"), std::string::npos) << first.err;
  const Finished second = through(hook, "post", {{"text", "too late"}});
  EXPECT_NE(second.err.find("Discord said before that this webhook does not exist"), std::string::npos) << second.err;
  EXPECT_EQ(through(hook, "send", {{"texts", 2}}).code, 0);
  await("what was to be sent is given up", [&] {
    return ctl({"metrics"}).out.find("trellis_outbox_dead{plugin=\"renamer\",system=\"discord\"} 2") !=
           std::string::npos;
  });
  EXPECT_EQ(requests("POST", "/webhooks/" + id), before + 1) << "asked again";
  const Finished elsewhere = through(other, "post", {{"text", "another one"}});
  EXPECT_EQ(elsewhere.code, 0) << elsewhere.err;
  stop_host();
  found("asked once, refused from then on");
}

/// Thirty posts of webhooks a minute to one channel, which no header tells and which Discord counts over all webhooks
/// there. The host learns from the first answers that these two write to the same channel.
TEST_F(RestDrill, WebhooksOfAChannelAreMetered) {
  start();
  for (const json::object& hook : {webhook(), webhook()}) {
    const Finished asked = through(hook, "send", {{"texts", 17}});
    ASSERT_EQ(asked.code, 0) << asked.err;
  }
  wait_until(
      "all are written", [&] { return requests("POST", "/webhooks/", 200) == 34; },
      [&] { return ctl({"outbox", "list"}).out + host().err(); }, std::chrono::minutes(4));
  EXPECT_EQ(requests("POST", "/webhooks/", 429), 0u);
  std::map<std::string, int> times;
  const json::value messages = sim().get("/api/v10/channels/" + channel_ + "/messages?limit=100");
  for (const json::value& one : messages.as_array()) ++times[std::string(one.at("content").as_string())];
  for (int i = 0; i < 17; ++i) EXPECT_EQ(times[std::to_string(i)], 2) << i;
  stop_host();
  found("34 posts through two webhooks, none refused");
}

}  // namespace
}  // namespace trellis::e2e
