// Servers and their audit logs. Include <trellis/plugin.hpp>. Discord docs: Guild resource; Audit Log resource.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

/// Which part of an audit log; everything by default. Discord keeps entries for 45 days.
struct AuditQuery {
  UserId user = {};                      // who did it
  std::optional<int> action = {};        // 22 is a ban …: Discord docs, Audit Log Events
  AuditEntryId before = {}, after = {};  // after: the oldest first
  int limit = 50;                        // 1 to 100
};

namespace discord {

/// With approximate counts of members: guild->member_count.
inline Operation<Fetched<Guild>> guild(GuildId guild) {
  return Operation<Fetched<Guild>>(detail::rest("GET", detail::guild_path(guild) + "?with_counts=true"));
}
/// The servers the bot is in: one page of 1 to 200, by rising id. Only id, name and icon, and the member count, are
/// known.
inline Operation<Fetched<List<Guild>>> own_guilds(GuildId after = {}, int limit = 200) {
  detail::Target target("/users/@me/guilds");
  target.with("limit", detail::page_of(limit, 200)).with("with_counts", std::string_view("true")).with("after", after);
  return Operation<Fetched<List<Guild>>>(detail::rest("GET", target));
}
inline Effect<void> leave_guild(GuildId guild) {
  return Effect<void>(detail::rest("DELETE", "/users/@me/guilds/" + guild.text()));
}
/// The newest first, or the oldest with `after`. Needs ViewAuditLog.
inline Operation<Fetched<AuditLog>> audit_log(GuildId guild, const AuditQuery& query = {}) {
  detail::Target target(detail::guild_path(guild) + "/audit-logs");
  target.with("limit", detail::page_of(query.limit, 100)).with("user_id", query.user);
  if (query.action) target.with("action_type", *query.action);
  target.with("before", query.before).with("after", query.after);
  return Operation<Fetched<AuditLog>>(detail::rest("GET", target));
}
/// Where somebody is in a voice channel. Error(NotFound): nowhere.
inline Operation<Fetched<VoiceState>> voice_state(GuildId guild, UserId user) {
  return Operation<Fetched<VoiceState>>(
      detail::rest("GET", detail::guild_path(guild) + "/voice-states/" + user.text()));
}

}  // namespace discord
}  // namespace trellis
