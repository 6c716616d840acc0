#include "rest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "event_types.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace {

const Response kNotFound{404, R"({"message":"404: Not Found","code":0})"};
const Response kMethodNotAllowed{405, R"({"message":"405: Method Not Allowed","code":0})"};

Response unknown(const char* what, int code) {
  return {404, fmt::format(R"({{"message":"Unknown {}","code":{}}})", what, code)};
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

Snowflake id_of(std::string_view text) {
  Snowflake id = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), id);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() ? id : 0;
}

std::uint64_t query_number(std::string_view query, std::string_view key, std::uint64_t otherwise) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=') {
      return id_of(pair.substr(key.size() + 1));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return otherwise;
}

Response application(const Gateway& gateway, bool oauth) {
  const std::uint64_t granted = gateway.options.granted_intents();
  std::uint64_t flags = 1ULL << 23;
  if ((granted & intent::kPresences) != 0) flags |= 1ULL << 12;
  if ((granted & intent::kGuildMembers) != 0) flags |= 1ULL << 14;
  if ((granted & intent::kMessageContent) != 0) flags |= 1ULL << 18;
  const User& owner = gateway.world.users[0];
  Response response;
  put(response.body, R"({"id":")", gateway.world.self.id,
      R"(","name":"trellis","icon":null,"description":"","type":null,"bot":)", gateway.world.self.json,
      R"(,"summary":"","bot_public":true,"bot_require_code_grant":false,"verify_key":)",
      R"("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29","flags_new":")", flags, R"(","flags":)",
      flags, R"(,"hook":true,"is_monetized":false,"redirect_uris":[],"interactions_endpoint_url":null,)",
      R"("role_connections_verification_url":null,"approximate_guild_count":)", gateway.world.guilds.size(),
      R"(,"approximate_user_install_count":0,"owner":)", owner.json, R"(,"team":null})");
  if (oauth) response.body.insert(response.body.size() - 1, R"(,"rpc_origins":[])");
  return response;
}

Response gateway_bot(const Gateway& gateway) {
  const Options& o = gateway.options;
  return {200,
          fmt::format(R"({{"url":"{}","shards":{},"session_start_limit":{{"total":{},"remaining":{},"reset_after":{},)"
                      R"("max_concurrency":{}}}}})",
                      gateway.url, o.shards, o.identify_total, gateway.identifies_left(), gateway.budget_reset_after(),
                      o.max_concurrency)};
}

Response list_members(const World& world, const Guild& guild, std::string_view query) {
  const std::uint64_t limit = std::clamp<std::uint64_t>(query_number(query, "limit", 1), 1, 1000);
  const Snowflake after = query_number(query, "after", 0);
  std::vector<std::pair<Snowflake, const Member*>> sorted{{world.self.id, nullptr}};
  for (const Member& member : guild.members) sorted.emplace_back(world.users[member.user].id, &member);
  std::sort(sorted.begin(), sorted.end());
  Response response{200, "["};
  std::uint64_t count = 0;
  for (const auto& [id, member] : sorted) {
    if (id <= after) continue;
    if (count++ == limit) break;
    if (count > 1) response.body.push_back(',');
    put_member(response.body, member == nullptr ? world.self : world.users[member->user],
               member == nullptr ? self_member_json(guild) : member->json);
  }
  response.body.push_back(']');
  return response;
}

Response guild_route(const World& world, const Guild& guild, const std::vector<std::string_view>& parts,
                     std::string_view query) {
  Response response;
  std::string& out = response.body;
  if (parts.size() == 2) {
    put_guild(out, world, guild);
    return response;
  }
  const std::string_view what = parts[2];
  if (what == "channels" && parts.size() == 3) {
    out.push_back('[');
    for (std::size_t i = 0; i < guild.channels.size(); ++i) {
      if (i > 0) out.push_back(',');
      put_channel(out, world, guild.channels[i], true);
    }
    out.push_back(']');
    return response;
  }
  if (what == "roles" && parts.size() == 3) {
    out.push_back('[');
    for (std::size_t i = 0; i < guild.roles.size(); ++i) put(out, i == 0 ? "" : ",", guild.roles[i].json);
    out.push_back(']');
    return response;
  }
  if (what == "threads" && parts.size() == 4 && parts[3] == "active") {
    put(out, R"({"threads":)");
    put_threads(out, world, guild, true);
    put(out, R"(,"members":[]})");
    return response;
  }
  if (what == "members" && parts.size() == 3) return list_members(world, guild, query);
  const bool member = what == "members" && parts.size() == 4;
  const bool voice = what == "voice-states" && parts.size() == 4;
  if (!member && !voice) return kNotFound;
  const User* user = parts[3] == "@me" ? &world.self : world.find_user(id_of(parts[3]));
  if (user == nullptr) return member ? unknown("User", 10013) : unknown("Voice State", 10065);
  const auto index = user == &world.self ? kNone : static_cast<std::uint32_t>(user - world.users.data());
  if (voice) {
    for (const VoiceState& state : guild.voice_states) {
      if (state.user != index) continue;
      put_voice_state(out, world, guild, state, true);
      return response;
    }
    return unknown("Voice State", 10065);
  }
  const Member* found = index == kNone ? nullptr : world.find_member(guild, index);
  if (found == nullptr && index != kNone) return unknown("Member", 10007);
  put_member(out, *user, found == nullptr ? self_member_json(guild) : found->json);
  return response;
}

