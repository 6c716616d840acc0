// Who asks: the bot, or a person by a Bearer token, as far as its scopes go.
#include <fmt/format.h>

#include <algorithm>

#include "application_object.hpp"
#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response get_me(Call& call) {
  if (call.grant == nullptr) return call.answer(own_user(call.world));
  json::object user = user_object(call.world, call.caller());
  user["mfa_enabled"] = true;
  user["locale"] = "en-US";
  user["premium_type"] = 0;
  if (call.grant->has("email")) {
    user["email"] = fmt::format("{}@example.org", std::string_view(user.at("username").as_string()));
    user["verified"] = true;
  }
  return call.answer(user);
}

Response list_my_guilds(Call& call) {
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 200, 1, 200));
  const Snowflake after = call.query_id("after");
  const Snowflake before = call.query_id("before");
  const bool counts = call.query_flag("with_counts");
  const std::uint32_t caller = call.caller();
  std::vector<const Guild*> sorted;
  for (const Guild& guild : call.world.guilds) {
    if (caller != kNone && call.world.find_member(guild, caller) == nullptr) continue;
    if (guild.id > after && (before == 0 || guild.id < before)) sorted.push_back(&guild);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Guild* a, const Guild* b) { return a->id < b->id; });
  // `before` alone means the ones right before it.
  if (before != 0 && after == 0 && sorted.size() > limit)
    sorted.erase(sorted.begin(), sorted.end() - static_cast<std::ptrdiff_t>(limit));
  if (sorted.size() > limit) sorted.resize(limit);
  json::array list;
  for (const Guild* guild : sorted) {
    json::object entry{{"id", id_text(guild->id)},
                       {"name", guild->name},
                       {"icon", nullptr},
                       {"banner", nullptr},
                       {"owner", caller != kNone && caller == guild->owner},
                       {"permissions", id_text(permissions_in(call.world, *guild, caller))},
                       {"features", json::array{"COMMUNITY", "NEWS"}}};
    if (counts) {
      entry["approximate_member_count"] = guild->count();
      entry["approximate_presence_count"] = guild->members.size() / 2;
    }
    list.push_back(std::move(entry));
  }
  return call.answer(list);
}

Response get_my_member(Call& call) {
  const Guild& guild = call.guild(0);
  if (call.world.find_member(guild, call.caller()) == nullptr) refuse(404, 10004, "Unknown Guild");
  return call.answer(member_object(call.world, guild, call.caller()));
}

/// Every other person has linked an account.
Response list_connections(Call& call) {
  json::array list;
  if (call.caller() % 2 == 0) {
    list.push_back(json::object{{"id", id_text(call.world.users[call.caller()].id % 1'000'000)},
                                {"name", "player"},
                                {"type", "twitch"},
                                {"friend_sync", false},
                                {"metadata_visibility", 1},
                                {"show_activity", true},
                                {"two_way_link", false},
                                {"verified", true},
                                {"visibility", 1}});
  }
  return call.answer(list);
}

Response get_authorization(Call& call) {
  json::object out{{"application", public_application(call.gateway)},
                   {"scopes", json::array{}},
                   {"expires", time_text(call.grant->expires_clock_ms)}};
  for (const std::string& scope : call.grant->scopes) out["scopes"].as_array().emplace_back(scope);
  if (call.grant->has("identify")) out["user"] = user_object(call.world, call.caller());
  return call.answer(out);
}

}  // namespace

void add_oauth_user_routes(std::vector<Route>& routes) {
  routes.insert(
      routes.end(),
      {{"GET", "/users/@me", get_me, {30, 30'000}, {}, false, "identify"},
       {"GET", "/users/@me/guilds", list_my_guilds, {10, 1000}, {}, false, "guilds"},
       {"GET", "/users/@me/guilds/:guild/member", get_my_member, {5, 5000}, {}, false, "guilds.members.read", false},
       {"GET", "/users/@me/connections", list_connections, {10, 10'000}, {}, false, "connections", false},
       {"GET", "/oauth2/@me", get_authorization, {10, 10'000}, {}, false, "any", false}});
}

}  // namespace trellis::sim
