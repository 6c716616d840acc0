// Says again what people say, where they said it; and what an operator has it say, or read.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Echo final : public Plugin {
 public:
  explicit Echo(Setup& setup) {
    setup.needs(Intent::MessageContent);
    setup
        .on([](const MessageCreate& message, Work& work) {
          work.send(discord::create_message(message.channel_id(), std::string(message.content())));
        })
        .no_bots();
    setup.method("say", this, &Echo::say, param("channel"), param("text"));
    setup.method("newest", this, &Echo::newest, param("channel"));
    setup.method("forget", this, &Echo::forget, param("channel"), param("message"));
  }

 private:
  Json say(Request& request, ChannelId channel, std::string_view text) {
    const auto message = request.call(discord::create_message(channel, std::string(text)));
    return Json(message->id().text());
  }

  Json newest(Request& request, ChannelId channel) {
    const auto messages = request.call(discord::messages(channel, {.limit = 1}).timeout(std::chrono::seconds(5)));
    for (const MessageView& message : *messages) return Json(message.content());
    return {};
  }

  Json forget(Request& request, ChannelId channel, MessageId message) {
    request.call(discord::delete_message(channel, message));
    return Json(true);
  }
};

}  // namespace

TRELLIS_PLUGIN(Echo, "echo", "1.0.0")
