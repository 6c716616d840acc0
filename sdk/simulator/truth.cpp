#include "truth.hpp"

#include <boost/json.hpp>

#include "text.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

Snowflake id_of(const std::string& text) { return text.empty() ? 0 : std::strtoull(text.c_str(), nullptr, 10); }

template <class Map, class Value>
void put_map(std::string& out, const Map& map, Value value) {
  out.push_back('{');
  bool comma = false;
  for (const auto& [key, entry] : map) {
    if (comma) out.push_back(',');
    comma = true;
    put_string(out, key);
    out.push_back(':');
    value(entry);
  }
  out.push_back('}');
}

}  // namespace

std::uint64_t& Truth::dispatches(std::string_view type) {
  const auto found = dispatches_.find(type);
  if (found != dispatches_.end()) return found->second;
  return dispatches_.emplace(std::string(type), 0).first->second;
}

void Truth::message(std::uint32_t channel, std::int64_t day, bool counted) {
  ++messages_;
  if (!counted) return;
  if (first_day_ == INT64_MIN) first_day_ = day_of(world_.start_ms) - 2;
  if (channel >= days_.size()) days_.resize(world_.channels.size());
  auto& days = days_[channel];
  const auto at = static_cast<std::size_t>(day - first_day_);
  if (at >= days.size()) days.resize(at + 8);
  ++days[at];
}

void Truth::injected(std::string_view type, std::string_view d) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(d.data(), d.size()), error);
  if (error || !value.is_object()) return;
  const json::object& object = value.get_object();
  const std::string guild = text_of(object, "guild_id");
  if (type == "MESSAGE_CREATE") {
    ++messages_;
    const json::value* author = object.if_contains("author");
    const bool bot = author != nullptr && author->is_object() && flag_of(author->get_object(), "bot");
    const std::string day = text_of(object, "timestamp").substr(0, 10);
    if (!guild.empty() && !bot && object.if_contains("webhook_id") == nullptr && !day.empty()) {
      ++injected_messages_[guild][text_of(object, "channel_id")][day];
    }
  } else if (type == "GUILD_MEMBER_ADD" || type == "GUILD_MEMBER_REMOVE") {
    const int change = type == "GUILD_MEMBER_ADD" ? 1 : -1;
    if (Guild* known = world_.find_guild(id_of(guild))) {
      known->injected_members += change;
    } else {
      injected_members_[guild] += change;
    }
  } else if (type == "GUILD_CREATE") {
    const std::string id = text_of(object, "id");
    const json::value* count = object.if_contains("member_count");
    if (count != nullptr && count->is_int64() && world_.find_guild(id_of(id)) == nullptr) {
      injected_members_[id] = count->get_int64();
    }
  }
  if (type == "THREAD_CREATE" && !text_of(object, "parent_id").empty()) {
    injected_parents_[text_of(object, "id")] = text_of(object, "parent_id");
  }
}

std::string Truth::json(std::string_view sessions) const {
  auto messages = injected_messages_;
  std::map<std::string, std::int64_t> members = injected_members_;
  std::map<std::string, std::string> parents = injected_parents_;
  for (std::size_t channel = 0; channel < days_.size(); ++channel) {
    for (std::size_t day = 0; day < days_[channel].size(); ++day) {
      if (days_[channel][day] == 0) continue;
      const Channel& where = world_.channels[channel];
      messages[std::to_string(world_.guilds[where.guild].id)][std::to_string(where.id)]
              [day_text(first_day_ + static_cast<std::int64_t>(day))] += days_[channel][day];
    }
  }
  for (const Guild& guild : world_.guilds) {
    members[std::to_string(guild.id)] = static_cast<std::int64_t>(guild.count());
    for (const std::uint32_t thread : guild.threads) {
      parents[std::to_string(world_.channels[thread].id)] =
          std::to_string(world_.channels[world_.channels[thread].parent].id);
    }
  }
  std::string out = R"({"dispatches":)";
  std::map<std::string_view, std::uint64_t> sent;
  for (const auto& [type, count] : dispatches_) {
    if (count > 0) sent.emplace(type, count);
  }
  const auto number = [&](auto count) { put(out, count); };
  put_map(out, sent, number);
  put(out, R"(,"messages_total_sent":)", messages_, R"(,"messages":)");
  put_map(out, messages,
          [&](const auto& channels) { put_map(out, channels, [&](const Days& days) { put_map(out, days, number); }); });
  put(out, R"(,"members":)");
  put_map(out, members, number);
  put(out, R"(,"parents":)");
  put_map(out, parents, [&](const std::string& parent) { put_string(out, parent); });
  put(out, R"(,"sessions":)", sessions, "}");
  return out;
}

}  // namespace trellis::sim
