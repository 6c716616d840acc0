#include "control_people.hpp"

#include <algorithm>

#include "gateway.hpp"
#include "json_in.hpp"
#include "objects.hpp"
#include "polls.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response failed(std::string_view why) { return {400, json::serialize(json::object{{"error", why}})}; }

/// The person that "user" names, otherwise the first of the server; kNone: nobody.
std::uint32_t person_of(const World& world, const Guild& guild, const json::value& body) {
  const Snowflake id = id_at(body, "user");
  if (id == 0) return guild.members[world.options.bots].user;
  const User* user = world.find_user(id);
  return user == nullptr ? kNone : world.index_of(*user);
}

}  // namespace

Response join_event(Gateway& gateway, std::string_view text) {
  const auto body = parse_json(text);
  if (!body || !body->is_object()) return failed("the body must be a JSON object with \"event\" and \"user\"");
  const Snowflake id = id_at(*body, "event");
  for (auto& [guild_id, events] : gateway.world.scheduled_events) {
    const auto found = std::find_if(events.begin(), events.end(), [&](const auto& one) { return one.id == id; });
    if (found == events.end()) continue;
    const std::uint32_t user = person_of(gateway.world, *gateway.world.find_guild(guild_id), *body);
    if (user == kNone) return failed("user names nobody of this world");
    const bool leaves = flag_at(*body, "leave");
    const bool there = std::find(found->members.begin(), found->members.end(), user) != found->members.end();
    if (there != leaves) return failed(leaves ? "they are not interested in it" : "they are interested already");
    if (found->over()) return failed("the event is over");
    if (leaves)
      std::erase(found->members, user);
    else
      found->members.push_back(user);
    const json::object d{{"guild_scheduled_event_id", id_text(id)},
                         {"user_id", id_text(gateway.world.users[user].id)},
                         {"guild_id", id_text(guild_id)}};
    gateway.announce(leaves ? "GUILD_SCHEDULED_EVENT_USER_REMOVE" : "GUILD_SCHEDULED_EVENT_USER_ADD",
                     json::serialize(d), guild_id);
    return {200, json::serialize(json::object{{"users", found->members.size()}})};
  }
  return failed("event names no scheduled event of this world");
}

Response vote_in_poll(Gateway& gateway, const Request& request) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) return failed("the body must be a JSON object with \"message\" and \"answer\"");
  World& world = gateway.world;
  const Snowflake id = id_at(*body, "message");
  StoredMessage* message = world.messages.find(world.messages.channel_of(id), id);
  if (message == nullptr || !message->object.contains("poll")) return failed("message names no poll of this world");
  if (flag_at(*body, "end")) {
    if (poll_over(*message)) return failed("the poll is over");
    Call call(gateway, request);
    end_poll(call, place_of(call, *message), *message);
    return {200, json::serialize(message->json(world.self.id))};
  }
  const Guild* guild = world.find_guild(message->guild);
  const std::uint32_t user = person_of(world, guild == nullptr ? world.guilds.front() : *guild, *body);
  if (user == kNone || world.users[user].bot) return failed("user names no person of this world");
  const auto answer = static_cast<std::int64_t>(number_at(*body, "answer").value_or(0));
  const std::string wrong = vote(gateway, *message, answer, user, flag_at(*body, "remove"));
  if (!wrong.empty()) return failed(wrong);
  return {200, json::serialize(json::object{{"user", id_text(world.users[user].id)}})};
}

}  // namespace trellis::sim
