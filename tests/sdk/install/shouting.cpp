// Its file is in order, and no host would load it: Discord has no such names for commands.
#include <trellis/plugin.hpp>

namespace {
class Shouting final : public trellis::Plugin {
 public:
  explicit Shouting(trellis::Setup& setup) {
    setup.command("SHOUT", "Says it loudly", [](trellis::Command&) { return "HELLO"; });
  }
};
}  // namespace

TRELLIS_PLUGIN(Shouting, "shouting", "0.1.0")
