#include "cache/cache.hpp"

#include <atomic>
#include <random>
#include <thread>

#include "cache_fixture.hpp"

namespace trellis::host {
namespace {
using cache_testing::CacheTest;

TEST_F(CacheTest, AGuildWithAllItsParts) {
  cache_.keep_voice_states(true);
  ready("100");
  apply("GUILD_CREATE", kGuild);
  const auto guild = cache_.guild(100);
  ASSERT_TRUE(guild);
  EXPECT_EQ(guild->name, "Café \"One\"");
  EXPECT_EQ(guild->icon, "abc");
  EXPECT_EQ(guild->owner, 5u);
  EXPECT_EQ(guild->system_channel, 111u);
  EXPECT_EQ(guild->member_count, 42);
  EXPECT_FALSE(guild->unavailable);
  EXPECT_EQ(guild->gone, Position{});
  ASSERT_EQ(guild->channels->size(), 4u);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_LT((*guild->channels)[i - 1]->id, (*guild->channels)[i]->id);
  const auto channel = cache_.channel(111);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->name, "general");
  EXPECT_EQ(channel->guild, 100u);
  EXPECT_EQ(channel->parent, 110u);
  EXPECT_EQ(channel->last_message, 999u);
  EXPECT_TRUE(channel->nsfw);
  EXPECT_EQ(channel, (*guild->channels)[1]) << "shared with the guild's list";
  EXPECT_EQ(cache_.channel(120)->parent, 111u);
  EXPECT_EQ(cache_.channel(120)->type, 11u);
  ASSERT_EQ(guild->voice_states->size(), 1u);
  const auto& voice = guild->voice_states->front();
  EXPECT_EQ(voice.user, 7u);
  EXPECT_EQ(voice.channel, 113u);
  EXPECT_EQ(voice.username, "sam");
  EXPECT_TRUE(voice.muted);
  EXPECT_FALSE(voice.deafened);
  EXPECT_TRUE(voice.streaming);
  EXPECT_FALSE(voice.bot);
  const auto stats = cache_.stats();
  EXPECT_EQ(stats.guilds, 1u);
  EXPECT_EQ(stats.channels, 4u);
  EXPECT_EQ(stats.members, 42);
  EXPECT_EQ(stats.voice_states, 1u);
  EXPECT_FALSE(cache_.guild(1));
  EXPECT_FALSE(cache_.channel(1));
}

TEST_F(CacheTest, WholeWhenEveryGuildOfReadyWasHeardOf) {
  int told = 0;
  cache_.on_whole([&](Stream stream) {
    EXPECT_EQ(stream, stream_);
    ++told;
  });
  EXPECT_FALSE(cache_.whole(stream_));
  ready("1,2,3");
  apply("GUILD_CREATE", R"({"id":"1","name":"a","channels":[]})");
  EXPECT_FALSE(cache_.whole(stream_));
  apply("GUILD_CREATE", R"({"id":"2","unavailable":true})");
  apply("GUILD_CREATE", R"({"id":"77","name":"a join","channels":[]})");
  EXPECT_FALSE(cache_.whole(stream_));
  EXPECT_EQ(told, 0);
  apply("GUILD_DELETE", R"({"id":"3"})");
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(cache_.guild(2)->unavailable);
  EXPECT_FALSE(cache_.whole(Stream{1, 2}));
  apply("GUILD_CREATE", R"({"id":"2","name":"back","channels":[]})");
  EXPECT_FALSE(cache_.guild(2)->unavailable);
  EXPECT_EQ(told, 1);
  ready("1");
  EXPECT_FALSE(cache_.whole(stream_));
  apply("GUILD_CREATE", "{damaged", 1);
  EXPECT_TRUE(cache_.whole(stream_)) << "heard of, though it could not be read";
  EXPECT_EQ(told, 2);
  ready("");
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_EQ(told, 3);
}

TEST_F(CacheTest, OutageKeepsAndLeavingMarks) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  apply("GUILD_DELETE", R"({"id":"100","unavailable":true})");
  EXPECT_TRUE(cache_.guild(100)->unavailable);
  EXPECT_EQ(cache_.guild(100)->name, "Café \"One\"");
  EXPECT_EQ(cache_.channel(111)->gone, Position{});
  apply("GUILD_CREATE", kGuild);
  EXPECT_FALSE(cache_.guild(100)->unavailable);

