// Refuses to be created, in words.
#include <trellis/plugin.hpp>

namespace {
class ThrowsInSetup final : public trellis::Plugin {
 public:
  explicit ThrowsInSetup(trellis::Setup&) { throw std::runtime_error("the moon is not full"); }
};
}  // namespace

TRELLIS_PLUGIN(ThrowsInSetup, "throws_in_setup", "1.0.0")
