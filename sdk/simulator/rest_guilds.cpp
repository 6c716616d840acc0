// Servers: what they are, what lies in them, bans and the audit log.
#include <fmt/format.h>

#include <algorithm>

#include "call.hpp"
#include "render.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

json::object guild_object(const Call& call, const Guild& guild, bool counts) {
  std::string text;
  put_guild(text, call.world, guild);
  json::object object = object_of(text);
  object["max_presences"] = nullptr;
  if (!counts) {
    object.erase("approximate_member_count");
    object.erase("approximate_presence_count");
  }
  return object;
}

Response get_guild(Call& call) {
  return call.answer(guild_object(call, call.guild(0), call.query_flag("with_counts")));
}

Response edit_guild(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuild);
  FormErrors errors;
  Form form(errors, call.body);
  const auto name = form.text("name", 2, 100);
  errors.check();
  if (name && *name != guild.name) {
    call.audit(guild, 1, guild.id, {{{"key", "name"}, {"old_value", guild.name}, {"new_value", *name}}});
    guild.name = *name;
    call.gateway.announce("GUILD_UPDATE", json::serialize(guild_object(call, guild, false)), guild.id);
  }
  return call.answer(guild_object(call, guild, false));
}

Response list_channels(Call& call) {
  const Guild& guild = call.guild(0);
  json::array list;
  for (const std::uint32_t index : guild.channels) {
    if ((permissions_in_channel(call.world, index, kNone) & permission::kViewChannel) != 0) {
      list.push_back(channel_object(call.world, index));
    }
  }
  return call.answer(list);
}

Response get_voice_state(Call& call) {
  const Guild& guild = call.guild(0);
  const std::uint32_t user = call.user(1);
  for (const VoiceState& state : guild.voice_states) {
    if (state.user != user) continue;
    std::string text;
    put_voice_state(text, call.world, guild, state, true);
    json::object object = object_of(text);
    object["self_stream"] = false;
    object["member"] = member_object(call.world, guild, user);
    return call.answer(object);
  }
  refuse(404, 10065, "Unknown Voice State");
}

Response list_audit_log(Call& call) {
  const Guild& guild = call.guild(0);
  call.need(guild, permission::kViewAuditLog);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 50, 1, 100));
  const Snowflake user = call.query_id("user_id");
  const auto action = call.query_number("action_type", 0, 0, 1000);
  const Snowflake before = call.query_id("before");
  const Snowflake after = call.query_id("after");
  json::array entries;
  const auto take = [&](const json::object& entry) {
    const Snowflake id = id_of(entry.at("id"));
    if (id_of(entry.at("guild_id")) != guild.id || entries.size() == limit) return;
    if ((before != 0 && id >= before) || (after != 0 && id <= after)) return;
    if (user != 0 && id_of(entry.at("user_id")) != user) return;
    if (action != 0 && entry.at("action_type").to_number<std::int64_t>() != action) return;
    json::object one = entry;
    one.erase("guild_id");
    entries.push_back(std::move(one));
  };
  // Newest first, but with `after` the other way round.
  if (after != 0)
    std::for_each(call.state.audit.begin(), call.state.audit.end(), take);
  else
    std::for_each(call.state.audit.rbegin(), call.state.audit.rend(), take);
  json::array users;
  if (!entries.empty()) users.push_back(user_object(call.world, kNone));
  return call.answer(json::object{{"audit_log_entries", std::move(entries)},
                                  {"users", std::move(users)},
                                  {"integrations", json::array{}},
                                  {"webhooks", json::array{}},
                                  {"guild_scheduled_events", json::array{}},
                                  {"threads", json::array{}},
                                  {"application_commands", json::array{}},
                                  {"auto_moderation_rules", json::array{}}});
}

json::object ban_object(const Call& call, Snowflake user, const std::string& why) {
  const User* found = call.world.find_user(user);
  json::value reason(nullptr);
  if (!why.empty()) reason = why;
  return {{"user", user_object(call.world, call.world.index_of(*found))}, {"reason", std::move(reason)}};
}

