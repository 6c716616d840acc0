// must not compile: a plugin.s id is
#include <trellis/plugin.hpp>
using namespace trellis;
struct X final : Plugin {
  explicit X(Setup& setup) { (void)setup; }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "Bad-Id", "1.0.0")
