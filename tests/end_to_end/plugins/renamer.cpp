// Changes channels and says things in them, when it is asked to; none of it waits for long.
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
  Json mark(Request& request, ChannelId channel, bool nsfw) {
    return Json(request.call(discord::edit_channel(channel, {.nsfw = nsfw}).timeout(kPatience))->nsfw);
  }
  /// Changes the channel although that is refused, until it ends in another way.
  Json insist(Request& request, ChannelId channel) {
    for (std::int64_t refused = 0;; ++refused) {
      std::string because = "it was not refused";
      try {
        request.call(discord::edit_channel(channel, {.nsfw = true}).timeout(2s));
      } catch (const Error& error) {
        if (error.code() == Code::Denied) continue;
        because = error.what();
      }
      return Json::object({{"refused", refused}, {"because", because}});
    }
  }
};

}  // namespace

TRELLIS_PLUGIN(Renamer, "renamer", "1.0.0")
