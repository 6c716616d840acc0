// Who voted for what, and the end of a poll.
#include <algorithm>

#include "polls.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response voters(Call& call) {
  const Place place = call.place(0);
  const StoredMessage& message = call.message(place, call.id(1));
  if (!message.object.contains("poll")) refuse(404, 10008, "Unknown Message");
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 25, 1, 100));
  const Snowflake after = call.query_id("after");
  std::vector<Snowflake> chosen;
  for (const Snowflake user : call.state.poll_votes[message.id][static_cast<std::int64_t>(call.id(2))]) {
    if (user > after) chosen.push_back(user);
  }
  std::sort(chosen.begin(), chosen.end());
  if (chosen.size() > limit) chosen.resize(limit);
  json::array users;
  for (const Snowflake id : chosen) {
    const User* user = call.world.find_user(id);
    if (user != nullptr) users.push_back(user_object(call.world, call.world.index_of(*user)));
  }
  return call.answer(json::object{{"users", std::move(users)}});
}

Response expire(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  if (!message.object.contains("poll")) refuse(400, 520006, "Cannot expire a non-poll message");
  if (message.author != call.world.self.id) refuse(403, 50005, "Cannot edit a message authored by another user");
  if (poll_over(message)) refuse(400, 520001, "Poll expired");
  end_poll(call, place, message);
  return call.answer(message.json(call.world.self.id));
}

}  // namespace

void add_poll_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/channels/:channel/polls/:message/answers/:answer", voters, {10, 10'000}},
                               {"POST", "/channels/:channel/polls/:message/expire", expire, {5, 5000}}});
}

}  // namespace trellis::sim
