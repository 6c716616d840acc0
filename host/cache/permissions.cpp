#include "cache/permissions.hpp"

#include <algorithm>
#include <limits>

namespace trellis::host {

namespace {

namespace bit = permission;

constexpr std::uint32_t kVoiceChannel = 2, kStageChannel = 13;

constexpr std::uint64_t kNotWithoutSending =
    bit::kMentionEveryone | bit::kSendTtsMessages | bit::kAttachFiles | bit::kEmbedLinks;
/// Whoever cannot connect to a voice channel neither manages it nor does anything in its voice.
constexpr std::uint64_t kNotWithoutConnecting =
    bit::kManageChannels | bit::kManageRoles | bit::kPrioritySpeaker | bit::kStream | bit::kSpeak | bit::kMuteMembers |
    bit::kDeafenMembers | bit::kMoveMembers | bit::kUseVoiceActivity | bit::kRequestToSpeak |
    bit::kUseEmbeddedActivities | bit::kUseSoundboard | bit::kUseExternalSounds | bit::kSetVoiceChannelStatus;
constexpr std::uint64_t kWhileTimedOut = bit::kViewChannel | bit::kReadMessageHistory;

bool is_there(const RolePtr& role) { return role && role->gone == Position{}; }

bool contains(std::span<const std::uint64_t> ids, std::uint64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

struct Base {
  std::uint64_t bits = 0;
  bool unlimited = false;  // the owner, and administrators: no overwrite and no time-out concerns them
};

std::optional<Base> base(const CachedGuild& guild, const Subject& subject) {
  if (guild.owner != 0 && guild.owner == subject.user) return Base{bit::kAll, true};
  const RolePtr everyone = guild.roles ? find_by_id(*guild.roles, guild.id) : nullptr;
  if (!is_there(everyone)) return std::nullopt;
  std::uint64_t bits = everyone->permissions;
  for (const std::uint64_t id : subject.roles)
    if (const RolePtr role = find_by_id(*guild.roles, id); is_there(role)) bits |= role->permissions;
  if (bits & bit::kAdministrator) return Base{bits | bit::kAll, true};
  return Base{bits, false};
}

std::uint64_t with_overwrites(std::uint64_t bits, const CachedGuild& guild, const CachedChannel& channel,
                              const Subject& subject) {
  std::uint64_t deny = 0, allow = 0, own_deny = 0, own_allow = 0;
  for (const tl_overwrite& overwrite : channel.overwrites) {
    if (overwrite.kind == TL_OVERWRITE_MEMBER) {
      if (overwrite.id != subject.user) continue;
      own_deny = overwrite.deny;
      own_allow = overwrite.allow;
    } else if (overwrite.id == guild.id) {
      bits = (bits & ~overwrite.deny) | overwrite.allow;  // @everyone's goes before those of all other roles
    } else if (contains(subject.roles, overwrite.id) && is_there(find_by_id(*guild.roles, overwrite.id))) {
      deny |= overwrite.deny;
      allow |= overwrite.allow;
    }
  }
  return (((bits & ~deny) | allow) & ~own_deny) | own_allow;
}

}  // namespace

std::optional<std::uint64_t> permissions_in(const CachedGuild& guild, const Subject& subject, std::int64_t now_us) {
  const auto found = base(guild, subject);
  if (!found) return std::nullopt;
  return !found->unlimited && subject.timed_out_until_us > now_us ? found->bits & kWhileTimedOut : found->bits;
}

std::optional<std::uint64_t> permissions_in(const CachedGuild& guild, const CachedChannel& channel,
                                            const Subject& subject, std::int64_t now_us) {
  const auto found = base(guild, subject);
  if (!found) return std::nullopt;
  if (found->unlimited) return found->bits;

  const bool thread = is_thread(channel.type);
  const ChannelPtr parent = thread && guild.channels ? find_by_id(*guild.channels, channel.parent) : nullptr;
  if (thread && !parent) return std::nullopt;  // its overwrites are its channel's
  std::uint64_t bits = with_overwrites(found->bits, guild, thread ? *parent : channel, subject);
  if (!(bits & bit::kViewChannel)) return 0;
  if (thread) {
    bits &= ~bit::kSendMessages;
    if (bits & bit::kSendMessagesInThreads) bits |= bit::kSendMessages;
  }
  if (!(bits & bit::kSendMessages)) bits &= ~kNotWithoutSending;
  if ((channel.type == kVoiceChannel || channel.type == kStageChannel) && !(bits & bit::kConnect))
    bits &= ~kNotWithoutConnecting;
  if (subject.timed_out_until_us > now_us) bits &= kWhileTimedOut;
  return bits;
}

RoleRank rank_of(const CachedRole& role) { return {role.position, role.id}; }

RoleRank rank_of(const CachedGuild& guild, const Subject& subject) {
  if (guild.owner != 0 && guild.owner == subject.user) return {std::numeric_limits<std::int64_t>::max(), 0};
  RoleRank top;
  if (!guild.roles) return top;
  if (const RolePtr everyone = find_by_id(*guild.roles, guild.id)) top = rank_of(*everyone);
  for (const std::uint64_t id : subject.roles)
    if (const RolePtr role = find_by_id(*guild.roles, id); is_there(role) && rank_of(*role).above(top))
      top = rank_of(*role);
  return top;
}

}  // namespace trellis::host
