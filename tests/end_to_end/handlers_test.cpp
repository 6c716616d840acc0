// A handler that fails costs its own event, and no other.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class HandlersTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(HandlersTest);

/// A stream of nothing but what the test sends: its one message is a direct one, which no plugin here takes.
const std::vector<std::string> kSilent{"--guilds", "3", "--total", "1", "--dm-share", "1"};

TEST_P(HandlersTest, AnEventThatCannotBeHandled) {
  plugins(std::string(kCountEverything) +
          fmt::format("[throws_on_word]\npath = \"{}\"\n", test_plugin("throws_on_word").string()));
  Simulator& sim =
      start_simulator({"--guilds", "3", "--rate", "0", "--total", "2000", "--bot-share", "0", "--webhook-share", "0"});
  start_host();
  wait_for_sent(500);
  wait_for_host();
  const std::string server = sim.servers().at(0);
  constexpr int kBooms = 2, kFine = 3;
  for (int i = 0; i < kBooms; ++i) sim.send_message(server, server, "boom");
  for (int i = 0; i < kFine; ++i) sim.send_message(server, server, "fine");
  expect_everything_counted();
  const auto all = sim.messages_sent();
  const auto counted = [&] { return store().number("throws_on_word", "SELECT sum(messages) FROM counted"); };
  wait_until("all others are counted", [&] { return counted() >= all - kBooms; }, [&] { return ctl({"status"}).out; });
  EXPECT_EQ(counted(), all - kBooms);
  const auto dead =
      store().rows("throws_on_word", "SELECT kind, type, error, data, position FROM trellis_dead ORDER BY position");
  ASSERT_EQ(dead.size(), static_cast<std::size_t>(kBooms));
  for (const Row& letter : dead) {
    EXPECT_EQ(letter.at(0), "event");
    EXPECT_EQ(letter.at(1), "MESSAGE_CREATE");
    EXPECT_NE(letter.at(2).find("found the word \"boom\""), std::string::npos) << letter.at(2);
    EXPECT_EQ(boost::json::parse(letter.at(3)).at("content"), "boom");
  }
  const auto status = plugin("throws_on_word");
  EXPECT_EQ(status.at("failures").to_number<int>(), 2 * kBooms) << "each is tried twice";
  EXPECT_EQ(status.at("dead_letters").to_number<int>(), kBooms);
  EXPECT_EQ(status.at("state"), "running");
  EXPECT_EQ(plugin("message_counter").at("failures").to_number<int>(), 0);
  EXPECT_NE(host().err().find("found the word"), std::string::npos);
  stop_host();
  EXPECT_EQ(counted(), all - kBooms);

  start_host();
  wait_for_host();
  sim.send_message(server, server, "after the restart");
  wait_until("the plugin goes on", [&] { return counted() == all - kBooms + 1; }, [&] { return ctl({"status"}).out; });
  EXPECT_EQ(store().number("throws_on_word", "SELECT count(*) FROM trellis_dead"), kBooms) << "not tried again";
  stop_host();
}