  const Position at = apply("GUILD_DELETE", R"({"id":"100"})");
  EXPECT_EQ(cache_.guild(100)->gone, at);
  EXPECT_EQ(cache_.channel(111)->gone, at);
  EXPECT_EQ(cache_.channel(111)->name, "general") << "still readable";
  EXPECT_EQ(cache_.stats().guilds, 0u);
  cache_.forget_gone(stream_, {at.value - 1});
  EXPECT_TRUE(cache_.guild(100));
  cache_.forget_gone(stream_, at);
  EXPECT_FALSE(cache_.guild(100));
  EXPECT_FALSE(cache_.channel(111));
  EXPECT_TRUE(cache_.guilds().empty());

  apply("GUILD_CREATE", kGuild);
  apply("GUILD_DELETE", R"({"id":"100"})");
  const Position back = apply("GUILD_CREATE", kGuild);
  cache_.forget_gone(stream_, back);
  ASSERT_TRUE(cache_.guild(100)) << "it came back before it was forgotten";
  EXPECT_EQ(cache_.guild(100)->gone, Position{});
  EXPECT_EQ(cache_.channel(120)->gone, Position{});
}

TEST_F(CacheTest, ChannelsAndThreads) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  apply("CHANNEL_CREATE", R"({"id":"115","guild_id":"100","type":0,"name":"new","parent_id":"110"})");
  EXPECT_EQ(cache_.channel(115)->name, "new");
  const auto before = cache_.guild(100);
  apply("CHANNEL_UPDATE", R"({"id":"115","guild_id":"100","name":"renamed"})");
  EXPECT_EQ(cache_.channel(115)->name, "renamed");
  EXPECT_EQ(cache_.channel(115)->parent, 110u) << "what is not in the update stays";
  EXPECT_EQ((*before->channels)[3]->name, "new") << "a version never changes";
  apply("THREAD_CREATE", R"({"id":"130","guild_id":"100","type":11,"name":"t","parent_id":"111"})");
  apply("THREAD_CREATE", R"({"id":"131","guild_id":"100","type":11,"name":"u","parent_id":"115"})");
  apply("THREAD_UPDATE", R"({"id":"130","guild_id":"100","type":11,"name":"t2","parent_id":"111"})");
  EXPECT_EQ(cache_.channel(130)->name, "t2");
  const Position deleted = apply("THREAD_DELETE", R"({"id":"130","guild_id":"100","parent_id":"111","type":11})");
  EXPECT_EQ(cache_.channel(130)->gone, deleted);
  EXPECT_EQ(cache_.channel(130)->parent, 111u);
  const Position with_threads = apply("CHANNEL_DELETE", R"({"id":"115","guild_id":"100","type":0})");
  EXPECT_EQ(cache_.channel(115)->gone, with_threads);
  EXPECT_EQ(cache_.channel(131)->gone, with_threads) << "its threads end with it";
  EXPECT_EQ(cache_.channel(120)->gone, Position{});
  EXPECT_EQ(cache_.stats().channels, 4u);
  cache_.forget_gone(stream_, deleted);
  EXPECT_FALSE(cache_.channel(130));
  EXPECT_TRUE(cache_.channel(131));
  cache_.forget_gone(stream_, with_threads);
  EXPECT_FALSE(cache_.channel(131));
  EXPECT_EQ(cache_.guild(100)->channels->size(), 4u);

  const Position archived =
      apply("THREAD_UPDATE", R"({"id":"120","guild_id":"100","thread_metadata":{"archived":true}})");
  EXPECT_EQ(cache_.channel(120)->gone, archived);
  apply("THREAD_UPDATE", R"({"id":"120","guild_id":"100","thread_metadata":{"archived":false}})");
  EXPECT_EQ(cache_.channel(120)->gone, Position{});
  cache_.forget_gone(stream_, Position::of(epoch_, seq_));
  EXPECT_TRUE(cache_.channel(120));
}

