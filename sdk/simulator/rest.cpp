#include "rest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>

#include "call.hpp"
#include "json_in.hpp"

namespace trellis::sim {

namespace {

const Response kNotFound{404, R"({"message":"404: Not Found","code":0})"};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

struct Entry {
  Route route;
  std::vector<std::string_view> parts;
};

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries = [] {
    std::vector<Route> routes;
    add_oauth_user_routes(routes);
    add_account_routes(routes);
    add_application_routes(routes);
    add_oauth_authorize_routes(routes);
    add_oauth_token_routes(routes);
    add_guild_routes(routes);
    add_role_routes(routes);
    add_member_routes(routes);
    add_channel_routes(routes);
    add_thread_routes(routes);
    add_message_routes(routes);
    add_reaction_routes(routes);
    add_command_permission_routes(routes);
    add_command_routes(routes);
    add_interaction_routes(routes);
    add_webhook_routes(routes);
    add_invite_routes(routes);
    add_emoji_routes(routes);
    add_scheduled_event_routes(routes);
    add_poll_routes(routes);
    add_soundboard_routes(routes);
    add_sticker_routes(routes);
    add_auto_moderation_routes(routes);
    std::vector<Entry> made;
    for (const Route& route : routes) made.push_back({route, split(route.pattern)});
    return made;
  }();
  return entries;
}

bool fits(const Entry& entry, const std::vector<std::string_view>& parts) {
  if (entry.parts.size() != parts.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (entry.parts[i][0] != ':' && entry.parts[i] != parts[i]) return false;
  }
  return true;
}

/// The bucket's own part: the first parameter, and the token that follows a webhook or an interaction.
std::string major_of(const Entry& entry, const std::vector<std::string_view>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (entry.parts[i][0] != ':') continue;
    const bool token = i + 1 < parts.size() && entry.parts[i + 1] == ":token";
    return token ? fmt::format("{}/{}", parts[i], parts[i + 1]) : std::string(parts[i]);
  }
  return {};
}

std::string_view bucket_of(const Entry& entry, const std::vector<std::string_view>& parts) {
  static const auto& names = *[] {
    auto* made = new std::vector<std::string>;
    for (const Entry& one : table()) made->push_back(fmt::format("{} {}", one.route.method, one.route.pattern));
    return made;
  }();
  // Deleting old messages is another limit on the same route.
  constexpr std::int64_t kTwoWeeks = 14 * kDayMs;
  if (entry.route.bucket == "delete message") {
    const Snowflake id = std::strtoull(std::string(parts.back()).c_str(), nullptr, 10);
    if (wall_clock_ms() - static_cast<std::int64_t>(id >> 22) - kDiscordEpochMs > kTwoWeeks)
      return "delete old message";
  }
  if (!entry.route.bucket.empty()) return entry.route.bucket;
  return names[static_cast<std::size_t>(&entry - table().data())];
}

Response html_error(unsigned status) {
  Response page;
  page.status = status;
  page.content_type = "text/html";
  page.body = fmt::format(
      "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
      "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
      status == 502   ? "502 Bad Gateway"
      : status == 503 ? "503 Service Temporarily Unavailable"
      : status == 504 ? "504 Gateway Time-out"
                      : fmt::format("{} Error", status));
  return page;
}

Response unauthorized() { return {401, R"({"message":"401: Unauthorized","code":0})"}; }

