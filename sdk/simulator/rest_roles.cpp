// Roles of a server.
#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxRoles = 250;

json::object role_object(const Role& role) {
  json::object object = object_of(role.json);
  object.erase("version");
  return object;
}

std::int64_t position(const Role& role) { return object_of(role.json)["position"].to_number<std::int64_t>(); }

void announce(const Call& call, std::string_view type, const Guild& guild, const Role& role) {
  json::object d{{"guild_id", id_text(guild.id)}};
  if (type == "GUILD_ROLE_DELETE")
    d["role_id"] = id_text(role.id);
  else
    d["role"] = object_of(role.json);
  call.gateway.announce(type, json::serialize(d), guild.id);
}

/// Reads the fields of a role into `role`.
void read_role(const Call& call, const Guild& guild, json::object& role) {
  const json::value nothing = json::object{};
  FormErrors errors;
  Form form(errors, call.body.is_null() ? nothing : call.body);
  const auto name = form.text("name", 0, 100);
  const auto permissions = form.id("permissions");
  const auto color = form.integer("color", 0, 0xFFFFFF);
  const auto hoist = form.boolean("hoist");
  const auto mentionable = form.boolean("mentionable");
  if (form.object("colors") != nullptr) {
    Form colors(errors, *form.at("colors"), "colors");
    if (const auto primary = colors.integer("primary_color", 0, 0xFFFFFF)) role["color"] = *primary;
  }
  errors.check();
  if (permissions) {
    // Only what the bot has itself can be given.
    const std::uint64_t own = permissions_in(call.world, guild, kNone);
    if ((*permissions & permission::kAll & ~own) != 0) refuse(403, 50013, "Missing Permissions");
    role["permissions"] = id_text(*permissions & permission::kAll);
  }
  if (name) role["name"] = *name;
  if (color) role["color"] = *color;
  const json::value plain = role["color"];
  role["colors"] = {{"primary_color", plain}, {"secondary_color", nullptr}, {"tertiary_color", nullptr}};
  if (hoist) role["hoist"] = *hoist;
  if (mentionable) role["mentionable"] = *mentionable;
}

void set_position(Role& role, std::int64_t to) {
  edit_json(role.json, [&](json::object& object) { object["position"] = to; });
}

Response list(Call& call) {
  json::array roles;
  for (const Role& role : call.guild(0).roles) roles.push_back(role_object(role));
  return call.answer(roles);
}

Response count(Call& call) {
  const Guild& guild = call.guild(0);
  json::object counts;
  for (const Role& role : guild.roles) {
    if (role.id != guild.id) counts[std::to_string(role.id)] = 0;
  }
  const auto add = [&](std::string_view membership) {
    const json::object object = object_of(membership);
    for (const json::value& role : object.at("roles").as_array()) {
      json::value& sum = counts[role.as_string()];
      sum = sum.is_int64() ? sum.get_int64() + 1 : 1;
    }
  };
  add(guild.self_member);
  for (const Member& member : guild.members) add(member.json);
  return call.answer(counts);
}

Response get(Call& call) { return call.answer(role_object(call.role(call.guild(0), call.id(1)))); }

Response create(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageRoles);
  if (guild.roles.size() >= kMaxRoles) refuse(400, 30005, "Maximum number of server roles reached (250)");
  Role role;
  role.id = call.state.new_id();
  json::object object{{"id", id_text(role.id)},
                      {"name", "new role"},
                      {"permissions", object_of(guild.roles.front().json)["permissions"]},
                      {"position", 1},
                      {"color", 0},
                      {"hoist", false},
                      {"managed", false},
                      {"mentionable", false},
                      {"icon", nullptr},
                      {"unicode_emoji", nullptr},
                      {"tags", json::object{}},
                      {"flags", 0},
                      {"version", 1}};
  read_role(call, guild, object);
  role.json = json::serialize(object);
  // A new role lies right above @everyone; the others move up, the bot's own stays on top.
  for (Role& other : guild.roles) {
    if (other.id != guild.id) set_position(other, position(other) + 1);
  }
  guild.roles.insert(guild.roles.begin() + 1, std::move(role));
  announce(call, "GUILD_ROLE_CREATE", guild, guild.roles[1]);
  call.audit(guild, 30, guild.roles[1].id);
  return call.answer(role_object(guild.roles[1]));
}

Response edit(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageRoles);
  Role& role = call.role(guild, call.id(1));
  call.need_above(guild, position(role));
  json::object object = object_of(role.json);
  read_role(call, guild, object);
  role.json = json::serialize(object);
  announce(call, "GUILD_ROLE_UPDATE", guild, role);
  call.audit(guild, 31, role.id);
  return call.answer(role_object(role));
}

Response move(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageRoles);
  if (!call.body.is_array()) {
    FormErrors errors;
    errors.add("_misc", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
    errors.check();
  }
  std::vector<std::pair<Role*, std::int64_t>> moves;
  for (const json::value& one : call.body.get_array()) {
    FormErrors errors;
    Form form(errors, one);
    form.required("id");
    const auto id = form.id("id");
    const auto to = form.integer("position", 1, INT32_MAX);
    errors.check();
    Role& role = call.role(guild, *id);
    call.need_above(guild, std::max(position(role), to.value_or(0)));
    if (to) moves.emplace_back(&role, *to);
  }
  for (const auto& [role, to] : moves) {
    set_position(*role, to);
    announce(call, "GUILD_ROLE_UPDATE", guild, *role);
  }
  return list(call);
}

Response remove(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageRoles);
  const Role role = call.role(guild, call.id(1));
  if (role.id == guild.id || role.managed) refuse(400, 50028, "Invalid Role");
  call.need_above(guild, position(role));
  std::erase_if(guild.roles, [&](const Role& one) { return one.id == role.id; });
  announce(call, "GUILD_ROLE_DELETE", guild, role);
  const std::string id = std::to_string(role.id);
  for (Member& member : guild.members) {
    if (member.json.find(id) == std::string::npos) continue;
    edit_json(member.json, [&](json::object& membership) {
      auto& roles = membership["roles"].as_array();
      for (auto at = roles.begin(); at != roles.end();) at = at->as_string() == id ? roles.erase(at) : at + 1;
    });
    call.gateway.announce_member(guild, member.user);
  }
  call.audit(guild, 32, role.id);
  return call.nothing();
}

}  // namespace

void add_role_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/guilds/:guild/roles", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/roles", create, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/roles", move, {10, 10'000}},
                               {"GET", "/guilds/:guild/roles/member-counts", count, {10, 10'000}},
                               {"GET", "/guilds/:guild/roles/:role", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/roles/:role", edit, {10, 10'000}},
                               {"DELETE", "/guilds/:guild/roles/:role", remove, {10, 10'000}}});
}

}  // namespace trellis::sim