TEST_F(CacheTest, ThreadListSync) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  apply("THREAD_CREATE", R"({"id":"130","guild_id":"100","type":11,"name":"t","parent_id":"113"})");
  const Position at = apply("THREAD_LIST_SYNC", R"({"guild_id":"100","channel_ids":["111"],"members":[],
      "threads":[{"id":"121","type":12,"name":"other","parent_id":"111"}]})");
  EXPECT_EQ(cache_.channel(120)->gone, at);
  EXPECT_EQ(cache_.channel(121)->name, "other");
  EXPECT_EQ(cache_.channel(121)->guild, 100u);
  EXPECT_EQ(cache_.channel(130)->gone, Position{}) << "of a channel that was not synchronised";
  EXPECT_EQ(cache_.channel(111)->gone, Position{});
  const Position all = apply("THREAD_LIST_SYNC", R"({"guild_id":"100","threads":[],"members":[]})");
  EXPECT_EQ(cache_.channel(121)->gone, all);
  EXPECT_EQ(cache_.channel(130)->gone, all);
  EXPECT_EQ(cache_.channel(120)->gone, at) << "keeps when it went";
}

TEST_F(CacheTest, ANewSessionShowsWhatIsGone) {
  ready("100,200");
  apply("GUILD_CREATE", kGuild);
  apply("GUILD_CREATE", R"({"id":"200","name":"b","channels":[{"id":"201","type":0,"name":"c"}]})");
  const Position at = ready("100");
  EXPECT_EQ(cache_.guild(200)->gone, at);
  EXPECT_EQ(cache_.channel(201)->gone, at);
  EXPECT_EQ(cache_.guild(100)->gone, Position{});
  const auto untouched = cache_.channel(113);
  const Position create = apply("GUILD_CREATE", R"({"id":"100","name":"renamed","member_count":43,"threads":[],
      "channels":[{"id":"113","type":2,"name":"Talk","parent_id":"110","last_message_id":null}]})");
  EXPECT_EQ(cache_.guild(100)->name, "renamed");
  EXPECT_EQ(cache_.guild(100)->owner, 5u) << "what is not in it stays";
  EXPECT_EQ(cache_.channel(111)->gone, create);
  EXPECT_EQ(cache_.channel(120)->gone, create);
  EXPECT_EQ(cache_.channel(113), untouched) << "parts that did not change are shared";
}

TEST_F(CacheTest, StreamsDoNotDisturbEachOther) {
  stream_ = {0, 2};
  ready("100");
  apply("GUILD_CREATE", kGuild);
  stream_ = {1, 2};
  ready("200");
  apply("GUILD_CREATE", R"({"id":"200","name":"b","channels":[]})");
  ready("");
  EXPECT_NE(cache_.guild(200)->gone, Position{});
  EXPECT_EQ(cache_.guild(100)->gone, Position{}) << "it is the other shard's";
  // Another count of shards: the guild moves with its next GUILD_CREATE.
  stream_ = {0, 1};
  ready("100");
  apply("GUILD_CREATE", kGuild);
  stream_ = {0, 2};
  ready("");
  EXPECT_EQ(cache_.guild(100)->gone, Position{});
}

