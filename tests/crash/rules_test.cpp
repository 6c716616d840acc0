// What crashes cost: first nothing, then the event, then the plugin; and never anything else.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>

#include "crash_bench.hpp"

namespace trellis::e2e {
namespace {

const std::vector<std::string> kRecorded{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"};

std::vector<std::string> stream(int messages) {
  return {"--guilds",    "3", "--rate",          "0", "--total", std::to_string(messages),
          "--bot-share", "0", "--webhook-share", "0"};
}

class RulesTest : public CrashStoreBench {};
TRELLIS_ON_BOTH_STORES(RulesTest);

TEST_P(RulesTest, OnceIsForgiven) {
  plugins(conf(fmt::format("mark = \"{}\"\n", (folder() / "mark").string())) + recorder_conf(kRecorded));
  Simulator& sim = start_simulator(stream(1000));
  start_host({"--supervise"});
  wait_until("everything is sent", [&] { return sim.finished(); });
  say("once");
  say("and on");
  wait_for_counted(sim.messages_sent());
  wait_for_host();
  expect_recorded(*this, kRecorded);
  EXPECT_EQ(crashes(), 1);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(plugin("crasher").at("state"), "running");
  EXPECT_NE(host().err().find("the event is handled once more, alone"), std::string::npos) << host().err();
  stop_host();
  wait_for_counted(sim.messages_sent());
}

/// Before its second chance, everything that precedes it is in the store.
TEST_P(RulesTest, TheSecondChanceIsAlone) {
  plugins(conf());
  Simulator& sim = start_simulator(stream(0));
  start_host();
  wait_for_host();
  sim.fault("pause");
  const auto before = sim.messages_sent();
  for (int i = 0; i < 5; ++i) say("fine");
  say("abort");
  say("behind it");
  EXPECT_EQ(host().wait(), 128 + SIGABRT) << host().err();
  start_host();
  EXPECT_EQ(host().wait(), 128 + SIGABRT) << host().err();
  EXPECT_EQ(counted(), before + 5);
  EXPECT_EQ(crashes(), 1);
  EXPECT_EQ(dead(), 0);
  start_host();
  wait_for_counted(before + 6);
  EXPECT_EQ(crashes(), 2);
  EXPECT_EQ(dead(), 1);
  stop_host();
}

TEST_P(RulesTest, AnEventThatAlwaysCrashes) {
  plugins(conf() + std::string(kCountEverything) + recorder_conf(kRecorded));
  const int messages = scaled(4000);
  Simulator& sim = start_simulator(stream(messages));
  start_host({"--supervise"});
  wait_for_sent(messages / 4);
  say("abort");
  wait_until("the event is a dead letter", [&] { return dead() == 1; }, [&] { return host().err(); });
  wait_for_host();
  say("and on");
  expect_everything_counted();
  wait_for_counted(sim.messages_sent() - 1);
  expect_recorded(*this, kRecorded);
  const Row letter = store().rows("crasher", "SELECT kind, type, error, data FROM trellis_dead").at(0);
  EXPECT_EQ(letter.at(0), "event");
  EXPECT_EQ(letter.at(1), "MESSAGE_CREATE");
  EXPECT_NE(letter.at(2).find("SIGABRT in the handler of MESSAGE_CREATE"), std::string::npos) << letter.at(2);
  EXPECT_EQ(boost::json::parse(letter.at(3)).at("content"), "abort");
  EXPECT_EQ(crashes(), 2);
  const auto status = plugin("crasher");
  EXPECT_EQ(status.at("state"), "running");
  EXPECT_EQ(status.at("dead_letters").to_number<int>(), 1);
  stop_host();
  start_host();
  wait_for_host();
  say("after the restart");
  wait_for_counted(sim.messages_sent() - 1);
  EXPECT_EQ(dead(), 1);
  stop_host();
  EXPECT_EQ(crashes(), 2);
}

TEST_P(RulesTest, TwoEventsCostThePlugin) {
  plugins(conf() + std::string(kCountEverything) + recorder_conf(kRecorded));
  const int messages = scaled(2000);
  Simulator& sim = start_simulator(stream(messages));
  start_host({"--supervise"});
  wait_for_sent(messages / 2);
  say("abort");
  wait_until("the first is a dead letter", [&] { return dead() == 1; }, [&] { return host().err(); });
  wait_for_host();
  say("abort");
  const auto quarantined = [&] { return store().number("trellis", "SELECT count(*) FROM trellis_quarantine"); };
  wait_until("the plugin is in quarantine", [&] { return quarantined() == 1; }, [&] { return host().err(); });
  wait_for_host();
  EXPECT_EQ(plugin("crasher").at("state"), "quarantined");
  for (const auto& words : {std::vector<std::string>{"status"}, {"plugin", "list"}}) {
    const std::string text = ctl(words).out;
    EXPECT_NE(text.find("quarantined since"), std::string::npos) << text;
    EXPECT_NE(text.find("trellis ctl plugin release crasher"), std::string::npos) << text;
  }
  EXPECT_NE(host().err().find("not loaded: quarantined since"), std::string::npos) << host().err();
  for (const std::string word : {"load", "enable", "reload", "status"}) {
    const Finished answer = ctl({"plugin", word, "crasher"});
    EXPECT_EQ(answer.code, 1);
    EXPECT_NE(answer.err.find("quarantined since"), std::string::npos) << answer.err;
  }
  // The others do not notice.
  say("and on");
  expect_everything_counted();
  expect_recorded(*this, kRecorded);
  EXPECT_EQ(dead(), 1);

  // Back in, the event has its second chance, and then it is given up.
  ctl({"plugin", "release", "crasher"});  // the crash may come before the answer
  wait_until("the second is a dead letter", [&] { return dead() == 2; }, [&] { return host().err(); });
  wait_for_host();
  say("the end");
  wait_for_counted(sim.messages_sent() - 2);
  EXPECT_EQ(plugin("crasher").at("state"), "running");
  EXPECT_EQ(quarantined(), 0);
  EXPECT_EQ(crashes(), 4);
  const Finished again = ctl({"plugin", "release", "crasher"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("not in quarantine"), std::string::npos) << again.err;
  expect_everything_counted();
  expect_recorded(*this, kRecorded);
  stop_host();
}

TEST_P(RulesTest, TwoCrashesInRequests) {
  plugins(conf() + recorder_conf(kRecorded));
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host({"--supervise"});
  for (int crash = 1; crash <= 2; ++crash) {
    wait_for_host();
    EXPECT_NE(ctl({"call", "crasher", "crash"}).code, 0);
    wait_until("the crash is known", [&] { return crashes() == crash; }, [&] { return host().err(); });
  }
  wait_for_host();
  EXPECT_EQ(plugin("crasher").at("state"), "quarantined");
  EXPECT_EQ(plugin("recorder").at("state"), "running");
  const Finished answer = ctl({"plugin", "release", "crasher"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(answer.out, "crasher is released from quarantine, and loaded\n");
  EXPECT_EQ(plugin("crasher").at("state"), "running");
  stop_host();
}

/// A run of a job that always crashes is given up; the plugin stays.
TEST_P(RulesTest, AJobThatAlwaysCrashes) {
  plugins(conf() + recorder_conf(kRecorded));
  Simulator& sim = start_simulator({"--guilds", "1", "--total", "1"});
  start_host({"--supervise"});
  wait_for_host();
  ctl({"call", "crasher", "start"});
  wait_until("the run is a dead letter", [&] { return dead() == 1; }, [&] { return host().err(); });
  wait_for_host();
  EXPECT_EQ(crashes(), 2);
  const Row letter = store().rows("crasher", "SELECT kind, type, error FROM trellis_dead").at(0);
  EXPECT_EQ(letter.at(0), "job");
  EXPECT_EQ(letter.at(1), "crashing/key");
  EXPECT_NE(letter.at(2).find("SIGABRT in the job crashing/key"), std::string::npos) << letter.at(2);
  EXPECT_EQ(store().number("crasher", "SELECT count(*) FROM trellis_runs"), 0);
  EXPECT_EQ(plugin("crasher").at("state"), "running");
  say("and on");
  wait_for_counted(sim.messages_sent());
  stop_host();
}

TEST_P(RulesTest, APluginThatCrashesWhileItStarts) {
  plugins(conf("start = true\n") + recorder_conf(kRecorded));
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host({"--supervise"});
  wait_until(
      "the host has started without it",
      [&] {
        return store().number("trellis", "SELECT count(*) FROM trellis_quarantine") == 1 && ctl({"status"}).code == 0;
      },
      [&] { return host().err(); });
  wait_for_host();
  EXPECT_EQ(plugin("crasher").at("state"), "quarantined");
  EXPECT_EQ(crashes(), 2);
  EXPECT_NE(host().err().find("SIGABRT in on_start"), std::string::npos) << host().err();
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
