// Members: read, search, edit, and their roles.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "call.hpp"
#include "event_types.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::int64_t kMaxTimeoutMs = 28 * kDayMs;

Response get_member(Call& call) {
  const Guild& guild = call.guild(0);
  return call.answer(member_object(call.world, guild, call.member(guild, 1)));
}

Response list_members(Call& call) {
  const Guild& guild = call.guild(0);
  if ((call.gateway.options.granted_intents() & intent::kGuildMembers) == 0) refuse(403, 50001, "Missing Access");
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 1, 1, 1000));
  const Snowflake after = call.query_id("after");
  std::vector<std::pair<Snowflake, std::uint32_t>> sorted;
  if (call.world.self.id > after) sorted.emplace_back(call.world.self.id, kNone);
  for (const Member& member : guild.members) {
    const Snowflake id = call.world.users[member.user].id;
    if (id > after) sorted.emplace_back(id, member.user);
  }
  const std::size_t count = std::min(limit, sorted.size());
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count), sorted.end());
  json::array list;
  for (std::size_t i = 0; i < count; ++i) list.push_back(member_object(call.world, guild, sorted[i].second));
  return call.answer(list);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Response search_members(Call& call) {
  const Guild& guild = call.guild(0);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 1, 1, 1000));
  const auto query = call.query_text("query");
  if (!query || query->empty()) {
    FormErrors errors;
    errors.add("query", "BASE_TYPE_REQUIRED", "This field is required");
    errors.check();
  }
  const std::string wanted = lower(*query);
  json::array list;
  for (const Member& member : guild.members) {
    if (list.size() == limit) break;
    const json::object object = member_object(call.world, guild, member.user);
    const json::object& user = object.at("user").as_object();
    for (const json::value* name : {&user.at("username"), &user.at("global_name"), &object.at("nick")}) {
      if (!name->is_string() || !lower(name->get_string()).starts_with(wanted)) continue;
      list.push_back(object);
      break;
    }
  }
  return call.answer(list);
}

void edit_membership(World& world, Guild& guild, std::uint32_t user, auto&& change) {
  if (user == kNone) return edit_json(guild.self_member, change);
  for (Member& member : guild.members) {
    if (member.user == user) return edit_json(member.json, change);
  }
  static_cast<void>(world);
}

std::vector<Snowflake> roles_of(const json::object& membership) {
  std::vector<Snowflake> ids;
  for (const json::value& role : membership.at("roles").as_array()) ids.push_back(id_of(role));
  return ids;
}

json::array role_list(const std::vector<Snowflake>& ids) {
  json::array list;
  for (const Snowflake id : ids) list.push_back(id_text(id));
  return list;
}

std::int64_t position(Call& call, Guild& guild, Snowflake role) {
  return object_of(call.role(guild, role).json)["position"].to_number<std::int64_t>();
}

/// May the bot give or take this role?
void need_role(Call& call, Guild& guild, Snowflake role) {
  const Role& found = call.role(guild, role);
  if (found.managed || role == guild.id) refuse(400, 50028, "Invalid Role");
  call.need_above(guild, position(call, guild, role));
}

void audit_roles(const Call& call, const Guild& guild, std::uint32_t user, std::string_view key, Snowflake role,
                 const json::object& name) {
  call.audit(
      guild, 25, user == kNone ? call.world.self.id : call.world.users[user].id,
      {{{"key", key}, {"new_value", json::array{json::object{{"id", id_text(role)}, {"name", name.at("name")}}}}}});
}

Response change_role(Call& call, bool add) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageRoles);
  const std::uint32_t user = call.member(guild, 1);
  const Snowflake role = call.id(2);
  need_role(call, guild, role);
  bool changed = false;
  edit_membership(call.world, guild, user, [&](json::object& membership) {
    auto roles = roles_of(membership);
    if (add && std::find(roles.begin(), roles.end(), role) == roles.end()) {
      roles.push_back(role);
      changed = true;
    } else if (!add) {
      changed = std::erase(roles, role) > 0;
    }
    membership["roles"] = role_list(roles);
  });
  if (changed) {
    call.gateway.announce_member(guild, user);
    audit_roles(call, guild, user, add ? "$add" : "$remove", role, object_of(call.role(guild, role).json));
  }
  return call.nothing();
}

Response add_role(Call& call) { return change_role(call, true); }
Response remove_role(Call& call) { return change_role(call, false); }

VoiceState* voice_state(Guild& guild, std::uint32_t user) {
  for (VoiceState& state : guild.voice_states) {
    if (state.user == user) return &state;
  }
  return nullptr;
}

/// `channel_id` of an edit: moves within voice, or disconnects.
void move(Call& call, Guild& guild, std::uint32_t user, Form& form) {
  VoiceState* state = voice_state(guild, user);
  if (state == nullptr) refuse(400, 40032, "Target user is not connected to voice.");
  if (form.null("channel_id")) {
    VoiceState gone = *state;
    gone.channel = kNone;
    std::erase_if(guild.voice_states, [&](const VoiceState& one) { return one.user == user; });
    call.gateway.announce_voice(guild, gone);
    return;
  }
  const Channel* channel = call.world.find_channel(form.id("channel_id").value_or(0));
  if (channel == nullptr || &call.world.guilds[channel->guild] != &guild) refuse(404, 10003, "Unknown Channel");
  if (channel->kind != ChannelKind::kVoice && channel->kind != ChannelKind::kStage) {
    refuse(400, 50024, "Cannot execute action on this channel type");
  }
  state->channel = call.world.index_of(*channel);
  call.gateway.announce_voice(guild, *state);
}