TEST_F(CacheTest, GuildUpdate) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  apply("GUILD_UPDATE", R"({"id":"100","name":"two","icon":null,"owner_id":"6","system_channel_id":null})");
  const auto guild = cache_.guild(100);
  EXPECT_EQ(guild->name, "two");
  EXPECT_EQ(guild->icon, "");
  EXPECT_EQ(guild->owner, 6u);
  EXPECT_EQ(guild->system_channel, 0u);
  EXPECT_EQ(guild->member_count, 42);
  EXPECT_EQ(guild->channels->size(), 4u);
  apply("GUILD_UPDATE", R"({"id":"5555","name":"never seen"})");
  EXPECT_FALSE(cache_.guild(5555));
}

TEST_F(CacheTest, MemberCountsOnlyWhenKept) {
  const auto add = event_type("GUILD_MEMBER_ADD");
  EXPECT_FALSE(cache_.wants(add));
  ready("100");
  apply("GUILD_CREATE", kGuild);
  apply("GUILD_MEMBER_ADD", R"({"guild_id":"100","user":{"id":"1"}})", 100);
  EXPECT_EQ(cache_.guild(100)->member_count, 42);
  cache_.keep_member_counts(true);
  EXPECT_TRUE(cache_.wants(add));
  apply("GUILD_MEMBER_ADD", R"({"guild_id":"100","user":{"id":"1"}})", 100);
  apply("GUILD_MEMBER_ADD", R"({"guild_id":"100","user":{"id":"2"}})");
  EXPECT_EQ(cache_.guild(100)->member_count, 44);
  apply("GUILD_MEMBER_REMOVE", R"({"guild_id":"100","user":{"id":"2"}})", 100);
  EXPECT_EQ(cache_.guild(100)->member_count, 43);
  apply("GUILD_MEMBER_REMOVE", R"({"guild_id":"404","user":{"id":"2"}})", 404);
}

TEST_F(CacheTest, VoiceStatesOnlyWhenKept) {
  EXPECT_FALSE(cache_.wants(event_type("VOICE_STATE_UPDATE")));
  ready("100");
  apply("GUILD_CREATE", kGuild);
  EXPECT_TRUE(cache_.guild(100)->voice_states->empty());
  cache_.keep_voice_states(true);
  EXPECT_TRUE(cache_.wants(event_type("VOICE_STATE_UPDATE")));
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":"113","user_id":"8","session_id":"x","deaf":true,
      "mute":false,"self_deaf":false,"self_mute":false,"self_video":false,"suppress":false,
      "member":{"user":{"id":"8","username":"kim","bot":true},"roles":[]}})");
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":"113","user_id":"3","self_mute":true})");
  auto voice = cache_.guild(100)->voice_states;
  ASSERT_EQ(voice->size(), 2u);
  EXPECT_EQ((*voice)[0].user, 3u);
  EXPECT_TRUE((*voice)[0].muted);
  EXPECT_EQ((*voice)[1].username, "kim");
  EXPECT_TRUE((*voice)[1].bot);
  EXPECT_TRUE((*voice)[1].deafened);
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":"111","user_id":"8"})");
  voice = cache_.guild(100)->voice_states;
  EXPECT_EQ((*voice)[1].channel, 111u);
  EXPECT_EQ((*voice)[1].username, "kim") << "an update without the member does not take the name away";
  EXPECT_FALSE((*voice)[1].deafened);
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":null,"user_id":"8"})");
  apply("VOICE_STATE_UPDATE", R"({"guild_id":"100","channel_id":null,"user_id":"555"})");
  voice = cache_.guild(100)->voice_states;
  ASSERT_EQ(voice->size(), 1u);
  EXPECT_EQ((*voice)[0].user, 3u);
  const Position gone = apply("GUILD_DELETE", R"({"id":"100"})");
  EXPECT_TRUE(cache_.guild(100)->voice_states->empty());
  EXPECT_EQ(cache_.guild(100)->gone, gone);
}

