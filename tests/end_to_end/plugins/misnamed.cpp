// Has a metric with a name that metrics cannot have.
#include <trellis/plugin.hpp>

namespace {
class Misnamed final : public trellis::Plugin {
 public:
  explicit Misnamed(trellis::Setup& setup) { setup.counter("number of things", "Things"); }
};
}  // namespace

TRELLIS_PLUGIN(Misnamed, "misnamed", "1.0.0")
