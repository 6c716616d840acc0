// Messages: list, write, edit, delete, pin.
#include <fmt/format.h>

#include <algorithm>

#include "message_posts.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::int64_t kTwoWeeksMs = 14 * kDayMs;
constexpr std::size_t kMaxPins = 250;
constexpr std::int64_t kNonceMs = 300'000;
constexpr std::size_t kNonces = 10'000;

bool can_read_history(const Call& call, const Place& place) {
  return place.guild == nullptr ||
         (permissions_in_channel(call.world, place.channel, kNone) & permission::kReadMessageHistory) != 0;
}

Response list_messages(Call& call) {
  const Place place = call.place(0);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 50, 1, 100));
  const Snowflake before = call.query_id("before");
  const Snowflake after = call.query_id("after");
  const Snowflake around = call.query_id("around");
  if ((before != 0) + (after != 0) + (around != 0) > 1) {
    FormErrors errors;
    errors.add("_misc", "MESSAGES_QUERY_EXCLUSIVE", "before, after and around are mutually exclusive.");
    errors.check();
  }
  json::array list;
  if (!can_read_history(call, place)) return call.answer(list);
  call.adopt_recent(place);
  const auto* all = call.world.messages.in(place.id);
  if (all == nullptr) return call.answer(list);
  std::vector<const StoredMessage*> sorted;  // oldest first
  for (const auto& [id, message] : *all) {
    if (!message.ephemeral) sorted.push_back(&message);
  }
  const auto at = [&](Snowflake id) {
    return static_cast<std::size_t>(
        std::lower_bound(sorted.begin(), sorted.end(), id,
                         [](const StoredMessage* one, Snowflake key) { return one->id < key; }) -
        sorted.begin());
  };
  std::size_t end = sorted.size();
  std::size_t begin = end > limit ? end - limit : 0;
  if (before != 0) {
    end = at(before);
    begin = end > limit ? end - limit : 0;
  } else if (after != 0) {
    begin = at(after + 1);
    end = std::min(sorted.size(), begin + limit);
  } else if (around != 0) {
    const std::size_t middle = at(around);
    begin = middle > limit / 2 ? middle - limit / 2 : 0;
    end = std::min(sorted.size(), begin + limit);
  }
  for (std::size_t i = end; i-- > begin;) list.push_back(sorted[i]->json(call.world.self.id));
  return call.answer(list);
}

Response get_message(Call& call) {
  const Place place = call.place(0);
  return call.answer(call.message(place, call.id(1)).json(call.world.self.id));
}

/// May the bot write here just now? Wakes an archived thread.
void need_to_write(const Call& call, const Place& place, const Draft& draft) {
  if (place.guild == nullptr) {
    if (call.world.users[place.person].bot) refuse(403, 50007, "Cannot send messages to this user");
    return;
  }
  const Channel& channel = call.world.channels[place.channel];
  if (channel.kind == ChannelKind::kCategory || channel.kind == ChannelKind::kForum ||
      channel.kind == ChannelKind::kMedia) {
    refuse(400, 50008, "Cannot send messages in a non-text channel");
  }
  std::uint64_t needed = permission::kSendMessages;
  if (!call.parts.empty()) needed |= permission::kAttachFiles;
  if (draft.embeds && !draft.embeds->empty()) needed |= permission::kEmbedLinks;
  if (draft.reply_to != 0) needed |= permission::kReadMessageHistory;
  call.need(place.channel, needed);
  if (is_thread(channel.kind)) call.gateway.wake_thread(place.channel);
}

Response create_message(Call& call) {
  const Place place = call.place(0);
  const Draft draft = read_draft(call, call.body, DraftOf::kMessage);
  need_to_write(call, place, draft);
  const std::pair key{place.id, draft.nonce};
  if (draft.enforce_nonce && !draft.nonce.empty()) {
    // The same nonce again within minutes is the same message.
    const auto found = call.state.nonces.find(key);
    StoredMessage* same =
        found == call.state.nonces.end() ? nullptr : call.world.messages.find(place.id, found->second);
    if (same != nullptr && same->id >= snowflake_at(wall_clock_ms() - kNonceMs))
      return call.answer(same->json(call.world.self.id));
  }
  const StoredMessage& made = post_message(call, place, draft, {});
  if (draft.enforce_nonce && !draft.nonce.empty()) {
    if (call.state.nonces.size() >= kNonces) {
      const Snowflake oldest = snowflake_at(wall_clock_ms() - kNonceMs);
      std::erase_if(call.state.nonces, [&](const auto& entry) { return entry.second < oldest; });
    }
    call.state.nonces[key] = made.id;
  }
  return call.answer(made.json(call.world.self.id));
}

