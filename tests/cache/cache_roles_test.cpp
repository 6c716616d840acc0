// Roles, permission overwrites, and the bot's own member.
#include "cache/permissions.hpp"
#include "cache_fixture.hpp"

namespace trellis::host {
namespace {
using cache_testing::CacheTest;

constexpr const char* kWithRoles = R"({
  "id":"100","name":"g","owner_id":"5","mfa_level":1,"verification_level":3,"premium_tier":2,
  "roles":[{"id":"100","name":"@everyone","permissions":"1024","position":0},
           {"id":"31","name":"Mods","color":16711680,"position":2,"permissions":"2251804225","hoist":true,
            "managed":false,"mentionable":true,"flags":0},
           {"id":"30","name":"Bot","position":1,"permissions":"2048","managed":true}],
  "members":[{"user":{"id":"9","username":"me","bot":true},"roles":["30"],"nick":"helper",
              "joined_at":"2026-02-01T03:34:22.613000+00:00","communication_disabled_until":null},
             {"user":{"id":"8","username":"ada"},"roles":["31"]}],
  "channels":[{"id":"111","type":0,"name":"general","position":4,"topic":"all","rate_limit_per_user":5,
               "permission_overwrites":[{"id":"9","type":1,"allow":"16384","deny":"0"},
                                        {"id":"100","type":0,"allow":"0","deny":"1024"},
                                        {"id":"30","type":0,"allow":"1024","deny":"0"}]}]})";

TEST_F(CacheTest, RolesOfAGuild) {
  ready("100");
  apply("GUILD_CREATE", kWithRoles);
  const auto guild = cache_.guild(100);
  EXPECT_EQ(guild->mfa_level, 1u);
  EXPECT_EQ(guild->verification_level, 3u);
  EXPECT_EQ(guild->premium_tier, 2u);
  ASSERT_EQ(guild->roles->size(), 3u);
  const auto role = cache_.role(31);
  ASSERT_TRUE(role);
  EXPECT_EQ(role, (*guild->roles)[1]) << "ordered by id, and shared";
  EXPECT_EQ(role->name, "Mods");
  EXPECT_EQ(role->guild, 100u);
  EXPECT_EQ(role->color, 0xff0000u);
  EXPECT_EQ(role->position, 2);
  EXPECT_EQ(role->permissions, 2251804225u);
  EXPECT_TRUE(role->hoist);
  EXPECT_TRUE(role->mentionable);
  EXPECT_FALSE(role->managed);
  EXPECT_TRUE(cache_.role(30)->managed);
  EXPECT_EQ(cache_.stats().roles, 3u);

  apply("GUILD_ROLE_CREATE", R"({"guild_id":"100","role":{"id":"40","name":"New","permissions":"8","position":1}})");
  EXPECT_EQ(cache_.role(40)->permissions, 8u);
  apply("GUILD_ROLE_UPDATE", R"({"guild_id":"100","role":{"id":"40","name":"Newer","position":"x"}})");
  EXPECT_EQ(cache_.role(40)->name, "Newer");
  EXPECT_EQ(cache_.role(40)->position, 1) << "what cannot be read stays";
  EXPECT_EQ(cache_.role(40)->permissions, 8u);
  const Position gone = apply("GUILD_ROLE_DELETE", R"({"guild_id":"100","role_id":"40"})");
  EXPECT_EQ(cache_.role(40)->gone, gone);
  EXPECT_EQ(cache_.role(40)->name, "Newer") << "still readable";
  EXPECT_EQ(cache_.stats().roles, 3u);
  cache_.forget_gone(stream_, gone);
  EXPECT_FALSE(cache_.role(40));
  EXPECT_EQ(cache_.guild(100)->roles->size(), 3u);

  apply("GUILD_UPDATE", R"({"id":"100","name":"h"})");
  EXPECT_EQ(cache_.guild(100)->roles->size(), 3u) << "an update without roles keeps them";
  const Position listed = apply("GUILD_UPDATE", R"({"id":"100","roles":[{"id":"100","permissions":"2048"}]})");
  EXPECT_EQ(cache_.role(31)->gone, listed);
  EXPECT_EQ(cache_.role(100)->permissions, 2048u);
  const Position left = apply("GUILD_DELETE", R"({"id":"100"})");
  EXPECT_EQ(cache_.role(100)->gone, left);
}

