// Channels of a server. Include <trellis/plugin.hpp>. Discord docs: Channel resource; Guild resource, Create Guild
// Channel. Changes need ManageChannels.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

/// What is not set stays as it is, or as Discord has it at first. Which of them a channel has depends on its type.
struct ChannelSettings {
  std::optional<std::string> name = {};   // 1 to 100 characters
  std::optional<std::string> topic = {};  // at most 1024 characters; of forums 4096
  std::optional<ChannelId> parent = {};   // the category; ChannelId{}: none
  std::optional<int> position = {};
  std::optional<bool> nsfw = {};
  std::optional<std::chrono::seconds> slow_mode = {};  // at most 21600 s; 0: none
  std::optional<int> bitrate = {}, user_limit = {};    // of voice channels; bits per second
  Json json() const {
    Json json = Json::object();
    if (name) json.set("name", detail::within(*name, 100, "a channel's name"));
    if (topic) json.set("topic", detail::within(*topic, 4096, "a channel's topic"));
    if (parent) json.set("parent_id", *parent ? Json(*parent) : Json());
    detail::set_if(json, "position", position);
    detail::set_if(json, "nsfw", nsfw);
    if (slow_mode) json.set("rate_limit_per_user", static_cast<std::int64_t>(slow_mode->count()));
    detail::set_if(json, "bitrate", bitrate);
    detail::set_if(json, "user_limit", user_limit);
    return json;
  }
};

namespace discord {

inline Operation<Fetched<Channel>> channel(ChannelId channel) {
  return Operation<Fetched<Channel>>(detail::rest("GET", detail::channel_path(channel)));
}
/// Without threads.
inline Operation<Fetched<List<Channel>>> channels(GuildId guild) {
  return Operation<Fetched<List<Channel>>>(detail::rest("GET", detail::guild_path(guild) + "/channels"));
}
inline Effect<Fetched<Channel>> create_channel(GuildId guild, ChannelType type, const ChannelSettings& settings,
                                               std::string_view reason = {}) {
  if (!settings.name) throw Error(Code::Invalid, "a new channel has a name");
  Json body = settings.json();
  body.set("type", static_cast<int>(type));
  return Effect<Fetched<Channel>>(
      detail::with_reason(detail::rest("POST", detail::guild_path(guild) + "/channels", body), reason));
}
/// A channel's name and topic can be changed twice in ten minutes; more waits that long, and holds up nothing else.
inline Effect<Fetched<Channel>> edit_channel(ChannelId channel, const ChannelSettings& settings,
                                             std::string_view reason = {}) {
  return Effect<Fetched<Channel>>(
      detail::with_reason(detail::rest("PATCH", detail::channel_path(channel), settings.json()), reason));
}
/// Also a thread.
inline Effect<void> delete_channel(ChannelId channel, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(detail::rest("DELETE", detail::channel_path(channel)), reason));
}

/// What a role may and may not in a channel; replaces what was said before. Needs ManageRoles.
inline Effect<void> set_permissions(ChannelId channel, RoleId role, Permission allow, Permission deny,
                                    std::string_view reason = {}) {
  const Json body = Json::object({{"type", 0},
                                  {"allow", std::to_string(static_cast<std::uint64_t>(allow))},
                                  {"deny", std::to_string(static_cast<std::uint64_t>(deny))}});
  return Effect<void>(detail::with_reason(
      detail::rest("PUT", detail::channel_path(channel) + "/permissions/" + role.text(), body), reason));
}
/// The same of a single member.
inline Effect<void> set_permissions(ChannelId channel, UserId user, Permission allow, Permission deny,
                                    std::string_view reason = {}) {
  const Json body = Json::object({{"type", 1},
                                  {"allow", std::to_string(static_cast<std::uint64_t>(allow))},
                                  {"deny", std::to_string(static_cast<std::uint64_t>(deny))}});
  return Effect<void>(detail::with_reason(
      detail::rest("PUT", detail::channel_path(channel) + "/permissions/" + user.text(), body), reason));
}
/// Of a RoleId or a UserId.
template <class Tag>
Effect<void> clear_permissions(ChannelId channel, Id<Tag> of, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::channel_path(channel) + "/permissions/" + of.text()), reason));
}
/// What stands below a voice channel's name: at most 500 characters; empty: nothing. Needs SetVoiceChannelStatus, and
/// ManageChannels when the bot is not in it.
inline Effect<void> set_voice_status(ChannelId channel, std::string_view status, std::string_view reason = {}) {
  const Json value = status.empty() ? Json() : Json(detail::within(status, 500, "a voice channel's status"));
  return Effect<void>(detail::with_reason(
      detail::rest("PUT", detail::channel_path(channel) + "/voice-status", Json::object({{"status", value}})), reason));
}

}  // namespace discord
}  // namespace trellis
