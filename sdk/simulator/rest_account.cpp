// Who the bot is: its user, its servers, its direct channels, and the way to the gateway.
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

}  // namespace

void add_account_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/gateway", get_gateway, {}, {}, true},
                               {"GET", "/gateway/bot", get_gateway_bot, {20, 5000}},
                               {"GET", "/users/@me", get_me, {30, 30'000}},
                               {"PATCH", "/users/@me", edit_me, {2, 3000}},
                               {"GET", "/users/@me/guilds", list_my_guilds, {10, 1000}},
                               {"POST", "/users/@me/channels", open_direct_channel, {10, 10'000}},
                               {"GET", "/users/:user", get_user, {30, 30'000}}});
}

}  // namespace trellis::sim
