// Somebody sets the clock.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstring>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

constexpr std::int64_t kHour = 3600;

class ClockFaults : public StoreFaultRow {
 protected:
  void SetUp() override {
    StoreFaultRow::SetUp();
    plugins(read_file(folder() / "plugins.conf") +
            fmt::format("[ticker]\npath = \"{}\"\n", test_plugin("ticker").string()));
    set_clock(0);
    host_environment({{"LD_PRELOAD", TRELLIS_CLOCK_LAYER}, {"TRELLIS_CLOCK", clock().string()}});
  }
  std::filesystem::path clock() const { return folder() / "clock"; }
  /// The host's wall clock is so many seconds ahead.
  void set_clock(std::int64_t seconds) {
    // In place: the host has it mapped.
    std::FILE* file = std::fopen(clock().c_str(), std::filesystem::exists(clock()) ? "r+" : "w");
    ASSERT_TRUE(file);
    EXPECT_EQ(std::fwrite(&seconds, sizeof seconds, 1, file), 1u);
    EXPECT_EQ(std::fclose(file), 0);
  }
  std::int64_t runs(const std::string& job) {
    return store().number("ticker", "SELECT sum(runs) FROM ticks WHERE job = '" + job + "'");
  }
  void runs_on(const std::string& job) {
    const auto before = runs(job);
    wait_until(
        "the job runs on: " + job, [&] { return runs(job) > before; },
        [&] { return ctl({"jobs"}).out + host().err(); });
  }
  /// Jobs by interval run on, and events with them.
  void all_goes_on() {
    runs_on("second");
    let_pass(1000);
  }
  std::int64_t epoch() const { return shard().at("tail").at("epoch").to_number<std::int64_t>(); }
};
TRELLIS_ON_BOTH_STORES(ClockFaults);

/// Back by an hour while it runs, and while it is stopped; a session that begins then is behind the older ones.
TEST_P(ClockFaults, SetBackAnHour) {
  start_stream();
  start_host();
  wait_for_host();
  let_pass(1000);
  set_clock(-kHour);
  caused();
  all_goes_on();
  const auto before = epoch();
  sim().fault("pause");
  session_ended(sim().sequence());
  sim().fault("invalid_session", {{"resumable", false}});
  wait_until("there is another session", [&] { return epoch() > before; }, [&] { return ctl({"status"}).out; });
  wait_for_host();
  sim().fault("resume_sending");
  let_pass(1000);
  stop_host();
  set_clock(-2 * kHour);
  caused();
  start_host();
  wait_for_host();
  EXPECT_LT(status().at("started_us").as_int64() / 1'000'000, std::time(nullptr) - kHour) << "the clock was not set";
  all_goes_on();
  kill_host();
  set_clock(0);
  caused();
  start_host();
  wait_for_host();
  all_goes_on();
  if (full()) runs_on("minute");
  EXPECT_EQ(store().number("ticker", "SELECT count(*) FROM ticks WHERE job = 'minute' AND runs > 1"), 0)
      << "a time that came twice was run twice";
  finish();
}

}  // namespace
}  // namespace trellis::e2e
