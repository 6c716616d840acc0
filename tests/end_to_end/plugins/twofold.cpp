// Declares a command that cannot be served beside another one of its own.
#include <trellis/plugin.hpp>

namespace {
class Twofold final : public trellis::Plugin {
 public:
  explicit Twofold(trellis::Setup& setup) {
    setup.command("level", "The level", [](trellis::Command&) { return "1"; });
    setup.command("level top", "The highest levels", [](trellis::Command&) { return "2"; });
  }
};
}  // namespace

TRELLIS_PLUGIN(Twofold, "twofold", "1.0.0")
