// must not compile: take the event as const MessageCreate&
#include <trellis/plugin.hpp>
using namespace trellis;
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.on([](const Event&, Work&) {});
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
