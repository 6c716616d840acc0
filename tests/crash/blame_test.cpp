// Whom the next start blames, and for what.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>

#include "crash_bench.hpp"

namespace trellis::e2e {
namespace {

class BlameTest : public CrashBench {
 protected:
  BlameTest() : CrashBench("sqlite") {}

  /// The host dies of the word, and the next one says why.
  void expect_blame(const std::string& word, int number, const std::string& kind, const std::string& what) {
    plugins(conf());
    start_simulator({"--guilds", "1", "--total", "0"});
    start_host();
    wait_for_host();
    const std::string build(plugin("crasher").at("build").as_string());
    say(word);
    EXPECT_EQ(host().wait(), 128 + number) << host().err();
    start_host();
    wait_until("the crash is stored", [&] { return crashes() == 1; });
    wait_until("it is logged", [&] { return host().err().find("it crashed the last run") != std::string::npos; });
    host().signal(SIGKILL);
    host().wait();
    const Row row = store().rows("trellis", "SELECT plugin, kind, count, text FROM trellis_crashes").at(0);
    EXPECT_EQ(row.at(0), "crasher");
    EXPECT_EQ(row.at(1), kind);
    EXPECT_EQ(row.at(2), "1");
    EXPECT_NE(row.at(3).find(what), std::string::npos) << row.at(3);
    EXPECT_NE(row.at(3).find("plugin crasher +0x"), std::string::npos) << "no line of the stack: " << row.at(3);
    const std::string log = host().err();
    for (const std::string& part : {what, build, std::string("generation=1")})
      EXPECT_NE(log.find(part), std::string::npos) << part << " is not in:\n" << log;
  }
};

TEST_F(BlameTest, AnAbortInAHandler) {
  expect_blame("abort", SIGABRT, "event", "SIGABRT in the handler of MESSAGE_CREATE ");
  EXPECT_NE(store().value("trellis", "SELECT text FROM trellis_crashes").find("Crasher::message"), std::string::npos);
}
TEST_F(BlameTest, AThreadOfThePlugin) {
  expect_blame("thread", SIGABRT, "other", "SIGABRT in its library, outside of handlers");
}
#ifndef TRELLIS_ASAN  // it takes these signals for itself
TEST_F(BlameTest, AFaultInAHandler) {
  expect_blame("segfault", SIGSEGV, "event", "SIGSEGV at address 0x0 in the handler of MESSAGE_CREATE ");
}
TEST_F(BlameTest, AHandlerWithoutEnd) {
  expect_blame("overflow", SIGSEGV, "event", " in the handler of MESSAGE_CREATE ");
}
#endif

TEST_F(BlameTest, AMethod) {
  plugins(conf());
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host();
  wait_for_host();
  EXPECT_NE(ctl({"call", "crasher", "crash"}).code, 0);
  EXPECT_EQ(host().wait(), 128 + SIGABRT) << host().err();
  start_host();
  wait_for_host();
  const Row row = store().rows("trellis", "SELECT kind, name, text FROM trellis_crashes").at(0);
  EXPECT_EQ(row.at(0), "method");
  EXPECT_EQ(row.at(1), "crash");
  EXPECT_NE(row.at(2).find("SIGABRT in the method crash"), std::string::npos) << row.at(2);
  EXPECT_EQ(plugin("crasher").at("state"), "running");
  stop_host();
}

class KillTest : public CrashBench {
 protected:
  KillTest() : CrashBench("sqlite") {}

  void expect_no_blame(int number) {
    const auto mark = folder() / "mark";
    plugins(conf(fmt::format("mark = \"{}\"\n", mark.string())));
    start_simulator({"--guilds", "1", "--total", "0"});
    start_host();
    wait_for_host();
    say("hang");
    wait_until("the handler hangs", [&] { return std::filesystem::exists(mark); });
    host().signal(number);
    EXPECT_EQ(host().wait(), 128 + number);
    std::filesystem::remove(mark);
    start_host();
    wait_until("it hangs again", [&] { return std::filesystem::exists(mark); }, [&] { return host().err(); });
    EXPECT_EQ(crashes(), 0);
    EXPECT_EQ(host().err().find("crashed"), std::string::npos) << host().err();
    kill_host();
  }
};

TEST_F(KillTest, Dash9InAHandlerIsNoCrash) { expect_no_blame(SIGKILL); }
#ifndef TRELLIS_ASAN
TEST_F(KillTest, ASignalFromOutsideIsNoCrash) { expect_no_blame(SIGSEGV); }
#endif

}  // namespace
}  // namespace trellis::e2e