Response carry_out(Gateway& gateway, const Request& request, const Entry& entry,
                   const std::vector<std::string_view>& parts, std::string_view query, const Grant* grant) {
  RateLimits::Headers headers;
  Response response;
  try {
    std::string major = major_of(entry, parts);
    if (grant != nullptr) major += fmt::format(" of {}", grant->user);  // people's requests are counted apart
    gateway.limits.check(bucket_of(entry, parts), major, entry.route.limit, !entry.route.open, gateway.now(), headers);
    Call call(gateway, request);
    call.grant = grant;
    call.query = query;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (entry.parts[i][0] == ':') call.params.push_back(percent_decode(parts[i]));
    }
    call.read();
    response = entry.route.handler(call);
  } catch (const Limited& limited) {
    ++gateway.rest.limited[limited.scope];
    return RateLimits::response(limited, std::move(headers));
  } catch (const ApiError& error) {
    response = error.response();
  } catch (const InvalidForm& form) {
    response = form.response();
  } catch (const std::exception& error) {
    gateway.log(fmt::format("{} {}: {}", request.method, request.target, error.what()));
    response = {500, R"({"message":"500: Internal Server Error","code":0})"};
  }
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  return response;
}

/// What is noted of a request, once it is known how it ended.
void note(Gateway& gateway, RestState::Logged logged, const Response& response, std::string_view pattern) {
  logged.status = response.status;
  if (response.status >= 400) {
    if (const auto body = parse_json(response.body))
      logged.code = static_cast<int>(number_at(*body, "code").value_or(0));
  }
  gateway.rest.log(std::move(logged), pattern);
  const bool shared =
      response.status == 429 && std::any_of(response.headers.begin(), response.headers.end(),
                                            [](const auto& header) { return header.second == "shared"; });
  if (response.status == 401 || response.status == 403 || (response.status == 429 && !shared)) {
    gateway.limits.invalid(gateway.now());
  }
}

Response answer_api(Gateway& gateway, const Request& request, const std::vector<std::string_view>& parts,
                    std::string_view query, std::string& pattern) {
  // Discord may block who does not say who it is.
  if (gateway.options.rest_limits == "strict" && !request.user_agent.starts_with("DiscordBot (")) {
    return {403, R"({"message":"internal network error","code":40333})"};
  }
  const Entry* found = nullptr;
  bool other_method = false;
  for (const Entry& entry : table()) {
    if (!fits(entry, parts)) continue;
    other_method = true;
    if (entry.route.method != request.method) continue;
    found = &entry;
    break;
  }
  constexpr std::string_view kBot = "Bot ";
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = request.authorization;
  const bool bot = authorization.starts_with(kBot) && gateway.token_ok(authorization.substr(kBot.size()));
  const Grant* grant = authorization.starts_with(kBearer)
                           ? gateway.oauth.find_access(authorization.substr(kBearer.size()), gateway.now())
                           : nullptr;
  if ((found == nullptr || !found->route.open) && !bot && grant == nullptr) return unauthorized();
  if (found == nullptr) {
    return other_method ? Response{405, R"({"message":"405: Method Not Allowed","code":0})"} : kNotFound;
  }
  pattern = found->route.pattern;
  const Route& route = found->route;
  if (!route.open && grant != nullptr && route.scope != "any" && !grant->has(route.scope)) return unauthorized();
  if (!route.open && bot && !route.bot) return {403, R"({"message":"Bots cannot use this endpoint","code":20001})"};
  return carry_out(gateway, request, *found, parts, query, route.open ? nullptr : grant);
}

/// For who wants to check the answers: what was asked, and what was said. A fault's page is none of Discord's API.
std::function<void(const Response&)> keeper_of_answers(const Gateway& gateway, const Request& request,
                                                       const std::vector<std::string_view>& parts,
                                                       std::string_view below, bool fault) {
  if (gateway.options.answers.empty()) return [](const Response&) {};
  boost::json::object asked{{"method", request.method}, {"path", below}, {"fault", fault}};
  for (const Entry& entry : table())
    if (entry.route.method == request.method && fits(entry, parts) && !asked.contains("route"))
      asked["route"] = fmt::format("{} {}", entry.route.method, entry.route.pattern);
  return [&gateway, asked](const Response& response) {
    boost::json::object line = asked;
    line["status"] = response.status;
    line["type"] = response.content_type;
    if (!response.body.empty()) {
      auto body = parse_json(response.body);
      line["body"] = body ? std::move(*body) : boost::json::value(response.body);
    }
    std::ofstream(gateway.options.answers, std::ios::app) << boost::json::serialize(line) + "\n";
  };
}

}  // namespace

