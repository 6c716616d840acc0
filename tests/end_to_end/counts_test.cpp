// Whatever the simulator sends is counted, cell by cell, across clean restarts.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class CountsTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(CountsTest);

std::vector<std::string> mixed_stream(int total) {
  return {"--guilds",        "5",   "--channels",     "12",   "--users",        "120",
          "--members",       "60",  "--rate",         "0",    "--total",        std::to_string(total),
          "--span-days",     "4",   "--skewed-share", "0.05", "--bot-share",    "0.15",
          "--webhook-share", "0.1", "--dm-share",     "0.02", "--thread-share", "0.01"};
}

TEST_P(CountsTest, EveryCellAndARestartResumes) {
  const int messages = scaled(40'000);
  Simulator& sim = start_simulator(mixed_stream(messages));
  start_host();
  wait_for_sent(messages / 3);
  sim.fault("pause");
  wait_for_host();
  const Counts before = sim.counts();
  ASSERT_GT(total(before), 0);
  ASSERT_LT(total(before), sim.messages_sent()) << "no bots and webhooks in this stream";
  std::set<std::string> days;
  for (const auto& [cell, count] : before) days.insert(std::get<2>(cell));
  ASSERT_GE(days.size(), 2u);
  expect_counted(before);
  wait_until(
      "everything is committed",
      [&] {
        const auto plugin = this->plugin("message_counter");
        return plugin.at("streams").at(0).at("behind").to_number<int>() == 0;
      },
      [&] { return ctl({"status"}).out; });
  const auto position = [&] {
    return store().number("message_counter", "SELECT position FROM trellis_positions WHERE shard = 0 AND shards = 1");
  };
  const long long middle = position();
  EXPECT_GT(middle, 0);
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
  stop_host();
  EXPECT_NE(host().err().find("stopped"), std::string::npos);
  expect_same(before, stored());

  start_host();
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 0);
  EXPECT_EQ(shard().at("resumes").to_number<int>(), 1);
  sim.fault("resume_sending");
  expect_everything_counted();
  stop_host();
  const Counts all = sim.counts();
  ASSERT_GT(total(all), total(before));
  expect_same(all, stored());
  EXPECT_GT(position(), middle);
  EXPECT_EQ(position() >> 32, middle >> 32) << "another session";
}

TEST_P(CountsTest, TwoShards) {
  auto flags = mixed_stream(scaled(20'000));
  flags.insert(flags.end(), {"--shards", "2", "--max-concurrency", "2"});
  Simulator& sim = start_simulator(flags);
  start_host();
  expect_everything_counted();
  EXPECT_EQ(status().at("shards").as_array().size(), 2u);
  stop_host();
  expect_same(sim.counts(), stored());
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM trellis_positions WHERE shards = 2"), 2);
}

/// Some channels of some servers, with the messages of threads in their channels.
TEST_P(CountsTest, TrackedChannelsAndThreads) {
  Simulator& sim = start_simulator(mixed_stream(scaled(30'000)));
  const auto servers = sim.servers();
  ASSERT_GE(servers.size(), 3u);
  std::vector<std::string> channels;
  const auto list = sim.get("/api/v10/guilds/" + servers[1] + "/channels");
  for (const auto& channel : list.as_array())
    if (channel.at("type").as_int64() == 0 && channels.size() < 2) channels.emplace_back(channel.at("id").as_string());
  ASSERT_EQ(channels.size(), 2u);
  plugins(
      fmt::format("[message_counter]\nflushIntervalSeconds = 0.2\ncountThreadsForParent = true\n"
                  "trackedChannels = {{ \"{}\" = [\"*\"], \"{}\" = [\"{}\", \"{}\"] }}\n",
                  servers[0], servers[1], channels[0], channels[1]));
  start_host();
  wait_until("the simulator has sent everything", [&] { return sim.finished(); });

  const auto truth = sim.truth();
  const auto& parents = truth.at("parents").as_object();
  Counts expected;
  std::size_t in_threads = 0;
  for (const auto& [cell, count] : sim.counts()) {
    auto [server, channel, day] = cell;
    if (const auto* parent = parents.if_contains(channel)) {
      channel = std::string(parent->as_string());
      ++in_threads;
    }
    if (server == servers[0] || (server == servers[1] && (channel == channels[0] || channel == channels[1])))
      expected[{server, channel, day}] += count;
  }
  ASSERT_GT(in_threads, 0u);
  ASSERT_GT(total(expected), 0);
  expect_counted(expected);
  stop_host();
  expect_same(expected, stored());
}

/// Plugins of several compilers and languages beside each other; each has everything.
TEST_P(CountsTest, PluginsSideBySide) {
  const std::vector<std::string> types{"MESSAGE_CREATE",       "MESSAGE_UPDATE", "MESSAGE_DELETE",
                                       "MESSAGE_REACTION_ADD", "THREAD_CREATE",  "GUILD_CREATE"};
  plugins(std::string(kCountEverything) + recorder_conf(types) +
          fmt::format("[c_counter]\npath = \"{}\"\n[hello]\npath = \"{}/gcc/hello.so\"\n",
                      test_plugin("c_counter").string(), TRELLIS_TEST_PLUGINS));
  Simulator& sim = start_simulator(mixed_stream(scaled(20'000)));
  start_host();
  wait_for_sent(scaled(20'000));
  const auto servers = sim.servers();
  constexpr int kHellos = 5;
  for (int i = 0; i < kHellos; ++i) sim.send_message(servers[0], servers[0], "hello");
  expect_everything_counted();
  expect_recorded(*this, types);
  const Counts all = sim.counts();
  wait_until("c_counter has everything",
             [&] { return store().number("c_counter", "SELECT sum(messages) FROM channel_counts") >= total(all); });
  std::map<std::pair<std::string, std::string>, std::int64_t> expected, found;
  for (const auto& [cell, count] : all) expected[{std::get<0>(cell), std::get<1>(cell)}] += count;
  for (const Row& row : store().rows("c_counter", "SELECT guild_id, channel_id, messages FROM channel_counts"))
    found[{row[0], row[1]}] = std::stoll(row[2]);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(call("c_counter", "total").at("total").to_number<std::int64_t>(), total(all));
  wait_until("hello has everything",
             [&] { return store().number("hello", "SELECT sum(hellos) FROM hello_counts") >= kHellos; });
  EXPECT_EQ(call("hello", "hellos").at("hellos").to_number<int>(), kHellos);
  stop_host();
  expect_same(sim.counts(), stored());
}

}  // namespace
}  // namespace trellis::e2e
