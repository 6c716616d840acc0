// New code again and again, good and bad, while events pour in.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <regex>
#include <thread>

#include "fault_row.hpp"
#include "usage.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class ReloadFaults : public StoreFaultRow {
 protected:
  void start(std::vector<std::string> flags = {}) {
    put("a");
    start_stream(std::move(flags));
    start_host({"--set", "plugins.dir=" + (folder() / "plugins").string()});
    wait_for_host();
  }
  void put(const std::string& build) { install(*this, build_of_message_counter(build), "message_counter"); }

  /// Notes how long the plugin's events paused.
  void reload(const std::string& id) {
    static const std::regex kPause("events paused ([0-9.]+) ms");
    const Finished answer = ctl({"plugin", "reload", id});
    ASSERT_EQ(answer.code, 0) << answer.err;
    std::smatch pause;
    ASSERT_TRUE(std::regex_search(answer.out, pause, kPause)) << answer.out;
    pauses_.push_back(std::stod(pause[1]));
    caused();
  }
  void refused() {
    const Finished answer = ctl({"plugin", "reload", "message_counter"});
    EXPECT_EQ(answer.code, 1) << answer.out;
    EXPECT_FALSE(answer.err.empty());
    caused();
    ++refusals_;
  }
  /// The plugin that was left alone is the one that was started, and never had to begin anew.
  void nothing_happened_to(const std::string& id) {
    const auto alone = plugin(id);
    EXPECT_EQ(alone.at("generation").to_number<int>(), 1);
    EXPECT_EQ(alone.at("went_back").to_number<int>(), 0);
    EXPECT_EQ(alone.at("failures").to_number<int>(), 0);
    EXPECT_EQ(alone.at("state"), "running");
    note(fmt::format("{}: generation 1, never went back, longest pause {:.1f} ms", id,
                     static_cast<double>(longest_pause_us(id)) / 1000));
  }
  void finish_reloads() {
    EXPECT_EQ(status().at("zombies").to_number<int>(), 0);
    EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
    EXPECT_EQ(plugin("message_counter").at("failures").to_number<int>(), 0);
    EXPECT_EQ(mapped_generations(host().pid()), status().at("plugins").as_array().size());
    if (!pauses_.empty()) {
      std::nth_element(pauses_.begin(), pauses_.begin() + pauses_.size() / 2, pauses_.end());
      note(fmt::format("{} reloads, median pause {:.1f} ms", pauses_.size(), pauses_[pauses_.size() / 2]));
    }
    if (refusals_ > 0) note(fmt::format("{} refused", refusals_));
    finish();
  }

  std::vector<double> pauses_;
  int refusals_ = 0;
};
TRELLIS_ON_BOTH_STORES(ReloadFaults);

