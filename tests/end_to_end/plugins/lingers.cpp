// Does not end. Methods: "sleep" (waits ten minutes, as one should), "hang" (does not return, and does not care). With
// start_hangs = true on_start does that. Each writes the file `mark` first.
#include <fstream>
#include <thread>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Lingers final : public Plugin {
 public:
  explicit Lingers(Setup& setup) {
    mark_ = setup.settings().get("mark", "");
    start_hangs_ = setup.settings().get("start_hangs", false);
    setup.method("sleep", this, &Lingers::sleep);
    setup.method("hang", this, &Lingers::hang);
    setup.on_start(this, &Lingers::begin);
  }

 private:
  void sleep(Request& request) {
    mark();
    request.sleep(10min);
  }
  void hang(Request&) {
    mark();
    std::this_thread::sleep_for(std::chrono::hours(1));
  }
  void begin(Request& request) {
    if (start_hangs_) hang(request);
  }
  void mark() { std::ofstream(mark_) << "lingers\n"; }

  std::string mark_;
  bool start_hangs_ = false;
};

}  // namespace

TRELLIS_PLUGIN(Lingers, "lingers", "1.0.0")
