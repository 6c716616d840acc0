// must not compile: declare one param
#include <trellis/plugin.hpp>
using namespace trellis;
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.method("m", this, &X::two, param("a"));
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
