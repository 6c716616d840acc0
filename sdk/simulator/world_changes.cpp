// What changes a world besides its stream: channels and members that a bot makes, edits and removes.
#include <algorithm>

#include "world.hpp"

namespace trellis::sim {

std::uint32_t World::index_of(const Channel& channel) const {
  return static_cast<std::uint32_t>(&channel - channels.data());
}

std::uint32_t World::index_of(const User& user) const {
  return &user == &self ? kNone : static_cast<std::uint32_t>(&user - users.data());
}

void World::remove_channel(std::uint32_t index) {
  Channel& channel = channels[index];
  Guild& guild = guilds[channel.guild];
  for (auto* list : {&guild.channels, &guild.threads, &guild.writable, &guild.voice}) std::erase(*list, index);
  std::erase_if(guild.voice_states, [&](const VoiceState& state) { return state.channel == index; });
  channel_index_.erase(channel.id);
  messages.erase_channel(channel.id);
}

void World::remove_member(Guild& guild, std::uint32_t user) {
  const auto found =
      std::find_if(guild.members.begin(), guild.members.end(), [&](const Member& one) { return one.user == user; });
  if (found == guild.members.end()) return;
  *found = std::move(guild.members.back());
  guild.members.pop_back();
  std::erase_if(guild.voice_states, [&](const VoiceState& state) { return state.user == user; });
}

bool World::needed(std::uint32_t index) const {
  // The stream writes somewhere, and a community server cannot do without these either.
  const Channel& channel = channels[index];
  for (const std::uint32_t other : guilds[channel.guild].channels) {
    if (channels[other].kind != channel.kind) continue;
    return other == index && (channel.kind == ChannelKind::kText || channel.kind == ChannelKind::kNews);
  }
  return false;
}

}  // namespace trellis::sim
