#include "call.hpp"

#include <fmt/format.h>

#include <charconv>

#include "json_in.hpp"
#include "render.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxReason = 512;

std::optional<Snowflake> whole_number(std::string_view text) {
  Snowflake id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return id;
}

[[noreturn]] void not_a(std::string_view key, std::string_view value, std::string_view type) {
  FormErrors errors;
  errors.add(std::string(key), "NUMBER_TYPE_COERCE", fmt::format("Value \"{}\" is not {}.", value, type));
  errors.check();
  throw std::logic_error("unreachable");
}

}  // namespace

void Call::read() {
  reason = percent_decode(request.reason);
  if (characters(reason) > kMaxReason) {
    FormErrors errors;
    errors.add("x_audit_log_reason", "BASE_TYPE_MAX_LENGTH", "Must be 512 or fewer in length.");
    errors.check();
  }
  if (request.body.empty() || request.method == "GET") return;
  const auto read_json = [&](std::string_view text) {
    auto value = parse_json(text);
    if (!value) refuse(400, 50109, "The request body contains invalid JSON.");
    body = std::move(*value);
  };
  if (request.content_type.starts_with("application/json")) return read_json(request.body);
  if (request.content_type.starts_with("application/x-www-form-urlencoded")) {
    json::object form;
    for (std::string_view rest = request.body; !rest.empty();) {
      const std::size_t end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      const std::size_t mark = std::min(pair.find('='), pair.size());
      form[percent_decode(pair.substr(0, mark), true)] =
          json::string(percent_decode(pair.substr(std::min(mark + 1, pair.size())), true));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    body = std::move(form);
    return;
  }
  if (request.content_type.starts_with("multipart/form-data")) {
    auto found = parse_multipart(request.content_type, request.body);
    if (!found) refuse(400, 50035, "Invalid Form Body");
    json::object fields;
    bool payload = false;
    for (Part& part : *found) {
      if (part.name == "payload_json") {
        read_json(part.content);
        payload = true;
      } else if (part.name.starts_with("file")) {
        parts.push_back(std::move(part));
      } else {
        fields[part.name] = json::string(part.content);
      }
    }
    if (!payload) body = std::move(fields);
    return;
  }
  FormErrors errors;
  errors.add("_misc", "CONTENT_TYPE_INVALID",
             "Expected \"Content-Type\" header to be one of {'application/json', "
             "'application/x-www-form-urlencoded', 'multipart/form-data'}.");
  errors.check();
}

Snowflake Call::id(std::size_t param) const {
  if (const auto id = whole_number(params[param])) return *id;
  not_a("id", params[param], "snowflake");
}

std::optional<std::string> Call::query_text(std::string_view key) const {
  for (std::string_view rest = query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const std::size_t mark = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, mark)) == key) {
      return percent_decode(pair.substr(std::min(mark + 1, pair.size())), true);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

bool Call::query_flag(std::string_view key) const {
  const auto text = query_text(key);
  if (!text) return false;
  if (*text == "true" || *text == "True" || *text == "1") return true;
  if (*text == "false" || *text == "False" || *text == "0") return false;
  FormErrors errors;
  errors.add(std::string(key), "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
  errors.check();
  return false;
}

std::int64_t Call::query_number(std::string_view key, std::int64_t otherwise, std::int64_t min,
                                std::int64_t max) const {
  const auto text = query_text(key);
  if (!text) return otherwise;
  const auto number = whole_number(*text);
  if (!number) not_a(key, *text, "int");
  FormErrors errors;
  if (static_cast<std::int64_t>(*number) < min) {
    errors.add(std::string(key), "NUMBER_TYPE_MIN",
               fmt::format("int value should be greater than or equal to {}.", min));
  } else if (static_cast<std::int64_t>(*number) > max) {
    errors.add(std::string(key), "NUMBER_TYPE_MAX", fmt::format("int value should be less than or equal to {}.", max));
  }
  errors.check();
  return static_cast<std::int64_t>(*number);
}

Snowflake Call::query_id(std::string_view key) const {
  const auto text = query_text(key);
  if (!text) return 0;
  if (const auto id = whole_number(*text)) return *id;
  not_a(key, *text, "snowflake");
}

Guild& Call::guild(std::size_t param) const {
  Guild* found = world.find_guild(id(param));
  if (found == nullptr) refuse(404, 10004, "Unknown Guild");
  return *found;
}

std::uint32_t Call::channel(std::size_t param) const {
  const Channel* found = world.find_channel(id(param));
  if (found == nullptr) refuse(404, 10003, "Unknown Channel");
  const std::uint32_t index = world.index_of(*found);
  need(index, permission::kViewChannel);
  return index;
}

Place Call::place(std::size_t param) const {
  Place place;
  place.id = id(param);
  const User* person = place.id == 0 ? nullptr : world.find_user(place.id - 1);
  if (person != nullptr && person != &world.self) {
    place.person = world.index_of(*person);
    return place;
  }
  place.channel = channel(param);
  place.guild = &world.guilds[world.channels[place.channel].guild];
  return place;
}

StoredMessage& Call::message(const Place& place, Snowflake id) const {
  if (place.guild != nullptr) need(place.channel, permission::kReadMessageHistory);
  StoredMessage* found = world.messages.find(place.id, id);
  if (found == nullptr) {
    adopt_recent(place);
    found = world.messages.find(place.id, id);
  }
  if (found == nullptr || found->ephemeral) refuse(404, 10008, "Unknown Message");
  return *found;
}

std::uint32_t Call::user(std::size_t param) const {
  if (params[param] == "@me") return kNone;
  const User* found = world.find_user(id(param));
  if (found == nullptr) refuse(404, 10013, "Unknown User");
  return world.index_of(*found);
}

std::uint32_t Call::member(const Guild& guild, std::size_t param) const {
  const std::uint32_t index = user(param);
  if (index != kNone && world.find_member(guild, index) == nullptr) refuse(404, 10007, "Unknown Member");
  return index;
}

Role& Call::role(Guild& guild, Snowflake id) const {
  for (Role& role : guild.roles) {
    if (role.id == id) return role;
  }
  refuse(404, 10011, "Unknown Role");
}

void Call::need(std::uint32_t channel, std::uint64_t permissions) const {
  const std::uint64_t has = permissions_in_channel(world, channel, kNone);
  if ((has & permission::kViewChannel) == 0) refuse(403, 50001, "Missing Access");
  if ((has & permissions) != permissions) refuse(403, 50013, "Missing Permissions");
}

void Call::need(const Guild& guild, std::uint64_t permissions) const {
  if ((permissions_in(world, guild, kNone) & permissions) != permissions) refuse(403, 50013, "Missing Permissions");
}

void Call::need_above(const Guild& guild, std::int64_t position) const {
  if (top_role(world, guild, kNone) <= position) refuse(403, 50013, "Missing Permissions");
}

void Call::hidden_limit(std::string_view what, Snowflake resource, std::size_t count, std::int64_t window_ms) const {
  gateway.limits.hidden(what, resource, count, window_ms, gateway.now());
}

void Call::audit(const Guild& guild, int action, Snowflake target, json::array changes, json::object options) const {
  json::object entry{{"id", id_text(state.new_id())},
                     {"user_id", id_text(world.self.id)},
                     {"target_id", id_text(target)},
                     {"action_type", action}};
  if (!changes.empty()) entry["changes"] = std::move(changes);
  if (!options.empty()) entry["options"] = std::move(options);
  if (!reason.empty()) entry["reason"] = reason;
  entry["guild_id"] = id_text(guild.id);
  gateway.announce("GUILD_AUDIT_LOG_ENTRY_CREATE", json::serialize(entry), guild.id);
  state.audit.push_back(std::move(entry));
  if (state.audit.size() > RestState::kAudit) state.audit.pop_front();
}

void Call::adopt_recent(const Place& place) const {
  if (place.guild == nullptr) return;
  gateway.each_recent(place.channel, [&](const Message& message) {
    if (world.messages.find(place.id, message.id) != nullptr) return;
    std::string text;
    put_message(text, world, message, true);
    StoredMessage stored;
    stored.id = message.id;
    stored.channel = place.id;
    stored.guild = place.guild->id;
    stored.object = object_of(text);
    for (const char* key : {"guild_id", "member", "channel_type", "pinned", "nonce"}) stored.object.erase(key);
    // On the gateway accounts have no `flags`.
    stored.object["author"].get_object().emplace("flags", 0);
    for (json::value& mentioned : stored.object["mentions"].get_array()) {
      mentioned.get_object().emplace("flags", 0);
      mentioned.get_object().erase("member");
    }
    if (json::value* replied = stored.object.if_contains("referenced_message")) {
      replied->get_object()["author"].get_object().emplace("flags", 0);
    }
    stored.author = id_of(stored.object["author"].get_object()["id"]);
    world.messages.add(std::move(stored));
  });
}

Response Call::answer(const json::value& value, unsigned status) const { return {status, json::serialize(value)}; }

}  // namespace trellis::sim
