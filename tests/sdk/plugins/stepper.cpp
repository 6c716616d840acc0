// Work in steps, as a job and as a method, so that a test sees a step that is missing, half there, or done twice. A
// step leaves something in three tables: steps: a row for each, merged; times is 1 if it was done once; totals: a row
// for each piece of work, to which every step adds one; noted: a row for each second step, appended by SQL of its own.
// The pause between two steps (a setting) is the wait that ends a step; without one each is committed by itself.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Step {
  std::string work;
  std::int64_t step = 0, times = 0;
  static constexpr auto columns = trellis::columns(key<&Step::work, &Step::step>, sum<&Step::times>);
};

struct Total {
  std::string work;
  std::int64_t steps = 0;
  static constexpr auto columns = trellis::columns(key<&Total::work>, sum<&Total::steps>);
};

class Stepper final : public Plugin {
 public:
  explicit Stepper(Setup& setup) : steps_(setup.table<Step>("steps")), totals_(setup.table<Total>("totals")) {
    pause_ = setup.settings().get("pause", Duration{0});
    job_ = setup.job("walk", on_demand(), this, &Stepper::run);
    setup.method("begin", this, &Stepper::begin, param("work"), param("steps"));
    setup.method("walk", this, &Stepper::walk, param("work"), param("steps"));
  }

 private:
  /// Starts the job, whose steps are saved with its progress.
  Json begin(Request& request, std::string work, std::int64_t steps) {
    job_.start(request, work, Json::object({{"steps", steps}}));
    return Json(work);
  }
  void run(JobRun& run) {
    const std::int64_t steps = run.args()["steps"].integer();
    for (std::int64_t step = run.progress()["done"].integer(); step < steps; ++step) {
      take(run, run.key(), step);
      run.save(Json::object({{"done", step + 1}}));
      end_step(run);
    }
  }
  /// The same while the caller waits; nobody goes on with it when it is interrupted.
  Json walk(Request& request, std::string work, std::int64_t steps) {
    for (std::int64_t step = 0; step < steps; ++step) {
      take(request, work, step);
      end_step(request);
    }
    return Json(steps);
  }

  void take(Request& request, std::string_view work, std::int64_t step) {
    steps_.put(request, {std::string(work), step, 1});
    if (step % 2 == 1) request.execute("INSERT INTO noted (work, step) VALUES ($1, $2)", work, step);
    totals_.put(request, {std::string(work), 1});
  }
  void end_step(Request& request) const {
    if (pause_ > Duration::zero())
      request.sleep(pause_);
    else
      request.commit();
  }

  Table<Step> steps_;
  Table<Total> totals_;
  Duration pause_{};
  Job job_;
};

}  // namespace

TRELLIS_PLUGIN(Stepper, "stepper", "1.0.0")
