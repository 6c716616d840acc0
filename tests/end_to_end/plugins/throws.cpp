// Calls itself message_counter, and refuses to be created.
#include <trellis/plugin.hpp>

namespace {
class Throws final : public trellis::Plugin {
 public:
  explicit Throws(trellis::Setup&) { throw std::runtime_error("the moon is not full"); }
};
}  // namespace

TRELLIS_PLUGIN(Throws, "message_counter", "2.0.0")