TEST_F(CacheTest, OlderPositionsAreIgnored) {
  cache_.keep_member_counts(true);
  ready("100");
  const Position at = apply("GUILD_CREATE", kGuild);
  const Position add = apply("GUILD_MEMBER_ADD", "{}", 100);
  apply_at(add, "GUILD_MEMBER_ADD", "{}", 100);
  apply_at(at, "GUILD_CREATE", kGuild);
  EXPECT_EQ(cache_.guild(100)->member_count, 43);
  // Records the cache does not care about move its position as well.
  apply("MESSAGE_CREATE", "{}");
  Record skip;
  skip.kind = RecordKind::Skip;
  skip.position = Position::of(epoch_, 500);
  cache_.apply(stream_, skip);
  apply_at(Position::of(epoch_, 499), "GUILD_MEMBER_ADD", "{}", 100);
  EXPECT_EQ(cache_.guild(100)->member_count, 43);
  apply_at(Position::of(epoch_, 501), "GUILD_MEMBER_ADD", "{}", 100);
  EXPECT_EQ(cache_.guild(100)->member_count, 44);
}

TEST_F(CacheTest, SurprisingPayloadsChangeNothingTheyShouldNot) {
  cache_.keep_voice_states(true);
  cache_.keep_member_counts(true);
  ready("100");
  apply("GUILD_CREATE", kGuild);
  const auto before = cache_.guild(100);
  for (const char* json : {"", "null", "[]", "7", "\"x\"", "{", "{\"id\"", R"({"id":"100")", R"({"id":"100","name":)",
                           R"({"id":"100","channels":[{"id":"111","name":"broken")", R"({"id":"not a number"})",
                           R"({"id":{"a":1},"guild_id":[1]})", R"({"id":-4})", R"({"id":"99999999999999999999999"})",
                           "\xff\xfe", R"({"id":"100","name":"\ud800"})"}) {
    for (const char* name : {"READY", "GUILD_CREATE", "CHANNEL_CREATE", "CHANNEL_DELETE", "THREAD_UPDATE",
                             "THREAD_LIST_SYNC", "VOICE_STATE_UPDATE", "GUILD_MEMBER_ADD"}) {
      apply(name, json);
    }
  }
  const auto after = cache_.guild(100);
  EXPECT_EQ(after->name, before->name);
  EXPECT_EQ(after->gone, Position{});
  EXPECT_EQ(after->channels->size(), 4u);
  EXPECT_EQ(cache_.channel(111)->name, "general");
  EXPECT_EQ(cache_.guilds().size(), 1u);

  // Wrong kinds of single fields leave those as they were, the rest is taken.
  apply("GUILD_CREATE", R"({"name":7,"icon":[],"owner_id":"x","member_count":"many","id":100,"system_channel_id":"112",
      "channels":{"a":[]},"threads":null,"voice_states":[3,{"user_id":null},{"user_id":"6","channel_id":"113","mute":"yes",
      "member":null}],"members":[null,{"user":4},{}],"unavailable":null})");
  const auto odd = cache_.guild(100);
  EXPECT_EQ(odd->name, before->name);
  EXPECT_EQ(odd->icon, "abc");
  EXPECT_EQ(odd->owner, 5u);
  EXPECT_EQ(odd->member_count, 42);
  EXPECT_EQ(odd->system_channel, 112u);
  EXPECT_EQ(odd->channels->size(), 4u);
  EXPECT_EQ(cache_.channel(111)->gone, Position{});
  ASSERT_EQ(odd->voice_states->size(), 1u);
  EXPECT_EQ(odd->voice_states->front().user, 6u);
  apply("CHANNEL_UPDATE", R"({"id":"111","guild_id":"100","type":"text","nsfw":1,"parent_id":{},"name":null})");
  EXPECT_EQ(cache_.channel(111)->type, 0u);
  EXPECT_TRUE(cache_.channel(111)->nsfw);
  EXPECT_EQ(cache_.channel(111)->parent, 110u);
  EXPECT_EQ(cache_.channel(111)->name, "");
  apply("CHANNEL_CREATE", R"({"id":"600","type":1,"recipients":[]})");
  EXPECT_FALSE(cache_.channel(600)) << "a direct channel belongs to no guild";
}

