#include "objects.hpp"

#include <charconv>

#include "json_in.hpp"
#include "render.hpp"

namespace trellis::sim {

namespace json = boost::json;

std::uint64_t id_of(const json::value& value) {
  if (value.is_string()) {
    std::uint64_t id = 0;
    const json::string& text = value.get_string();
    const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() ? id : 0;
  }
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  return value.is_uint64() ? value.get_uint64() : 0;
}

json::string time_text(std::int64_t unix_ms) {
  std::string text;
  put_time(text, unix_ms);
  return json::string(text);
}

json::object object_of(std::string_view text) { return parse_json(text).value().as_object(); }

json::object user_object(const World& world, std::uint32_t user) {
  json::object object = object_of(user == kNone ? world.self.json : world.users[user].json);
  const json::value flags = object["public_flags"];
  object["flags"] = flags;
  for (const char* key : {"verified", "mfa_enabled", "email"}) object.erase(key);  // for one's own eyes
  return object;
}

json::object membership_object(const World& world, const Guild& guild, std::uint32_t user) {
  if (user == kNone) return object_of(guild.self_member);
  const Member* member = world.find_member(guild, user);
  return member == nullptr ? json::object{} : object_of(member->json);
}

json::object member_object(const World& world, const Guild& guild, std::uint32_t user) {
  json::object object = membership_object(world, guild, user);
  object["user"] = user_object(world, user);
  return object;
}

json::object channel_object(const World& world, std::uint32_t channel) {
  std::string text;
  put_channel(text, world, channel, true);
  return object_of(text);
}

json::object direct_channel_object(const World& world, std::uint32_t user) {
  return {{"id", id_text(world.users[user].id + 1)},
          {"type", 1},
          {"flags", 0},
          {"last_message_id", nullptr},
          {"recipients", json::array{user_object(world, user)}}};
}

}  // namespace trellis::sim
