// Who may use which command in a server: read by the bot, written by a person's Bearer token.
#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kMost = 100;

Guild& guild_of(const Call& call) {
  if (call.id(0) != call.world.self.id) {
    refuse(403, 20012, "You are not authorized to perform this action on this application");
  }
  return call.guild(1);
}

json::object permissions_object(const Call& call, Snowflake guild, Snowflake id, const json::array& permissions) {
  return {{"id", id_text(id)},
          {"application_id", id_text(call.world.self.id)},
          {"guild_id", id_text(guild)},
          {"permissions", permissions}};
}

/// The command, or the application itself: all of its commands.
Snowflake known_command(const Call& call, const Guild& guild) {
  const Snowflake id = call.id(2);
  if (id == call.world.self.id) return id;
  for (const Snowflake scope : {guild.id, Snowflake{0}}) {
    for (const json::object& one : call.state.commands[scope]) {
      if (id_of(one.at("id")) == id) return id;
    }
  }
  refuse(404, 10063, "Unknown application command");
}

/// A person sees and changes this only in servers that they manage.
void need_manager(const Call& call, const Guild& guild) {
  if (call.grant == nullptr) return;
  if (call.world.find_member(guild, call.caller()) == nullptr) refuse(403, 50001, "Missing Access");
  constexpr std::uint64_t kNeeded = permission::kManageGuild | permission::kManageRoles;
  if ((permissions_in(call.world, guild, call.caller()) & kNeeded) != kNeeded)
    refuse(403, 50013, "Missing Permissions");
}

Response list(Call& call) {
  const Guild& guild = guild_of(call);
  need_manager(call, guild);
  json::array out;
  for (const auto& [key, permissions] : call.state.command_permissions) {
    if (key.first == guild.id) out.push_back(permissions_object(call, guild.id, key.second, permissions));
  }
  return call.answer(out);
}

Response get(Call& call) {
  const Guild& guild = guild_of(call);
  need_manager(call, guild);
  const Snowflake id = known_command(call, guild);
  const auto found = call.state.command_permissions.find({guild.id, id});
  if (found == call.state.command_permissions.end()) refuse(404, 10066, "Unknown application command permissions");
  return call.answer(permissions_object(call, guild.id, id, found->second));
}

Response put_permissions(Call& call) {
  const Guild& guild = guild_of(call);
  need_manager(call, guild);
  const Snowflake id = known_command(call, guild);
  FormErrors errors;
  Form form(errors, call.body);
  form.required("permissions");
  json::array made;
  if (const auto* list = form.array("permissions", 0, kMost); list != nullptr && list->size() <= kMost) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      Form one(errors, (*list)[i], "permissions." + std::to_string(i));
      const bool whole = std::min({one.required("id"), one.required("type"), one.required("permission")});
      const auto who = one.id("id");
      const auto type = one.integer("type", 1, 3);
      const auto allowed = one.boolean("permission");
      if (!whole || !who || !type || !allowed) continue;
      const bool twice = std::any_of(made.begin(), made.end(), [&](const json::value& other) {
        return id_of(other.at("id")) == *who && other.at("type") == json::value(*type);
      });
      if (twice) one.error("id", "APPLICATION_COMMAND_PERMISSIONS_DUPLICATE", "There is more than one of this id.");
      made.push_back(json::object{{"id", id_text(*who)}, {"type", *type}, {"permission", *allowed}});
    }
  }
  errors.check();
  if (made.empty())
    call.state.command_permissions.erase({guild.id, id});
  else
    call.state.command_permissions[{guild.id, id}] = made;
  const json::object d = permissions_object(call, guild.id, id, made);
  call.gateway.announce("APPLICATION_COMMAND_PERMISSIONS_UPDATE", json::serialize(d), guild.id);
  return call.answer(d);
}

}  // namespace

void add_command_permission_routes(std::vector<Route>& routes) {
  constexpr std::string_view kAll = "/applications/:application/guilds/:guild/commands/permissions";
  constexpr std::string_view kOne = "/applications/:application/guilds/:guild/commands/:command/permissions";
  constexpr std::string_view kScope = "applications.commands.permissions.update";
  routes.insert(routes.end(), {{"GET", kAll, list, {10, 10'000}, {}, false, kScope},
                               {"GET", kOne, get, {10, 10'000}, {}, false, kScope},
                               {"PUT", kOne, put_permissions, {10, 10'000}, {}, false, kScope, false}});
}

}  // namespace trellis::sim
