// Which channels of which servers are counted.
#pragma once
#include <trellis/plugin.hpp>
#include <unordered_map>
#include <unordered_set>

namespace message_counter {

class Tracked {
 public:
  Tracked() = default;

  /// {"server": ["channel", …]}; "*" stands for all servers, or for all channels of one.
  explicit Tracked(const trellis::Settings& settings) {
    for (const auto& [server, channels] : settings.entries()) {
      const auto guild = trellis::GuildId::parse(server).value_or(trellis::GuildId{});
      if (!guild && server != "*") settings.refuse(server, "is no server id: digits, or \"*\" for all servers");
      Channels& list = servers_[guild];
      for (const trellis::Json& name : channels.values<trellis::Json>()) {
        const auto channel = name.view().id<trellis::ChannelTag>();
        const bool all = name.view().text() == "*";
        if (!channel && !all)
          settings.refuse(server, name.dump() + " is no channel id: digits, or \"*\" for all channels");
        if (all)
          list.all = true;
        else
          list.some.insert(channel);
      }
    }
    const auto everywhere = servers_.find(trellis::GuildId{});
    if (everywhere != servers_.end()) everywhere_ = everywhere->second;
  }

  bool contains(trellis::GuildId server, trellis::ChannelId channel) const {
    if (everywhere_.contains(channel)) return true;
    const auto found = servers_.find(server);
    return found != servers_.end() && found->second.contains(channel);
  }
  bool empty() const { return servers_.empty(); }

 private:
  struct Channels {
    bool all = false;
    std::unordered_set<trellis::ChannelId> some;
    bool contains(trellis::ChannelId channel) const { return all || some.contains(channel); }
  };
  std::unordered_map<trellis::GuildId, Channels> servers_;
  Channels everywhere_;
};

}  // namespace message_counter
