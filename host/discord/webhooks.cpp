#include "discord/webhooks.hpp"

#include <boost/json/parse.hpp>

namespace trellis::host {

namespace {

namespace json = boost::json;

std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

void GoneWebhooks::add(const RestRoute& route) {
  if (route.webhook.empty() || route.interaction || !keys_.insert(route.major).second) return;
  order_.push_back(route.major);
  if (order_.size() <= kMost) return;
  keys_.erase(order_.front());
  order_.pop_front();
}

bool GoneWebhooks::contains(const RestRoute& route) const {
  return !route.webhook.empty() && !route.interaction && (keys_.contains(route.major) || keys_.contains(route.webhook));
}

std::vector<std::pair<std::string, std::string>> channels_of_webhooks(std::string_view body) {
  std::vector<std::pair<std::string, std::string>> found;
  json::error_code error;
  const json::value parsed = json::parse({body.data(), body.size()}, error);
  if (error) return found;
  const auto look = [&](const json::value& value) {
    const json::object* object = value.if_object();
    if (!object) return;
    std::string webhook = text(*object, "webhook_id");  // a message names who wrote it
    if (webhook.empty()) webhook = text(*object, "id");
    const std::string channel = text(*object, "channel_id");
    if (!webhook.empty() && !channel.empty()) found.emplace_back("webhook " + webhook, "channel " + channel);
  };
  if (const json::array* list = parsed.if_array())
    for (const json::value& value : *list) look(value);
  else
    look(parsed);
  return found;
}

}  // namespace trellis::host
