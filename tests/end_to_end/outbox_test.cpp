// Effects on Discord: each is done once, in order, whatever happens between the commit and the answer.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class OutboxTest : public StoreBench {
 protected:
  /// The API refuses everything until what waits has been put off that often.
  void api_is_down(int put_off, std::chrono::seconds at_least);

  void SetUp() override {
    StoreBench::SetUp();
    plugins(fmt::format("[echo]\npath = \"{}\"\n", test_plugin("echo").string()));
    Simulator& sim = start_simulator({"--guilds", "1", "--channels", "8", "--rate", "1", "--total", "1", "--bot-share",
                                      "1", "--webhook-share", "0", "--rest-limits", "off"});
    server_ = sim.servers().at(0);
    const json::value channels = sim.get("/api/v10/guilds/" + server_ + "/channels");
    for (const json::value& channel : channels.as_array())
      if (channel.at("type") == 0 && channels_.size() < 3) channels_.emplace_back(channel.at("id").as_string());
    ASSERT_EQ(channels_.size(), 3u);
  }

  /// People say the next numbers, in turns over the channels.
  void say(int count) {
    for (int i = 0; i < count; ++i, ++said_)
      sim().send_message(server_, channels_.at(static_cast<std::size_t>(said_) % channels_.size()),
                         std::to_string(said_));
  }

  /// What the bot said in a channel, the oldest first.
  std::vector<std::string> heard(std::size_t channel) {
    std::vector<std::string> list;
    const json::value messages = sim().get("/api/v10/channels/" + channels_.at(channel) + "/messages?limit=100");
    for (const json::value& message : messages.as_array())
      if (const std::string content(message.at("content").as_string());
          message.at("author").at("id") == me() && !content.empty())
        list.insert(list.begin(), content);
    return list;
  }
  std::size_t heard_all() { return heard(0).size() + heard(1).size() + heard(2).size(); }

  void expect_heard_once_and_in_order() {
    for (std::size_t channel = 0; channel < channels_.size(); ++channel) {
      std::vector<std::string> expected;
      for (int n = static_cast<int>(channel); n < said_; n += 3) expected.push_back(std::to_string(n));
      EXPECT_EQ(heard(channel), expected) << "channel " << channel;
    }
  }

  json::object outbox() {
    const Finished answer = ctl({"outbox", "list", "echo", "--json"});
    if (answer.code != 0) throw std::runtime_error(answer.err);
    return json::parse(answer.out).at(0).as_object();
  }
  void wait_until_heard(std::size_t count) {
    wait_until(
        fmt::format("{} were heard", count), [&] { return heard_all() >= count; },
        [&] { return ctl({"outbox", "list"}).out + host().err(); });
  }
  void wait_until_empty() {
    wait_until(
        "the outbox is empty", [&] { return outbox().at("waiting").to_number<int>() == 0; },
        [&] { return ctl({"outbox", "list"}).out + host().err(); });
  }

  std::string server_;
  std::vector<std::string> channels_;
  int said_ = 0;

 private:
  const json::value& me() {
    if (me_.is_null()) me_ = sim().get("/api/v10/users/@me").at("id");
    return me_;
  }
  json::value me_;
};
TRELLIS_ON_BOTH_STORES(OutboxTest);

TEST_P(OutboxTest, KilledAgainAndAgain) {
  for (int life = 0; life < 4; ++life) {
    start_host();
    wait_for_host();
    const std::size_t before = heard_all();
    // Done, and nobody hears of it.
    sim().fault("rest_reset", {{"method", "POST"}, {"path", "/messages"}, {"count", 2}, {"after", true}});
    say(20);
    wait_until_heard(before + static_cast<std::size_t>(life) * 4 + 1);
    kill_host();
  }
  start_host();
  wait_for_host();
  wait_until_heard(static_cast<std::size_t>(said_));
  wait_until_empty();
  expect_heard_once_and_in_order();
  EXPECT_EQ(outbox().at("dead"), 0);
  stop_host();
}