TEST_F(CacheTest, DamagedPayloadsNeverCrash) {
  cache_.keep_voice_states(true);
  const std::string good = kGuild;
  std::mt19937 random(5);
  for (int round = 0; round < 3'000; ++round) {
    std::string json = good;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      switch (random() % 3) {
        case 0:
          json[random() % json.size()] = static_cast<char>(random());
          break;
        case 1:
          json.resize(1 + random() % json.size());
          break;
        default:
          json.erase(random() % json.size(), random() % 20);
          break;
      }
      if (json.empty()) json = " ";
    }
    apply("GUILD_CREATE", json, 100);
  }
  apply("GUILD_CREATE", kGuild);
  EXPECT_EQ(cache_.guild(100)->name, "Café \"One\"");
  EXPECT_EQ(cache_.channel(111)->name, "general");
}

TEST_F(CacheTest, ManyGuildsAndALargeOne) {
  std::string ids;
  for (int i = 1; i <= 2'000; ++i) ids += (ids.empty() ? "" : ",") + std::to_string(i * 1'000);
  ready(ids);
  std::size_t channels = 0;
  for (std::uint64_t i = 1; i <= 2'000; ++i) {
    const std::uint64_t count = i == 1'000 ? 900 : i % 20;
    std::string json = "{\"id\":\"" + std::to_string(i * 1'000) + "\",\"name\":\"g\",\"channels\":[";
    for (std::uint64_t c = 0; c < count; ++c) {
      json += (c ? "," : "") + ("{\"id\":\"" + std::to_string(i * 1'000 + 1 + c) + "\",\"type\":0,\"name\":\"c\"}");
    }
    channels += count;
    apply("GUILD_CREATE", json + "],\"padding\":\"" + std::string(i == 7 ? 3'000'000 : 0, 'x') + "\"}");
  }
  EXPECT_TRUE(cache_.whole(stream_));
  EXPECT_EQ(cache_.stats().guilds, 2'000u);
  EXPECT_EQ(cache_.stats().channels, channels);
  const auto all = cache_.guilds();
  ASSERT_EQ(all.size(), 2'000u);
  EXPECT_EQ(all[0]->id, 1'000u);
  EXPECT_EQ(all[1'999]->id, 2'000'000u);
}

TEST_F(CacheTest, ReadersSeeConsistentVersionsWhileItChanges) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> looked = 0;
  {
    std::vector<std::jthread> readers;
    for (int t = 0; t < 2; ++t) {
      readers.emplace_back([&] {
        do {
          const auto guild = cache_.guild(100);
          // Each version was written whole: name and count belong together.
          if (guild && guild->member_count != 42) {
            EXPECT_EQ(guild->name, std::to_string(guild->member_count));
          }
          if (const auto channel = cache_.channel(111)) {
            EXPECT_EQ(channel->guild, 100u);
          }
          cache_.guilds();
          cache_.stats();
          ++looked;
        } while (!done);
      });
    }
    std::jthread forgetter([&] {
      do cache_.forget_gone(stream_, Position::of(epoch_, 1'000'000));
      while (!done);
    });
    for (int i = 0; i < 2'000; ++i) {
      const std::string number = std::to_string(1'000 + i);
      apply("GUILD_CREATE", R"({"id":"100","name":")" + number + R"(","member_count":)" + number +
                                R"(,"channels":[{"id":"111","type":0,"name":"a"},{"id":")" + number +
                                R"(","type":0,"name":"b"}]})");
      if (i % 100 == 99) apply("GUILD_DELETE", R"({"id":"100"})");
    }
    done = true;
  }
  EXPECT_GT(looked, 0u);
}

}  // namespace
}  // namespace trellis::host
