// A build of message_counter that starts well and can handle nothing.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Fails final : public Plugin {
 public:
  explicit Fails(Setup& setup) {
    (void)setup.settings().json();  // whatever stands there
    setup.on([](const MessageCreate&, Work&) { throw std::runtime_error("this build can do nothing"); })
        .guilds_only()
        .no_bots();
  }
};

}  // namespace

TRELLIS_PLUGIN(Fails, "message_counter", "3.0.0")
