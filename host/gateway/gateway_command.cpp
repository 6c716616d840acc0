#include "gateway/gateway_command.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace trellis::host {

namespace {

namespace json = boost::json;
using Kind = GatewayCommand::Kind;

constexpr std::size_t kUserIdsMax = 100;
constexpr std::int64_t kPrefixMembersMax = 100;
constexpr std::size_t kPresenceMax = 2048;  // an IDENTIFY has to have room for it

std::uint64_t id_of(const json::value* value) {
  std::uint64_t id = 0;
  if (!value || !value->is_string()) return 0;
  const auto& text = value->get_string();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? id : 0;
}

bool is_true(const json::object& data, std::string_view key) {
  const json::value* value = data.if_contains(key);
  return value && value->is_bool() && value->get_bool();
}

std::string members_trouble(GatewayCommand& command) {
  const json::object& data = command.data;
  const json::value* ids = data.if_contains("user_ids");
  const json::value* query = data.if_contains("query");
  command.presences = is_true(data, "presences");
  if ((ids != nullptr) == (query != nullptr))
    return "members are asked for by user_ids or by the beginning of their names, query";
  if (ids) {
    const std::size_t count = ids->is_array() ? ids->get_array().size() : 1;
    return count <= kUserIdsMax && count > 0
               ? std::string()
               : fmt::format("{} members cannot be asked for at once, but 1 to {}", count, kUserIdsMax);
  }
  if (!query->is_string()) return "query is a text";
  json::error_code error;
  const json::value* limit = data.if_contains("limit");
  const std::int64_t most = limit ? limit->to_number<std::int64_t>(error) : 0;
  command.whole_list = query->get_string().empty() && most == 0;
  if (error || most < 0 || most > kPrefixMembersMax || (most == 0 && !command.whole_list))
    return fmt::format("the limit of a query lies between 1 and {}", kPrefixMembersMax);
  return {};
}

std::string presence_trouble(const json::object& data) {
  const json::value* status = data.if_contains("status");
  const json::value* activities = data.if_contains("activities");
  if (!activities || !activities->is_array()) return "a presence has a list of activities, which may be empty";
  if (const std::size_t size = json::serialize(data).size(); size > kPresenceMax)
    return fmt::format("a presence has at most {} bytes as JSON, and this one {}; shorten its activities", kPresenceMax,
                       size);
  for (const std::string_view known : {"online", "idle", "dnd", "invisible", "offline"})
    if (status && status->is_string() && status->get_string() == known) return {};
  return "the status of a presence is online, idle, dnd, invisible or offline";
}

}  // namespace

int opcode_of(Kind kind) {
  switch (kind) {
    case Kind::Presence:
      return 3;
    case Kind::VoiceState:
      return 4;
    case Kind::Members:
      return 8;
    case Kind::SoundboardSounds:
      return 31;
    case Kind::ChannelInfo:
      return 43;
  }
  return 0;
}

std::optional<GatewayCommand> read_gateway_command(std::string_view verb, std::string_view body, std::string& why) {
  GatewayCommand command;
  json::error_code error;
  json::value data = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !data.is_object()) {
    why = "what is asked of the gateway is a JSON object";
    return std::nullopt;
  }
  command.data = std::move(data.get_object());
  if (verb == "set_presence") {
    why = presence_trouble(command.data);
    return why.empty() ? std::optional(std::move(command)) : std::nullopt;
  }
  const bool sounds = verb == "request_soundboard_sounds";
  if (verb == "request_members") {
    command.kind = Kind::Members;
  } else if (verb == "set_voice_state") {
    command.kind = Kind::VoiceState;
  } else if (sounds) {
    command.kind = Kind::SoundboardSounds;
  } else if (verb == "request_channel_info") {
    command.kind = Kind::ChannelInfo;
  } else {
    why = fmt::format("the gateway knows no \"{}\"", verb);
    return std::nullopt;
  }
  command.guild = id_of(command.data.if_contains("guild_id"));
  if (command.guild == 0) {
    why = fmt::format("{} says of which server: guild_id is its id as a text", verb);
    return std::nullopt;
  }
  if (sounds) command.data = {{"guild_ids", json::array{command.data["guild_id"]}}};
  if (command.kind == Kind::Members) why = members_trouble(command);
  if (!why.empty()) return std::nullopt;
  return command;
}

}  // namespace trellis::host
