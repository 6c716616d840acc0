// trellis.cache/1: Discord as it is now.
#include "abi/tables.hpp"
#include "cache/permissions.hpp"

namespace trellis::host {

namespace {

template <class T>
tl_status fill(T* out, T found) {
  const std::uint32_t size = out->size;
  found.size = size;
  std::memcpy(out, &found, std::min<std::size_t>(size, sizeof found));
  return TL_OK;
}

/// What was looked up lives until the step ends. Walks look the same version up again and again.
void pin(Turn& turn, std::shared_ptr<const void> version) {
  if (turn.pins.empty() || turn.pins.back() != version) turn.pins.push_back(std::move(version));
}

template <class T>
std::uint32_t gone_flag(const T& object) {
  return object.gone.value ? TL_GONE : 0u;
}

template <class List>
auto next_there(const List& list, std::uint64_t after) {
  auto next =
      std::upper_bound(list.begin(), list.end(), after, [](std::uint64_t id, const auto& one) { return id < one->id; });
  while (next != list.end() && (*next)->gone.value != 0) ++next;
  return next;
}

// ---- what they look like to a plugin

tl_status give(Turn& turn, const GuildPtr& found, tl_guild* out) {
  if (!found) return TL_NOT_FOUND;
  pin(turn, found);
  const std::uint32_t flags = gone_flag(*found) | (found->unavailable ? TL_UNAVAILABLE_GUILD : 0u) |
                              (found->voice_states_known ? 0u : TL_VOICE_UNKNOWN);
  return fill(out,
              tl_guild{0, flags, found->id, found->owner, found->system_channel, found->member_count, str(found->name),
                       str(found->icon), found->mfa_level, found->verification_level, found->premium_tier, 0});
}

tl_status give(Turn& turn, const ChannelPtr& found, tl_channel* out) {
  if (!found) return TL_NOT_FOUND;
  pin(turn, found);
  const std::uint32_t flags = gone_flag(*found) | (found->nsfw ? TL_NSFW : 0u);
  return fill(out, tl_channel{0, flags, found->type, 0, found->id, found->guild, found->parent, found->last_message,
                              str(found->name), found->position, found->slow_mode_s, str(found->topic),
                              found->overwrites.data(), found->overwrites.size()});
}

tl_status give(Turn& turn, const RolePtr& found, tl_role* out) {
  if (!found) return TL_NOT_FOUND;
  pin(turn, found);
  const std::uint32_t flags = gone_flag(*found) | (found->hoist ? TL_ROLE_HOIST : 0u) |
                              (found->managed ? TL_ROLE_MANAGED : 0u) | (found->mentionable ? TL_ROLE_MENTIONABLE : 0u);
  return fill(out, tl_role{0, flags, found->id, found->guild, found->permissions, found->color, found->position,
                           str(found->name)});
}

tl_status give(Turn& turn, const GuildPtr& in, const std::optional<MemberView>& found, tl_member* out) {
  if (!found) return TL_NOT_FOUND;
  pin(turn, in);
  const MemberView& member = *found;
  tl_str avatar{nullptr, 0};
  if (!member.avatar.empty()) avatar = str(turn.texts.emplace_back(member.avatar));
  const std::uint32_t flags = (member.bot ? TL_MEMBER_BOT : 0u) | (member.pending ? TL_MEMBER_PENDING : 0u) |
                              (member.deaf ? TL_MEMBER_DEAF : 0u) | (member.mute ? TL_MEMBER_MUTE : 0u);
  return fill(out, tl_member{0, flags, in->id, member.user, member.joined_us, member.premium_since_us,
                             member.timed_out_until_us, str(member.username), str(member.global_name), str(member.nick),
                             avatar, member.roles.data(), member.roles.size()});
}

// ---- guilds, channels, voice states

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
  const auto next = next_there(turn->guilds, after);
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
  if (!found) return TL_NOT_FOUND;
  const auto next = next_there(*found->channels, after);
  return next == found->channels->end() ? TL_NOT_FOUND : give(*turn, *next, out);
}

tl_status next_voice_state(tl_turn id, std::uint64_t channel_id, std::uint64_t after_user, tl_voice_state* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const auto in = turn->lane.context().cache.channel(channel_id);
  const GuildPtr found = in ? turn->lane.context().cache.guild(in->guild) : nullptr;
  if (!found) return TL_NOT_FOUND;
  for (const CachedVoiceState& state : *found->voice_states) {
    if (state.user <= after_user || state.channel != channel_id) continue;
    pin(*turn, found);
    const std::uint32_t flags = (state.bot ? TL_VOICE_BOT : 0u) | (state.muted ? TL_VOICE_MUTED : 0u) |
                                (state.deafened ? TL_VOICE_DEAFENED : 0u) | (state.streaming ? TL_VOICE_STREAMING : 0u);
    return fill(out, tl_voice_state{0, flags, found->id, state.channel, state.user, str(state.username)});
  }
  return TL_NOT_FOUND;
}

// ---- roles, members, presences

tl_status role(tl_turn id, std::uint64_t role_id, tl_role* out) {
  Turn* turn = Turn::find(id);
  return turn && out ? give(*turn, turn->lane.context().cache.role(role_id), out) : TL_REFUSED;
}

tl_status next_role(tl_turn id, std::uint64_t guild_id, std::uint64_t after, tl_role* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const GuildPtr found = turn->lane.context().cache.guild(guild_id);
  if (!found) return TL_NOT_FOUND;
  const auto next = next_there(*found->roles, after);
  return next == found->roles->end() ? TL_NOT_FOUND : give(*turn, *next, out);
}

tl_status member(tl_turn id, std::uint64_t guild_id, std::uint64_t user, tl_member* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const Cache& cache = turn->lane.context().cache;
  const GuildPtr found = cache.guild(guild_id);
  return found ? give(*turn, found, cache.member(*found, user), out) : TL_NOT_FOUND;
}

tl_status next_member(tl_turn id, std::uint64_t guild_id, std::uint64_t after, tl_member* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const GuildPtr found = turn->lane.context().cache.guild(guild_id);
  return found ? give(*turn, found, found->members->next(after), out) : TL_NOT_FOUND;
}

tl_status presence(tl_turn id, std::uint64_t guild_id, std::uint64_t user, tl_presence* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const GuildPtr found = turn->lane.context().cache.guild(guild_id);
  if (!found) return TL_NOT_FOUND;
  const CachedPresence now = found->members->presence(user);
  return fill(out, tl_presence{0, now.status, guild_id, user, now.desktop, now.mobile, now.web, 0});
}

// ---- permissions

/// A member that is known; the owner also when nothing else is known of it.
std::optional<Subject> subject_of(const Cache& cache, const CachedGuild& guild, std::uint64_t user) {
  if (const auto known = cache.member(guild, user))
    return Subject{known->user, known->roles, known->timed_out_until_us};
  if (user != 0 && user == guild.owner) return Subject{user, {}, 0};
  return std::nullopt;
}

tl_status permissions_of(const Turn& turn, const CachedGuild& guild, std::uint64_t channel_id, const Subject& subject,
                         std::uint64_t* out) {
  const ChannelPtr in = channel_id ? find_by_id(*guild.channels, channel_id) : nullptr;
  if (channel_id && !in) return TL_NOT_FOUND;
  const auto bits = in ? permissions_in(guild, *in, subject, turn.now_us) : permissions_in(guild, subject, turn.now_us);
  if (!bits) return TL_NOT_FOUND;
  *out = *bits;
  return TL_OK;
}

tl_status permissions(tl_turn id, std::uint64_t guild_id, std::uint64_t channel_id, std::uint64_t user,
                      std::uint64_t* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const Cache& cache = turn->lane.context().cache;
  const GuildPtr found = cache.guild(guild_id);
  const auto subject = found ? subject_of(cache, *found, user) : std::nullopt;
  return subject ? permissions_of(*turn, *found, channel_id, *subject, out) : TL_NOT_FOUND;
}

tl_status permissions_with(tl_turn id, std::uint64_t guild_id, std::uint64_t channel_id, std::uint64_t user,
                           const std::uint64_t* roles, std::uint64_t role_count, std::uint64_t* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  if (role_count && !roles) return TL_INVALID;
  const GuildPtr found = turn->lane.context().cache.guild(guild_id);
  return found ? permissions_of(*turn, *found, channel_id, Subject{user, {roles, role_count}, 0}, out) : TL_NOT_FOUND;
}

std::int32_t compared(const RoleRank& a, const RoleRank& b) { return a.above(b) ? 1 : b.above(a) ? -1 : 0; }

tl_status compare_members(tl_turn id, std::uint64_t guild_id, std::uint64_t user, std::uint64_t other,
                          std::int32_t* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const Cache& cache = turn->lane.context().cache;
  const GuildPtr found = cache.guild(guild_id);
  const auto one = found ? subject_of(cache, *found, user) : std::nullopt;
  const auto two = found ? subject_of(cache, *found, other) : std::nullopt;
  if (!one || !two) return TL_NOT_FOUND;
  *out = compared(rank_of(*found, *one), rank_of(*found, *two));
  return TL_OK;
}

tl_status compare_role(tl_turn id, std::uint64_t guild_id, std::uint64_t user, std::uint64_t role_id,
                       std::int32_t* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const Cache& cache = turn->lane.context().cache;
  const GuildPtr found = cache.guild(guild_id);
  const auto subject = found ? subject_of(cache, *found, user) : std::nullopt;
  const RolePtr other = found ? find_by_id(*found->roles, role_id) : nullptr;
  if (!subject || !other) return TL_NOT_FOUND;
  *out = compared(rank_of(*found, *subject), rank_of(*other));
  return TL_OK;
}

}  // namespace

const tl_cache_v1 kCacheTable = {sizeof(tl_cache_v1),
                                 0,
                                 guild,
                                 next_guild,
                                 channel,
                                 next_channel,
                                 next_voice_state,
                                 role,
                                 next_role,
                                 member,
                                 next_member,
                                 presence,
                                 permissions,
                                 permissions_with,
                                 compare_members,
                                 compare_role};

}  // namespace trellis::host
