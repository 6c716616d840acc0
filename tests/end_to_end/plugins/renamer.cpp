// Changes channels and says things in them, also through webhooks, when it is asked to; none of it waits for long.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Renamer final : public Plugin {
 public:
  explicit Renamer(Setup& setup) {
    setup.needs(Intent::MessageContent);
    setup.on([](const MessageCreate&, Work&) {});
    setup.method("say", this, &Renamer::say, param("channel"), param("text"));
    setup.method("rename", this, &Renamer::rename, param("channel"), param("name"));
    setup.method("post", this, &Renamer::post, param("id"), param("token"), param("text"));
    setup.method("remove", this, &Renamer::remove, param("id"), param("token"));
    setup.method("send", this, &Renamer::send, param("id"), param("token"), param("texts"));
    setup.method("mark", this, &Renamer::mark, param("channel"), param("nsfw"));
    setup.method("insist", this, &Renamer::insist, param("channel"));
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};

  Json say(Request& request, ChannelId channel, std::string text) {
    return Json(request.call(discord::create_message(channel, text).timeout(kPatience))->id());
  }
  Json rename(Request& request, ChannelId channel, std::string name) {
    return Json(request.call(discord::edit_channel(channel, {.name = name}).timeout(kPatience))->name);
  }
  /// Through a webhook: now, and later.
  Json post(Request& request, WebhookId id, std::string token, std::string text) {
    return Json(request.call(discord::execute_webhook({id, token}, text).timeout(kPatience))->id());
  }
  Json remove(Request& request, WebhookId id, std::string) {
    request.call(discord::delete_webhook(id).timeout(kPatience));
    return Json(true);
  }
  Json send(Request& request, WebhookId id, std::string token, int texts) {
    for (int i = 0; i < texts; ++i) request.send(discord::execute_webhook({id, token}, std::to_string(i)));
    return Json(true);
  }
  Json mark(Request& request, ChannelId channel, bool nsfw) {
    return Json(request.call(discord::edit_channel(channel, {.nsfw = nsfw}).timeout(kPatience))->nsfw);
  }
  /// Changes the channel although that is refused, until it is refused here.
  Json insist(Request& request, ChannelId channel) {
    for (std::int64_t refused = 0;;) {
      std::string because = "it was not refused";
      try {
        request.call(discord::edit_channel(channel, {.nsfw = true}).timeout(2s));
      } catch (const Error& error) {
        because = error.what();
        if (error.code() == Code::Denied) {
          ++refused;
          continue;
        }
        // A machine may take that long for an answer, too.
        if (error.code() == Code::Timeout && because.find("banned") == std::string::npos) continue;
      }
      return Json::object({{"refused", refused}, {"because", because}});
    }
  }
};

}  // namespace

TRELLIS_PLUGIN(Renamer, "renamer", "1.0.0")
