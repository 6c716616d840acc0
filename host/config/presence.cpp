// How the bot shows itself in Discord.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "config/config.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

/// Discord docs: Gateway Events, Activity Types.
constexpr int kCustomStatus = 4;
constexpr std::pair<std::string_view, int> kActivities[] = {
    {"playing ", 0}, {"listening to ", 2}, {"watching ", 3}, {"competing in ", 5}};

json::object activity_of(std::string_view text) {
  for (const auto& [word, type] : kActivities)
    if (text.starts_with(word) && text.size() > word.size())
      return {{"name", json::string_view(text.data() + word.size(), text.size() - word.size())}, {"type", type}};
  return {{"name", "Custom Status"}, {"type", kCustomStatus}, {"state", json::string_view(text.data(), text.size())}};
}

}  // namespace

std::string Config::Discord::Presence::json() const {
  if (status == "online" && activity.empty()) return {};
  json::array activities;
  if (!activity.empty()) activities.emplace_back(activity_of(activity));
  return json::serialize(
      json::object{{"since", nullptr}, {"activities", activities}, {"status", status}, {"afk", false}});
}

}  // namespace trellis::host
