// Asks the gateway what an operator wants to know.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Gatekeeper final : public Plugin {
 public:
  explicit Gatekeeper(Setup& setup) {
    setup.needs(Intent::GuildMembers);
    setup.method("all", this, &Gatekeeper::all, param("guild"), param("seconds"));
    setup.method("named", this, &Gatekeeper::named, param("guild"), param("begins"));
    setup.method("these", this, &Gatekeeper::these, param("guild"), param("user"), param("other"));
    setup.method("show", this, &Gatekeeper::show, param("text"));
    setup.method("join", this, &Gatekeeper::join, param("guild"), param("channel"));
    setup.method("leave", this, &Gatekeeper::leave, param("guild"));
    setup.method("sounds", this, &Gatekeeper::sounds, param("guild"));
    setup.method("channels", this, &Gatekeeper::channels, param("guild"));
    setup.method("presences", this, &Gatekeeper::presences, param("guild"));
  }

 private:
  Json all(Request& request, GuildId guild, std::int64_t seconds) {
    const auto list = request.call(discord::request_members(guild).timeout(std::chrono::seconds(seconds)));
    return Json(static_cast<std::int64_t>(list->members().size()));
  }
  Json named(Request& request, GuildId guild, std::string_view begins) {
    const auto list = request.call(discord::request_members(guild, begins, 100));
    Json names = Json::array();
    for (const MemberView& member : list->members()) names.push(member.user().username);
    return names;
  }
  Json these(Request& request, GuildId guild, UserId user, UserId other) {
    const UserId users[] = {user, other};
    const auto list = request.call(discord::request_members(guild, users));
    Json found = Json::array(), missing = Json::array();
    for (const MemberView& member : list->members()) found.push(member.user().id);
    for (const UserId id : list->not_found()) missing.push(id.text());
    return Json::object({{"found", std::move(found)}, {"missing", std::move(missing)}});
  }
  Json show(Request& request, std::string_view text) {
    request.call(discord::set_presence(OnlineStatus::DoNotDisturb, {{Activity::Kind::Custom, std::string(text), ""}}));
    return Json(true);
  }
  Json join(Request& request, GuildId guild, ChannelId channel) {
    request.call(discord::set_voice_state(guild, channel, true));
    return Json(true);
  }
  Json leave(Request& request, GuildId guild) {
    request.call(discord::set_voice_state(guild, std::nullopt));
    return Json(true);
  }
  Json sounds(Request& request, GuildId guild) {
    const auto sounds = request.call(discord::request_soundboard_sounds(guild));
    return Json((*sounds)["guild_id"].text());
  }
  Json channels(Request& request, GuildId guild) {
    const auto info = request.call(discord::request_channel_info(guild));
    return Json((*info)["guild_id"].text());
  }
  Json presences(Request& request, GuildId guild) {
    const auto list = request.call(discord::request_members(guild, "a", 1, {.presences = true}));
    return Json(static_cast<std::int64_t>(list->presences().size()));
  }
};

}  // namespace

TRELLIS_PLUGIN(Gatekeeper, "gatekeeper", "1.0.0")