std::vector<std::string> routes() {
  std::vector<std::string> names;
  for (const Entry& entry : table()) names.push_back(fmt::format("{} {}", entry.route.method, entry.route.pattern));
  return names;
}

Response handle(Gateway& gateway, const Request& request) {
  const std::string_view target = request.target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  const std::string_view path = target.substr(0, mark);
  if (path.starts_with("/_sim/")) return handle_control(gateway, request, path.substr(6), query);

  std::vector<std::string_view> parts = split(path);
  if (parts.size() == 4 && parts[0] == "attachments") {
    const File* file = gateway.rest.find_file(std::strtoull(std::string(parts[2]).c_str(), nullptr, 10));
    if (file == nullptr) return {404, "This content is no longer available.", "text/plain"};
    return {200, file->content, file->content_type};
  }
  // The pages of OAuth2 are there without /api, too.
  const bool page = parts.size() == 2 && parts[0] == "oauth2" && parts[1].starts_with("authorize");
  if (parts.empty() || (parts.front() != "api" && !page)) return kNotFound;
  if (!page) parts.erase(parts.begin());
  if (!parts.empty() && parts.front().size() > 1 && parts.front()[0] == 'v' && parts.front()[1] >= '0' &&
      parts.front()[1] <= '9') {
    if (parts.front() != "v10" && parts.front() != "v9") {
      return {400, R"({"message":"Invalid API version","code":50041})"};
    }
    parts.erase(parts.begin());
  }
  std::string below;
  for (const std::string_view part : parts) below.append("/").append(part);

  const std::int64_t now = gateway.now();
  if (gateway.limits.banned(now)) return gateway.limits.ban_page(now);
  const auto fault = gateway.rest_faults.take(request.method, below);
  using Kind = RestFault::Kind;
  std::string pattern = below;
  Response response;
  if (fault && fault->kind == Kind::kLimit) {
    ++gateway.rest.limited[fault->scope];
    // Headers of a bucket with room: what a limit on the resource looks like.
    RateLimits::Headers headers;
    if (fault->scope == "shared") {
      headers = {{"X-RateLimit-Limit", "10"}, {"X-RateLimit-Remaining", "9"}, {"X-RateLimit-Reset-After", "1.000"}};
    }
    response = RateLimits::response({fault->scope, fault->length_ms}, std::move(headers));
  } else if (fault && !fault->after && (fault->kind == Kind::kError || fault->kind == Kind::kReset)) {
    response = html_error(fault->status);
  } else {
    response = answer_api(gateway, request, parts, query, pattern);
    if (fault && fault->after && fault->kind == Kind::kError) response = html_error(fault->status);
  }
  if (fault) {
    response.reset = fault->kind == Kind::kReset;
    response.close_after = fault->kind == Kind::kClose;
    if (fault->kind == Kind::kSlow) response.delay_ms = fault->length_ms;
  }

  RestState::Logged logged{wall_clock_ms(), request.method, below, 0, 0, percent_decode(request.reason)};
  const auto keep = keeper_of_answers(gateway, request, parts, below, fault.has_value());
  if (!response.later) {
    keep(response);
    note(gateway, std::move(logged), response, pattern);
    return response;
  }
  Response waiting;
  waiting.later = [&gateway, logged, pattern, keep,
                   early = std::move(response)](std::function<void(Response)> respond) {
    early.later([&gateway, logged, pattern, keep, early, respond](Response late) {
      late.headers.insert(late.headers.end(), early.headers.begin(), early.headers.end());
      late.reset = early.reset;
      late.close_after = early.close_after;
      late.delay_ms = early.delay_ms;
      keep(late);
      note(gateway, logged, late, pattern);
      respond(std::move(late));
    });
  };
  return waiting;
}

}  // namespace trellis::sim
