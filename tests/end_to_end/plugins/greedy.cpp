// Wants members in the cache, and does not say that it needs the intent that brings them.
#include <trellis/plugin.hpp>

namespace {
class Greedy final : public trellis::Plugin {
 public:
  explicit Greedy(trellis::Setup& setup) { setup.needs(trellis::Keep::Members); }
};
}  // namespace

TRELLIS_PLUGIN(Greedy, "greedy", "1.0.0")
