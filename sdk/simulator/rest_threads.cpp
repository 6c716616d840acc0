// Threads: start them, list them, and who is in them.
#include <fmt/format.h>

#include <algorithm>

#include "message_posts.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

struct ThreadForm {
  std::string name;
  json::object changes;
};

ThreadForm read_thread(const Call& call) {
  FormErrors errors;
  Form form(errors, call.body);
  form.required("name");
  ThreadForm made;
  made.name = form.text("name", 1, 100).value_or("");
  const std::int64_t minutes = form.integer("auto_archive_duration", 60, 10'080).value_or(1440);
  if (minutes != 60 && minutes != 1440 && minutes != 4320 && minutes != 10'080) {
    form.error("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of (60, 1440, 4320, 10080).");
  }
  const std::string now(time_text(wall_clock_ms()));
  json::object metadata{{"archived", false},
                        {"locked", false},
                        {"auto_archive_duration", minutes},
                        {"archive_timestamp", now},
                        {"create_timestamp", now}};
  if (const auto invitable = form.boolean("invitable")) metadata["invitable"] = *invitable;
  made.changes = {{"thread_metadata", std::move(metadata)},
                  {"message_count", 0},
                  {"total_message_sent", 0},
                  {"member_count", 1},
                  {"rate_limit_per_user", form.integer("rate_limit_per_user", 0, 21'600).value_or(0)}};
  if (const auto* tags = form.array("applied_tags", 0, 5)) made.changes["applied_tags"] = *tags;
  errors.check();
  return made;
}

json::object thread_member(Snowflake thread, Snowflake user, std::int64_t joined_ms) {
  return {{"id", id_text(thread)}, {"user_id", id_text(user)}, {"join_timestamp", time_text(joined_ms)}, {"flags", 0}};
}

std::uint32_t start(Call& call, std::uint32_t parent, ChannelKind kind, Snowflake id, const ThreadForm& form) {
  const std::uint32_t guild = call.world.channels[parent].guild;
  const std::int64_t now = wall_clock_ms();
  const std::uint32_t index = call.world.add_channel(guild, kind, parent, form.name, id, now);
  call.gateway.change_channel(index, form.changes);
  call.state.thread_members[id][call.world.self.id] = now;
  call.gateway.announce_channel("THREAD_CREATE", index,
                                {{"newly_created", true}, {"member", thread_member(id, call.world.self.id, now)}});
  call.audit(call.world.guilds[guild], 110, id);
  return index;
}

json::object thread_object(const Call& call, std::uint32_t index) {
  json::object object = channel_object(call.world, index);
  const auto members = call.state.thread_members.find(call.world.channels[index].id);
  if (members == call.state.thread_members.end()) return object;
  const auto me = members->second.find(call.world.self.id);
  if (me != members->second.end()) object["member"] = thread_member(members->first, me->first, me->second);
  return object;
}

Response start_from_message(Call& call) {
  const Place place = call.place(0);
  if (place.guild == nullptr) refuse(400, 50024, "Cannot execute action on this channel type");
  const ChannelKind kind = call.world.channels[place.channel].kind;
  if (kind != ChannelKind::kText && kind != ChannelKind::kNews) {
    refuse(400, 50024, "Cannot execute action on this channel type");
  }
  call.need(place.channel, permission::kCreatePublicThreads);
  StoredMessage& message = call.message(place, call.id(1));
  const ThreadForm form = read_thread(call);
  if (call.world.find_channel(message.id) != nullptr) {
    refuse(400, 160004, "A thread has already been created for this message");
  }
  const std::uint32_t index =
      start(call, place.channel, kind == ChannelKind::kNews ? ChannelKind::kNewsThread : ChannelKind::kPublicThread,
            message.id, form);
  message.object["flags"] = message.object["flags"].to_number<std::int64_t>() | flag::kHasThread;
  message.object["thread"] = channel_object(call.world, index);
  call.gateway.announce_message("MESSAGE_UPDATE", message);
  return call.answer(thread_object(call, index), 201);
}

Response start_thread(Call& call) {
  const std::uint32_t parent = call.channel(0);
  const ChannelKind kind = call.world.channels[parent].kind;
  const ThreadForm form = read_thread(call);
  if (kind == ChannelKind::kForum || kind == ChannelKind::kMedia) {
    call.need(parent, permission::kSendMessages);
    const json::value* first = call.body.as_object().if_contains("message");
    if (first == nullptr) {
      FormErrors errors;
      errors.add("message", "BASE_TYPE_REQUIRED", "This field is required");
      errors.check();
    }
    const Draft draft = read_draft(call, *first, DraftOf::kMessage, "message");
    const std::uint32_t index = start(call, parent, ChannelKind::kPublicThread, call.state.new_id(), form);
    Place place{call.world.channels[index].id, &call.world.guilds[call.world.channels[index].guild], index, kNone};
    StoredMessage& message = post_message(call, place, draft, {});
    json::object object = thread_object(call, index);
    object["message"] = message.json(call.world.self.id);
    return call.answer(object, 201);
  }
  if (kind != ChannelKind::kText && kind != ChannelKind::kNews) {
    refuse(400, 50024, "Cannot execute action on this channel type");
  }
  FormErrors errors;
  Form more(errors, call.body);
  const auto wanted = static_cast<ChannelKind>(more.integer("type", 10, 12).value_or(12));
  errors.check();
  call.need(parent, wanted == ChannelKind::kPrivateThread ? permission::kCreatePrivateThreads
                                                          : permission::kCreatePublicThreads);
  const std::uint32_t index = start(call, parent, wanted, call.state.new_id(), form);
  if (wanted != ChannelKind::kPrivateThread) {
    // A thread of its own leaves a message in the channel.
    const Place place = call.place(0);
    Draft draft;
    draft.content = form.name;
    Writer writer;
    writer.type = 18;
    writer.extra["message_reference"] = {
        {"type", 0}, {"channel_id", id_text(call.world.channels[index].id)}, {"guild_id", id_text(place.guild->id)}};
    post_message(call, place, draft, writer);
  }
  return call.answer(thread_object(call, index), 201);
}

json::object listed(const Call& call, const std::vector<std::uint32_t>& indices) {
  json::array threads;
  json::array members;
  for (const std::uint32_t index : indices) {
    json::object object = thread_object(call, index);
    if (const json::value* member = object.if_contains("member")) members.push_back(*member);
    threads.push_back(std::move(object));
  }
  return {{"threads", std::move(threads)}, {"members", std::move(members)}};
}

Response list_active(Call& call) {
  json::object object = listed(call, call.guild(0).threads);
  object["has_more"] = false;
  return call.answer(object);
}

Response list_archived(Call& call) {
  const std::uint32_t parent = call.channel(0);
  const bool own = call.request.target.find("/users/@me/") != std::string::npos;
  const bool privately = call.request.target.find("/archived/private") != std::string::npos;
  call.need(parent, permission::kReadMessageHistory);
  if (privately && !own) call.need(parent, permission::kManageThreads);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 50, 1, 100));
  std::vector<std::uint32_t> found;
  for (std::uint32_t index = 0; index < call.world.channels.size(); ++index) {
    const Channel& channel = call.world.channels[index];
    if (channel.parent != parent || !is_thread(channel.kind) || call.world.find_channel(channel.id) != &channel)
      continue;
    if ((channel.kind == ChannelKind::kPrivateThread) != privately) continue;
    if (channel_object(call.world, index)["thread_metadata"].at("archived").as_bool()) found.push_back(index);
  }
  std::reverse(found.begin(), found.end());
  const bool more = found.size() > limit;
  if (more) found.resize(limit);
  json::object object = listed(call, found);
  object["has_more"] = more;
  return call.answer(object);
}

std::uint32_t thread(const Call& call) {
  const std::uint32_t index = call.channel(0);
  if (!is_thread(call.world.channels[index].kind)) refuse(400, 50024, "Cannot execute action on this channel type");
  return index;
}

void announce_members(const Call& call, std::uint32_t index, Snowflake user, bool added) {
  const Channel& channel = call.world.channels[index];
  auto& members = call.state.thread_members[channel.id];
  json::object d{{"id", id_text(channel.id)},
                 {"guild_id", id_text(call.world.guilds[channel.guild].id)},
                 {"member_count", members.size()}};
  if (added)
    d["added_members"] = json::array{thread_member(channel.id, user, members[user])};
  else
    d["removed_member_ids"] = json::array{id_text(user)};
  call.gateway.change_channel(index, {{"member_count", members.size()}});
  call.gateway.announce("THREAD_MEMBERS_UPDATE", json::serialize(d), call.world.guilds[channel.guild].id);
}

Response change_thread_member(Call& call) {
  const std::uint32_t index = thread(call);
  const bool own = call.params.size() == 1;
  const Snowflake user = own ? call.world.self.id : call.id(1);
  const Guild& guild = call.world.guilds[call.world.channels[index].guild];
  if (!own) call.member(guild, 1);
  auto& members = call.state.thread_members[call.world.channels[index].id];
  const bool added = call.request.method == "PUT";
  if (!added && !own) call.need(index, permission::kManageThreads);
  if (added ? members.emplace(user, wall_clock_ms()).second : members.erase(user) > 0) {
    announce_members(call, index, user, added);
  }
  return call.nothing();
}

Response list_thread_members(Call& call) {
  const std::uint32_t index = thread(call);
  json::array list;
  for (const auto& [user, joined] : call.state.thread_members[call.world.channels[index].id]) {
    list.push_back(thread_member(call.world.channels[index].id, user, joined));
  }
  return call.answer(list);
}

Response get_thread_member(Call& call) {
  const std::uint32_t index = thread(call);
  const Snowflake user = call.params[1] == "@me" ? call.world.self.id : call.id(1);
  const auto& members = call.state.thread_members[call.world.channels[index].id];
  const auto found = members.find(user);
  if (found == members.end()) refuse(404, 10007, "Unknown Member");
  return call.answer(thread_member(call.world.channels[index].id, user, found->second));
}

}  // namespace

void add_thread_routes(std::vector<Route>& routes) {
  constexpr Limit kMembers{5, 1000};
  routes.insert(routes.end(),
                {{"POST", "/channels/:channel/messages/:message/threads", start_from_message, {50, 300'000}, "threads"},
                 {"POST", "/channels/:channel/threads", start_thread, {50, 300'000}, "threads"},
                 {"GET", "/guilds/:guild/threads/active", list_active, {10, 10'000}},
                 {"GET", "/channels/:channel/threads/archived/public", list_archived, {10, 10'000}},
                 {"GET", "/channels/:channel/threads/archived/private", list_archived, {10, 10'000}},
                 {"GET", "/channels/:channel/users/@me/threads/archived/private", list_archived, {10, 10'000}},
                 {"GET", "/channels/:channel/thread-members", list_thread_members, {10, 10'000}},
                 {"PUT", "/channels/:channel/thread-members/@me", change_thread_member, kMembers},
                 {"DELETE", "/channels/:channel/thread-members/@me", change_thread_member, kMembers},
                 {"GET", "/channels/:channel/thread-members/:user", get_thread_member, kMembers},
                 {"PUT", "/channels/:channel/thread-members/:user", change_thread_member, kMembers},
                 {"DELETE", "/channels/:channel/thread-members/:user", change_thread_member, kMembers}});
}

}  // namespace trellis::sim
