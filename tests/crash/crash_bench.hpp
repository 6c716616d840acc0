// A bench with the plugin crasher, and words to send to it.
#pragma once
#include <fmt/format.h>

#include "scenarios.hpp"

namespace trellis::e2e {

class CrashBench : public Bench {
 protected:
  using Bench::Bench;

  static std::string conf(const std::string& more = "") {
    return fmt::format("[crasher]\npath = \"{}\"\n{}", test_plugin("crasher").string(), more);
  }
  void say(const std::string& word) {
    const std::string server = sim().servers().at(0);
    sim().send_message(server, server, word);
  }
  long long counted() { return store().number("crasher", "SELECT sum(messages) FROM counted"); }
  long long crashes() { return store().number("trellis", "SELECT sum(count) FROM trellis_crashes"); }
  long long dead() { return store().number("crasher", "SELECT count(*) FROM trellis_dead"); }
  void wait_for_counted(long long messages) {
    wait_until(
        fmt::format("{} messages are counted by crasher", messages), [&] { return counted() >= messages; },
        [&] { return fmt::format("there are {}; {}", counted(), ctl({"status"}).out); });
    EXPECT_EQ(counted(), messages);
  }
};

class CrashStoreBench : public CrashBench, public testing::WithParamInterface<const char*> {
 protected:
  CrashStoreBench() : CrashBench(GetParam()) {}
};

}  // namespace trellis::e2e
