// What `trellis ctl plugin status` tells: age, handler times, lag, commits, failures.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <regex>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class StatusTest : public Bench {
 protected:
  void SetUp() override {
    Bench::SetUp();
    set_clock(0);
    host_environment({{"LD_PRELOAD", TRELLIS_CLOCK_LAYER}, {"TRELLIS_CLOCK", clock().string()}});
  }
  std::filesystem::path clock() const { return folder() / "clock"; }
  /// The host's wall clock is so many seconds ahead.
  void set_clock(std::int64_t seconds) const {
    // In place: the host has it mapped.
    std::FILE* file = std::fopen(clock().c_str(), std::filesystem::exists(clock()) ? "r+" : "w");
    ASSERT_TRUE(file);
    EXPECT_EQ(std::fwrite(&seconds, sizeof seconds, 1, file), 1u);
    EXPECT_EQ(std::fclose(file), 0);
  }
  static std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  /// What is at the place of (...) in the status of the plugin.
  std::string found(const std::string& plugin, const std::string& pattern) const {
    const std::string text = ctl({"plugin", "status", plugin}).out;
    std::smatch match;
    if (!std::regex_search(text, match, std::regex(pattern))) {
      ADD_FAILURE() << pattern << " is not in: " << text;
      return {};
    }
    return match[1];
  }
  /// "1.5 ms" in seconds.
  static double seconds(const std::string& text) {
    const double number = std::stod(text);
    return text.ends_with("us") ? number * 1e-6 : text.ends_with("ms") ? number * 1e-3 : number;
  }
};

TEST_F(StatusTest, SaysHowLongItRuns) {
  start_simulator({"--guilds", "1", "--rate", "0", "--total", "10"});
  const std::int64_t before = now_s();
  start_host();
  wait_for_host();
  const std::string age = "running since [0-9-]+ [0-9:]+ UTC \\(([0-9]+ [a-z]+)\\), file .*message_counter\\.so";
  const std::string shown = found("message_counter", age);
  EXPECT_LE(std::stoll(shown), now_s() - before);
  constexpr std::int64_t kHour = 3600;
  set_clock(3 * kHour);
  EXPECT_EQ(found("message_counter", age), "3 h");
  set_clock(100 * kHour);
  EXPECT_EQ(found("message_counter", age), "4 days");
  // A new generation is younger.
  ASSERT_EQ(ctl({"plugin", "reload", "message_counter"}).code, 0);
  const std::string young = found("message_counter", age);
  EXPECT_TRUE(young.ends_with(" s") || young.ends_with(" min")) << young;
  expect_everything_counted();
  stop_host();
}

TEST_F(StatusTest, SaysHowItsHandlersDo) {
  const auto until = folder() / "go-on";
  plugins(fmt::format("[throws_on_word]\npath = \"{}\"\nhang_until = \"{}\"\n", test_plugin("throws_on_word").string(),
                      until.string()));
  Simulator& sim = start_simulator({"--guilds", "1", "--total", "1", "--dm-share", "1"});
  start_host({"--set", "handler.soft_limit=200 ms", "--set", "handler.hard_limit=1 s"});
  wait_for_host();
  const std::string server = sim.servers().at(0), id = "throws_on_word";
  for (int i = 0; i < 8; ++i) sim.send_message(server, server, "fine");
  sim.send_message(server, server, "hang");
  wait_until("it hangs", [&] { return plugin(id).at("state") == "wedged"; }, [&] { return ctl({"status"}).out; });
  for (int i = 0; i < 3; ++i) sim.send_message(server, server, "and on");
  const std::string lag = "handlers lag ([0-9]+) events, [0-9.]+ s";
  wait_until("the others wait", [&] { return std::stoi(found(id, lag)) >= 4; }, [&] { return ctl({"status"}).out; });
  write_file(until, "");
  wait_until(
      "all are counted", [&] { return store().number(id, "SELECT sum(messages) FROM counted") == 12; },
      [&] { return ctl({"status"}).out; });
  EXPECT_EQ(found(id, lag), "0");
  EXPECT_EQ(found(id, "handlers: ([0-9]+) calls"), "12");
  const boost::json::value status = plugin(id);
  const double half = seconds(found(id, "half of them within ([0-9.]+ [a-z]+),"));
  const double most = seconds(found(id, "99 of 100 within ([0-9.]+ [a-z]+)\n"));
  EXPECT_GT(half, 0);
  EXPECT_LE(half, most);
  EXPECT_GE(most, 1) << "one took longer than the hard limit";
  EXPECT_NEAR(half, status.at("handler_p50_s").as_double(), half / 10);
  EXPECT_NEAR(most, status.at("handler_p99_s").as_double(), most / 10);

  sim.send_message(server, server, "boom");
  wait_until("it is given up", [&] { return plugin(id).at("dead_letters").to_number<int>() == 1; });
  EXPECT_EQ(found(id, "handler failures ([0-9]+), dead letters 1, went back"), "2");
  EXPECT_GE(std::stoi(found(id, "commits ([0-9]+) \\([0-9]+ synchronous\\), store errors 0,")), 1);
  EXPECT_EQ(std::stoi(found(id, ", requests ([0-9]+)\n")), 0);
  EXPECT_EQ(call(id, "count").is_null(), false);
  EXPECT_EQ(std::stoi(found(id, ", requests ([0-9]+)\n")), 1);
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
