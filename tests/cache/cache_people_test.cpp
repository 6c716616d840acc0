// Members and presences, kept only when a plugin needs them.
#include "cache_fixture.hpp"

namespace trellis::host {
namespace {
using cache_testing::CacheTest;

constexpr const char* kPeople = R"({"id":"100","name":"g","member_count":3,"channels":[],
  "members":[{"user":{"id":"9","username":"me","bot":true},"roles":[]},
             {"user":{"id":"8","username":"ada","global_name":"Ada","avatar":"a_00112233445566778899aabbccddeeff"},
              "roles":["31","30"],"nick":"countess","joined_at":"2026-02-01T03:34:22.613000+00:00",
              "premium_since":"2026-02-02T00:00:00+00:00","pending":true,"deaf":true,"mute":false},
             null, {"user":4}, {"user":{"id":"x"}}, {}],
  "presences":[{"user":{"id":"8"},"status":"dnd","client_status":{"desktop":"dnd","web":"idle"},"activities":[{}]},
               {"user":{"id":"7"},"status":"online","client_status":[]}, 7, {"user":{"id":"6"},"status":{}}]})";

TEST_F(CacheTest, MembersOnlyWhenKept) {
  EXPECT_FALSE(cache_.wants(event_type("GUILD_MEMBERS_CHUNK")));
  cache_.keep_members(true);
  for (const char* name : {"GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE", "GUILD_MEMBERS_CHUNK"})
    EXPECT_TRUE(cache_.wants(event_type(name)));
  EXPECT_FALSE(cache_.wants(event_type("PRESENCE_UPDATE")));
  ready("100");
  apply("GUILD_CREATE", kPeople);
  auto guild = cache_.guild(100);
  auto ada = cache_.member(*guild, 8);
  ASSERT_TRUE(ada);
  EXPECT_EQ(ada->username, "ada");
  EXPECT_EQ(ada->global_name, "Ada");
  EXPECT_EQ(ada->nick, "countess");
  EXPECT_EQ(ada->avatar, "a_00112233445566778899aabbccddeeff");
  EXPECT_EQ(ada->joined_us, 1769916862613000);
  EXPECT_EQ(ada->premium_since_us, 1769990400000000);
  ASSERT_EQ(ada->roles.size(), 2u);
  EXPECT_EQ(ada->roles[0], 30u);
  EXPECT_TRUE(ada->pending);
  EXPECT_TRUE(ada->deaf);
  EXPECT_FALSE(ada->mute);
  EXPECT_FALSE(ada->bot);
  EXPECT_EQ(guild->members->presence(8), CachedPresence{}) << "presences are not kept here";
  EXPECT_EQ(guild->members->rows(), 2u);

  apply("GUILD_MEMBER_ADD", R"({"guild_id":"100","user":{"id":"12","username":"kim"},"roles":[]})", 100);
  apply("GUILD_MEMBER_ADD", R"({"guild_id":"100","user":{"id":"12","username":"kim"},"roles":[]})", 100);
  EXPECT_EQ(cache_.guild(100)->member_count, 4) << "Discord may tell it twice";
  apply("GUILD_MEMBER_UPDATE", R"({"guild_id":"100","user":{"id":"8","username":"ada"},"roles":["31"],"nick":null})",
        100);
  EXPECT_EQ(ada->nick, "countess") << "a version never changes";
  guild = cache_.guild(100);
  ada = cache_.member(*guild, 8);
  EXPECT_EQ(ada->nick, "");
  EXPECT_EQ(ada->roles.size(), 1u);
  EXPECT_EQ(ada->global_name, "Ada");
  apply("GUILD_MEMBERS_CHUNK", R"({"guild_id":"100","chunk_index":0,"chunk_count":1,"not_found":[7],
      "members":[{"user":{"id":"20","username":"lee"},"roles":["31"]},{"user":{"id":"8","username":"ada l"}}]})",
        100);
  guild = cache_.guild(100);
  EXPECT_EQ(cache_.member(*guild, 20)->username, "lee");
  EXPECT_EQ(cache_.member(*guild, 8)->username, "ada l");
  EXPECT_EQ(cache_.stats().cached_members, 4u);
  apply("GUILD_MEMBER_REMOVE", R"({"guild_id":"100","user":{"id":"20"}})", 100);
  EXPECT_FALSE(cache_.member(*cache_.guild(100), 20));
  EXPECT_TRUE(cache_.member(*guild, 20));
  apply("GUILD_CREATE", kPeople);
  EXPECT_FALSE(cache_.member(*cache_.guild(100), 12)) << "the list begins anew: who left meanwhile is not known";
}

TEST_F(CacheTest, ForgottenWhenNobodyNeedsThemAnyMore) {
  cache_.keep_members(true);
  cache_.keep_presences(true);
  ready("100");
  apply("GUILD_CREATE", kPeople);
  cache_.keep_presences(false);
  EXPECT_TRUE(cache_.member(*cache_.guild(100), 8));
  cache_.keep_members(false);
  EXPECT_FALSE(cache_.member(*cache_.guild(100), 8));
  EXPECT_TRUE(cache_.member(*cache_.guild(100), 0));
}

