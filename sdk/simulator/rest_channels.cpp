// Channels of a server: make, edit, delete, and who may do what in them.
#include <fmt/format.h>

#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxChannels = 500;
constexpr std::int64_t kRenameWindowMs = 600'000;

json::array read_overwrites(FormErrors& errors, Form& form) {
  json::array made;
  const auto* list = form.array("permission_overwrites", 0, 1000);
  if (list == nullptr) return made;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Form one(errors, (*list)[i], fmt::format("permission_overwrites.{}", i));
    one.required("id");
    one.required("type");
    made.push_back(json::object{{"id", id_text(one.id("id").value_or(0))},
                                {"type", one.integer("type", 0, 1).value_or(0)},
                                {"allow", id_text(one.id("allow").value_or(0))},
                                {"deny", id_text(one.id("deny").value_or(0))}});
  }
  return made;
}

/// Reads the fields that a channel or thread may change, as they stand in the object.
json::object read_changes(const Call& call, bool thread, const Guild& guild) {
  FormErrors errors;
  Form form(errors, call.body);
  json::object changes;
  const auto put = [&](std::string_view key, auto&& value) {
    if (value)
      changes[key] = *value;
    else if (form.null(key))
      changes[key] = nullptr;
  };
  if (const auto name = form.text("name", 1, 100)) changes["name"] = *name;
  put("rate_limit_per_user", form.integer("rate_limit_per_user", 0, 21'600));
  if (const auto flags = form.integer("flags", 0, INT32_MAX)) changes["flags"] = *flags;
  if (!thread) {
    put("topic", form.text("topic", 0, 4096));
    if (const auto nsfw = form.boolean("nsfw")) changes["nsfw"] = *nsfw;
    if (const auto position = form.integer("position", 0, INT32_MAX)) changes["position"] = *position;
    if (const auto bitrate = form.integer("bitrate", 8000, 384'000)) changes["bitrate"] = *bitrate;
    if (const auto users = form.integer("user_limit", 0, 10'000)) changes["user_limit"] = *users;
    put("rtc_region", form.text("rtc_region", 0, 100));
    put("default_auto_archive_duration", form.integer("default_auto_archive_duration", 60, 10'080));
    if (const auto slow = form.integer("default_thread_rate_limit_per_user", 0, 21'600)) {
      changes["default_thread_rate_limit_per_user"] = *slow;
    }
    if (const auto parent = form.id("parent_id")) {
      const Channel* category = call.world.find_channel(*parent);
      if (category == nullptr || category->kind != ChannelKind::kCategory ||
          &call.world.guilds[category->guild] != &guild) {
        form.error("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist");
      }
      changes["parent_id"] = id_text(*parent);
    } else if (form.null("parent_id")) {
      changes["parent_id"] = nullptr;
    }
    if (form.has("permission_overwrites")) changes["permission_overwrites"] = read_overwrites(errors, form);
    if (const auto* tags = form.array("available_tags", 0, 20)) {
      json::array made;
      for (std::size_t i = 0; i < tags->size(); ++i) {
        Form tag(errors, (*tags)[i], fmt::format("available_tags.{}", i));
        tag.required("name");
        made.push_back(json::object{{"id", id_text(tag.id("id").value_or(call.state.new_id()))},
                                    {"name", tag.text("name", 0, 20).value_or("")},
                                    {"moderated", tag.boolean("moderated").value_or(false)},
                                    {"emoji_id", nullptr},
                                    {"emoji_name", nullptr}});
      }
      changes["available_tags"] = std::move(made);
    }
  }
  errors.check();
  return changes;
}

Response get_channel(Call& call) {
  const Place place = call.place(0);
  if (place.guild == nullptr) return call.answer(direct_channel_object(call.world, place.person));
  return call.answer(channel_object(call.world, place.channel));
}

json::array audit_changes(const json::object& before, const json::object& changes) {
  json::array list;
  for (const auto& [key, value] : changes) {
    const json::value* old = before.if_contains(key);
    if (old != nullptr && *old == value) continue;
    if (key == "thread_metadata") {
      // Listed by what is in it, but for the times.
      json::array inside = audit_changes(old->as_object(), value.as_object());
      for (json::value& one : inside) {
        const json::string& inner = one.as_object()["key"].as_string();
        if (!inner.ends_with("timestamp")) list.push_back(one);
      }
      continue;
    }
    // What was or is nothing is left out.
    json::object one{{"key", key}};
    if (old != nullptr && !old->is_null()) one["old_value"] = *old;
    if (!value.is_null()) one["new_value"] = value;
    list.push_back(std::move(one));
  }
  return list;
}

/// `archived`, `locked` and so on lie inside of thread_metadata.
void read_thread_metadata(const Call& call, const json::object& before, json::object& changes) {
  FormErrors errors;
  Form form(errors, call.body);
  json::object metadata = before.at("thread_metadata").as_object();
  if (const auto archived = form.boolean("archived")) {
    metadata["archived"] = *archived;
    metadata["archive_timestamp"] = time_text(wall_clock_ms());
  }
  if (const auto locked = form.boolean("locked")) metadata["locked"] = *locked;
  if (const auto invitable = form.boolean("invitable")) metadata["invitable"] = *invitable;
  if (const auto minutes = form.integer("auto_archive_duration", 60, 10'080)) {
    if (*minutes != 60 && *minutes != 1440 && *minutes != 4320 && *minutes != 10'080) {
      form.error("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of (60, 1440, 4320, 10080).");
    }
    metadata["auto_archive_duration"] = *minutes;
  }
  if (const auto* tags = form.array("applied_tags", 0, 5)) changes["applied_tags"] = *tags;
  errors.check();
  if (metadata != before.at("thread_metadata").as_object()) changes["thread_metadata"] = std::move(metadata);
}

Response edit_channel(Call& call) {
  const std::uint32_t index = call.channel(0);
  Channel& channel = call.world.channels[index];
  Guild& guild = call.world.guilds[channel.guild];
  const bool thread = is_thread(channel.kind);
  const json::object before = channel_object(call.world, index);
  json::object changes = read_changes(call, thread, guild);
  if (thread) read_thread_metadata(call, before, changes);

  const bool own = thread && channel.owner == kNone;
  if (!own) call.need(index, thread ? permission::kManageThreads : permission::kManageChannels);
  if (changes.contains("permission_overwrites")) call.need(index, permission::kManageRoles);
  if (thread && before.at("thread_metadata").at("archived").as_bool()) {
    // An archived thread is only good for being opened again.
    const json::value* metadata = changes.if_contains("thread_metadata");
    const bool stays = metadata == nullptr || metadata->at("archived").as_bool();
    if (stays) refuse(400, 50083, "Thread is archived");
  }
  const bool renamed = changes.contains("name") && changes.at("name") != before.at("name");
  const bool retold =
      changes.contains("topic") && before.contains("topic") && changes.at("topic") != before.at("topic");
  if (renamed || retold) call.hidden_limit("channel name and topic", channel.id, 2, kRenameWindowMs);

  json::array listed = audit_changes(before, changes);
  if (!listed.empty()) {
    call.gateway.change_channel(index, changes);
    call.gateway.announce_channel(thread ? "THREAD_UPDATE" : "CHANNEL_UPDATE", index);
    call.audit(guild, thread ? 111 : 11, call.world.channels[index].id, std::move(listed));
  }
  return call.answer(channel_object(call.world, index));
}

Response delete_channel(Call& call) {
  const Place place = call.place(0);
  if (place.guild == nullptr) return call.answer(direct_channel_object(call.world, place.person));
  Guild& guild = *place.guild;
  const bool thread = is_thread(call.world.channels[place.channel].kind);
  call.need(place.channel, thread ? permission::kManageThreads : permission::kManageChannels);
  if (call.world.needed(place.channel)) refuse(400, 50074, "Cannot delete a channel required for Community servers");
  const json::object gone = channel_object(call.world, place.channel);
  // What lies in a channel goes with it; what lies in a category only loses its parent.
  for (const std::uint32_t other : std::vector(guild.threads)) {
    if (call.world.channels[other].parent == place.channel) call.gateway.delete_thread(other);
  }
  if (thread) {
    call.gateway.delete_thread(place.channel);
  } else {
    for (const std::uint32_t other : guild.channels) {
      if (call.world.channels[other].parent != place.channel) continue;
      call.world.channels[other].parent = kNone;
      call.gateway.change_channel(other, {{"parent_id", nullptr}});
      call.gateway.announce_channel("CHANNEL_UPDATE", other);
    }
    for (const VoiceState& state : std::vector(guild.voice_states)) {
      if (state.channel != place.channel) continue;
      VoiceState left = state;
      left.channel = kNone;
      call.gateway.announce_voice(guild, left);
    }
    call.gateway.forget_recent(place.channel, 0);
    call.world.remove_channel(place.channel);
    call.gateway.announce("CHANNEL_DELETE", json::serialize(gone), guild.id);
  }
  std::erase_if(call.state.webhooks, [&](const auto& entry) { return entry.second.channel == place.id; });
  call.audit(guild, thread ? 112 : 12, place.id);
  return call.answer(gone);
}

Response create_channel(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageChannels);
  if (guild.channels.size() >= kMaxChannels) refuse(400, 30013, "Maximum number of guild channels reached (500)");
  FormErrors errors;
  Form form(errors, call.body);
  form.required("name");
  const std::int64_t type = form.integer("type", 0, 16).value_or(0);
  if (type != 0 && type != 2 && type != 4 && type != 5 && type != 13 && type != 15 && type != 16) {
    form.error("type", "BASE_TYPE_CHOICES", "Value must be one of {0, 2, 4, 5, 13, 15, 16}.");
  }
  errors.check();
  json::object changes = read_changes(call, false, guild);
  std::string name(changes.at("name").as_string());
  const auto kind = static_cast<ChannelKind>(type);
  if (kind == ChannelKind::kText || kind == ChannelKind::kNews) {
    // Discord writes these names in lower case with dashes.
    for (char& c : name) c = c == ' ' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  changes.erase("name");
  std::uint32_t parent = kNone;
  if (const json::value* id = changes.if_contains("parent_id"); id != nullptr && id->is_string()) {
    parent = call.world.index_of(*call.world.find_channel(id_of(*id)));
  }
  changes.emplace("permission_overwrites", json::array{});
  for (const char* key : {"topic", "rate_limit_per_user"}) {
    if (changes.contains(key) && changes.at(key).is_null()) changes.erase(key);
  }
  if (kind == ChannelKind::kText || kind == ChannelKind::kNews) changes.emplace("topic", nullptr);
  const std::uint32_t index = call.world.add_channel(static_cast<std::uint32_t>(&guild - call.world.guilds.data()),
                                                     kind, parent, name, call.state.new_id(), wall_clock_ms());
  call.gateway.change_channel(index, changes);
  call.gateway.announce_channel("CHANNEL_CREATE", index);
  call.audit(guild, 10, call.world.channels[index].id);
  return call.answer(channel_object(call.world, index), 201);
}

Response move_channels(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageChannels);
  if (!call.body.is_array()) refuse(400, 50035, "Invalid Form Body");
  for (const json::value& one : call.body.get_array()) {
    FormErrors errors;
    Form form(errors, one);
    form.required("id");
    const Channel* channel = call.world.find_channel(form.id("id").value_or(0));
    const auto position = form.integer("position", 0, INT32_MAX);
    errors.check();
    if (channel == nullptr || &call.world.guilds[channel->guild] != &guild) refuse(404, 10003, "Unknown Channel");
    if (!position) continue;
    const std::uint32_t index = call.world.index_of(*channel);
    call.gateway.change_channel(index, {{"position", *position}});
    call.gateway.announce_channel("CHANNEL_UPDATE", index);
  }
  return call.nothing();
}

Response set_overwrite(Call& call) {
  const std::uint32_t index = call.channel(0);
  Guild& guild = call.world.guilds[call.world.channels[index].guild];
  call.need(index, permission::kManageRoles);
  const Snowflake target = call.id(1);
  const bool removing = call.request.method == "DELETE";
  json::object object = channel_object(call.world, index);
  json::array list;
  json::value kind;
  for (const json::value& one : object["permission_overwrites"].as_array()) {
    if (id_of(one.as_object().at("id")) != target)
      list.push_back(one);
    else
      kind = one.as_object().at("type");
  }
  const bool had = list.size() != object["permission_overwrites"].as_array().size();
  if (removing) {
    if (!had) refuse(404, 10009, "Unknown Overwrite");
  } else {
    FormErrors errors;
    Form form(errors, call.body);
    form.required("type");
    const std::int64_t type = form.integer("type", 0, 1).value_or(0);
    const std::uint64_t allow = form.id("allow").value_or(0);
    const std::uint64_t deny = form.id("deny").value_or(0);
    errors.check();
    kind = type;
    if (type == 0) call.role(guild, target);
    if (type == 1 && call.world.find_user(target) == nullptr) refuse(404, 10013, "Unknown User");
    if (((allow | deny) & permission::kAll & ~permissions_in_channel(call.world, index, kNone)) != 0) {
      refuse(403, 50013, "Missing Permissions");
    }
    list.push_back(
        json::object{{"id", id_text(target)}, {"type", type}, {"allow", id_text(allow)}, {"deny", id_text(deny)}});
  }
  call.gateway.change_channel(index, {{"permission_overwrites", std::move(list)}});
  call.gateway.announce_channel("CHANNEL_UPDATE", index);
  call.audit(guild,
             removing ? 15
             : had    ? 14
                      : 13,
             call.world.channels[index].id, {}, {{"id", id_text(target)}, {"type", json::serialize(kind)}});
  return call.nothing();
}

Response set_voice_status(Call& call) {
  const std::uint32_t index = call.channel(0);
  if (call.world.channels[index].kind != ChannelKind::kVoice) {
    refuse(400, 50024, "Cannot execute action on this channel type");
  }
  FormErrors errors;
  Form form(errors, call.body);
  const auto status = form.text("status", 0, 500);
  errors.check();
  json::value text(nullptr);
  if (status && !status->empty()) text = *status;
  const Guild& guild = call.world.guilds[call.world.channels[index].guild];
  call.gateway.change_channel(index, {{"status", text}});
  const json::object d{
      {"id", id_text(call.world.channels[index].id)}, {"guild_id", id_text(guild.id)}, {"status", text}};
  call.gateway.announce("VOICE_CHANNEL_STATUS_UPDATE", json::serialize(d), guild.id);
  call.audit(guild, text.is_null() ? 193 : 192, call.world.channels[index].id);
  return call.nothing();
}

}  // namespace

void add_channel_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(),
                {{"GET", "/channels/:channel", get_channel, {10, 10'000}},
                 {"PATCH", "/channels/:channel", edit_channel, {5, 15'000}},
                 {"DELETE", "/channels/:channel", delete_channel, {5, 15'000}},
                 {"POST", "/guilds/:guild/channels", create_channel, {10, 10'000}},
                 {"PATCH", "/guilds/:guild/channels", move_channels, {10, 10'000}},
                 {"PUT", "/channels/:channel/permissions/:overwrite", set_overwrite, {10, 15'000}, "overwrites"},
                 {"DELETE", "/channels/:channel/permissions/:overwrite", set_overwrite, {10, 15'000}, "overwrites"},
                 {"PUT", "/channels/:channel/voice-status", set_voice_status, {5, 5000}}});
}

}  // namespace trellis::sim
