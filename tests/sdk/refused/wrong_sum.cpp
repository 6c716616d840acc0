// must not compile: a sum column is a number
#include <trellis/plugin.hpp>
using namespace trellis;
struct BadSum {
  std::string s;
  static constexpr auto columns = trellis::columns(sum<&BadSum::s>);
};
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.table<BadSum>("t");
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
