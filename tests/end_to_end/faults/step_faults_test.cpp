// Jobs and methods that work in steps (tests/sdk/plugins/stepper.cpp) are interrupted in the middle. A job is gone on
// with: each of its steps takes effect once. A method is not: those steps that it has ended stay, and nothing comes
// after them. Either way a step is there as a whole, or not at all.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "fault_row.hpp"
#include "postgres_proxy.hpp"

namespace trellis::e2e {
namespace {

class StepFaults : public StoreFaultRow {
 protected:
  void start(std::vector<std::string> host_arguments = {}) {
    plugins(read_file(folder() / "plugins.conf") +
            fmt::format("[stepper]\npath = \"{}\"\npause = 0.002\n", test_plugin("stepper").string()));
    start_stream({"--rate", "1000"});
    start_host(std::move(host_arguments));
    wait_for_host();
  }
  std::int64_t number(const std::string& sql) { return store().number("stepper", sql); }
  std::int64_t steps_of(const std::string& work) {
    return number("SELECT count(*) FROM steps WHERE work = '" + work + "'");
  }
  static std::string arguments(const std::string& work, int steps) {
    return fmt::format(R"({{"work": "{}", "steps": {}}})", work, steps);
  }

  void begin_job(int steps) {
    const std::string work = fmt::format("job {}", jobs_.size());
    call("stepper", "begin", arguments(work, steps));
    jobs_.emplace_back(work, steps);
  }
  /// `trellis ctl call` waits for a method with so many steps.
  Process& begin_method(int steps) {
    const std::string work = fmt::format("method {}", methods_.size());
    methods_.push_back({work, steps, nullptr});
    methods_.back().caller = std::make_unique<Process>(
        Command{std::filesystem::path(TRELLIS_BIN) / "trellis",
                {"ctl", "--state", state().string(), "call", "stepper", "walk", arguments(work, steps)},
                {},
                folder()});
    return *methods_.back().caller;
  }
  /// Until both the newest job and the newest method have ended so many steps, of which they have more.
  void let_step(int steps) {
    wait_until(
        "steps are taken",
        [&] { return steps_of(jobs_.back().first) >= steps && steps_of(methods_.back().work) >= steps; },
        [&] { return ctl({"jobs"}).out + host().err() + methods_.back().caller->err(); });
  }
  /// The newest method has been interrupted: how far it came.
  void method_was_interrupted() {
    Method& method = methods_.back();
    EXPECT_NE(method.caller->wait(), 0) << method.caller->out();
    EXPECT_FALSE(method.caller->err().empty());
    method.ended = steps_of(method.work);
  }

  void finish_steps() {
    wait_until(
        "the jobs are done", [&] { return number("SELECT count(*) FROM trellis_runs") == 0; },
        [&] { return ctl({"jobs"}).out + host().err(); }, 2 * kPatience);
    for (const auto& [work, steps] : jobs_) expect_whole(work, steps);
    for (const Method& method : methods_) expect_whole(method.work, method.ended);
    note(fmt::format("{} steps of {} jobs and {} methods", number("SELECT count(*) FROM steps"), jobs_.size(),
                     methods_.size()));
    finish();
  }

  struct Method {
    std::string work;
    int steps;
    std::unique_ptr<Process> caller;
    std::int64_t ended = 0;
  };
  std::vector<Method>& methods() { return methods_; }

 private:
  /// The first `steps` steps, each once and in all of its tables, and nothing else.
  void expect_whole(const std::string& work, std::int64_t steps) {
    const std::string of_work = " WHERE work = '" + work + "'";
    EXPECT_EQ(number("SELECT count(*) FROM steps" + of_work), steps) << work;
    EXPECT_EQ(number("SELECT count(*) FROM steps" + of_work + " AND times <> 1"), 0) << work << ": done twice";
    if (steps > 0)
      EXPECT_EQ(number("SELECT max(step) FROM steps" + of_work), steps - 1) << work << ": one was left out";
    EXPECT_EQ(number("SELECT sum(steps) FROM totals" + of_work), steps) << work << ": half a step";
    EXPECT_EQ(number("SELECT count(*) FROM noted" + of_work), steps / 2) << work << ": half a step";
    EXPECT_EQ(number("SELECT count(DISTINCT step) FROM noted" + of_work), steps / 2) << work;
  }

  std::vector<std::pair<std::string, int>> jobs_;
  std::vector<Method> methods_;
};
TRELLIS_ON_BOTH_STORES(StepFaults);

/// kill -9 while both are at it.
TEST_P(StepFaults, KilledBetweenSteps) {
  start();
  int interrupted = 0;
  for (int i = 0; i < times(2, 20); ++i) {
    begin_method(100'000);
    begin_job(1'000);
    let_step(1 + static_cast<int>(random()() % 60));
    kill_host();
    caused();
    interrupted += number("SELECT count(*) FROM trellis_runs") > 0;
    start_host();
    wait_for_host();
    method_was_interrupted();
  }
  EXPECT_GT(interrupted, 0) << "every job was done before the host was killed";
  finish_steps();
}

class StepStoreFaults : public StepFaults {};
INSTANTIATE_TEST_SUITE_P(On, StepStoreFaults, testing::Values("postgresql"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

/// The connection is cut in the middle of a step, or while its COMMIT is under way, as soon as the next job and the
/// next method are at it. The job ends in any case. A method goes on, or its caller is told; then nothing follows but
/// the step that was in doubt.
TEST_P(StepStoreFaults, CutInAStep) {
  PostgresProxy proxy(store().url());
  start({"--set", "store.url=" + proxy.url()});
  int failed = 0;
  for (int i = 0; i < times(4, 20); ++i) {
    const int steps = 80;
    begin_job(steps);
    Process& caller = begin_method(steps);
    const int before = proxy.cuts();
    if (i % 2 == 0)
      proxy.cut_at_commit({"stepper"});
    else
      proxy.cut_in_transaction(static_cast<int>(random()() % 12), {"stepper"});
    wait_until("a connection is cut", [&] { return proxy.cuts() > before; });
    caused();
    Method& method = methods().back();
    if (caller.wait() == 0) {
      method.ended = steps;
      continue;
    }
    ++failed;
    EXPECT_FALSE(caller.err().empty());
    const std::int64_t ended = steps_of(method.work);
    wait_until("the store is back", [&] { return !plugin("stepper").at("store_away").as_bool(); });
    method.ended = steps_of(method.work);
    EXPECT_LE(method.ended, ended + 1) << caller.err();
  }
  note(fmt::format("{} methods went on, {} failed", methods().size() - static_cast<std::size_t>(failed), failed));
  finish_steps();
}

}  // namespace
}  // namespace trellis::e2e