TEST_F(CacheTest, WhatWasNotFollowedIsNotTakenForTheTruthLater) {
  cache_.keep_members(true);
  cache_.keep_presences(true);
  ready("100");
  apply("GUILD_CREATE", kPeople);
  cache_.keep_presences(false);
  cache_.keep_presences(true);
  EXPECT_TRUE(cache_.member(*cache_.guild(100), 8));
  EXPECT_EQ(cache_.guild(100)->members->presence(8), CachedPresence{});
  apply("GUILD_CREATE", kPeople);
  cache_.keep_members(false);
  cache_.keep_members(true);
  EXPECT_FALSE(cache_.member(*cache_.guild(100), 8));
  EXPECT_EQ(cache_.guild(100)->members->presence(8), (CachedPresence{TL_DND, TL_DND, 0, TL_IDLE}));
}

TEST_F(CacheTest, VoiceStatesOfATimeWhenNobodyNeededThemAreNotKnown) {
  cache_.keep_voice_states(true);
  ready("100");
  apply("GUILD_CREATE", R"({"id":"100","voice_states":[{"user_id":"8","channel_id":"101"}]})");
  EXPECT_TRUE(cache_.guild(100)->voice_states_known);
  EXPECT_EQ(cache_.guild(100)->voice_states->size(), 1u);
  cache_.keep_voice_states(false);
  cache_.keep_voice_states(true);
  EXPECT_FALSE(cache_.guild(100)->voice_states_known);
  EXPECT_TRUE(cache_.guild(100)->voice_states->empty());
}

TEST_F(CacheTest, PresencesOnlyWhenKept) {
  cache_.keep_presences(true);
  EXPECT_TRUE(cache_.wants(event_type("PRESENCE_UPDATE")));
  ready("100");
  apply("GUILD_CREATE", kPeople);
  auto guild = cache_.guild(100);
  EXPECT_EQ(guild->members->presence(8), (CachedPresence{TL_DND, TL_DND, 0, TL_IDLE}));
  EXPECT_EQ(guild->members->presence(7).status, TL_ONLINE);
  EXPECT_EQ(guild->members->presence(6), CachedPresence{});
  EXPECT_FALSE(cache_.member(*guild, 8)) << "members are not kept here";
  apply("PRESENCE_UPDATE", R"({"guild_id":"100","user":{"id":"8"},"status":"dnd","activities":[{"name":"a game"}],
                               "client_status":{"desktop":"dnd","web":"idle"}})",
        100);
  EXPECT_EQ(cache_.guild(100), guild) << "what is kept did not change";
  apply("PRESENCE_UPDATE", R"({"guild_id":"100","user":{"id":"8"},"status":"offline","client_status":{}})", 100);
  EXPECT_EQ(cache_.guild(100)->members->presence(8), CachedPresence{});
  for (const char* odd : {R"({"guild_id":"100","user":7,"status":[],"client_status":"x","activities":{}})",
                          R"({"guild_id":100,"user":{"id":7,"username":[]},"status":3,"client_status":{"web":{}}})",
                          "{}", R"({"guild_id":"404","user":{"id":"7"},"status":"idle"})"})
    apply("PRESENCE_UPDATE", odd, 100);
  EXPECT_EQ(cache_.guild(100)->members->presence(7), CachedPresence{}) << "a status that is none is offline";
}

TEST_F(CacheTest, MembersComeBackFromASnapshot) {
  cache_.keep_members(true);
  cache_.keep_presences(true);
  ready("100");
  apply("GUILD_CREATE", kPeople);
  std::string folder = testing::TempDir() + "trellis-people-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  cache_.save(stream_, folder);
  std::string why;
  Cache loaded;
  loaded.keep_members(true);
  EXPECT_NE(loaded.load(stream_, folder, why), Position{}) << why;
  EXPECT_EQ(loaded.self(), 9u);
  const auto guild = loaded.guild(100);
  EXPECT_EQ(loaded.member(*guild, 8)->nick, "countess");
  EXPECT_EQ(guild->members->presence(8), CachedPresence{}) << "presences are not kept here";
  EXPECT_EQ(loaded.member(*guild, 0)->username, "me");
  Cache both;
  both.keep_members(true);
  both.keep_presences(true);
  EXPECT_NE(both.load(stream_, folder, why), Position{}) << why;
  EXPECT_EQ(both.guild(100)->members->presence(8).status, TL_DND);
  EXPECT_EQ(both.member(*both.guild(100), 8)->nick, "countess");
  Cache without;
  EXPECT_NE(without.load(stream_, folder, why), Position{}) << why;
  EXPECT_EQ(without.guild(100)->members->rows(), 0u) << "nobody needs them any more";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace trellis::host
