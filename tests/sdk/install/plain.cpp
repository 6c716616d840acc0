#include <trellis/plugin.hpp>

namespace {
class Plain final : public trellis::Plugin {
 public:
  explicit Plain(trellis::Setup& setup) {
    setup.on([](const trellis::GuildCreate& event, trellis::Work& work) {
      work.log().info("server", {{"name", event.guild().name}});
    });
  }
};
}  // namespace

TRELLIS_PLUGIN(Plain, "plain", "0.1.0")
