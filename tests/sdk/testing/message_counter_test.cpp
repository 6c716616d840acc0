// message_counter in the test host: the database, the clock, the jobs and restarts are real.
#include "message_counter/message_counter.cpp"

#include <gtest/gtest.h>

#include <trellis/testing.hpp>

namespace {

using trellis::testing::Host;
using trellis::testing::kGeneral;
using trellis::testing::kRandom;
using trellis::testing::kServer;
using trellis::testing::kThread;
using trellis::testing::Restart;

constexpr UserId kAda{7}, kBrian{8};
constexpr std::string_view kAll = R"({"trackedChannels": {"*": ["*"]}})";

std::string counts(Host& host) {
  std::string text;
  for (auto [channel, day, count] : host.query<ChannelId, Day, std::int64_t>(
           "SELECT channel_id, date, message_count FROM message_counts ORDER BY date, length(channel_id), channel_id"))
    text += iso8601(day) + " " + channel.text() + " " + std::to_string(count) + "\n";
  return text;
}

std::string snapshots(Host& host) {
  std::string text;
  for (auto [server, day, members] : host.query<GuildId, Day, std::int64_t>(
           "SELECT server_id, date, user_count FROM user_counts ORDER BY date, server_id"))
    text += iso8601(day) + " " + server.text() + " " + std::to_string(members) + "\n";
  return text;
}

Json member(const char* user) {
  return Json::object(
      {{"guild_id", kServer}, {"user", Json::object({{"id", user}, {"username", "x"}})}, {"roles", Json::array()}});
}

}  // namespace

TEST(MessageCounter, CountsPerChannelAndDay) {
  auto host = trellis::testing::host<MessageCounter>(kAll);
  for (int i = 0; i < 3; ++i) host.message(kAda, kGeneral, "one");
  host.message(kBrian, kRandom, "two");
  EXPECT_EQ(counts(host), "2024-01-15 100 3\n2024-01-15 101 1\n");
}

TEST(MessageCounter, CountsOnlyWhatIsTracked) {
  auto host = trellis::testing::host<MessageCounter>(R"({"trackedChannels": {"1": ["101"], "2": ["100"]}})");
  host.message(kAda, kGeneral, "no").message(kAda, kRandom, "yes").message(kAda, kThread, "no");
  EXPECT_EQ(counts(host), "2024-01-15 101 1\n");
}

TEST(MessageCounter, MidnightBeginsAnotherDay) {
  auto host = trellis::testing::host<MessageCounter>(kAll);
  host.advance(12h - 1us)
      .message(kAda, kGeneral, "late")
      .advance(1us)
      .message(kAda, kGeneral, "early")
      .message(kAda, kGeneral, "early");
  EXPECT_EQ(counts(host), "2024-01-15 100 1\n2024-01-16 100 2\n");
}

TEST(MessageCounter, ThreadsCountForTheirParent) {
  auto host =
      trellis::testing::host<MessageCounter>(R"({"trackedChannels": {"1": ["100"]}, "countThreadsForParent": true})");
  host.message(kAda, kThread, "in a thread").message(kAda, kGeneral, "beside it");
  host.event(
      "THREAD_CREATE",
      Json::object({{"id", "301"}, {"guild_id", kServer}, {"parent_id", kGeneral}, {"type", 11}, {"name", "new"}}));
  host.message(kAda, ChannelId{301}, "in another")
      .restart({}, Restart::Commit)
      .message(kAda, ChannelId{301}, "after a restart");
  EXPECT_EQ(counts(host), "2024-01-15 100 4\n");
}

TEST(MessageCounter, TakesASnapshotADay) {
  auto host = trellis::testing::host<MessageCounter>(R"({"trackedChannels": {"*": ["*"]}, "dailyCutoffHourUTC": 5})");
  EXPECT_EQ(snapshots(host), "");
  host.advance(16h);
  EXPECT_EQ(snapshots(host), "");
  host.event("GUILD_MEMBER_ADD", member("50")).event("GUILD_MEMBER_ADD", member("51")).advance(1h);
  EXPECT_EQ(snapshots(host), "2024-01-16 1 27\n");
  host.event("GUILD_MEMBER_REMOVE", member("50")).advance(48h);
  EXPECT_EQ(snapshots(host), "2024-01-16 1 27\n2024-01-17 1 26\n2024-01-18 1 26\n");
  const auto log = host.log();
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const std::string& line) {
                            return line.starts_with("info: snapshot taken date=2024-01-17 servers=1 members=26");
                          }),
            1)
      << ::testing::PrintToString(log);
}

TEST(MessageCounter, MakesUpForAMissedSnapshot) {
  auto host = trellis::testing::host<MessageCounter>(kAll);
  host.restart(11h);
  EXPECT_EQ(snapshots(host), "");
  host.restart(2h);  // midnight passed meanwhile
  EXPECT_EQ(snapshots(host), "2024-01-16 1 25\n");
  host.restart(72h);  // one run for the three that were missed, for the last of them
  EXPECT_EQ(snapshots(host), "2024-01-16 1 25\n2024-01-19 1 25\n");
}

TEST(MessageCounter, AnswersQuestions) {
  auto host = trellis::testing::host<MessageCounter>(kAll);
  host.message(kAda, kGeneral, "one").advance(24h).message(kAda, kGeneral, "two").message(kAda, kRandom, "three");
  const Json stats = host.method("serverStats", Json::object({{"server", kServer}, {"days", 7}}));
  EXPECT_EQ(stats["messageCounts"]["totalMessages"].integer(), 3);
  EXPECT_EQ(stats["messageCounts"]["byChannel"]["100"].integer(), 2);
  EXPECT_EQ(stats["userCounts"]["latest"].integer(), 25);
  const Json summary = host.method("dailySummary", Json::object({{"date", "2024-01-16"}}));
  EXPECT_EQ(summary["totalMessages"].integer(), 2);
  EXPECT_EQ(summary["totalChannels"].integer(), 2);
  EXPECT_EQ(host.method("snapshot")["totalUsers"].integer(), 25);
}

TEST(MessageCounter, CountsTheSameWhereverItRestarts) {
  auto host = trellis::testing::host<MessageCounter>(kAll);
  host.everywhere([](Host& host) {
    for (int i = 0; i < 3; ++i) host.message(kAda, kGeneral, "today");
    host.event("GUILD_MEMBER_ADD", member("50"));
    host.advance(12h).message(kAda, kGeneral, "tomorrow").message(kBrian, kRandom, "tomorrow");
    host.method("flush");
    host.message(kBrian, kRandom, "tomorrow");
    EXPECT_EQ(counts(host), "2024-01-15 100 3\n2024-01-16 100 1\n2024-01-16 101 2\n") << host.restarted();
    EXPECT_EQ(snapshots(host), "2024-01-16 1 26\n") << host.restarted();
  });
}