Response change_message(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  const std::int64_t flags = message.object["flags"].to_number<std::int64_t>();
  const Draft draft = read_draft(call, call.body, DraftOf::kEdit, {}, flags);
  if (message.author != call.world.self.id ||
      (message.owner != 0 && message.object.contains("webhook_id") && !message.object.contains("application_id"))) {
    // Of others' messages only the embeds may be hidden.
    const bool only_flags = draft.flags && !draft.content && !draft.embeds && !draft.components && !draft.attachments;
    if (!only_flags) refuse(403, 50005, "Cannot edit a message authored by another user");
    call.need(place.channel, permission::kManageMessages);
  }
  edit_message(call, place, message, draft);
  return call.answer(message.json(call.world.self.id));
}

bool deletable(const StoredMessage& message) {
  const std::int64_t type = message.object.at("type").to_number<std::int64_t>();
  return !(type >= 1 && type <= 5) && type != 21;
}

Response remove_message(Call& call) {
  const Place place = call.place(0);
  const StoredMessage& message = call.message(place, call.id(1));
  if (!deletable(message)) refuse(403, 50021, "Cannot execute action on a system message");
  if (message.author != call.world.self.id) {
    if (place.guild == nullptr) refuse(403, 50003, "Cannot execute action on a DM channel");
    call.need(place.channel, permission::kManageMessages);
    call.audit(*place.guild, 72, message.author, {}, {{"channel_id", id_text(place.id)}, {"count", "1"}});
  }
  delete_message(call, place, message);
  return call.nothing();
}

Response bulk_delete(Call& call) {
  const Place place = call.place(0);
  if (place.guild == nullptr) refuse(403, 50003, "Cannot execute action on a DM channel");
  call.need(place.channel, permission::kManageMessages);
  FormErrors errors;
  Form form(errors, call.body);
  form.required("messages");
  const auto* list = form.array("messages", 0, SIZE_MAX);
  errors.check();
  if (list->size() < 2 || list->size() > 100) {
    refuse(400, 50016,
           "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 "
           "messages to delete");
  }
  std::vector<Snowflake> ids;
  for (const json::value& value : *list) {
    const Snowflake id = id_of(value);
    const std::int64_t made = static_cast<std::int64_t>(id >> 22) + kDiscordEpochMs;
    if (wall_clock_ms() - made > kTwoWeeksMs) {
      refuse(400, 50034, "You can only bulk delete messages that are under 14 days old.");
    }
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) {
      form.error("messages", "SET_TYPE_CONTAINS_DUPLICATES", "The set already contains this value");
    }
    ids.push_back(id);
  }
  errors.check();
  call.adopt_recent(place);
  json::array gone;
  for (const Snowflake id : ids) {
    const StoredMessage* message = call.world.messages.find(place.id, id);
    if (message == nullptr || message->ephemeral) continue;
    gone.push_back(id_text(id));
    call.world.messages.erase(place.id, id);
    call.gateway.forget_recent(place.channel, id);
  }
  call.audit(*place.guild, 73, place.id, {}, {{"count", std::to_string(gone.size())}});
  if (!gone.empty()) {
    const json::object d{{"ids", gone}, {"channel_id", id_text(place.id)}, {"guild_id", id_text(place.guild->id)}};
    call.gateway.announce("MESSAGE_DELETE_BULK", json::serialize(d), place.guild->id);
  }
  return call.nothing();
}

Response trigger_typing(Call& call) {
  const Place place = call.place(0);
  if (place.guild != nullptr) call.need(place.channel, permission::kSendMessages);
  json::object d{{"channel_id", id_text(place.id)},
                 {"user_id", id_text(call.world.self.id)},
                 {"timestamp", wall_clock_ms() / 1000}};
  if (place.guild != nullptr) {
    d["guild_id"] = id_text(place.guild->id);
    d["member"] = member_object(call.world, *place.guild, kNone);
  }
  call.gateway.announce("TYPING_START", json::serialize(d), place.guild == nullptr ? 0 : place.guild->id);
  return call.nothing();
}

Response crosspost(Call& call) {
  const Place place = call.place(0);
  StoredMessage& message = call.message(place, call.id(1));
  if (place.guild == nullptr || call.world.channels[place.channel].kind != ChannelKind::kNews) {
    refuse(403, 50024, "Cannot execute action on this channel type");
  }
  call.hidden_limit("crosspost", place.id, 10, 3'600'000);
  const std::int64_t flags = message.object["flags"].to_number<std::int64_t>();
  if ((flags & 1) != 0) refuse(400, 40033, "This message has already been crossposted");
  message.object["flags"] = flags | 1;
  call.gateway.announce_message("MESSAGE_UPDATE", message);
  return call.answer(message.json(call.world.self.id));
}

