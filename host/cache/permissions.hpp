// What a member may do, computed as Discord documents it (Topics, Permissions).
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "cache/objects.hpp"

namespace trellis::host {

namespace permission {
inline constexpr std::uint64_t kAdministrator = 1ull << 3;
inline constexpr std::uint64_t kManageChannels = 1ull << 4;
inline constexpr std::uint64_t kPrioritySpeaker = 1ull << 8;
inline constexpr std::uint64_t kStream = 1ull << 9;
inline constexpr std::uint64_t kViewChannel = 1ull << 10;
inline constexpr std::uint64_t kSendMessages = 1ull << 11;
inline constexpr std::uint64_t kSendTtsMessages = 1ull << 12;
inline constexpr std::uint64_t kEmbedLinks = 1ull << 14;
inline constexpr std::uint64_t kAttachFiles = 1ull << 15;
inline constexpr std::uint64_t kReadMessageHistory = 1ull << 16;
inline constexpr std::uint64_t kMentionEveryone = 1ull << 17;
inline constexpr std::uint64_t kConnect = 1ull << 20;
inline constexpr std::uint64_t kSpeak = 1ull << 21;
inline constexpr std::uint64_t kMuteMembers = 1ull << 22;
inline constexpr std::uint64_t kDeafenMembers = 1ull << 23;
inline constexpr std::uint64_t kMoveMembers = 1ull << 24;
inline constexpr std::uint64_t kUseVoiceActivity = 1ull << 25;
inline constexpr std::uint64_t kManageRoles = 1ull << 28;
inline constexpr std::uint64_t kRequestToSpeak = 1ull << 32;
inline constexpr std::uint64_t kSendMessagesInThreads = 1ull << 38;
inline constexpr std::uint64_t kUseEmbeddedActivities = 1ull << 39;
inline constexpr std::uint64_t kUseSoundboard = 1ull << 42;
inline constexpr std::uint64_t kUseExternalSounds = 1ull << 45;
inline constexpr std::uint64_t kSetVoiceChannelStatus = 1ull << 48;
/// Every bit that Discord documents: 0 to 52, but 47.
inline constexpr std::uint64_t kAll = ((1ull << 53) - 1) & ~(1ull << 47);
}  // namespace permission

/// Whose permissions. Roles of the server that it does not have any more are passed over.
struct Subject {
  std::uint64_t user = 0;
  std::span<const std::uint64_t> roles;  // @everyone may be left out
  std::int64_t timed_out_until_us = 0;
};

/// [any thread] Nothing when the server's roles are not known.
std::optional<std::uint64_t> permissions_in(const CachedGuild&, const Subject&, std::int64_t now_us);
/// [any thread] In a channel or thread of the server. Nothing when the roles, or a thread's channel, are not known.
std::optional<std::uint64_t> permissions_in(const CachedGuild&, const CachedChannel&, const Subject&,
                                            std::int64_t now_us);

/// The place in the order of roles: by position, and of two at the same position the older one is above.
struct RoleRank {
  std::int64_t position = -1;
  std::uint64_t id = ~std::uint64_t{0};
  bool above(const RoleRank& other) const {
    return position != other.position ? position > other.position : id < other.id;
  }
};
RoleRank rank_of(const CachedRole&);
/// Of the highest role; of the owner: above everybody.
RoleRank rank_of(const CachedGuild&, const Subject&);

}  // namespace trellis::host
