// The simulator's own routes under /_sim/: faults, dispatches by hand, interactions, and the account of it all.
#include <fmt/format.h>

#include "auto_moderation.hpp"
#include "control_people.hpp"
#include "gateway.hpp"
#include "json_in.hpp"
#include "objects.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response from(Gateway::Answer answer) { return {answer.ok ? 200U : 400U, std::move(answer.text)}; }

json::array requests(const RestState& state) {
  json::array list;
  for (const RestState::Logged& one : state.requests) {
    json::object entry{
        {"at", time_text(one.at_ms)}, {"method", one.method}, {"path", one.path}, {"status", one.status}};
    if (one.code != 0) entry["code"] = one.code;
    if (!one.reason.empty()) entry["reason"] = one.reason;
    list.push_back(std::move(entry));
  }
  return list;
}

/// A person writes: {"content", "user", "channel" or "guild"}; what is missing is the first there is.
Response write_message(Gateway& gateway, const Request& request) {
  const auto failed = [](std::string_view why) { return Response{400, json::serialize(json::object{{"error", why}})}; };
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) return failed("the body must be a JSON object with \"content\"");
  Call call(gateway, request);
  World& world = gateway.world;
  StoredMessage where;
  where.channel = id_at(*body, "channel");
  const Snowflake wanted = id_at(*body, "guild");
  const Guild* guild = wanted == 0 ? &world.guilds.front() : world.find_guild(wanted);
  if (guild == nullptr) return failed("guild names no server of this world");
  if (where.channel == 0) where.channel = world.channels[guild->writable.front()].id;
  const Place place = place_of(call, where);
  if (place.guild == nullptr && place.person == kNone) return failed("channel names no channel of this world");
  Writer writer;
  writer.user = place.guild == nullptr ? place.person : place.guild->members[world.options.bots].user;
  if (const Snowflake id = id_at(*body, "user")) {
    const User* user = world.find_user(id);
    if (user == nullptr || user == &world.self) return failed("user names nobody of this world");
    writer.user = world.index_of(*user);
  }
  try {
    const Draft draft = read_draft(call, *body, DraftOf::kMessage);
    return call.answer(post_moderated(call, place, draft, writer));
  } catch (const ApiError& error) {
    return error.response();
  } catch (const InvalidForm& form) {
    return form.response();
  }
}

/// Who sits at the browser: {"user", "deny", "guild"}.
Response set_person(Gateway& gateway, const Request& request) {
  const auto body = parse_json(request.body);
  const auto failed = [](std::string_view why) { return Response{400, json::serialize(json::object{{"error", why}})}; };
  if (!body || !body->is_object()) return failed("the body must be a JSON object with \"user\", \"deny\" or \"guild\"");
  OAuth& oauth = gateway.oauth;
  if (const Snowflake id = id_at(*body, "user")) {
    const User* user = gateway.world.find_user(id);
    if (user == nullptr || user->bot) return failed("user names no person of this world");
    oauth.person = gateway.world.index_of(*user);
  }
  const Snowflake guild = id_at(*body, "guild");
  if (guild != 0 && gateway.world.find_guild(guild) == nullptr) return failed("guild names no server of this world");
  oauth.guild = guild;
  oauth.denies = flag_at(*body, "deny");
  return {200, json::serialize(json::object{{"user", id_text(gateway.world.users[oauth.person].id)}})};
}

}  // namespace

Response handle_control(Gateway& gateway, const Request& request, std::string_view path, std::string_view) {
  const bool both = path == "oauth" && request.method == "POST";
  const bool post = path == "send" || path == "fault" || path == "interaction" || path == "message" ||
                    path == "event" || path == "vote" || both;
  if (request.method != (post ? "POST" : "GET")) {
    return {405, fmt::format(R"({{"error":"this is a {} route"}})", post ? "POST" : "GET")};
  }
  if (path == "send") return from(gateway.inject(request.body));
  if (path == "fault") return from(gateway.fault(request.body));
  if (path == "vote") return vote_in_poll(gateway, request);
  if (path == "event") return join_event(gateway, request.body);
  if (path == "message") return write_message(gateway, request);
  if (path == "interaction") return from(gateway.interact(request.body));
  if (path == "oauth" && post) return set_person(gateway, request);
  if (path == "oauth") return {200, json::serialize(gateway.oauth.json(gateway.world))};
  if (path == "interactions") return {200, json::serialize(gateway.interactions.json(gateway.now()))};
  if (path == "truth") return {200, gateway.truth_json()};
  if (path == "sessions") return {200, gateway.sessions_json()};
  if (path == "routes") {
    const auto names = routes();
    return {200, json::serialize(json::array(names.begin(), names.end()))};
  }
  if (path == "requests") return {200, json::serialize(requests(gateway.rest))};
  return {404, R"({"error":"trellis-sim --help lists the routes under /_sim"})"};
}

}  // namespace trellis::sim
