// A handler that fails costs its own event, and no other.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class HandlersTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(HandlersTest);

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

}  // namespace
}  // namespace trellis::e2e
