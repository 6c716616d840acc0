// Members of a server, and who is banned from it. Include <trellis/plugin.hpp>. Discord docs: Guild resource, Get Guild
// Member and those after it. The bot acts only on members whose highest role is below its own.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis::discord {

inline Operation<Fetched<MemberView>> member(GuildId guild, UserId user) {
  return Operation<Fetched<MemberView>>(detail::rest("GET", detail::member_path(guild, user)));
}
/// One page of 1 to 1000, by rising id. Needs the intent GuildMembers. For more of them: all_members().
inline Operation<Fetched<List<MemberView>>> members(GuildId guild, UserId after = {}, int limit = 1000) {
  detail::Target target(detail::guild_path(guild) + "/members");
  target.with("limit", detail::page_of(limit, 1000)).with("after", after);
  return Operation<Fetched<List<MemberView>>>(detail::rest("GET", target));
}
/// Members whose name or nickname begins so: 1 to 1000 of them.
inline Operation<Fetched<List<MemberView>>> find_members(GuildId guild, std::string_view name, int limit = 25) {
  detail::Target target(detail::guild_path(guild) + "/members/search");
  target.with("query", name).with("limit", detail::page_of(limit, 1000));
  return Operation<Fetched<List<MemberView>>>(detail::rest("GET", target));
}

/// Several things at once. Discord docs: Modify Guild Member.
inline Effect<Fetched<MemberView>> edit_member(GuildId guild, UserId user, const Json& changes,
                                               std::string_view reason = {}) {
  return Effect<Fetched<MemberView>>(
      detail::with_reason(detail::rest("PATCH", detail::member_path(guild, user), changes), reason));
}
/// At most 32 characters; empty: none. Needs ManageNicknames.
inline Effect<Fetched<MemberView>> set_nick(GuildId guild, UserId user, std::string_view nick,
                                            std::string_view reason = {}) {
  const Json value = nick.empty() ? Json() : Json(detail::within(nick, 32, "a nickname"));
  return edit_member(guild, user, Json::object({{"nick", value}}), reason);
}
/// The bot's own. Needs ChangeNickname.
inline Effect<Fetched<MemberView>> set_own_nick(GuildId guild, std::string_view nick, std::string_view reason = {}) {
  const Json value = nick.empty() ? Json() : Json(detail::within(nick, 32, "a nickname"));
  return Effect<Fetched<MemberView>>(detail::with_reason(
      detail::rest("PATCH", detail::guild_path(guild) + "/members/@me", Json::object({{"nick", value}})), reason));
}
/// Whoever is in no voice channel cannot be muted, deafened, moved or disconnected: Error(Invalid).
inline Effect<Fetched<MemberView>> set_muted(GuildId guild, UserId user, bool muted, std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"mute", muted}}), reason);
}
inline Effect<Fetched<MemberView>> set_deafened(GuildId guild, UserId user, bool deafened,
                                                std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"deaf", deafened}}), reason);
}
/// Into another voice channel.
inline Effect<Fetched<MemberView>> move_member(GuildId guild, UserId user, ChannelId channel,
                                               std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"channel_id", channel}}), reason);
}
/// Out of the voice channel.
inline Effect<Fetched<MemberView>> disconnect(GuildId guild, UserId user, std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"channel_id", nullptr}}), reason);
}
/// They may look and not speak until then: at most 28 days from now. Needs ModerateMembers.
inline Effect<Fetched<MemberView>> time_out(GuildId guild, UserId user, Time until, std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"communication_disabled_until", until}}), reason);
}
inline Effect<Fetched<MemberView>> end_time_out(GuildId guild, UserId user, std::string_view reason = {}) {
  return edit_member(guild, user, Json::object({{"communication_disabled_until", nullptr}}), reason);
}

/// Needs KickMembers.
inline Effect<void> kick(GuildId guild, UserId user, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(detail::rest("DELETE", detail::member_path(guild, user)), reason));
}
/// And deletes what they wrote in the last so many seconds: 0 to 604800. Needs BanMembers.
inline Effect<void> ban(GuildId guild, UserId user, std::chrono::seconds delete_messages = {},
                        std::string_view reason = {}) {
  if (delete_messages.count() < 0 || delete_messages.count() > 604'800)
    throw Error(Code::Invalid, "a ban deletes messages of the last 0 to 604800 seconds (7 days)");
  return Effect<void>(detail::with_reason(
      detail::rest("PUT", detail::guild_path(guild) + "/bans/" + user.text(),
                   Json::object({{"delete_message_seconds", static_cast<std::int64_t>(delete_messages.count())}})),
      reason));
}
/// 1 to 200 users. Answers with {"banned_users": […], "failed_users": […]}. Needs BanMembers and ManageGuild.
inline Effect<Fetched<JsonView>> ban_all(GuildId guild, const std::vector<UserId>& users,
                                         std::chrono::seconds delete_messages = {}, std::string_view reason = {}) {
  if (users.empty() || users.size() > 200)
    throw Error(Code::Invalid, "ban_all() takes 1 to 200 users, not " + std::to_string(users.size()));
  auto text =
      detail::rest("POST", detail::guild_path(guild) + "/bulk-ban",
                   Json::object({{"user_ids", users},
                                 {"delete_message_seconds", static_cast<std::int64_t>(delete_messages.count())}}));
  text.flags |= TL_OPERATION_REPEATABLE;
  return Effect<Fetched<JsonView>>(detail::with_reason(std::move(text), reason));
}
inline Effect<void> unban(GuildId guild, UserId user, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::guild_path(guild) + "/bans/" + user.text()), reason));
}
/// Error(NotFound) when they are not banned.
inline Operation<Fetched<BanView>> ban_of(GuildId guild, UserId user) {
  return Operation<Fetched<BanView>>(detail::rest("GET", detail::guild_path(guild) + "/bans/" + user.text()));
}
/// One page of 1 to 1000, by rising id. For more of them: all_bans().
inline Operation<Fetched<List<BanView>>> bans(GuildId guild, UserId after = {}, int limit = 1000) {
  detail::Target target(detail::guild_path(guild) + "/bans");
  target.with("limit", detail::page_of(limit, 1000)).with("after", after);
  return Operation<Fetched<List<BanView>>>(detail::rest("GET", target));
}

}  // namespace trellis::discord
