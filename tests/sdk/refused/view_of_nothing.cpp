// must not compile: deleted
#include <trellis/plugin.hpp>
using namespace trellis;
struct X final : Plugin {
  explicit X(Setup& setup) { setup.method("x", this, &X::read); }
  Json read(Request& request) {  // what it shows would be gone with the page
    for (const RoleView& role : *request.call(discord::roles(GuildId{1}))) return Json(role.name());
    return {};
  }
};
TRELLIS_PLUGIN(X, "x", "1.0.0")
