#include "permissions.hpp"

#include <algorithm>
#include <vector>

#include "form.hpp"
#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

struct Membership {
  std::vector<Snowflake> roles;
  bool timed_out = false;
};

Membership membership(const World& world, const Guild& guild, std::uint32_t user) {
  const json::object object = membership_object(world, guild, user);
  Membership found;
  if (const auto* roles = object.if_contains("roles"); roles != nullptr && roles->is_array()) {
    for (const json::value& role : roles->get_array()) found.roles.push_back(id_of(role));
  }
  const auto* until = object.if_contains("communication_disabled_until");
  if (until != nullptr && until->is_string()) {
    const json::string& text = until->get_string();
    found.timed_out = parse_time({text.data(), text.size()}).value_or(0) > wall_clock_ms();
  }
  return found;
}

bool has(const std::vector<Snowflake>& ids, Snowflake id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

std::uint64_t base_permissions(const World& world, const Guild& guild, std::uint32_t user, const Membership& member) {
  if (user != kNone && user == guild.owner) return permission::kAll;
  std::uint64_t sum = 0;
  for (const Role& role : guild.roles) {
    if (role.id == guild.id || has(member.roles, role.id)) sum |= id_of(object_of(role.json)["permissions"]);
  }
  static_cast<void>(world);
  return (sum & permission::kAdministrator) != 0 ? permission::kAll : sum;
}

std::uint64_t for_timed_out(std::uint64_t sum, const Membership& member) {
  if (!member.timed_out || sum == permission::kAll) return sum;
  return sum & (permission::kViewChannel | permission::kReadMessageHistory);
}

}  // namespace

std::uint64_t permissions_in(const World& world, const Guild& guild, std::uint32_t user) {
  const Membership member = membership(world, guild, user);
  return for_timed_out(base_permissions(world, guild, user, member), member);
}

std::uint64_t permissions_in_channel(const World& world, std::uint32_t index, std::uint32_t user) {
  const Guild& guild = world.guilds[world.channels[index].guild];
  const Membership member = membership(world, guild, user);
  std::uint64_t sum = base_permissions(world, guild, user, member);
  if (sum == permission::kAll) return sum;

  const bool thread = is_thread(world.channels[index].kind);
  const json::object channel = channel_object(world, thread ? world.channels[index].parent : index);
  if (const auto* overwrites = channel.if_contains("permission_overwrites"); overwrites && overwrites->is_array()) {
    const Snowflake self = user == kNone ? world.self.id : world.users[user].id;
    std::uint64_t role_deny = 0, role_allow = 0, own_deny = 0, own_allow = 0;
    for (const json::value& one : overwrites->get_array()) {
      const json::object& overwrite = one.as_object();
      const Snowflake id = id_of(overwrite.at("id"));
      const std::uint64_t deny = id_of(overwrite.at("deny"));
      const std::uint64_t allow = id_of(overwrite.at("allow"));
      if (id == guild.id) {
        sum = (sum & ~deny) | allow;
      } else if (id == self) {
        own_deny = deny;
        own_allow = allow;
      } else if (has(member.roles, id)) {
        role_deny |= deny;
        role_allow |= allow;
      }
    }
    sum = (sum & ~role_deny) | role_allow;
    sum = (sum & ~own_deny) | own_allow;
  }
  if ((sum & permission::kViewChannel) == 0) return 0;
  if (thread) {
    sum &= ~permission::kSendMessages;
    if ((sum & permission::kSendMessagesInThreads) != 0) sum |= permission::kSendMessages;
  }
  if ((sum & permission::kSendMessages) == 0) {
    sum &= ~(permission::kMentionEveryone | permission::kSendTts | permission::kAttachFiles | permission::kEmbedLinks);
  }
  const ChannelKind kind = world.channels[index].kind;
  if ((kind == ChannelKind::kVoice || kind == ChannelKind::kStage) && (sum & permission::kConnect) == 0) {
    sum &= ~permission::kNotWithoutConnect;
  }
  return for_timed_out(sum, member);
}

std::int64_t top_role(const World& world, const Guild& guild, std::uint32_t user) {
  if (user != kNone && user == guild.owner) return INT64_MAX;
  const Membership member = membership(world, guild, user);
  std::int64_t top = 0;
  for (const Role& role : guild.roles) {
    if (has(member.roles, role.id)) top = std::max(top, object_of(role.json)["position"].to_number<std::int64_t>());
  }
  return top;
}

}  // namespace trellis::sim
