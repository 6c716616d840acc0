// Cold guilds: a session goes on, and what was known of its guilds is lost.
#include "cache_fixture.hpp"

namespace trellis::host {
namespace {
using cache_testing::CacheTest;

constexpr const char* kAnswer = R"({"id":"100","name":"g","owner_id":"5","approximate_member_count":40,
  "roles":[{"id":"100","name":"@everyone","permissions":"1024","position":0},
           {"id":"30","name":"Bot","position":1,"permissions":"8"},{"id":"31","name":"Old","position":2}],
  "channels":[{"id":"111","type":0,"name":"general"},{"id":"112","type":0,"name":"old"}],
  "threads":[{"id":"120","type":11,"name":"thread","parent_id":"111"},{"id":"121","type":11,"parent_id":"112"}],
  "members":[{"user":{"id":"9","username":"me"},"roles":["30"]}]})";

class RefillTest : public CacheTest {
 protected:
  RefillTest() {
    cache_.keep_voice_states(true);
    cache_.on_whole([this](Stream) { ++told_; });
    cache_.set_self(9);
    apply("MESSAGE_CREATE", "{}");  // the session goes on
  }
  int told_ = 0;
};

TEST_F(RefillTest, ShowsAllOfItAgain) {
  EXPECT_TRUE(cache_.lacks_guilds(stream_));
  EXPECT_TRUE(cache_.begin_refill(stream_, 100));
  EXPECT_TRUE(cache_.guild(100)->cold);
  EXPECT_TRUE(cache_.guild(100)->unavailable);
  EXPECT_FALSE(cache_.whole(stream_));
  EXPECT_TRUE(cache_.refill(stream_, 100, kAnswer));
  const auto guild = cache_.guild(100);
  EXPECT_FALSE(guild->cold);
  EXPECT_FALSE(guild->unavailable);
  EXPECT_FALSE(guild->voice_states_known) << "REST does not tell who is in voice";
  EXPECT_EQ(guild->name, "g");
  EXPECT_EQ(guild->member_count, 40);
  EXPECT_EQ(guild->channels->size(), 4u);
  EXPECT_EQ(cache_.role(30)->permissions, 8u);
  EXPECT_EQ(cache_.member(*guild, 0)->roles[0], 30u);
  cache_.refilled(stream_);
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_FALSE(cache_.lacks_guilds(stream_));
  EXPECT_EQ(told_, 1);
  cache_.refilled(stream_);
  EXPECT_EQ(told_, 1);
  EXPECT_FALSE(cache_.begin_refill(stream_, 100));
}

TEST_F(RefillTest, WhatEventsToldMeanwhileStays) {
  cache_.begin_refill(stream_, 100);
  apply("GUILD_UPDATE", R"({"id":"100","name":"renamed","owner_id":"6"})");
  apply("CHANNEL_UPDATE", R"({"id":"111","guild_id":"100","type":0,"name":"renamed"})");
  apply("CHANNEL_DELETE", R"({"id":"112","guild_id":"100","type":0})");
  apply("CHANNEL_CREATE", R"({"id":"113","guild_id":"100","type":0,"name":"new"})");
  apply("THREAD_CREATE", R"({"id":"122","guild_id":"100","type":11,"name":"new","parent_id":"111"})");
  apply("GUILD_ROLE_UPDATE", R"({"guild_id":"100","role":{"id":"30","name":"Bot","permissions":"16","position":1}})");
  apply("GUILD_ROLE_DELETE", R"({"guild_id":"100","role_id":"31"})");
  apply("GUILD_MEMBER_UPDATE", R"({"guild_id":"100","user":{"id":"9"},"roles":["30","31"]})", 100);
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":"115","user_id":"8"})");
  EXPECT_TRUE(cache_.refill(stream_, 100, kAnswer));
  const auto guild = cache_.guild(100);
  EXPECT_EQ(guild->name, "renamed");
  EXPECT_EQ(guild->owner, 6u);
  EXPECT_EQ(guild->member_count, 40);
  EXPECT_EQ(cache_.channel(111)->name, "renamed");
  EXPECT_FALSE(cache_.channel(112)) << "deleted after REST was asked";
  EXPECT_FALSE(cache_.channel(121)) << "its thread went with it";
  EXPECT_EQ(cache_.channel(113)->gone, Position{}) << "made after REST answered";
  EXPECT_EQ(cache_.channel(122)->gone, Position{});
  EXPECT_EQ(cache_.channel(120)->name, "thread");
  EXPECT_EQ(cache_.role(30)->permissions, 16u);
  EXPECT_FALSE(cache_.role(31));
  EXPECT_EQ(cache_.role(100)->permissions, 1024u);
  EXPECT_EQ(cache_.member(*guild, 0)->roles.size(), 2u);
  EXPECT_EQ(guild->voice_states->size(), 1u);
}

