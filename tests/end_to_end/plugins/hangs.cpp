// Calls itself message_counter, and never finishes being created.
#include <thread>
#include <trellis/plugin.hpp>

namespace {
class Hangs final : public trellis::Plugin {
 public:
  explicit Hangs(trellis::Setup&) {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
};
}  // namespace

TRELLIS_PLUGIN(Hangs, "message_counter", "2.0.0")
