// must not compile: has the Method's result and parameters
#include <trellis/plugin.hpp>
using namespace trellis;
constexpr Method<int(GuildId)> kTyped{"a", "b"};
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.method(kTyped, this, &X::two, param("a"), param("b"));
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