TEST_F(RefillTest, AllThreadsToldMeanwhile) {
  cache_.begin_refill(stream_, 100);
  apply("THREAD_LIST_SYNC", R"({"guild_id":"100","threads":[{"id":"125","type":11,"name":"t","parent_id":"111"}]})");
  EXPECT_TRUE(cache_.refill(stream_, 100, kAnswer));
  EXPECT_TRUE(cache_.channel(125));
  EXPECT_FALSE(cache_.channel(120)) << "not in the newer list";
}

TEST_F(RefillTest, AGuildCreateIsBetterThanAnyAnswer) {
  cache_.begin_refill(stream_, 100);
  apply("GUILD_CREATE", kGuild);
  EXPECT_FALSE(cache_.guild(100)->cold);
  EXPECT_FALSE(cache_.refill(stream_, 100, kAnswer));
  EXPECT_EQ(cache_.guild(100)->member_count, 42);
  EXPECT_TRUE(cache_.guild(100)->voice_states_known);
}

TEST_F(RefillTest, LeftMeanwhile) {
  cache_.begin_refill(stream_, 100);
  apply("GUILD_DELETE", R"({"id":"100"})");
  EXPECT_FALSE(cache_.refill(stream_, 100, kAnswer));
  EXPECT_NE(cache_.guild(100)->gone, Position{});
  cache_.refilled(stream_);
  EXPECT_TRUE(cache_.whole(stream_));
  cache_.forget_gone(stream_, Position::of(epoch_, seq_));
  EXPECT_TRUE(cache_.guilds().empty());
}

TEST_F(RefillTest, ANewSessionMakesItNeedless) {
  cache_.begin_refill(stream_, 100);
  cache_.begin_refill(stream_, 200);
  const Position at = ready("100");
  EXPECT_FALSE(cache_.lacks_guilds(stream_));
  EXPECT_FALSE(cache_.refill(stream_, 100, kAnswer));
  EXPECT_EQ(cache_.guild(200)->gone, at);
  cache_.refilled(stream_);
  EXPECT_FALSE(cache_.whole(stream_)) << "its GUILD_CREATEs are awaited";
  apply("GUILD_CREATE", kGuild);
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_EQ(told_, 1);
}

TEST_F(RefillTest, AnswersThatCannotBeReadLeaveItCold) {
  cache_.begin_refill(stream_, 100);
  for (const char* bad : {"", "[]", "{}", R"({"id":"100","roles":[]})", R"({"id":"7","roles":[],"channels":[]})"})
    EXPECT_FALSE(cache_.refill(stream_, 100, bad)) << bad;
  EXPECT_TRUE(cache_.guild(100)->cold);
  EXPECT_TRUE(cache_.refill(stream_, 100, kAnswer));
  cache_.begin_refill(stream_, 200);
  cache_.refilled(stream_);
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_TRUE(cache_.guild(200)->unavailable) << "as in an outage";
  EXPECT_EQ(cache_.stats().cold_guilds, 1u);
}

}  // namespace
}  // namespace trellis::host
