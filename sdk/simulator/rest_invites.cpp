// Invitations to a server.
#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 40, kDeleted = 42;  // in the audit log

json::object invite_object(const Call& call, const Invite& invite, bool with_metadata) {
  const Channel& channel = call.world.channels[invite.channel];
  const Guild& guild = call.world.guilds[channel.guild];
  json::object object{{"type", 0},
                      {"code", invite.code},
                      {"inviter", user_object(call.world, kNone)},
                      {"expires_at", nullptr},
                      {"guild",
                       {{"id", id_text(guild.id)},
                        {"name", guild.name},
                        {"splash", nullptr},
                        {"banner", nullptr},
                        {"description", nullptr},
                        {"icon", nullptr},
                        {"features", json::array{}},
                        {"verification_level", 0},
                        {"vanity_url_code", nullptr},
                        {"nsfw_level", 0},
                        {"nsfw", false},
                        {"premium_subscription_count", 0}}},
                      {"guild_id", id_text(guild.id)},
                      {"channel",
                       {{"id", id_text(channel.id)},
                        {"type", static_cast<int>(channel.kind)},
                        {"name", channel_object(call.world, invite.channel).at("name")}}}};
  if (invite.max_age > 0) object["expires_at"] = time_text(invite.created_ms + invite.max_age * 1000);
  if (with_metadata) {
    object["uses"] = 0;
    object["max_uses"] = invite.max_uses;
    object["max_age"] = invite.max_age;
    object["temporary"] = invite.temporary;
    object["created_at"] = time_text(invite.created_ms);
  }
  return object;
}

bool expired(const Invite& invite) {
  return invite.max_age > 0 && wall_clock_ms() >= invite.created_ms + invite.max_age * 1000;
}

Invite& find(const Call& call) {
  const auto found = call.state.invites.find(call.params[0]);
  if (found == call.state.invites.end() || expired(found->second)) refuse(404, 10006, "Unknown Invite");
  return found->second;
}

Response create(Call& call) {
  const std::uint32_t index = call.channel(0);
  call.need(index, permission::kCreateInstantInvite);
  FormErrors errors;
  const json::value body = call.body.is_null() ? json::value(json::object()) : call.body;
  Form form(errors, body);
  Invite invite;
  invite.max_age = form.integer("max_age", 0, 604'800).value_or(86'400);
  invite.max_uses = form.integer("max_uses", 0, 100).value_or(0);
  invite.temporary = form.boolean("temporary").value_or(false);
  const bool unique = form.boolean("unique").value_or(false);
  errors.check();
  if (!unique) {
    for (const auto& [code, other] : call.state.invites) {
      if (other.channel == index && other.max_age == invite.max_age && other.max_uses == invite.max_uses &&
          other.temporary == invite.temporary && !expired(other)) {
        return call.answer(invite_object(call, other, true));
      }
    }
  }
  invite.channel = index;
  invite.code = call.state.new_token().substr(0, 10);
  invite.created_ms = wall_clock_ms();
  const Invite& made = call.state.invites.emplace(invite.code, invite).first->second;
  const Channel& channel = call.world.channels[index];
  const Guild& guild = call.world.guilds[channel.guild];
  json::object d{{"guild_id", id_text(guild.id)},
                 {"channel_id", id_text(channel.id)},
                 {"code", made.code},
                 {"type", 0},
                 {"uses", 0},
                 {"max_uses", made.max_uses},
                 {"max_age", made.max_age},
                 {"temporary", made.temporary},
                 {"created_at", time_text(made.created_ms)},
                 {"inviter", user_object(call.world, kNone)}};
  if (made.max_age > 0) d["expires_at"] = time_text(made.created_ms + made.max_age * 1000);
  call.gateway.announce("INVITE_CREATE", json::serialize(d), guild.id);
  call.audit(guild, kCreated, 0, {{{"key", "code"}, {"new_value", made.code}}});
  return call.answer(invite_object(call, made, true));
}

Response list_in_channel(Call& call) {
  const std::uint32_t index = call.channel(0);
  call.need(index, permission::kManageChannels);
  json::array list;
  for (const auto& [code, invite] : call.state.invites) {
    if (invite.channel == index && !expired(invite)) list.push_back(invite_object(call, invite, true));
  }
  return call.answer(list);
}

Response list_in_guild(Call& call) {
  const Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuild);
  json::array list;
  for (const auto& [code, invite] : call.state.invites) {
    const bool here = call.world.guilds[call.world.channels[invite.channel].guild].id == guild.id;
    if (here && !expired(invite)) list.push_back(invite_object(call, invite, true));
  }
  return call.answer(list);
}

Response get(Call& call) { return call.answer(invite_object(call, find(call), false)); }

Response remove(Call& call) {
  const Invite invite = find(call);
  call.need(invite.channel, permission::kManageChannels);
  call.state.invites.erase(invite.code);
  const Channel& channel = call.world.channels[invite.channel];
  const Guild& guild = call.world.guilds[channel.guild];
  const json::object d{{"guild_id", id_text(guild.id)}, {"channel_id", id_text(channel.id)}, {"code", invite.code}};
  call.gateway.announce("INVITE_DELETE", json::serialize(d), guild.id);
  call.audit(guild, kDeleted, 0, {{{"key", "code"}, {"old_value", invite.code}}});
  return call.answer(invite_object(call, invite, false));
}

}  // namespace

void add_invite_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"POST", "/channels/:channel/invites", create, {5, 15'000}},
                               {"GET", "/channels/:channel/invites", list_in_channel, {10, 10'000}},
                               {"GET", "/guilds/:guild/invites", list_in_guild, {10, 10'000}},
                               {"GET", "/invites/:code", get, {10, 10'000}},
                               {"DELETE", "/invites/:code", remove, {10, 10'000}}});
}

}  // namespace trellis::sim