void announce_pins(const Call& call, const Place& place) {
  std::int64_t last = 0;
  if (const auto* all = call.world.messages.in(place.id)) {
    for (const auto& [id, message] : *all) last = std::max(last, message.pinned_ms);
  }
  json::object d{{"channel_id", id_text(place.id)}};
  if (last != 0) d["last_pin_timestamp"] = time_text(last);
  if (last == 0) d["last_pin_timestamp"] = nullptr;
  if (place.guild != nullptr) d["guild_id"] = id_text(place.guild->id);
  call.gateway.announce("CHANNEL_PINS_UPDATE", json::serialize(d), place.guild == nullptr ? 0 : place.guild->id);
}

std::vector<const StoredMessage*> pinned(const Call& call, const Place& place) {
  std::vector<const StoredMessage*> list;
  if (const auto* all = call.world.messages.in(place.id)) {
    for (const auto& [id, message] : *all) {
      if (message.pinned_ms != 0) list.push_back(&message);
    }
  }
  std::sort(list.begin(), list.end(),
            [](auto* a, auto* b) { return std::pair(a->pinned_ms, a->id) > std::pair(b->pinned_ms, b->id); });
  return list;
}

Response pin(Call& call) {
  const Place place = call.place(0);
  if (place.guild != nullptr) call.need(place.channel, permission::kPinMessages);
  StoredMessage& message = call.message(place, call.id(1));
  if (message.pinned_ms == 0) {
    if (pinned(call, place).size() >= kMaxPins)
      refuse(400, 30003, "Maximum number of pins reached for the channel (250)");
    message.pinned_ms = wall_clock_ms();
    if (place.guild != nullptr) {
      call.audit(*place.guild, 74, message.author, {},
                 {{"channel_id", id_text(place.id)}, {"message_id", id_text(message.id)}});
    }
    call.gateway.announce_message("MESSAGE_UPDATE", message);
    announce_pins(call, place);
  }
  return call.nothing();
}

Response unpin(Call& call) {
  const Place place = call.place(0);
  if (place.guild != nullptr) call.need(place.channel, permission::kPinMessages);
  StoredMessage& message = call.message(place, call.id(1));
  if (message.pinned_ms != 0) {
    message.pinned_ms = 0;
    if (place.guild != nullptr) {
      call.audit(*place.guild, 75, message.author, {},
                 {{"channel_id", id_text(place.id)}, {"message_id", id_text(message.id)}});
    }
    call.gateway.announce_message("MESSAGE_UPDATE", message);
    announce_pins(call, place);
  }
  return call.nothing();
}

Response list_pins(Call& call) {
  const Place place = call.place(0);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 50, 1, 50));
  std::int64_t before = INT64_MAX;
  if (const auto text = call.query_text("before")) {
    const auto time = parse_time(*text);
    if (!time) {
      FormErrors errors;
      errors.add("before", "DATE_TIME_TYPE_PARSE", fmt::format("Could not parse {}. Should be ISO8601.", *text));
      errors.check();
    }
    before = *time;
  }
  json::array items;
  bool more = false;
  for (const StoredMessage* message : pinned(call, place)) {
    if (message->pinned_ms >= before) continue;
    if (items.size() == limit) {
      more = true;
      break;
    }
    items.push_back(
        json::object{{"pinned_at", time_text(message->pinned_ms)}, {"message", message->json(call.world.self.id)}});
  }
  return call.answer(json::object{{"items", std::move(items)}, {"has_more", more}});
}

Response list_pins_old(Call& call) {
  const Place place = call.place(0);
  json::array list;
  for (const StoredMessage* message : pinned(call, place)) {
    if (list.size() < 50) list.push_back(message->json(call.world.self.id));
  }
  return call.answer(list);
}

}  // namespace

void add_message_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(),
                {{"GET", "/channels/:channel/messages", list_messages, {5, 5000}},
                 {"POST", "/channels/:channel/messages", create_message, {5, 5000}},
                 {"POST", "/channels/:channel/messages/bulk-delete", bulk_delete, {1, 1000}},
                 {"GET", "/channels/:channel/messages/pins", list_pins, {5, 5000}},
                 {"PUT", "/channels/:channel/messages/pins/:message", pin, {4, 4000}, "pins"},
                 {"DELETE", "/channels/:channel/messages/pins/:message", unpin, {4, 4000}, "pins"},
                 {"GET", "/channels/:channel/pins", list_pins_old, {5, 5000}},
                 {"PUT", "/channels/:channel/pins/:message", pin, {4, 4000}, "pins"},
                 {"DELETE", "/channels/:channel/pins/:message", unpin, {4, 4000}, "pins"},
                 {"GET", "/channels/:channel/messages/:message", get_message, {10, 5000}},
                 {"PATCH", "/channels/:channel/messages/:message", change_message, {5, 5000}},
                 {"DELETE", "/channels/:channel/messages/:message", remove_message, {5, 1000}, "delete message"},
                 {"POST", "/channels/:channel/messages/:message/crosspost", crosspost, {10, 10'000}},
                 {"POST", "/channels/:channel/typing", trigger_typing, {5, 5000}}});
}

}  // namespace trellis::sim