Response edit_member(Call& call) {
  Guild& guild = call.guild(0);
  const bool self = call.params.size() == 1;  // .../members/@me
  const std::uint32_t user = self ? kNone : call.member(guild, 1);
  const Snowflake id = user == kNone ? call.world.self.id : call.world.users[user].id;
  FormErrors errors;
  Form form(errors, call.body);
  const auto nick = form.text("nick", 0, 32);
  const auto until = form.time("communication_disabled_until");
  const auto* roles = form.array("roles", 0, 250);
  form.boolean("mute");
  form.boolean("deaf");
  form.id("channel_id");
  if (until && *until > wall_clock_ms() + kMaxTimeoutMs) {
    form.error("communication_disabled_until", "GUILD_MEMBER_TIMEOUT_TOO_LONG",
               "Communication disabled timeout must be at most 28 days in the future.");
  }
  errors.check();

  // All is checked before anything changes.
  if (form.has("nick")) call.need(guild, user == kNone ? permission::kChangeNickname : permission::kManageNicknames);
  if (form.has("roles")) call.need(guild, permission::kManageRoles);
  if (form.has("mute")) call.need(guild, permission::kMuteMembers);
  if (form.has("deaf")) call.need(guild, permission::kDeafenMembers);
  if (form.has("channel_id")) call.need(guild, permission::kMoveMembers);
  if (form.has("communication_disabled_until")) {
    call.need(guild, permission::kModerateMembers);
    if (user != kNone && (permissions_in(call.world, guild, user) & permission::kAdministrator) != 0) {
      refuse(403, 50013, "Missing Permissions");
    }
  }
  if (user != kNone && (form.has("nick") || form.has("communication_disabled_until"))) {
    call.need_above(guild, top_role(call.world, guild, user));
  }
  std::vector<Snowflake> wanted;
  if (roles != nullptr) {
    for (const json::value& role : *roles) wanted.push_back(id_of(role));
    const auto before = roles_of(membership_object(call.world, guild, user));
    const auto has = [](const std::vector<Snowflake>& list, Snowflake one) {
      return std::find(list.begin(), list.end(), one) != list.end();
    };
    for (const Snowflake role : wanted) {
      if (!has(before, role)) need_role(call, guild, role);
    }
    for (const Snowflake role : before) {
      if (!has(wanted, role)) need_role(call, guild, role);
    }
  }
  if ((form.has("mute") || form.has("deaf")) && voice_state(guild, user) == nullptr) {
    refuse(400, 40032, "Target user is not connected to voice.");
  }
  if (form.has("channel_id")) move(call, guild, user, form);

  json::array changes;
  const json::object before = membership_object(call.world, guild, user);
  edit_membership(call.world, guild, user, [&](json::object& membership) {
    if (form.has("nick")) {
      membership["nick"] = nullptr;
      if (nick && !nick->empty()) membership["nick"] = *nick;
    }
    if (form.has("communication_disabled_until")) {
      membership["communication_disabled_until"] = nullptr;
      if (until) membership["communication_disabled_until"] = time_text(*until);
    }
    if (roles != nullptr) membership["roles"] = role_list(wanted);
    for (const char* key : {"mute", "deaf"}) {
      if (form.has(key) && !form.null(key)) membership[key] = *form.at(key);
    }
    for (const auto& [key, value] : membership) {
      if (before.at(key) == value) continue;
      json::object one{{"key", key}};
      if (!before.at(key).is_null()) one["old_value"] = before.at(key);
      if (!value.is_null()) one["new_value"] = value;
      changes.push_back(std::move(one));
    }
  });
  if (VoiceState* state = voice_state(guild, user); state != nullptr && (form.has("mute") || form.has("deaf"))) {
    state->mute = form.boolean("mute").value_or(state->mute);
    state->deaf = form.boolean("deaf").value_or(state->deaf);
    call.gateway.announce_voice(guild, *state);
  }
  if (!changes.empty()) {
    call.gateway.announce_member(guild, user);
    call.audit(guild, 24, id, std::move(changes));
  }
  return call.answer(member_object(call.world, guild, user));
}

}  // namespace

void add_member_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(),
                {{"GET", "/guilds/:guild/members", list_members, {10, 10'000}},
                 {"GET", "/guilds/:guild/members/search", search_members, {10, 10'000}},
                 {"PATCH", "/guilds/:guild/members/@me", edit_member, {10, 10'000}},
                 {"GET", "/guilds/:guild/members/:user", get_member, {5, 1000}},
                 {"PATCH", "/guilds/:guild/members/:user", edit_member, {10, 10'000}},
                 {"PUT", "/guilds/:guild/members/:user/roles/:role", add_role, {10, 10'000}, "member roles"},
                 {"DELETE", "/guilds/:guild/members/:user/roles/:role", remove_role, {10, 10'000}, "member roles"}});
}

}  // namespace trellis::sim
