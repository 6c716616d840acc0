#include "cache/permissions.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

namespace bit = permission;

constexpr std::uint64_t kGuild = 1, kOwner = 5, kMember = 7, kLow = 10, kHigh = 20, kAdmin = 30, kOld = 40;
constexpr std::int64_t kNow = 1'000'000;
constexpr std::uint64_t kTalk = bit::kViewChannel | bit::kSendMessages | bit::kEmbedLinks | bit::kAttachFiles |
                                bit::kMentionEveryone | bit::kSendTtsMessages;

RolePtr role(std::uint64_t id, std::int32_t position, std::uint64_t permissions, Position gone = {}) {
  CachedRole role;
  role.id = id;
  role.guild = kGuild;
  role.position = position;
  role.permissions = permissions;
  role.gone = gone;
  return std::make_shared<const CachedRole>(role);
}
tl_overwrite for_role(std::uint64_t id, std::uint64_t allow, std::uint64_t deny) {
  return {id, allow, deny, TL_OVERWRITE_ROLE, 0};
}
tl_overwrite for_member(std::uint64_t id, std::uint64_t allow, std::uint64_t deny) {
  return {id, allow, deny, TL_OVERWRITE_MEMBER, 0};
}

struct Case {
  const char* what;
  std::uint64_t everyone;  // permissions of @everyone
  std::vector<std::uint64_t> roles;
  std::uint32_t type;  // of the channel
  std::vector<tl_overwrite> overwrites;
  std::uint64_t expected;
  std::uint64_t user = kMember;
  std::int64_t timed_out_until = 0;
};

class Permissions : public testing::TestWithParam<Case> {};

CachedGuild guild_of(std::uint64_t everyone) {
  CachedGuild guild;
  guild.id = kGuild;
  guild.owner = kOwner;
  guild.roles = std::make_shared<const RoleList>(
      RoleList{role(kGuild, 0, everyone), role(kLow, 1, bit::kSpeak), role(kHigh, 2, bit::kManageRoles),
               role(kAdmin, 3, bit::kAdministrator), role(kOld, 4, bit::kAdministrator, Position::of(1, 1))});
  return guild;
}

TEST_P(Permissions, InAChannel) {
  const Case& c = GetParam();
  CachedGuild guild = guild_of(c.everyone);
  auto channel = std::make_shared<CachedChannel>();
  channel->id = 100;
  channel->guild = kGuild;
  channel->type = is_thread(c.type) ? 0 : c.type;
  channel->overwrites = c.overwrites;
  CachedChannel thread;
  thread.id = 200;
  thread.parent = 100;
  thread.type = c.type;
  guild.channels = std::make_shared<const ChannelList>(ChannelList{channel});
  const Subject subject{c.user, c.roles, c.timed_out_until};
  EXPECT_EQ(permissions_in(guild, is_thread(c.type) ? thread : *channel, subject, kNow), c.expected) << c.what;
}

