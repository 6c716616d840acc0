// Who may do what: roles, overwrites and the order of roles, computed as Discord documents it.
#pragma once

#include <cstdint>

#include "world.hpp"

namespace trellis::sim {

namespace permission {
inline constexpr std::uint64_t kCreateInstantInvite = 1ULL << 0;
inline constexpr std::uint64_t kKickMembers = 1ULL << 1;
inline constexpr std::uint64_t kBanMembers = 1ULL << 2;
inline constexpr std::uint64_t kAdministrator = 1ULL << 3;
inline constexpr std::uint64_t kManageChannels = 1ULL << 4;
inline constexpr std::uint64_t kManageGuild = 1ULL << 5;
inline constexpr std::uint64_t kAddReactions = 1ULL << 6;
inline constexpr std::uint64_t kViewAuditLog = 1ULL << 7;
inline constexpr std::uint64_t kViewChannel = 1ULL << 10;
inline constexpr std::uint64_t kSendMessages = 1ULL << 11;
inline constexpr std::uint64_t kSendTts = 1ULL << 12;
inline constexpr std::uint64_t kManageMessages = 1ULL << 13;
inline constexpr std::uint64_t kEmbedLinks = 1ULL << 14;
inline constexpr std::uint64_t kAttachFiles = 1ULL << 15;
inline constexpr std::uint64_t kReadMessageHistory = 1ULL << 16;
inline constexpr std::uint64_t kMentionEveryone = 1ULL << 17;
inline constexpr std::uint64_t kConnect = 1ULL << 20;
inline constexpr std::uint64_t kMuteMembers = 1ULL << 22;
inline constexpr std::uint64_t kDeafenMembers = 1ULL << 23;
inline constexpr std::uint64_t kMoveMembers = 1ULL << 24;
inline constexpr std::uint64_t kChangeNickname = 1ULL << 26;
inline constexpr std::uint64_t kManageNicknames = 1ULL << 27;
inline constexpr std::uint64_t kManageRoles = 1ULL << 28;
inline constexpr std::uint64_t kManageWebhooks = 1ULL << 29;
inline constexpr std::uint64_t kManageGuildExpressions = 1ULL << 30;
inline constexpr std::uint64_t kManageEvents = 1ULL << 33;
inline constexpr std::uint64_t kManageThreads = 1ULL << 34;
inline constexpr std::uint64_t kCreatePublicThreads = 1ULL << 35;
inline constexpr std::uint64_t kCreatePrivateThreads = 1ULL << 36;
inline constexpr std::uint64_t kSendMessagesInThreads = 1ULL << 38;
inline constexpr std::uint64_t kModerateMembers = 1ULL << 40;
inline constexpr std::uint64_t kCreateGuildExpressions = 1ULL << 43;
inline constexpr std::uint64_t kCreateEvents = 1ULL << 44;
inline constexpr std::uint64_t kPinMessages = 1ULL << 51;
/// Managing a voice channel, and everything in its voice.
inline constexpr std::uint64_t kNotWithoutConnect = kManageChannels | kManageRoles | kMuteMembers | kDeafenMembers |
                                                    kMoveMembers | 1ULL << 8 | 1ULL << 9 | 1ULL << 21 | 1ULL << 25 |
                                                    1ULL << 32 | 1ULL << 39 | 1ULL << 42 | 1ULL << 45 | 1ULL << 48;
inline constexpr std::uint64_t kAll = (1ULL << 53) - 1;
}  // namespace permission

/// `user` is an index into the world's users; kNone is the bot that logs in.
std::uint64_t permissions_in(const World& world, const Guild& guild, std::uint32_t user);
std::uint64_t permissions_in_channel(const World& world, std::uint32_t channel, std::uint32_t user);

/// Position of the highest role; INT64_MAX for the owner.
std::int64_t top_role(const World& world, const Guild& guild, std::uint32_t user);

}  // namespace trellis::sim