Response own_route(Gateway& gateway, const Request& request, std::string_view path) {
  const auto from = [](Gateway::Answer answer) { return Response{answer.ok ? 200U : 400U, std::move(answer.text)}; };
  const bool post = path == "send" || path == "fault";
  if (post && request.method != "POST") return kMethodNotAllowed;
  if (path == "send") return from(gateway.inject(request.body));
  if (path == "fault") return from(gateway.fault(request.body));
  if (request.method != "GET") return kMethodNotAllowed;
  if (path == "truth") return {200, gateway.truth_json()};
  if (path == "sessions") return {200, gateway.sessions_json()};
  return kNotFound;
}

}  // namespace

Response handle(Gateway& gateway, const Request& request) {
  std::string_view target = request.target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  std::string_view path = target.substr(0, mark);
  if (path.starts_with("/_sim/")) return own_route(gateway, request, path.substr(6));

  std::vector<std::string_view> parts = split(path);
  if (parts.empty() || parts.front() != "api") return kNotFound;
  parts.erase(parts.begin());
  if (!parts.empty() && parts.front().starts_with('v') && id_of(parts.front().substr(1)) != 0) {
    if (parts.front() != "v10" && parts.front() != "v9") {
      return {400, R"({"message":"Invalid API version","code":50041})"};
    }
    parts.erase(parts.begin());
  }
  const World& world = gateway.world;
  if (parts.size() == 1 && parts[0] == "gateway") {
    return request.method == "GET" ? Response{200, fmt::format(R"({{"url":"{}"}})", gateway.url)} : kMethodNotAllowed;
  }
  constexpr std::string_view kScheme = "Bot ";
  const std::string_view authorization = request.authorization;
  if (!authorization.starts_with(kScheme) || !gateway.token_ok(authorization.substr(kScheme.size()))) {
    return {401, R"({"message":"401: Unauthorized","code":0})"};
  }
  const bool known = !parts.empty() && (parts[0] == "gateway" || parts[0] == "users" || parts[0] == "applications" ||
                                        parts[0] == "oauth2" || parts[0] == "guilds" || parts[0] == "channels");
  if (!known || parts.size() < 2) return kNotFound;
  if (request.method != "GET") return kNotFound;

  if (parts[0] == "gateway" && parts[1] == "bot" && parts.size() == 2) return gateway_bot(gateway);
  if (parts[0] == "users" && parts.size() == 2) {
    const User* user = parts[1] == "@me" ? &world.self : world.find_user(id_of(parts[1]));
    return user == nullptr ? unknown("User", 10013) : Response{200, user->json};
  }
  if (parts[0] == "users" && parts[1] == "@me" && parts.size() == 3 && parts[2] == "guilds") {
    const std::uint64_t limit = std::clamp<std::uint64_t>(query_number(query, "limit", 200), 1, 200);
    const Snowflake after = query_number(query, "after", 0);
    std::vector<const Guild*> sorted;
    for (const Guild& guild : world.guilds) {
      if (guild.id > after) sorted.push_back(&guild);
    }
    std::sort(sorted.begin(), sorted.end(), [](const Guild* a, const Guild* b) { return a->id < b->id; });
    Response response{200, "["};
    for (std::size_t i = 0; i < std::min<std::size_t>(limit, sorted.size()); ++i) {
      put(response.body, i == 0 ? "" : ",", R"({"id":")", sorted[i]->id, R"(","name":)");
      put_string(response.body, sorted[i]->name);
      put(response.body, R"(,"icon":null,"banner":null,"owner":false,"permissions":"2222085186699841","features":[]})");
    }
    response.body.push_back(']');
    return response;
  }
  if (parts[0] == "applications" && parts[1] == "@me" && parts.size() == 2) return application(gateway, false);
  if (parts[0] == "oauth2" && parts.size() == 3 && parts[1] == "applications" && parts[2] == "@me") {
    return application(gateway, true);
  }
  if (parts[0] == "guilds") {
    const Guild* guild = world.find_guild(id_of(parts[1]));
    return guild == nullptr ? unknown("Guild", 10004) : guild_route(world, *guild, parts, query);
  }
  if (parts[0] == "channels" && parts.size() == 2) {
    const Channel* channel = world.find_channel(id_of(parts[1]));
    if (channel == nullptr) return unknown("Channel", 10003);
    Response response;
    put_channel(response.body, world, static_cast<std::uint32_t>(channel - world.channels.data()), true);
    return response;
  }
  return kNotFound;
}

}  // namespace trellis::sim
