// trellis.cache/1: Discord as it is now.
#include "abi/tables.hpp"

namespace trellis::host {

namespace {

template <class T>
tl_status fill(T* out, T found) {
  const std::uint32_t size = out->size;
  found.size = size;
  std::memcpy(out, &found, std::min<std::size_t>(size, sizeof found));
  return TL_OK;
}

tl_status give(Turn& turn, const GuildPtr& found, tl_guild* out) {
  if (!found) return TL_NOT_FOUND;
  turn.pins.push_back(found);
  const std::uint32_t flags = (found->gone.value ? TL_GONE : 0u) | (found->unavailable ? TL_UNAVAILABLE_GUILD : 0u);
  return fill(out, tl_guild{0, flags, found->id, found->owner, found->system_channel, found->member_count,
                            str(found->name), str(found->icon)});
}

tl_status give(Turn& turn, const std::shared_ptr<const CachedChannel>& found, tl_channel* out) {
  if (!found) return TL_NOT_FOUND;
  turn.pins.push_back(found);
  const std::uint32_t flags = (found->gone.value ? TL_GONE : 0u) | (found->nsfw ? TL_NSFW : 0u);
  return fill(out, tl_channel{0, flags, found->type, 0, found->id, found->guild, found->parent, found->last_message,
                              str(found->name)});
}

tl_status guild(tl_turn id, std::uint64_t guild_id, tl_guild* out) {
  Turn* turn = Turn::find(id);
  return turn && out ? give(*turn, turn->lane.context().cache.guild(guild_id), out) : TL_REFUSED;
}

tl_status next_guild(tl_turn id, std::uint64_t after, tl_guild* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  if (after == 0 || turn->guilds.empty()) {
    turn->guilds = turn->lane.context().cache.guilds();
    std::erase_if(turn->guilds, [](const GuildPtr& guild) { return guild->gone.value != 0; });
  }
  const auto next = std::upper_bound(turn->guilds.begin(), turn->guilds.end(), after,
                                     [](std::uint64_t id, const GuildPtr& g) { return id < g->id; });
  return next == turn->guilds.end() ? TL_NOT_FOUND : give(*turn, *next, out);
}

tl_status channel(tl_turn id, std::uint64_t channel_id, tl_channel* out) {
  Turn* turn = Turn::find(id);
  return turn && out ? give(*turn, turn->lane.context().cache.channel(channel_id), out) : TL_REFUSED;
}

tl_status next_channel(tl_turn id, std::uint64_t guild_id, std::uint64_t after, tl_channel* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const GuildPtr found = turn->lane.context().cache.guild(guild_id);
  if (!found || !found->channels) return TL_NOT_FOUND;
  const auto& list = *found->channels;
  auto next =
      std::upper_bound(list.begin(), list.end(), after, [](std::uint64_t id, const auto& c) { return id < c->id; });
  while (next != list.end() && (*next)->gone.value != 0) ++next;
  return next == list.end() ? TL_NOT_FOUND : give(*turn, *next, out);
}

tl_status next_voice_state(tl_turn id, std::uint64_t channel_id, std::uint64_t after_user, tl_voice_state* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const auto in = turn->lane.context().cache.channel(channel_id);
  const GuildPtr found = in ? turn->lane.context().cache.guild(in->guild) : nullptr;
  if (!found || !found->voice_states) return TL_NOT_FOUND;
  for (const CachedVoiceState& state : *found->voice_states) {
    if (state.user <= after_user || state.channel != channel_id) continue;
    turn->pins.push_back(found);
    const std::uint32_t flags = (state.bot ? TL_VOICE_BOT : 0u) | (state.muted ? TL_VOICE_MUTED : 0u) |
                                (state.deafened ? TL_VOICE_DEAFENED : 0u) | (state.streaming ? TL_VOICE_STREAMING : 0u);
    return fill(out, tl_voice_state{0, flags, found->id, state.channel, state.user, str(state.username)});
  }
  return TL_NOT_FOUND;
}

}  // namespace

const tl_cache_v1 kCacheTable = {sizeof(tl_cache_v1), 0, guild, next_guild, channel, next_channel, next_voice_state};

}  // namespace trellis::host