INSTANTIATE_TEST_SUITE_P(
    Documented, Permissions,
    testing::Values(
        Case{"the owner may everything", 0, {}, 0, {for_member(kOwner, 0, ~0ull)}, bit::kAll, kOwner},
        Case{"the owner cannot be timed out", 0, {}, 0, {}, bit::kAll, kOwner, kNow + 1},
        Case{"an administrator, whatever a channel denies", 0, {kAdmin}, 0, {for_role(kAdmin, 0, ~0ull)}, bit::kAll},
        Case{"an administrator cannot be timed out", 0, {kAdmin}, 0, {}, bit::kAll, kMember, kNow + 1},
        Case{"a role that was deleted gives nothing", kTalk, {kOld}, 0, {for_role(kOld, bit::kConnect, 0)}, kTalk},
        Case{"a role that nobody knows", kTalk, {999}, 0, {}, kTalk},
        Case{"roles add up", kTalk, {kLow, kHigh}, 0, {}, kTalk | bit::kSpeak | bit::kManageRoles},
        Case{"bits that nobody names are kept", kTalk | 1ull << 60, {}, 0, {}, kTalk | 1ull << 60},
        Case{"@everyone's overwrite denies",
             kTalk,
             {},
             0,
             {for_role(kGuild, 0, bit::kEmbedLinks)},
             kTalk & ~bit::kEmbedLinks},
        Case{"a role's allow beats @everyone's deny",
             kTalk,
             {kLow},
             0,
             {for_role(kGuild, 0, bit::kEmbedLinks), for_role(kLow, bit::kEmbedLinks, 0)},
             kTalk | bit::kSpeak},
        Case{"one role's allow beats another's deny, in any order",
             kTalk,
             {kLow, kHigh},
             0,
             {for_role(kLow, bit::kEmbedLinks, 0), for_role(kHigh, 0, bit::kEmbedLinks)},
             kTalk | bit::kSpeak | bit::kManageRoles},
        Case{"the member's own deny beats every allow",
             kTalk,
             {kLow},
             0,
             {for_member(kMember, 0, bit::kEmbedLinks), for_role(kLow, bit::kEmbedLinks, 0)},
             (kTalk | bit::kSpeak) & ~bit::kEmbedLinks},
        Case{"another member's overwrite", kTalk, {}, 0, {for_member(kOwner, bit::kSpeak, bit::kEmbedLinks)}, kTalk},
        Case{"a role's overwrite for who has it not",
             kTalk,
             {},
             0,
             {for_role(kLow, bit::kSpeak, bit::kEmbedLinks)},
             kTalk},
        Case{"a user with a role's id", kTalk, {}, 0, {for_role(kMember, 0, bit::kEmbedLinks)}, kTalk},
        Case{"who cannot see it, may nothing",
             kTalk | bit::kManageRoles,
             {},
             0,
             {for_role(kGuild, 0, bit::kViewChannel)},
             0},
        Case{"who cannot send, neither mentions nor attaches",
             kTalk | bit::kReadMessageHistory,
             {},
             0,
             {for_role(kGuild, 0, bit::kSendMessages)},
             bit::kViewChannel | bit::kReadMessageHistory},
        Case{"who cannot connect, does not manage",
             bit::kViewChannel | bit::kManageChannels | bit::kMoveMembers,
             {},
             2,
             {},
             bit::kViewChannel},
        Case{"the same on a stage", bit::kViewChannel | bit::kSpeak | bit::kManageRoles, {}, 13, {}, bit::kViewChannel},
        Case{"who connects, does",
             bit::kViewChannel | bit::kConnect | bit::kMoveMembers,
             {},
             2,
             {},
             bit::kViewChannel | bit::kConnect | bit::kMoveMembers},
        Case{"connecting matters in no text channel",
             bit::kViewChannel | bit::kManageChannels,
             {},
             0,
             {},
             bit::kViewChannel | bit::kManageChannels},
        Case{"sending in threads",
             bit::kViewChannel | bit::kSendMessagesInThreads | bit::kEmbedLinks,
             {},
             11,
             {},
             bit::kViewChannel | bit::kSendMessagesInThreads | bit::kSendMessages | bit::kEmbedLinks},
        Case{"a thread has its channel's overwrites",
             kTalk | bit::kSendMessagesInThreads,
             {},
             12,
             {for_role(kGuild, 0, bit::kSendMessagesInThreads)},
             bit::kViewChannel},
        Case{"timed out",
             kTalk | bit::kReadMessageHistory | bit::kManageRoles,
             {},
             0,
             {},
             bit::kViewChannel | bit::kReadMessageHistory,
             kMember,
             kNow + 1},
        Case{"no longer timed out", kTalk, {}, 0, {}, kTalk, kMember, kNow}));

TEST(PermissionsInAGuild, BeforeAnyChannel) {
  const CachedGuild guild = guild_of(kTalk);
  const std::vector<std::uint64_t> roles{kLow};
  EXPECT_EQ(permissions_in(guild, {kMember, roles, 0}, kNow), kTalk | bit::kSpeak);
  EXPECT_EQ(permissions_in(guild, {kMember, roles, kNow + 5}, kNow), bit::kViewChannel);
  EXPECT_EQ(permissions_in(guild, {kOwner, {}, 0}, kNow), bit::kAll);
}

TEST(PermissionsInAGuild, NotKnown) {
  CachedGuild guild;
  guild.id = kGuild;
  guild.roles = std::make_shared<const RoleList>();
  EXPECT_EQ(permissions_in(guild, {kMember, {}, 0}, kNow), std::nullopt) << "its roles are not known";
  guild = guild_of(kTalk);
  guild.channels = std::make_shared<const ChannelList>();
  CachedChannel thread;
  thread.type = 11;
  thread.parent = 4;
  EXPECT_EQ(permissions_in(guild, thread, {kMember, {}, 0}, kNow), std::nullopt) << "its channel is not known";
}

TEST(RoleRanks, ByPositionThenAge) {
  const CachedGuild guild = guild_of(0);
  const std::vector<std::uint64_t> low{kLow}, high{kLow, kHigh}, none, old{kOld};
  const auto rank = [&](std::uint64_t user, const std::vector<std::uint64_t>& roles) {
    return rank_of(guild, Subject{user, roles, 0});
  };
  EXPECT_TRUE(rank(1, high).above(rank(2, low)));
  EXPECT_FALSE(rank(1, low).above(rank(2, high)));
  EXPECT_FALSE(rank(1, low).above(rank(2, low))) << "equals do not reach each other";
  EXPECT_TRUE(rank(1, low).above(rank(2, none)));
  EXPECT_FALSE(rank(1, old).above(rank(2, none))) << "its role was deleted";
  EXPECT_TRUE(rank(kOwner, none).above(rank(2, high)));
  EXPECT_FALSE(rank(1, high).above(rank(kOwner, none)));
  EXPECT_TRUE(rank_of(*role(50, 3, 0)).above(rank_of(*role(60, 3, 0)))) << "of two, the older one";
}

}  // namespace
}  // namespace trellis::host