Response list_bans(Call& call) {
  const Guild& guild = call.guild(0);
  call.need(guild, permission::kBanMembers);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 1000, 1, 1000));
  const Snowflake after = call.query_id("after");
  const Snowflake before = call.query_id("before");
  json::array list;
  for (const auto& [key, why] : call.state.bans) {
    if (key.first != guild.id || key.second <= after || (before != 0 && key.second >= before)) continue;
    if (list.size() < limit) list.push_back(ban_object(call, key.second, why));
  }
  return call.answer(list);
}

Response get_ban(Call& call) {
  const Guild& guild = call.guild(0);
  call.need(guild, permission::kBanMembers);
  const auto found = call.state.bans.find({guild.id, call.id(1)});
  if (found == call.state.bans.end()) refuse(404, 10026, "Unknown Ban");
  return call.answer(ban_object(call, found->first.second, found->second));
}

void announce_user(const Call& call, std::string_view type, const Guild& guild, std::uint32_t user) {
  const json::object d{{"guild_id", id_text(guild.id)}, {"user", user_object(call.world, user)}};
  call.gateway.announce(type, json::serialize(d), guild.id);
}

void remove_from(const Call& call, Guild& guild, std::uint32_t user) {
  for (const VoiceState& state : guild.voice_states) {
    if (state.user != user) continue;
    VoiceState gone = state;
    gone.channel = kNone;
    call.gateway.announce_voice(guild, gone);
    break;
  }
  call.world.remove_member(guild, user);
  announce_user(call, "GUILD_MEMBER_REMOVE", guild, user);
}

/// The bot, bots and those above it are out of reach. (Bots stay because the stream writes in their names.)
void need_over(const Call& call, const Guild& guild, std::uint32_t user) {
  if (user == kNone || call.world.users[user].bot) refuse(403, 50013, "Missing Permissions");
  call.need_above(guild, top_role(call.world, guild, user));
}

Response kick(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kKickMembers);
  const std::uint32_t user = call.member(guild, 1);
  need_over(call, guild, user);
  remove_from(call, guild, user);
  call.audit(guild, 20, call.world.users[user].id);
  return call.nothing();
}

Response ban(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kBanMembers);
  if (!call.body.is_null()) {
    FormErrors errors;
    Form form(errors, call.body);
    form.integer("delete_message_seconds", 0, 604'800);
    form.integer("delete_message_days", 0, 7);
    errors.check();
  }
  const std::uint32_t user = call.user(1);
  need_over(call, guild, user);
  const Snowflake id = call.world.users[user].id;
  const bool first = call.state.bans.emplace(std::pair{guild.id, id}, call.reason).second;
  if (call.world.find_member(guild, user) != nullptr) remove_from(call, guild, user);
  if (first) {
    announce_user(call, "GUILD_BAN_ADD", guild, user);
    call.audit(guild, 22, id);
  }
  return call.nothing();
}

Response unban(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kBanMembers);
  const Snowflake id = call.id(1);
  if (call.state.bans.erase({guild.id, id}) == 0) refuse(404, 10026, "Unknown Ban");
  announce_user(call, "GUILD_BAN_REMOVE", guild, call.world.index_of(*call.world.find_user(id)));
  call.audit(guild, 23, id);
  return call.nothing();
}

}  // namespace

void add_guild_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/guilds/:guild", get_guild, {10, 10'000}},
                               {"PATCH", "/guilds/:guild", edit_guild, {10, 10'000}},
                               {"GET", "/guilds/:guild/channels", list_channels, {10, 10'000}},
                               {"GET", "/guilds/:guild/voice-states/:user", get_voice_state, {10, 10'000}},
                               {"GET", "/guilds/:guild/audit-logs", list_audit_log, {10, 10'000}},
                               {"GET", "/guilds/:guild/bans", list_bans, {10, 10'000}},
                               {"GET", "/guilds/:guild/bans/:user", get_ban, {10, 10'000}},
                               {"PUT", "/guilds/:guild/bans/:user", ban, {10, 10'000}},
                               {"DELETE", "/guilds/:guild/bans/:user", unban, {10, 10'000}},
                               {"DELETE", "/guilds/:guild/members/:user", kick, {5, 1000}}});
}

}  // namespace trellis::sim
