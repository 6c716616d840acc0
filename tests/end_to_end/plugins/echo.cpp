// Says again what people say, where they said it.
#include <trellis/plugin.hpp>

namespace {
class Echo final : public trellis::Plugin {
 public:
  explicit Echo(trellis::Setup& setup) {
    setup.needs(trellis::Intent::MessageContent);
    setup
        .on([](const trellis::MessageCreate& message, trellis::Work& work) {
          work.send(trellis::discord::create_message(message.channel_id(), std::string(message.content())));
        })
        .no_bots();
  }
};
}  // namespace

TRELLIS_PLUGIN(Echo, "echo", "1.0.0")
