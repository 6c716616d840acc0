// Calls itself message_counter and does nothing; its migration is broken.
#include <trellis/plugin.hpp>

namespace {
class Empty final : public trellis::Plugin {
 public:
  explicit Empty(trellis::Setup&) {}
};
}  // namespace

TRELLIS_PLUGIN(Empty, "message_counter", "2.0.0")