void OutboxTest::api_is_down(int put_off, std::chrono::seconds at_least) {
  start_host();
  wait_for_host();
  const auto since = std::chrono::steady_clock::now();
  sim().fault("rest_error", {{"method", "POST"}, {"path", "/messages"}, {"count", 1'000'000}, {"status", 503}});
  for (int round = 0; round < 4; ++round) {
    say(9);
    const Finished reload = ctl({"plugin", "reload", "echo"});
    EXPECT_EQ(reload.code, 0) << reload.err;
  }
  wait_until(
      "it was tried and put off again and again",
      [&] {
        return outbox().at("put_off").to_number<int>() >= put_off &&
               std::chrono::steady_clock::now() - since >= at_least;
      },
      [&] { return ctl({"outbox", "list"}).out + host().err(); }, std::chrono::minutes(4));
  EXPECT_EQ(heard_all(), 0u);
  const Finished list = ctl({"outbox", "list"});
  EXPECT_NE(list.out.find("echo: 36 waiting"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("from MESSAGE_CREATE"), std::string::npos) << list.out;
  sim().fault("rest_clear");
  wait_until_heard(36);
  wait_until_empty();
  expect_heard_once_and_in_order();
  EXPECT_EQ(outbox().at("dead"), 0);
  stop_host();
}

/// Three queues, and each is tried again and again.
TEST_P(OutboxTest, TheApiIsDownWhileThePluginIsReloaded) { api_is_down(6, std::chrono::seconds(0)); }

class LongOutboxTest : public OutboxTest {};
TRELLIS_ON_BOTH_STORES(LongOutboxTest);
TEST_P(LongOutboxTest, TheApiIsDownForAMinute) { api_is_down(15, std::chrono::seconds(60)); }

TEST_P(OutboxTest, ARefusalAtTheHeadAndARetryByAnOperator) {
  start_host();
  wait_for_host();
  sim().fault("rest_error",
              {{"method", "POST"}, {"path", "/channels/" + channels_[0] + "/messages"}, {"count", 1}, {"status", 403}});
  say(9);
  wait_until_heard(8);
  wait_until(
      "it is given up", [&] { return outbox().at("dead") == 1; },
      [&] { return ctl({"outbox", "list"}).out + host().err(); });
  EXPECT_EQ(heard(0), (std::vector<std::string>{"3", "6"})) << "the queue has moved on";
  EXPECT_EQ(heard(1), (std::vector<std::string>{"1", "4", "7"}));
  const std::string id(outbox().at("rows").at(0).at("id").as_string());
  const Finished shown = ctl({"outbox", "show", "echo", id.substr(0, 12)});
  EXPECT_NE(shown.out.find("POST /channels/" + channels_[0] + "/messages"), std::string::npos)
      << shown.out << shown.err;
  EXPECT_NE(shown.out.find("403"), std::string::npos) << shown.out;
  EXPECT_EQ(ctl({"outbox", "retry", "echo", id}).out, id + " waits again, behind everything else of its queue\n");
  wait_until_heard(9);
  EXPECT_EQ(heard(0), (std::vector<std::string>{"3", "6", "0"}));
  wait_until_empty();
  EXPECT_EQ(ctl({"outbox", "drop", "echo", "--all"}).out, "0 dropped\n");
  const Finished nothing = ctl({"outbox", "show", "echo", id});
  EXPECT_NE(nothing.code, 0);
  EXPECT_NE(nothing.err.find("has no effect " + id), std::string::npos) << nothing.err;
  EXPECT_NE(ctl({"metrics"}).out.find("trellis_outbox_delivered_total{plugin=\"echo\",system=\"discord\"} 9"),
            std::string::npos);
  EXPECT_EQ(ctl({"plugin", "unload", "echo"}).code, 0);
  EXPECT_NE(ctl({"outbox", "list"}).out.find("stands: the plugin is not loaded"), std::string::npos);
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
