#include "world.hpp"

#include <gtest/gtest.h>

#include <set>

#include "json_in.hpp"
#include "render.hpp"
#include "stream.hpp"

using namespace trellis::sim;

namespace {

Options small() {
  Options options;
  options.guilds = 7;
  options.channels = 25;
  options.quiet = true;
  return options;
}

TEST(World, TheSeedDecidesEverything) {
  Options options = small();
  const World one(options);
  const World same(options);
  options.seed = 2;
  const World other(options);
  std::string a;
  std::string b;
  std::string c;
  put_guild_create(a, one, one.guilds[3], {true, 250});
  put_guild_create(b, same, same.guilds[3], {true, 250});
  put_guild_create(c, other, other.guilds[3], {true, 250});
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(World, IdsAreUnique) {
  const Options options = small();
  const World world(options);
  std::set<Snowflake> ids{world.self.id};
  std::size_t count = 1;
  const auto add = [&](Snowflake id) {
    ids.insert(id);
    ++count;
  };
  for (const User& user : world.users) add(user.id);
  for (const Channel& channel : world.channels) add(channel.id);
  for (const Guild& guild : world.guilds) {
    add(guild.id);
    for (std::size_t i = 1; i < guild.roles.size(); ++i) add(guild.roles[i].id);
  }
  EXPECT_EQ(ids.size(), count);
}

TEST(World, EveryKindOfChannelAndThreadParentsExist) {
  const Options options = small();
  const World world(options);
  for (const Guild& guild : world.guilds) {
    std::set<ChannelKind> kinds;
    for (const std::uint32_t index : guild.channels) kinds.insert(world.channels[index].kind);
    EXPECT_EQ(kinds.size(), 7U);
    EXPECT_EQ(guild.threads.size(), options.threads);
    for (const std::uint32_t thread : guild.threads) {
      const Channel& parent = world.channels[world.channels[thread].parent];
      EXPECT_EQ(parent.guild, world.channels[thread].guild);
      EXPECT_FALSE(is_thread(parent.kind));
    }
  }
}

TEST(Stream, ASessionGetsJsonAndTheTruthCountsIt) {
  Options options = small();
  options.rate = 0;
  options.total = 3000;
  options.other_share = 0.3;
  World world(options);
  Truth truth(world);
  Stream stream(world, truth, {0, 1});
  Session session(100'000);
  session.intents = 0x331FFFF;
  session.stream = &stream;
  stream.sessions.push_back(&session);
  while (!stream.finished()) stream.produce(1 << 16, 0);
  std::uint64_t messages = 0;
  for (std::uint64_t seq = 1; seq <= session.log.last_seq(); ++seq) {
    const ReplayLog::Slice slice = session.log.read(seq);
    const auto value = parse_json(frame_payload(slice.frame(0)));
    ASSERT_TRUE(value.has_value()) << frame_payload(slice.frame(0));
    EXPECT_EQ(number_at(*value, "s"), seq);
    if (text_at(*value, "t") == "MESSAGE_CREATE") ++messages;
  }
  EXPECT_EQ(messages, 3000U);
  EXPECT_EQ(truth.dispatches("MESSAGE_CREATE"), 3000U);
}

TEST(Stream, SessionsOfOneShardGetTheSameEventsAndTheyCountOnce) {
  Options options = small();
  options.rate = 0;
  options.total = 500;
  World world(options);
  Truth truth(world);
  Stream stream(world, truth, {0, 1});
  Session first(100'000);
  Session second(100'000);
  for (Session* session : {&first, &second}) {
    session->intents = 1 << 9;
    session->stream = &stream;
    stream.sessions.push_back(session);
  }
  while (!stream.finished()) stream.produce(1 << 16, 0);
  EXPECT_EQ(first.log.last_seq(), second.log.last_seq());
  EXPECT_EQ(first.log.read(10).frame(0), second.log.read(10).frame(0));
  EXPECT_EQ(truth.dispatches("MESSAGE_CREATE"), 500U);
}

TEST(Stream, TheTotalIsDividedAmongTheShards) {
  Options options = small();
  options.total = 1001;
  World world(options);
  Truth truth(world);
  std::uint64_t sum = 0;
  for (std::uint32_t id = 0; id < 3; ++id) sum += Stream(world, truth, {id, 3}).quota();
  EXPECT_EQ(sum, 1001U);
}

}  // namespace
