// The bot's account, its direct channels, and the way to the gateway.
#include <fmt/format.h>

#include "application_object.hpp"
#include "call.hpp"
#include "event_types.hpp"
#include "rest.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace json = boost::json;

json::object own_user(const World& world) {
  json::object user = object_of(world.self.json);
  user["locale"] = "en-US";
  user["premium_type"] = 0;
  return user;
}

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

Response edit_me(Call& call) {
  FormErrors errors;
  Form form(errors, call.body);
  const auto name = form.text("username", 2, 32);
  errors.check();
  call.hidden_limit("username", call.world.self.id, 2, 3'600'000);
  if (name) edit_json(call.world.self.json, [&](json::object& user) { user["username"] = *name; });
  json::object user = own_user(call.world);
  call.gateway.announce("USER_UPDATE", json::serialize(user), 0);
  return call.answer(user);
}

Response get_user(Call& call) {
  const User* found = call.world.find_user(call.id(0));
  if (found == nullptr) refuse(404, 10013, "Unknown User");
  return call.answer(user_object(call.world, call.world.index_of(*found)));
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
                               {"PATCH", "/users/@me", edit_me, {2, 3000}},
                               {"POST", "/users/@me/channels", open_direct_channel, {10, 10'000}},
                               {"GET", "/users/:user", get_user, {30, 30'000}}});
}

}  // namespace trellis::sim
