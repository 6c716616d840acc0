#include "discord/rest_route.hpp"

#include <boost/json/parse.hpp>
#include <charconv>

namespace trellis::host {

namespace {

constexpr std::int64_t kDiscordEpochMs = 1'420'070'400'000, kTwoWeeksMs = 14ll * 24 * 3600 * 1000;

bool is_id(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A word of Discord's paths: "bulk-delete", "@me", "oauth2".
bool is_word(std::string_view text) {
  return text.size() <= 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '@' || c == '.';
         });
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash) out.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return out;
}

bool is_old(std::string_view message, std::int64_t now_ms) {
  std::uint64_t id = 0;
  const auto read = std::from_chars(message.data(), message.data() + message.size(), id);
  return read.ec == std::errc() && now_ms - (static_cast<std::int64_t>(id >> 22) + kDiscordEpochMs) > kTwoWeeksMs;
}

bool renames(std::string_view body) {
  boost::json::error_code error;
  const auto parsed = boost::json::parse(body, error);
  const auto* object = error ? nullptr : parsed.if_object();
  return object && (object->contains("name") || object->contains("topic"));
}

}  // namespace

RestRoute rest_route(std::string_view method, std::string_view target, std::string_view body,
                     std::string_view application, std::int64_t now_ms, std::string_view channel) {
  const auto parts = segments_of(target.substr(0, target.find('?')));
  const std::string_view first = parts.empty() ? std::string_view() : parts[0];
  RestRoute route;
  route.key = route.shown = std::string(method) + " ";
  const bool has_token = (first == "webhooks" || first == "interactions") && parts.size() >= 3;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string_view part = parts[i], before = i ? parts[i - 1] : std::string_view();
    std::string_view word = part;
    if (has_token && i == 2)
      word = "{token}";
    else if (before == "reactions")
      word = "*";  // one limit for all of a channel's reactions
    else if (is_id(part) || part == "@original")
      word = "{id}";
    else if (before == "invites" || before == "templates")
      word = "{code}";
    else if (!is_word(part))
      word = "{text}";
    route.key.append("/").append(word);
    route.shown.append("/").append(word == "{token}" ? word : part);
    if (word == "*") {
      for (++i; i < parts.size(); ++i) route.shown.append("/").append(parts[i]);
    }
  }
  if ((first == "channels" || first == "guilds" || first == "webhooks") && parts.size() >= 2) route.major = parts[1];
  if (has_token) {
    route.major = std::string(parts[1]) + "/" + std::string(parts[2]);
    route.authorized = false;
    route.interaction = first == "interactions" || (!application.empty() && parts[1] == application);
    const bool posts = first == "webhooks" && method == "POST" && parts.size() <= 4;
    if (posts && !route.interaction) route.meter = "webhook " + std::string(parts[1]);
    if (posts && route.interaction && !channel.empty()) route.meter = "channel " + std::string(channel);
  }
  if (first == "webhooks" && parts.size() >= 2) route.webhook = parts[1];
  // What is written into a thread names the thread as its channel.
  const bool threads =
      target.find("thread_id=") != target.npos || (parts.size() <= 3 && body.find("\"thread_name\"") != body.npos);
  const bool one = first == "webhooks" && parts.size() <= 3, all = parts.size() == 3 && parts[2] == "webhooks";
  route.tells_webhooks = (one || all) && method != "DELETE" && !route.interaction && !threads;
  if (route.key == "DELETE /channels/{id}/messages/{id}" && is_old(parts[3], now_ms))
    route.key += " (older than two weeks)";
  if (route.key == "PATCH /channels/{id}" && renames(body)) route.key += " (name or topic)";
  return route;
}

}  // namespace trellis::host
