// must not compile: constraints not satisfied|no matching
#include <trellis/plugin.hpp>
using namespace trellis;
struct Row {
  GuildId guild_id;
  std::int64_t n = 0;
  static constexpr auto columns = trellis::columns(key<&Row::guild_id>, sum<&Row::n>);
};
struct X final : Plugin {
  explicit X(Setup& setup) {
    (void)setup;
    setup.on([t = setup.table<Row>("t")](const MessageCreate&, Work& work) { t.edit(work, UserId{1}); });
  }
  Json two(Request&, int, int) { return {}; }
  void asks_command(Command&) {}
  void takes_vector(Request&, std::vector<int>) {}
  std::vector<int> returns_vector(Command&) { return {}; }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
