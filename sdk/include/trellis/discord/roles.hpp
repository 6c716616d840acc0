// Roles of a server. Include <trellis/plugin.hpp>. Discord docs: Guild resource, Create Guild Role and those after it.
// All changes need ManageRoles, and reach only roles below the bot's own highest.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

/// What is not set stays as it is, or as Discord has it at first.
struct RoleSettings {
  std::optional<std::string> name = {};  // at most 100 characters
  std::optional<Permission> permissions = {};
  std::optional<std::uint32_t> color = {};  // 0xRRGGBB; 0: none
  std::optional<bool> hoist = {}, mentionable = {};
  Json json() const {
    Json json = Json::object();
    if (name) json.set("name", detail::within(*name, 100, "a role's name"));
    if (permissions) json.set("permissions", std::to_string(static_cast<std::uint64_t>(*permissions)));
    detail::set_if(json, "color", color);
    detail::set_if(json, "hoist", hoist);
    detail::set_if(json, "mentionable", mentionable);
    return json;
  }
};

namespace discord {

inline Operation<Fetched<List<RoleView>>> roles(GuildId guild) {
  return Operation<Fetched<List<RoleView>>>(detail::rest("GET", detail::guild_path(guild) + "/roles"));
}
inline Effect<Fetched<RoleView>> create_role(GuildId guild, const RoleSettings& settings,
                                             std::string_view reason = {}) {
  return Effect<Fetched<RoleView>>(
      detail::with_reason(detail::rest("POST", detail::guild_path(guild) + "/roles", settings.json()), reason));
}
inline Effect<Fetched<RoleView>> edit_role(GuildId guild, RoleId role, const RoleSettings& settings,
                                           std::string_view reason = {}) {
  return Effect<Fetched<RoleView>>(detail::with_reason(
      detail::rest("PATCH", detail::guild_path(guild) + "/roles/" + role.text(), settings.json()), reason));
}
/// 1 is the lowest: only @everyone is below it.
inline Effect<Fetched<List<RoleView>>> move_role(GuildId guild, RoleId role, int position,
                                                 std::string_view reason = {}) {
  const Json body = Json::array({Json::object({{"id", role}, {"position", position}})});
  return Effect<Fetched<List<RoleView>>>(
      detail::with_reason(detail::rest("PATCH", detail::guild_path(guild) + "/roles", body), reason));
}
inline Effect<void> delete_role(GuildId guild, RoleId role, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::guild_path(guild) + "/roles/" + role.text()), reason));
}
/// To a member; unlike setting all roles it loses no change that is made meanwhile.
inline Effect<void> add_role(GuildId guild, UserId user, RoleId role, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("PUT", detail::member_path(guild, user) + "/roles/" + role.text()), reason));
}
inline Effect<void> remove_role(GuildId guild, UserId user, RoleId role, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::member_path(guild, user) + "/roles/" + role.text()), reason));
}

}  // namespace discord
}  // namespace trellis
