// Who the bot is: its user, its application, its servers, its direct channels, and the way to the gateway.
#include <fmt/format.h>

#include <algorithm>

#include "call.hpp"
#include "event_types.hpp"
#include "rest.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response get_gateway(Call& call) { return call.answer({{"url", call.gateway.url}}); }

Response get_gateway_bot(Call& call) {
  const Options& o = call.gateway.options;
  return call.answer({{"url", call.gateway.url},
                      {"shards", o.shards},
                      {"session_start_limit",
                       {{"total", o.identify_total},
                        {"remaining", call.gateway.identifies_left()},
                        {"reset_after", call.gateway.budget_reset_after()},
                        {"max_concurrency", o.max_concurrency}}}});
}

json::object own_user(const Call& call) {
  json::object user = object_of(call.world.self.json);
  user["locale"] = "en-US";
  user["premium_type"] = 0;
  return user;
}

Response get_me(Call& call) { return call.answer(own_user(call)); }

Response edit_me(Call& call) {
  FormErrors errors;
  Form form(errors, call.body);
  const auto name = form.text("username", 2, 32);
  errors.check();
  call.hidden_limit("username", call.world.self.id, 2, 3'600'000);
  if (name) edit_json(call.world.self.json, [&](json::object& user) { user["username"] = *name; });
  json::object user = own_user(call);
  call.gateway.announce("USER_UPDATE", json::serialize(user), 0);
  return call.answer(user);
}

Response get_user(Call& call) {
  const User* found = call.world.find_user(call.id(0));
  if (found == nullptr) refuse(404, 10013, "Unknown User");
  return call.answer(user_object(call.world, call.world.index_of(*found)));
}

Response list_my_guilds(Call& call) {
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 200, 1, 200));
  const Snowflake after = call.query_id("after");
  const Snowflake before = call.query_id("before");
  const bool counts = call.query_flag("with_counts");
  std::vector<const Guild*> sorted;
  for (const Guild& guild : call.world.guilds) {
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
                       {"owner", false},
                       {"permissions", id_text(permissions_in(call.world, *guild, kNone))},
                       {"features", json::array{"COMMUNITY", "NEWS"}}};
    if (counts) {
      entry["approximate_member_count"] = guild->count();
      entry["approximate_presence_count"] = guild->members.size() / 2;
    }
    list.push_back(std::move(entry));
  }
  return call.answer(list);
}

Response open_direct_channel(Call& call) {
  FormErrors errors;
  Form form(errors, call.body);
  form.required("recipient_id");
  const auto id = form.id("recipient_id");
  errors.check();
  const User* person = call.world.find_user(*id);
  if (person == nullptr) refuse(404, 10013, "Unknown User");
  if (person->bot) refuse(400, 50007, "Cannot send messages to this user");
  return call.answer(direct_channel_object(call.world, call.world.index_of(*person)));
}

json::object application(const Call& call) {
  const std::uint64_t granted = call.gateway.options.granted_intents();
  std::uint64_t flags = 1ULL << 23;
  if ((granted & intent::kPresences) != 0) flags |= 1ULL << 12;
  if ((granted & intent::kGuildMembers) != 0) flags |= 1ULL << 14;
  if ((granted & intent::kMessageContent) != 0) flags |= 1ULL << 18;
  return {{"id", id_text(call.world.self.id)},
          {"name", "trellis"},
          {"icon", nullptr},
          {"description", ""},
          {"type", nullptr},
          {"bot", user_object(call.world, kNone)},
          {"summary", ""},
          {"bot_public", true},
          {"bot_require_code_grant", false},
          {"verify_key", "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"},
          {"flags_new", id_text(flags)},
          {"flags", flags},
          {"hook", true},
          {"is_monetized", false},
          {"redirect_uris", json::array{}},
          {"interactions_endpoint_url", nullptr},
          {"role_connections_verification_url", nullptr},
          {"approximate_guild_count", call.world.guilds.size()},
          {"approximate_user_install_count", 0},
          {"approximate_user_authorization_count", 0},
          {"explicit_content_filter", 0},
          {"eligible_oauth2_scopes", json::array{}},
          {"owner", user_object(call.world, 0)},
          {"team", nullptr}};
}

Response get_application(Call& call) { return call.answer(application(call)); }

Response get_oauth_application(Call& call) {
  json::object found = application(call);
  found["rpc_origins"] = json::array{};
  return call.answer(found);
}

}  // namespace

void add_account_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/gateway", get_gateway, {}, {}, true},
                               {"GET", "/gateway/bot", get_gateway_bot, {20, 5000}},
                               {"GET", "/users/@me", get_me, {30, 30'000}},
                               {"PATCH", "/users/@me", edit_me, {2, 3000}},
                               {"GET", "/users/@me/guilds", list_my_guilds, {10, 1000}},
                               {"POST", "/users/@me/channels", open_direct_channel, {10, 10'000}},
                               {"GET", "/users/:user", get_user, {30, 30'000}},
                               {"GET", "/applications/@me", get_application, {10, 10'000}},
                               {"GET", "/oauth2/applications/@me", get_oauth_application, {10, 10'000}}});
}

}  // namespace trellis::sim
