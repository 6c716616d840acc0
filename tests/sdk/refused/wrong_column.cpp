// must not compile: a column is a bool, number, enum
#include <trellis/plugin.hpp>
using namespace trellis;
struct BadRow {
  std::vector<int> v;
  static constexpr auto columns = trellis::columns(column<&BadRow::v>);
};
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.table<BadRow>("t");
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
