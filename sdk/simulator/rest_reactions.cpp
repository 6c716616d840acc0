// Reactions to messages.
#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

struct Emote {
  Snowflake id = 0;
  std::string name;
};

/// "🔥" or "name:123", percent-decoded already.
Emote emote(const Call& call, std::size_t param) {
  const std::string& text = call.params[param];
  const std::size_t colon = text.rfind(':');
  Emote found;
  if (colon != std::string::npos) {
    found.name = text.substr(text.starts_with("a:") ? 2 : 0, colon - (text.starts_with("a:") ? 2 : 0));
    found.id = std::strtoull(text.c_str() + colon + 1, nullptr, 10);
    for (const Guild& guild : call.world.guilds) {
      for (const Emoji& one : guild.emojis) {
        if (one.id == found.id) return {one.id, one.name};
      }
    }
  }
  // Anything but ASCII will do as a Unicode emoji, and so will keycaps.
  const bool unicode = std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
  if (colon != std::string::npos || !unicode) refuse(400, 10014, "Unknown Emoji");
  return {0, text};
}

std::vector<Reaction>::iterator find(StoredMessage& message, const Emote& emote) {
  return std::find_if(message.reactions.begin(), message.reactions.end(), [&](const Reaction& one) {
    return emote.id != 0 ? one.emoji_id == emote.id : one.emoji_id == 0 && one.emoji == emote.name;
  });
}

json::object event(const Place& place, const StoredMessage& message, const Emote* emote) {
  json::object d{{"channel_id", id_text(place.id)}, {"message_id", id_text(message.id)}};
  if (place.guild != nullptr) d["guild_id"] = id_text(place.guild->id);
  if (emote != nullptr) {
    json::value id(nullptr);
    if (emote->id != 0) id = id_text(emote->id);
    d["emoji"] = {{"id", id}, {"name", emote->name}};
  }
  return d;
}

void announce(const Call& call, const Place& place, std::string_view type, const json::object& d) {
  call.gateway.announce(type, json::serialize(d), place.guild == nullptr ? 0 : place.guild->id);
}

Response add(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  const Emote emoji = emote(call, 2);
  auto found = find(message, emoji);
  if (found == message.reactions.end()) {
    if (place.guild != nullptr) call.need(place.channel, permission::kAddReactions);
    if (message.reactions.size() >= 20) refuse(403, 30010, "Maximum number of reactions reached (20)");
    found = message.reactions.insert(found, Reaction{emoji.id, emoji.name, {}});
  }
  const Snowflake me = call.world.self.id;
  if (std::find(found->users.begin(), found->users.end(), me) != found->users.end()) return call.nothing();
  found->users.push_back(me);
  json::object d = event(place, message, &emoji);
  d["user_id"] = id_text(me);
  d["type"] = 0;
  d["burst"] = false;
  d["message_author_id"] = id_text(message.author);
  if (place.guild != nullptr) d["member"] = member_object(call.world, *place.guild, kNone);
  announce(call, place, "MESSAGE_REACTION_ADD", d);
  return call.nothing();
}

Response remove(Call& call, Snowflake user) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  const Emote emoji = emote(call, 2);
  if (user != call.world.self.id && place.guild != nullptr) call.need(place.channel, permission::kManageMessages);
  const auto found = find(message, emoji);
  if (found == message.reactions.end() || std::erase(found->users, user) == 0) return call.nothing();
  if (found->users.empty()) message.reactions.erase(found);
  json::object d = event(place, message, &emoji);
  d["user_id"] = id_text(user);
  d["type"] = 0;
  d["burst"] = false;
  announce(call, place, "MESSAGE_REACTION_REMOVE", d);
  return call.nothing();
}

Response remove_own(Call& call) { return remove(call, call.world.self.id); }
Response remove_of_user(Call& call) { return remove(call, call.id(3)); }

Response list(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  const Emote emoji = emote(call, 2);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 25, 1, 100));
  const Snowflake after = call.query_id("after");
  json::array users;
  const auto found = find(message, emoji);
  if (found == message.reactions.end()) return call.answer(users);
  std::vector<Snowflake> sorted = found->users;
  std::sort(sorted.begin(), sorted.end());
  for (const Snowflake id : sorted) {
    if (id <= after || users.size() == limit) continue;
    if (const User* user = call.world.find_user(id))
      users.push_back(user_object(call.world, call.world.index_of(*user)));
  }
  return call.answer(users);
}

Response remove_all(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  if (place.guild != nullptr) call.need(place.channel, permission::kManageMessages);
  message.reactions.clear();
  announce(call, place, "MESSAGE_REACTION_REMOVE_ALL", event(place, message, nullptr));
  return call.nothing();
}

Response remove_emoji(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  const Emote emoji = emote(call, 2);
  if (place.guild != nullptr) call.need(place.channel, permission::kManageMessages);
  const auto found = find(message, emoji);
  if (found != message.reactions.end()) {
    message.reactions.erase(found);
    announce(call, place, "MESSAGE_REACTION_REMOVE_EMOJI", event(place, message, &emoji));
  }
  return call.nothing();
}

}  // namespace

void add_reaction_routes(std::vector<Route>& routes) {
  constexpr Limit kLimit{1, 250};
  routes.insert(
      routes.end(),
      {{"PUT", "/channels/:channel/messages/:message/reactions/:emoji/@me", add, kLimit, "reactions"},
       {"DELETE", "/channels/:channel/messages/:message/reactions/:emoji/@me", remove_own, kLimit, "reactions"},
       {"DELETE", "/channels/:channel/messages/:message/reactions/:emoji/:user", remove_of_user, kLimit, "reactions"},
       {"GET", "/channels/:channel/messages/:message/reactions/:emoji", list, {5, 5000}},
       {"DELETE", "/channels/:channel/messages/:message/reactions/:emoji", remove_emoji, kLimit, "reactions"},
       {"DELETE", "/channels/:channel/messages/:message/reactions", remove_all, kLimit, "reactions"}});
}

}  // namespace trellis::sim