/// Two plugins are reloaded ten times a second, every third candidate is no good; recorder is left alone.
TEST_P(ReloadFaults, TenTimesASecond) {
  with_troubled("");
  start();
  const fs::path truncated = folder() / "truncated.so";
  write_file(truncated, read_file(build_of_message_counter("b")).substr(0, 20'000));
  const std::vector<fs::path> broken{truncated, build_of_message_counter("throws"), build_of_message_counter("crashes"),
                                     build_of_message_counter("bad_migration"), test_plugin("wrong_abi")};
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; std::chrono::steady_clock::now() < began + std::chrono::seconds(times(2, 30)) || i < 15; ++i) {
    std::this_thread::sleep_until(began + i * std::chrono::milliseconds(100));
    if (i % 3 == 2) {
      install(*this, broken[i / 3 % broken.size()], "message_counter");
      refused();
    } else {
      put(i % 3 == 0 ? "b" : "a");
      reload("message_counter");
      reload("troubled");
    }
    if (HasFatalFailure()) return;
  }
  nothing_happened_to("recorder");
  finish_reloads();
}

/// Its probe is given up after some seconds; what runs does not notice.
TEST_P(ReloadFaults, CandidateHangs) {
  start();
  put("hangs");
  for (int i = 0; i < times(1, 5); ++i) {
    let_pass(1000);
    refused();
  }
  finish_reloads();
}

/// The host runs a copy of its own, so the installed file may be overwritten where it lies.
TEST_P(ReloadFaults, FileOverwrittenInPlace) {
  start();
  const auto installed = folder() / "plugins" / "message_counter.so";
  for (int i = 0; i < times(3, 50); ++i) {
    let_pass(500);
    write_file(installed, "");
    write_file(installed, read_file(build_of_message_counter(i % 2 == 0 ? "b" : "a")));
    let_pass(500);
    reload("message_counter");
    if (HasFatalFailure()) return;
  }
  finish_reloads();
}

/// A build that is well at first and fails after five seconds: the one before takes over where it stopped, and
/// handles what it gave up.
TEST_P(ReloadFaults, FailsAfterAWhile) {
  const auto file = folder() / "plugins" / "troubled.so";
  with_troubled("", file);
  install(*this, test_plugin("troubled"), "troubled");
  put("a");
  start_stream();
  const std::string here = "plugins.dir=" + (folder() / "plugins").string();
  start_host({"--set", here, "--set", "reload.probation=0 s"});  // what runs has proved itself
  wait_for_host();
  let_pass(500);
  stop_host();
  start_host({"--set", here});
  wait_for_host();
  for (int i = 0; i < times(1, 5); ++i) {
    let_pass(500);
    install(*this, test_plugin("troubled_later"), "troubled");
    const auto good = plugin("troubled").at("build");
    const Finished answer =
        ctl({"plugin", "reload", "troubled", "--force"});  // it is known to be bad from the second time on
    ASSERT_EQ(answer.code, 0) << answer.err;
    EXPECT_NE(plugin("troubled").at("build"), good);
    caused();
    wait_until(
        "the build before is back", [&] { return plugin("troubled").at("build") == good; },
        [&] { return ctl({"plugin", "status", "troubled"}).out + host().err(); });
  }
  wait_until(
      "what was given up has been handled",
      [&] { return store().number("troubled", "SELECT count(*) FROM trellis_dead") == 0; },
      [&] { return ctl({"dead", "list"}).out + host().err(); });
  tried_again(3 * times(1, 5));
  finish_reloads();
}

class LongReloadFaults : public ReloadFaults {};
TRELLIS_ON_BOTH_STORES(LongReloadFaults);

/// Nothing stays behind: memory, file descriptors and mappings are flat.
TEST_P(LongReloadFaults, TenThousandTimes) {
  start({"--rate", "300"});
  const int count = scaled(10'000);
  Usage warm, most;
  for (int i = 0; i < count; ++i) {
    put(i % 2 == 0 ? "b" : "a");
    reload("message_counter");
    if (HasFatalFailure()) return;
    if (i % 100 != 0) continue;
    const Usage now = usage_of(host().pid());
    Usage& highest = i < count / 10 ? warm : most;
    highest.anonymous_kb = std::max(highest.anonymous_kb, now.anonymous_kb);
    highest.descriptors = std::max(highest.descriptors, now.descriptors);
    highest.mappings = std::max(highest.mappings, now.mappings);
  }
  note(fmt::format("memory {} -> {} kB, descriptors {} -> {}, mappings {} -> {}", warm.anonymous_kb, most.anonymous_kb,
                   warm.descriptors, most.descriptors, warm.mappings, most.mappings));
#ifndef TRELLIS_ASAN  // it keeps what is freed
  EXPECT_LE(most.anonymous_kb, warm.anonymous_kb * 11 / 10);
#endif
  EXPECT_LE(most.descriptors, warm.descriptors + 5);
  EXPECT_LE(most.mappings, warm.mappings + 20);
  finish_reloads();
}

}  // namespace
}  // namespace trellis::e2e