TEST_F(CacheTest, ChannelsWithTheirOverwrites) {
  ready("100");
  apply("GUILD_CREATE", kWithRoles);
  const auto channel = cache_.channel(111);
  EXPECT_EQ(channel->position, 4);
  EXPECT_EQ(channel->topic, "all");
  EXPECT_EQ(channel->slow_mode_s, 5u);
  ASSERT_EQ(channel->overwrites.size(), 3u);
  EXPECT_EQ(channel->overwrites[0].id, 9u);
  EXPECT_EQ(channel->overwrites[0].kind, static_cast<std::uint32_t>(TL_OVERWRITE_MEMBER));
  EXPECT_EQ(channel->overwrites[0].allow, 16384u);
  EXPECT_EQ(channel->overwrites[2].deny, 1024u);
  apply("CHANNEL_UPDATE", R"({"id":"111","guild_id":"100","topic":null})");
  EXPECT_EQ(cache_.channel(111)->topic, "");
  EXPECT_EQ(cache_.channel(111)->overwrites.size(), 3u) << "what is not in the update stays";
  apply("CHANNEL_UPDATE", R"({"id":"111","guild_id":"100","permission_overwrites":7})");
  EXPECT_EQ(cache_.channel(111)->overwrites.size(), 3u);
  apply("CHANNEL_UPDATE",
        R"({"id":"111","guild_id":"100","permission_overwrites":[null,{"id":"100","allow":[],"deny":"8"}]})");
  ASSERT_EQ(cache_.channel(111)->overwrites.size(), 1u);
  EXPECT_EQ(cache_.channel(111)->overwrites[0].deny, 8u);
  EXPECT_EQ(cache_.channel(111)->overwrites[0].allow, 0u);
}

TEST_F(CacheTest, TheBotsOwnMember) {
  EXPECT_TRUE(cache_.wants(event_type("GUILD_MEMBER_UPDATE"))) << "its own come without an intent";
  ready("100");
  EXPECT_EQ(cache_.self(), 9u);
  apply("GUILD_CREATE", kWithRoles);
  auto guild = cache_.guild(100);
  auto own = cache_.member(*guild, 0);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->user, 9u);
  EXPECT_EQ(own->nick, "helper");
  EXPECT_EQ(own->username, "me");
  EXPECT_EQ(own->joined_us, 1769916862613000);
  ASSERT_EQ(own->roles.size(), 1u);
  EXPECT_EQ(own->roles[0], 30u);
  EXPECT_TRUE(cache_.member(*guild, 9));
  EXPECT_FALSE(cache_.member(*guild, 8)) << "others are not kept here";
  EXPECT_EQ(guild->members->rows(), 0u);

  // May it write in the channel? @everyone cannot see it, its role can, and it may embed links itself.
  EXPECT_EQ(permissions_in(*guild, *cache_.channel(111), {9, own->roles, own->timed_out_until_us}, 0),
            permission::kViewChannel | permission::kSendMessages | permission::kEmbedLinks);

  apply("GUILD_MEMBER_UPDATE", R"({"guild_id":"100","user":{"id":"8"},"roles":["31","30"],"nick":"x"})", 100);
  EXPECT_EQ(cache_.guild(100), guild) << "somebody else's update changes nothing";
  apply("GUILD_MEMBER_UPDATE", R"({"guild_id":"100","user":{"id":"9"},"roles":["31","30"],"nick":null,
                                   "communication_disabled_until":"2026-02-01T03:34:22+00:00"})",
        100);
  guild = cache_.guild(100);
  own = cache_.member(*guild, 9);
  EXPECT_EQ(own->roles.size(), 2u);
  EXPECT_EQ(own->roles[0], 30u) << "ordered";
  EXPECT_EQ(own->nick, "");
  EXPECT_EQ(own->joined_us, 1769916862613000) << "what is not in the update stays";
  EXPECT_EQ(own->timed_out_until_us, 1769916862000000);
}

}  // namespace
}  // namespace trellis::host
