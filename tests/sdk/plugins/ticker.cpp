// Two jobs that count their runs by the time they were due at: one by interval, one by the wall clock.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Tick {
  std::string job;
  std::int64_t due_us = 0, runs = 0;
  static constexpr auto columns = trellis::columns(key<&Tick::job, &Tick::due_us>, sum<&Tick::runs>);
};

class Ticker final : public Plugin {
 public:
  explicit Ticker(Setup& setup) : ticks_(setup.table<Tick>("ticks")) {
    setup.job("second", every(1s), this, &Ticker::second);
    setup.job("minute", cron("* * * * *"), this, &Ticker::minute);
  }

 private:
  void second(JobRun& run) { ticks_.put(run, {"second", run.due().time_since_epoch().count(), 1}); }
  void minute(JobRun& run) { ticks_.put(run, {"minute", run.due().time_since_epoch().count(), 1}); }

  Table<Tick> ticks_;
};

}  // namespace

TRELLIS_PLUGIN(Ticker, "ticker", "1.0.0")