/// Who hangs is named; everything else goes on.
TEST_P(HandlersTest, AHandlerThatHangs) {
  const auto until = folder() / "go-on";
  plugins(std::string(kCountEverything) + fmt::format("[throws_on_word]\npath = \"{}\"\nhang_until = \"{}\"\n",
                                                      test_plugin("throws_on_word").string(), until.string()));
  Simulator& sim = start_simulator(kSilent);
  start_host({"--set", "handler.soft_limit=200 ms", "--set", "handler.hard_limit=1 s"});
  wait_for_host();
  const std::string server = sim.servers().at(0);
  sim.send_message(server, server, "hang");
  wait_until(
      "it is known to hang", [&] { return plugin("throws_on_word").at("state") == "wedged"; },
      [&] { return ctl({"status"}).out; });
  const std::string what = "the handler of MESSAGE_CREATE ";
  const auto says = [&](const std::string& text) {
    EXPECT_NE(text.find(what), std::string::npos) << text;
    EXPECT_NE(text.find("has not returned for"), std::string::npos) << text;
  };
  says(ctl({"plugin", "status", "throws_on_word"}).out);
  says(host().err());
  for (const auto& words :
       {std::vector<std::string>{"call", "throws_on_word", "count"}, {"plugin", "reload", "throws_on_word"}}) {
    const Finished answer = ctl(words);
    EXPECT_EQ(answer.code, 1);
    says(answer.err);
  }
  for (int i = 0; i < 5; ++i) sim.send_message(server, server, "and on");
  expect_counted(sim.counts());
  const std::string metrics = ctl({"metrics"}).out;
  for (const char* line : {"trellis_lane_hangs_total{plugin=\"throws_on_word\"} 1",
                           "trellis_lane_state{plugin=\"throws_on_word\",state=\"wedged\"} 1",
                           "trellis_lane_state{plugin=\"message_counter\",state=\"running\"} 1",
                           "trellis_lane_handler_seconds_count{plugin=\"message_counter\"} 6"})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << " is not in " << metrics;
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
  write_file(until, "");
  wait_until(
      "it goes on", [&] { return store().number("throws_on_word", "SELECT sum(messages) FROM counted") == 6; },
      [&] { return ctl({"status"}).out; });
  EXPECT_EQ(plugin("throws_on_word").at("state"), "running");
  EXPECT_NE(host().err().find("has returned after"), std::string::npos) << host().err();
  stop_host();
}

TEST_P(HandlersTest, DeadLettersAreListedTriedAgainAndDropped) {
  const auto conf = [&](const std::string& word) {
    plugins(std::string(kCountEverything) + fmt::format("[throws_on_word]\npath = \"{}\"\nword = \"{}\"\n",
                                                        test_plugin("throws_on_word").string(), word));
  };
  conf("boom");
  Simulator& sim = start_simulator(kSilent);
  start_host();
  wait_for_host();
  const std::string server = sim.servers().at(0);
  const auto counted = [&] { return store().number("throws_on_word", "SELECT sum(messages) FROM counted"); };
  const auto list = [&] { return boost::json::parse(ctl({"dead", "list", "--json"}).out).as_array(); };
  for (const char* word : {"boom", "fine", "boom", "fine"}) sim.send_message(server, server, word);
  wait_until("the others are counted", [&] { return counted() == 2; }, [&] { return ctl({"status"}).out; });
  auto letters = list();
  ASSERT_EQ(letters.size(), 2u);
  const std::string id(letters[0].at("id").as_string());
  EXPECT_EQ(letters[0].at("plugin"), "throws_on_word");
  EXPECT_EQ(letters[0].at("type"), "MESSAGE_CREATE");
  EXPECT_EQ(letters[0].at("tries").to_number<int>(), 0);
  EXPECT_EQ(letters[0].at("generation").to_number<int>(), 1);
  const std::string text = ctl({"dead", "list", "throws_on_word"}).out;
  EXPECT_NE(text.find(id), std::string::npos) << text;
  EXPECT_EQ(ctl({"dead", "list", "message_counter"}).out, "no dead letters\n");
  const std::string shown = ctl({"dead", "show", "throws_on_word", id}).out;
  EXPECT_NE(shown.find("\"content\":\"boom\""), std::string::npos) << shown;

  const auto refused = [&](const std::vector<std::string>& words, int code, const std::string& saying) {
    const Finished answer = ctl(words);
    EXPECT_EQ(answer.code, code) << answer.out;
    EXPECT_NE(answer.err.find(saying), std::string::npos) << answer.err;
  };
  refused({"dead", "retry", "throws_on_word", id}, 1, "found the word");
  EXPECT_EQ(list().at(0).at("tries").to_number<int>(), 1);
  refused({"dead", "show", "throws_on_word", "0:1:1"}, 1, "has no dead letter 0:1:1");
  refused({"dead", "list", "throws_on_wort"}, 1, "did you mean throws_on_word?");
  refused({"dead", "retry", "throws_on_word"}, 2, "trellis ctl dead list");
  refused({"dead"}, 2, "trellis ctl dead list");

  conf("other");  // mended
  EXPECT_EQ(ctl({"plugin", "reload", "throws_on_word"}).code, 0);
  const Finished retried = ctl({"dead", "retry", "throws_on_word", id});
  EXPECT_EQ(retried.code, 0) << retried.err;
  EXPECT_EQ(counted(), 3);
  EXPECT_EQ(plugin("throws_on_word").at("dead_letters").to_number<int>(), 1);
  EXPECT_EQ(ctl({"dead", "drop", "throws_on_word", "--all"}).out, "1 dropped\n");
  EXPECT_TRUE(list().empty());
  EXPECT_EQ(plugin("throws_on_word").at("dead_letters").to_number<int>(), 0);
  EXPECT_EQ(ctl({"dead", "retry", "throws_on_word", "--all"}).code, 0);
  EXPECT_EQ(counted(), 3);
  stop_host();
}

