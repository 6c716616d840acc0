// Roles of a guild.
#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

namespace {

/// The old version when nothing changed.
RolePtr version_of(const RolePtr& old, const RoleFields& fields, std::uint64_t guild) {
  CachedRole role;
  if (old) role = *old;
  fields.put_into(role);
  role.guild = guild;
  role.gone = {};
  if (old && *old == role) return old;
  return std::make_shared<const CachedRole>(std::move(role));
}

}  // namespace

bool Cache::Impl::merge_roles(CachedGuild& guild, const GuildFields& fields, Position at, const Told* told) {
  if (!fields.has_roles) return false;
  auto roles = std::make_shared<RoleList>();
  roles->reserve(fields.roles.size());
  const RoleList& before = *guild.roles;
  auto known = before.begin();
  bool some_gone = false;
  const auto not_listed = [&](const RolePtr& role) {
    const bool stays = !there(role) || (told && told->roles.contains(role->id));
    roles->push_back(stays ? role : gone_version(role, at));
    if (stays) return;
    publish(roles->back());
    some_gone = true;
  };
  for (const RoleFields& role : fields.roles) {
    for (; known != before.end() && (*known)->id < role.id; ++known) not_listed(*known);
    const RolePtr was = known != before.end() && (*known)->id == role.id ? *known++ : nullptr;
    if (told && told->roles.contains(role.id)) {
      if (was) roles->push_back(was);
      continue;
    }
    roles->push_back(version_of(was, role, guild.id));
    if (roles->back() != was) publish(roles->back());
  }
  for (; known != before.end(); ++known) not_listed(*known);
  guild.roles = std::move(roles);
  return some_gone;
}

void Cache::Impl::role_upsert(StreamState& state, const Record& record) {
  const auto event = parser->role(record.data);
  if (!event || !event->role.id) return;
  const GuildSlot slot = find_guild(event->guild ? event->guild : record.guild);
  if (!slot.guild) return;
  if (Told* const told_of = told(state, slot.guild->id)) told_of->roles.insert(event->role.id);
  const RolePtr was = find_by_id(*slot.guild->roles, event->role.id);
  const RolePtr role = version_of(was, event->role, slot.guild->id);
  if (role == was) return;
  publish(role);
  auto roles = std::make_shared<RoleList>(*slot.guild->roles);
  put_version(*roles, role);
  auto guild = host::version_of(slot.guild, slot.guild->id);
  guild->roles = std::move(roles);
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::role_delete(StreamState& state, const Record& record) {
  const auto event = parser->role(record.data);
  if (!event || !event->role.id) return;
  const GuildSlot slot = find_guild(event->guild ? event->guild : record.guild);
  if (!slot.guild) return;
  if (Told* const told_of = told(state, slot.guild->id)) told_of->roles.insert(event->role.id);
  const RolePtr was = find_by_id(*slot.guild->roles, event->role.id);
  if (!was || !there(was)) return;
  auto roles = std::make_shared<RoleList>(*slot.guild->roles);
  const RolePtr gone = gone_version(was, record.position);
  put_version(*roles, gone);
  publish(gone);
  auto guild = host::version_of(slot.guild, slot.guild->id);
  guild->roles = std::move(roles);
  publish(std::move(guild), slot.stream);
  state.gone.push_back({record.position, slot.guild->id});
}

}  // namespace trellis::host
