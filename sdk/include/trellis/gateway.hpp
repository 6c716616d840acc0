// What a plugin asks of Discord's gateway: members, the bot's presence, voice channels. Include <trellis/plugin.hpp>.
//
// All of it is for request.call(): it is done now, or an error says why not. The host keeps Discord's limits of what
// may be sent (120 payloads a minute for each shard, together with its heartbeats), so a call may wait for its turn;
// give it a .timeout(). Errors: Code::Timeout, Code::RateLimited, Code::Unavailable (no session, or it ended before the
// answer came), Code::Denied (an intent is missing), Code::Invalid.
#pragma once
#include <trellis/discord/views.hpp>

namespace trellis {

/// What discord::request_members() brought. Views live as long as the Fetched does.
class MemberList {
 public:
  MemberList() = default;
  explicit MemberList(JsonView json) : json_(json) {}
  List<MemberView> members() const { return List<MemberView>(json_["members"]); }
  /// Of the users asked for, those who are not in the server.
  List<UserId> not_found() const {
    return detail::list_of<UserId>(json_["not_found"], [](JsonView id) {
      // What is no id at all comes back as a number.
      return id.is_text() ? id.id<UserTag>() : UserId(static_cast<std::uint64_t>(id.integer()));
    });
  }
  /// With MembersOptions::presences (Discord docs: Gateway Events, Presence Update).
  JsonView presences() const { return json_["presences"]; }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

struct MembersOptions {
  bool presences = false;  ///< Needs Intent::GuildPresences.
};

/// How the bot is shown.
enum class OnlineStatus : std::uint8_t { Online, Idle, DoNotDisturb, Invisible };

struct Activity {
  enum class Kind : std::uint8_t {
    Playing = 0,
    Streaming = 1,
    ListeningTo = 2,
    Watching = 3,
    Custom = 4,
    CompetingIn = 5
  };
  Kind kind = Kind::Playing;
  std::string name;  ///< "chess"; of a custom status the whole text.
  std::string url;   ///< Of Kind::Streaming: at Twitch or YouTube.
};

namespace detail {

inline OperationText gateway(std::string_view verb, Json body, std::string target = {}) {
  OperationText text;
  text.system = "gateway", text.verb = verb, text.target = std::move(target), text.body = body.dump();
  return text;
}
inline Operation<Fetched<MemberList>> request_members(GuildId guild, Json body, MembersOptions options) {
  body.set("guild_id", guild.text());
  if (options.presences) body.set("presences", true);
  return Operation<Fetched<MemberList>>(gateway("request_members", std::move(body), guild.text()));
}
constexpr std::string_view text_of(OnlineStatus status) {
  switch (status) {
    case OnlineStatus::Online:
      return "online";
    case OnlineStatus::Idle:
      return "idle";
    case OnlineStatus::DoNotDisturb:
      return "dnd";
    case OnlineStatus::Invisible:
      return "invisible";
  }
  return "online";
}

}  // namespace detail

namespace discord {

/// All members of a server. Needs Intent::GuildMembers. Discord gives them once in 30 s for each server, for all
/// plugins together: a call in between waits, or fails with Code::RateLimited when its time limit is shorter than that.
/// Of a very large server (an answer above 64 MiB) it fails with Code::TooLarge; discord::request() of
/// "/guilds/{}/members?limit=1000&after={}" takes them page by page.
inline Operation<Fetched<MemberList>> request_members(GuildId guild, MembersOptions options = {}) {
  return detail::request_members(guild, Json::object({{"query", ""}, {"limit", 0}}), options);
}
/// Members whose name or nick begins so; `limit` 1 to 100.
inline Operation<Fetched<MemberList>> request_members(GuildId guild, std::string_view name_begins, int limit,
                                                      MembersOptions options = {}) {
  return detail::request_members(guild, Json::object({{"query", name_begins}, {"limit", limit}}), options);
}
/// These users, 1 to 100.
inline Operation<Fetched<MemberList>> request_members(GuildId guild, std::span<const UserId> users,
                                                      MembersOptions options = {}) {
  Json ids = Json::array();
  for (const UserId user : users) ids.push(user.text());
  return detail::request_members(guild, Json::object({{"user_ids", std::move(ids)}}), options);
}

/// How the bot is shown in all servers of this host, from now on; a restart of the host begins with the setting
/// discord.presence again. Of several that wait the last one counts; Discord takes 5 in 20 s. At most 2 KiB
/// as JSON, else it ends with TL_INVALID.
inline Operation<void> set_presence(OnlineStatus status, const std::vector<Activity>& activities = {}) {
  Json list = Json::array();
  for (const Activity& activity : activities) {
    const bool custom = activity.kind == Activity::Kind::Custom;
    Json entry = Json::object({{"name", custom ? std::string_view("Custom Status") : std::string_view(activity.name)},
                               {"type", static_cast<int>(activity.kind)}});
    if (custom) entry.set("state", activity.name);
    if (!activity.url.empty()) entry.set("url", activity.url);
    list.push(std::move(entry));
  }
  return Operation<void>(detail::gateway(
      "set_presence",
      Json::object(
          {{"since", nullptr}, {"activities", std::move(list)}, {"status", detail::text_of(status)}, {"afk", false}})));
}

/// Into a voice channel, to another, or with no channel out. Done when it is sent; that it happened comes as
/// VoiceStateUpdate. Audio itself is not the host's.
inline Operation<void> set_voice_state(GuildId guild, std::optional<ChannelId> channel, bool muted = false,
                                       bool deafened = false) {
  return Operation<void>(detail::gateway("set_voice_state",
                                         Json::object({{"guild_id", guild.text()},
                                                       {"channel_id", channel ? Json(channel->text()) : Json(nullptr)},
                                                       {"self_mute", muted},
                                                       {"self_deaf", deafened}}),
                                         guild.text()));
}

/// The server's sounds: {"guild_id", "soundboard_sounds": […]} (Discord docs: Soundboard).
inline Operation<Fetched<JsonView>> request_soundboard_sounds(GuildId guild) {
  return Operation<Fetched<JsonView>>(
      detail::gateway("request_soundboard_sounds", Json::object({{"guild_id", guild.text()}}), guild.text()));
}

/// Status and start of what is said in the server's voice channels: {"guild_id", "channels": [{"id", "status",
/// "voice_start_time" (Unix seconds)}]} (Discord docs: Gateway Events, Request Channel Info).
inline Operation<Fetched<JsonView>> request_channel_info(GuildId guild) {
  return Operation<Fetched<JsonView>>(detail::gateway(
      "request_channel_info",
      Json::object({{"guild_id", guild.text()}, {"fields", Json::array({"status", "voice_start_time"})}}),
      guild.text()));
}

}  // namespace discord
}  // namespace trellis