/// A crash takes the host down; what was committed is not done again, and the rest is.
TEST_P(HandlersTest, ACrash) {
  plugins(std::string(kCountEverything) +
          fmt::format("[throws_on_word]\npath = \"{}\"\n", test_plugin("throws_on_word").string()));
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "0", "--total", "1000"});
  start_host();
  expect_everything_counted();
  wait_for_host();
  const std::string server = sim.servers().at(0);
  sim.send_message(server, server, "crash");
  EXPECT_GE(host().wait(), 128) << host().err();
  // The operator takes the plugin out.
  plugins(kCountEverything);
  start_host();
  wait_for_host();
  sim.send_message(server, server, "fine");
  expect_everything_counted();
  stop_host();
  expect_same(sim.counts(), stored());
}

class HandlersWithoutAStore : public Bench {
 protected:
  HandlersWithoutAStore() : Bench("postgresql") {}
};

/// A handler that edits needs its row; nobody hangs behind it, and nobody is blamed.
TEST_F(HandlersWithoutAStore, AnEditWaitsAndACommandIsAnswered) {
  PostgresServer server(folder());
  use_store(server.database());
  plugins(fmt::format("[throws_on_word]\npath = \"{}\"\n", test_plugin("throws_on_word").string()));
  Simulator& sim = start_simulator(kSilent);
  start_host();
  wait_for_host();
  server.stop();
  const auto servers = sim.servers();
  for (const std::string& guild : servers) sim.send_message(guild, guild, "hello");
  wait_until(
      "the plugin waits for the store", [&] { return plugin("throws_on_word").at("state") == "waiting"; },
      [&] { return ctl({"status"}).out; });
  const Finished answer = ctl({"call", "throws_on_word", "count"});
  EXPECT_EQ(answer.code, 1) << answer.out;
  EXPECT_NE(answer.err.find("the store is away"), std::string::npos) << answer.err;
  const Finished dead = ctl({"dead", "list", "throws_on_word"});
  EXPECT_EQ(dead.code, 1);
  EXPECT_NE(dead.err.find("the store is away"), std::string::npos) << dead.err;
  server.start();
  wait_until(
      "it is counted",
      [&] {
        return store().number("throws_on_word", "SELECT sum(messages) FROM counted") ==
               static_cast<long long>(servers.size());
      },
      [&] { return ctl({"status"}).out; });
  const auto status = plugin("throws_on_word");
  EXPECT_EQ(status.at("state"), "running");
  EXPECT_EQ(status.at("failures").to_number<int>(), 0);
  EXPECT_EQ(status.at("dead_letters").to_number<int>(), 0);
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
  stop_host();
  use_store(nullptr);
}

}  // namespace
}  // namespace trellis::e2e
