// Calls itself message_counter, and crashes while it is loaded, before anybody calls it.
#include <csignal>
#include <trellis/plugin.hpp>

namespace {
struct Bomb {
  Bomb() {
#ifdef TRELLIS_ASAN  // it would report a SIGSEGV as a bug of ours
    std::raise(SIGABRT);
#else
    std::raise(SIGSEGV);
#endif
  }
};
const Bomb bomb;

class Crashes final : public trellis::Plugin {
 public:
  explicit Crashes(trellis::Setup&) {}
};
}  // namespace

TRELLIS_PLUGIN(Crashes, "message_counter", "2.0.0")
