#include "messages.hpp"

#include <algorithm>

namespace trellis::sim {

namespace json = boost::json;

json::object StoredMessage::json(Snowflake me) const {
  json::object out = object;
  out["pinned"] = pinned_ms != 0;
  if (reactions.empty()) return out;
  json::array list;
  for (const Reaction& reaction : reactions) {
    json::value id(nullptr);
    if (reaction.emoji_id != 0) id = std::to_string(reaction.emoji_id);
    const bool mine = std::find(reaction.users.begin(), reaction.users.end(), me) != reaction.users.end();
    list.push_back(json::object{{"emoji", {{"id", id}, {"name", reaction.emoji}}},
                                {"count", reaction.users.size()},
                                {"count_details", {{"burst", 0}, {"normal", reaction.users.size()}}},
                                {"burst_colors", json::array{}},
                                {"me_burst", false},
                                {"me", mine}});
  }
  out["reactions"] = std::move(list);
  return out;
}

StoredMessage* MessageStore::find(Snowflake channel, Snowflake id) {
  const auto there = channels_.find(channel);
  if (there == channels_.end()) return nullptr;
  const auto found = there->second.find(id);
  return found == there->second.end() ? nullptr : &found->second;
}

Snowflake MessageStore::channel_of(Snowflake id) const {
  for (const auto& [channel, messages] : channels_) {
    if (messages.contains(id)) return channel;
  }
  return 0;
}

StoredMessage& MessageStore::add(StoredMessage message) {
  auto& there = channels_[message.channel];
  const Snowflake id = message.id;
  StoredMessage& made = there.insert_or_assign(id, std::move(message)).first->second;
  if (there.size() > kPerChannel) there.erase(there.begin()->first == id ? std::next(there.begin()) : there.begin());
  return made;
}

void MessageStore::erase(Snowflake channel, Snowflake id) {
  const auto there = channels_.find(channel);
  if (there != channels_.end()) there->second.erase(id);
}

std::map<Snowflake, StoredMessage>* MessageStore::in(Snowflake channel) {
  const auto there = channels_.find(channel);
  return there == channels_.end() ? nullptr : &there->second;
}

}  // namespace trellis::sim
