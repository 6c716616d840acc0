// `trellis run --supervise` and --safe.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>

#include "crash_bench.hpp"

namespace trellis::e2e {
namespace {

class SupervisorTest : public CrashBench {
 protected:
  explicit SupervisorTest(std::string_view store = "sqlite") : CrashBench(store) {}
  /// The host behind the supervisor; 0 while there is none.
  pid_t child() const {
    const std::string text = read_file(folder() / "state" / "lock");
    const pid_t pid = text.starts_with("process ") ? std::stoi(text.substr(8)) : 0;
    return pid > 0 && ::kill(pid, 0) == 0 ? pid : 0;
  }
  int times_said(std::string_view words) {
    int count = 0;
    const std::string text = host().err();
    for (std::size_t at = 0; (at = text.find(words, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  int starts_again() { return times_said("it is started again in"); }
};

TEST_F(SupervisorTest, StartsAgainAndPassesSignalsOn) {
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host({"--supervise"});
  wait_for_host();
  const pid_t first = child();
  ASSERT_GT(first, 0);
  EXPECT_NE(first, host().pid());
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  wait_until("another host runs", [&] { return child() > 0 && child() != first; }, [&] { return host().err(); });
  wait_for_host();
  const pid_t second = child();
  EXPECT_EQ(starts_again(), 1);
  EXPECT_NE(host().err().find("was killed by signal 9 (Killed); it is started again in 0.5 s"), std::string::npos)
      << host().err();
  for (const int number : {SIGTERM, SIGINT}) {
    host().signal(number);
    EXPECT_EQ(host().wait(), 0) << host().err();
    EXPECT_EQ(child(), 0);
    EXPECT_NE(host().err().find(number == SIGINT ? "interrupted" : "asked to end"), std::string::npos) << host().err();
    if (number == SIGINT) break;
    start_host({"--supervise"});
    wait_for_host();
  }
  EXPECT_NE(second, 0);
  EXPECT_EQ(starts_again(), 0);
}

TEST_F(SupervisorTest, TheHostDoesNotOutliveIt) {
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host({"--supervise"});
  wait_for_host();
  ASSERT_GT(child(), 0);
  kill_host();
  wait_until("the host has ended too", [&] { return child() == 0; });
  start_host();  // the state directory is free
  wait_for_host();
  stop_host();
}

/// A host that ran is started again until it has its database again, which may be away, or held by another host.
TEST_F(SupervisorTest, TheStoreIsTakenForAWhile) {
  start_simulator({"--guilds", "1", "--total", "1", "--dm-share", "1"});
  start_host({"--supervise", "--take-over"});
  wait_for_host();
  store().rows("trellis", "UPDATE trellis_host SET host_id = 'another', alive_until_us = 9000000000000000");
  // It finds out by itself, and the next one is refused.
  wait_until(
      "it has been refused twice", [&] { return times_said("failed (exit code 6)") >= 2; },
      [&] { return host().err(); });
  EXPECT_EQ(ctl({"status"}).code, 1) << "--take-over was for the first start";
  store().rows("trellis", "UPDATE trellis_host SET alive_until_us = 0");
  wait_for_host();
  say("hello");
  expect_counted(sim().counts());
  stop_host();
}

class SupervisorStoreTest : public SupervisorTest {
 protected:
  SupervisorStoreTest() : SupervisorTest("postgresql") {}
  void TearDown() override {
    use_store(nullptr);
    server_.reset();
    SupervisorTest::TearDown();
  }
  std::optional<PostgresServer> server_;
};

TEST_F(SupervisorStoreTest, TheStoreIsAwayForAWhile) {
  server_.emplace(folder());
  use_store(server_->database());
  start_simulator({"--guilds", "1", "--total", "1", "--dm-share", "1"});
  start_host({"--supervise"});
  wait_for_host();
  server_->stop();
  ASSERT_EQ(::kill(child(), SIGKILL), 0);
  wait_until(
      "it has failed twice", [&] { return times_said("failed (exit code 7)") >= 2; }, [&] { return host().err(); });
  server_->start();
  wait_for_host();
  say("hello");
  expect_counted(sim().counts());
  stop_host();
}

TEST_F(SupervisorTest, WhatDoesNotGetBetterIsNotTriedAgain) {
  // No simulator: it would not get that far.
  Command command = host_command({"--supervise"});
  command.environment.clear();
  Finished ended = run_to_end(command);
  EXPECT_EQ(ended.code, 4) << ended.err;
  EXPECT_EQ(ended.err.find("started again"), std::string::npos) << ended.err;
  ended = run_to_end(host_command({"--supervise", "--set", "no.such.key=1"}));
  EXPECT_EQ(ended.code, 3) << ended.err;
  plugins("[nobody]\n");
  ended = run_to_end(host_command({"--supervise"}));
  EXPECT_EQ(ended.code, 5) << ended.err;
  EXPECT_EQ(ended.err.find("started again"), std::string::npos) << ended.err;
  // A store that this host has never had: the address may well be wrong.
  ended = run_to_end(host_command({"--supervise", "--set", "store.url=postgresql://nobody@127.0.0.1:1/nothing"}));
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_EQ(ended.err.find("started again"), std::string::npos) << ended.err;
}

TEST_F(SupervisorTest, AFailureIsTriedAgainWithLongerPauses) {
  // state.dir cannot be made: the host fails at run time.
  start_host({"--supervise", "--set", "state.dir=/dev/null/state"});
  wait_until("it was tried three times", [&] { return starts_again() >= 3; }, [&] { return host().err(); });
  const std::string log = host().err();
  for (const char* pause : {"failed (exit code 1); it is started again in 0.5 s", "in 1.0 s", "in 2.0 s"})
    EXPECT_NE(log.find(pause), std::string::npos) << log;
  host().signal(SIGTERM);  // during the pause, or its next attempt
  EXPECT_EQ(host().wait(), 1) << host().err();
}

/// `trellis ctl stop` ends it for good, also when something does not end and is given up.
TEST_F(SupervisorTest, AStopThatGivesUpIsAStop) {
  plugins(conf(fmt::format("mark = \"{}\"\n", (folder() / "mark").string())));
  start_simulator({"--guilds", "1", "--total", "1", "--dm-share", "1"});
  for (const bool given_up_before : {false, true}) {
    start_host({"--supervise", "--set", "shutdown.deadline=1 s", "--set", "reload.grace=200 ms"});
    wait_for_host();
    if (!given_up_before) say("hang");  // the next host is given it again
    wait_until("the handler hangs", [&] { return std::filesystem::exists(folder() / "mark"); });
    if (given_up_before) {
      const Finished answer = ctl({"plugin", "reload", "crasher", "--force"});
      EXPECT_EQ(answer.code, 0) << answer.err;
    }
    EXPECT_EQ(ctl({"stop"}).code, 0);
    EXPECT_EQ(host().wait(), 8) << host().err();
    EXPECT_EQ(starts_again(), 0) << host().err();
    EXPECT_EQ(child(), 0);
    EXPECT_NE(host().err().find("stopped at the deadline with work left"), std::string::npos) << host().err();
    std::filesystem::remove(folder() / "mark");
  }
  const std::string unit = read_file(std::filesystem::path(TRELLIS_ETC) / "../share/systemd/trellis.service.in");
  EXPECT_NE(unit.find("RestartPreventExitStatus=2 3 4 5 8\n"), std::string::npos) << unit;
}

TEST_F(SupervisorTest, SafeLeavesOutWhatDidNotComeWithTheProgram) {
  plugins(conf() + std::string(kCountEverything));
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host({"--safe"});
  wait_for_host();
  EXPECT_EQ(plugin("message_counter").at("state"), "running");
  EXPECT_THROW(plugin("crasher"), std::runtime_error);
  EXPECT_NE(host().err().find("--safe leaves out"), std::string::npos) << host().err();
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
