// The counting rules and the configuration, against a host in memory. SQL is tried in the end-to-end tests.
#include "message_counter.cpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "fake_host.hpp"

namespace {

constexpr std::uint64_t kServer = 123456789012345678, kChannel = 987654321098765432, kOther = 876543210987654321;
constexpr const char* kOriginal = R"({
  "trackedChannels": {
    "123456789012345678": ["987654321098765432", "876543210987654321"],
    "112233445566778899": ["998877665544332211"]
  },
  "dailyCutoffHourUTC": 5,
  "logging": true
})";

std::string day(std::int64_t us) { return std::to_string(us / 86'400'000'000); }

}  // namespace

TEST(MessageCounter, TakesTheConfigurationOfTheOriginal) {
  fake::Host host(kOriginal);
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK) << host.reason;
  EXPECT_EQ(host.needs, (std::vector<std::string>{"intent:GUILD_MEMBERS", "cache:member_counts"}));
  ASSERT_EQ(host.subscriptions.size(), 1u);
  EXPECT_EQ(host.subscriptions[0].type, "MESSAGE_CREATE");
  EXPECT_EQ(host.subscriptions[0].flags, static_cast<std::uint32_t>(TL_GUILDS_ONLY | TL_NO_BOTS));
  EXPECT_EQ(host.entry("daily_snapshot").schedule, "0 5 * * *");
  EXPECT_EQ(host.entry("daily_snapshot").raw.flags, static_cast<std::uint32_t>(TL_ENTRY_RUN_MISSED));
  EXPECT_EQ(host.commit_every_us, 0);
}

TEST(MessageCounter, CountsTrackedChannelsUnderTheirOwnServer) {
  fake::Host host(kOriginal);
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  for (int i = 0; i < 3; ++i) host.message(kServer, kChannel, 5);
  host.message(kServer, kOther, 5);
  host.message(kServer, 555, 5);                  // not tracked
  host.message(kServer, 998877665544332211, 5);   // another server's
  host.message(112233445566778899, kChannel, 5);  // a tracked channel, but of this server
  const std::string today = day(host.now_us), now = std::to_string(host.now_us);
  EXPECT_EQ(host.rows("message_counts"),
            (std::vector<std::string>{"server_id=123456789012345678 channel_id=876543210987654321 date=" + today +
                                          " message_count=1 created_at=" + now + " updated_at=" + now,
                                      "server_id=123456789012345678 channel_id=987654321098765432 date=" + today +
                                          " message_count=3 created_at=" + now + " updated_at=" + now}));
  EXPECT_EQ(host.log.size(), 4u);
}

TEST(MessageCounter, DaysAreUtcDaysOfTheMessage) {
  fake::Host host(R"({"trackedChannels": {"*": ["*"]}, "dailyCutoffHourUTC": 23})");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  host.now_us = 1'705'363'199'999'999;  // the last microsecond of 2024-01-15
  host.message(1, 2, 3);
  host.now_us += 1;
  host.message(1, 2, 3);
  const auto rows = host.rows("message_counts");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NE(rows[0].find("date=19737 message_count=1"), std::string::npos) << rows[0];
  EXPECT_NE(rows[1].find("date=19738 message_count=1"), std::string::npos) << rows[1];
}

TEST(MessageCounter, StarsStandForAll) {
  const auto counted = [](const char* tracked, std::uint64_t server, std::uint64_t channel) {
    fake::Host host(std::string(R"({"trackedChannels": )") + tracked + "}");
    EXPECT_EQ(host.create(trellis_plugin_v1), TL_OK);
    host.message(server, channel, 5);
    return host.rows("message_counts").size();
  };
  EXPECT_EQ(counted(R"({"*": ["*"]})", 1, 2), 1u);
  EXPECT_EQ(counted(R"({"1": ["*"]})", 1, 2), 1u);
  EXPECT_EQ(counted(R"({"1": ["*"]})", 3, 2), 0u);
  EXPECT_EQ(counted(R"({"*": ["2"]})", 3, 2), 1u);
  EXPECT_EQ(counted(R"({"*": ["2"]})", 3, 4), 0u);
  EXPECT_EQ(counted(R"({"1": [2]})", 1, 2), 1u) << "ids as numbers, as YAML reads them";
  EXPECT_EQ(counted(R"({})", 1, 2), 0u);
}

TEST(MessageCounter, RefusesWhatIsWrongWithItsKey) {
  const auto complaint = [](const char* settings) {
    fake::Host host(settings);
    EXPECT_EQ(host.create(trellis_plugin_v1), TL_INVALID) << settings;
    return host.complaints.empty() ? host.reason : host.complaints[0];
  };
  EXPECT_EQ(complaint(R"({"trackedChannels": {"SERVER_ID_1": ["1"]}})"),
            "SERVER_ID_1: is no server id: digits, or \"*\" for all servers");
  EXPECT_EQ(complaint(R"({"trackedChannels": {"1": ["CHANNEL_ID_1"]}})"),
            "1: \"CHANNEL_ID_1\" is no channel id: digits, or \"*\" for all channels");
  EXPECT_EQ(complaint(R"({"trackedChannels": {"1": ["0"]}})"),
            "1: \"0\" is no channel id: digits, or \"*\" for all channels");
  EXPECT_EQ(complaint(R"({"trackedChannels": {"1": "2"}})"), ": expected a list, each a value, found \"2\"");
  EXPECT_EQ(complaint(R"({"trackedChannels": []})"), "trackedChannels: expected a section, found []");
  EXPECT_EQ(complaint(R"({"dailyCutoffHourUTC": 24})"), "dailyCutoffHourUTC: must be 0 to 23, not 24");
  EXPECT_EQ(complaint(R"({"dailyCutoffHourUTC": -1})"), "dailyCutoffHourUTC: must be 0 to 23, not -1");
  EXPECT_EQ(complaint(R"({"dailyCutoffHourUTC": "5"})"), "dailyCutoffHourUTC: expected a whole number, found \"5\"");
  EXPECT_EQ(complaint(R"({"logging": "yes"})"), "logging: expected true or false, found \"yes\"");
  EXPECT_EQ(complaint(R"({"flushIntervalSeconds": 0})"),
            "flushIntervalSeconds: must be 0.01 seconds to 3600.0 seconds, not 0.0 seconds");
}

TEST(MessageCounter, TheFlushIntervalIsTheCommitInterval) {
  fake::Host host(R"({"flushIntervalSeconds": 300})");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  EXPECT_EQ(host.commit_every_us, 300'000'000);
}

TEST(MessageCounter, ThreadsCountForTheirParent) {
  fake::Host host(R"({"trackedChannels": {"1": ["2"]}, "countThreadsForParent": true})");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  host.channels = {{sizeof(tl_channel), 0, 11, 0, 20, 1, 2, 0, {}},        // in the cache
                   {sizeof(tl_channel), TL_GONE, 11, 0, 21, 1, 2, 0, {}},  // deleted, and its messages still come
                   {sizeof(tl_channel), 0, 0, 0, 2, 1, 99, 0, {}}};        // a channel in a category is no thread
  host.message(1, 20, 5);
  host.message(1, 21, 5);
  host.message(1, 2, 5);
  host.event("THREAD_CREATE", R"({"id": "22", "guild_id": "1", "parent_id": "2", "type": 11})");
  host.message(1, 22, 5);  // the cache does not know it
  host.message(1, 23, 5);  // nobody does
  const auto rows = host.rows("message_counts");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_NE(rows[0].find("channel_id=2 "), std::string::npos);
  EXPECT_NE(rows[0].find("message_count=4 "), std::string::npos) << rows[0];
  EXPECT_EQ(host.kv.size(), 1u);
  host.event("THREAD_DELETE", R"({"id": "22", "guild_id": "1", "parent_id": "2", "type": 11})");
  EXPECT_TRUE(host.kv.empty());
}

TEST(MessageCounter, ASnapshotReplacesTheDaysCountAndKeepsWhenItWasMade) {
  fake::Host host("{}");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  host.guilds = {{sizeof(tl_guild), 0, 1, 0, 0, 100, {}, {}},
                 {sizeof(tl_guild), TL_UNAVAILABLE_GUILD, 2, 0, 0, 0, {}, {}},
                 {sizeof(tl_guild), TL_GONE, 3, 0, 0, 7, {}, {}},
                 {sizeof(tl_guild), TL_UNAVAILABLE_GUILD, 4, 0, 0, 50, {}, {}}};
  const std::string first = std::to_string(host.now_us), today = day(host.now_us);
  EXPECT_EQ(host.request("snapshot"), TL_OK) << host.failure;
  EXPECT_EQ(host.answer->body, R"({"date":"2023-11-14","totalServers":2,"totalUsers":150})");
  host.now_us += 1'000'000;
  host.guilds[0].member_count = 90;
  EXPECT_EQ(host.request("snapshot"), TL_OK);
  EXPECT_EQ(host.rows("user_counts"),
            (std::vector<std::string>{"server_id=1 date=" + today + " user_count=90 created_at=" + first,
                                      "server_id=4 date=" + today + " user_count=50 created_at=" + first}));
}

TEST(MessageCounter, AMissedSnapshotBelongsToItsDay) {
  fake::Host host("{}");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  host.guilds = {{sizeof(tl_guild), 0, 1, 0, 0, 100, {}, {}}};
  const std::int64_t due = host.now_us / 86'400'000'000 * 86'400'000'000;
  host.now_us = due + 86'400'000'000 + 5;
  EXPECT_EQ(host.request("daily_snapshot", "{}", due), TL_OK) << host.failure;
  ASSERT_EQ(host.rows("user_counts").size(), 1u);
  EXPECT_NE(host.rows("user_counts")[0].find("date=" + day(due) + " "), std::string::npos);
}

TEST(MessageCounter, PendingShowsWhatIsNotInTheStore) {
  fake::Host host(R"({"trackedChannels": {"1": ["2", "3"]}})");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  host.message(1, 2, 5);
  host.message(1, 2, 5);
  host.message(1, 9, 5);  // not tracked, but an event
  host.message(1, 3, 5);
  host.pending.events = 3, host.pending.rows = 2;
  EXPECT_EQ(host.request("pending"), TL_OK) << host.failure;
  EXPECT_EQ(host.answer->body, R"({"totalServers":1,"totalChannels":2,"totalPendingCounts":2,"rows":2,)"
                               R"("details":{"1":{"2":{"2023-11-14":1},"3":{"2023-11-14":1}}}})");
  host.pending.events = 0, host.pending.rows = 0;
  EXPECT_EQ(host.request("flush"), TL_OK);
  EXPECT_EQ(host.commits, 1);
  EXPECT_EQ(host.request("pending"), TL_OK);
  EXPECT_EQ(host.answer->body, R"({"totalServers":0,"totalChannels":0,"totalPendingCounts":0,"rows":0,"details":{}})");
}

TEST(MessageCounter, StatisticsAddUp) {
  fake::Host host("{}");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK);
  const auto number = [](std::int64_t i) { return fake::Owned(tl_value{TL_INT, 0, i, 0, {}}); };
  const auto date = [](std::int64_t i) { return fake::Owned(tl_value{TL_DAY, 0, i, 0, {}}); };
  const auto time = [](std::int64_t i) { return fake::Owned(tl_value{TL_TIME, 0, i, 0, {}}); };
  host.on_sql = [&](const fake::Statement& statement) {
    if (statement.text.find("FROM user_counts") != std::string::npos)
      return fake::Result{
          {"server_id", "date", "user_count", "created_at"},
          {{number(7), date(19675), number(11), time(5)}, {number(7), date(19674), number(10), time(4)}},
          0,
          TL_OK};
    return fake::Result{{"server_id", "channel_id", "date", "message_count", "created_at", "updated_at"},
                        {{number(7), number(2), date(19675), number(6), time(5), time(6)},
                         {number(7), number(3), date(19675), number(3), time(5), time(6)},
                         {number(7), number(2), date(19674), number(6), time(5), time(6)}},
                        0,
                        TL_OK};
  };
  EXPECT_EQ(host.request("serverStats", R"({"server": "7", "days": 10})"), TL_OK) << host.failure;
  const trellis::Json stats = trellis::Json::parse(host.answer->body);
  EXPECT_EQ(stats["period"].dump(), R"({"startDate":"2023-11-05","endDate":"2023-11-14","days":10})");
  EXPECT_EQ(stats["userCounts"]["latest"].integer(), 11);
  EXPECT_EQ(stats["userCounts"]["average"].integer(), 11) << "10.5, rounded";
  EXPECT_EQ(stats["userCounts"]["totalRecords"].integer(), 2);
  EXPECT_EQ(stats["messageCounts"]["totalMessages"].integer(), 15);
  EXPECT_EQ(stats["messageCounts"]["averagePerDay"].number(), 1.5);
  EXPECT_EQ(stats["messageCounts"]["byChannel"].dump(), R"({"2":12,"3":3})");
  ASSERT_EQ(host.statements.size(), 2u);
  EXPECT_EQ(host.statements[0].arguments[1].value.i, 19666);
  EXPECT_EQ(host.statements[0].arguments[2].value.i, 19675);
}

TEST(MessageCounter, CommandsAnswerForTheirServer) {
  fake::Host host(R"({"trackedChannels": {"7": ["2"]}})");
  ASSERT_EQ(host.create(trellis_plugin_v1), TL_OK) << host.reason;
  const auto number = [](std::int64_t i) { return fake::Owned(tl_value{TL_INT, 0, i, 0, {}}); };
  const auto date = [](std::int64_t i) { return fake::Owned(tl_value{TL_DAY, 0, i, 0, {}}); };
  const std::int64_t today = host.now_us / 86'400'000'000;
  host.on_sql = [&](const fake::Statement& statement) {
    if (statement.text.find("GROUP BY date") != std::string::npos)
      return fake::Result{{"date", "sum"},
                          {{date(today - 3), number(5)}, {date(today - 1), number(10)}, {date(today), number(1)}},
                          0,
                          TL_OK};
    if (statement.text.find("FROM user_counts") != std::string::npos)
      return fake::Result{{"date", "user_count"}, {{date(today - 1), number(10)}}, 0, TL_OK};
    return fake::Result{{"channel_id", "messages"}, {{number(2), number(11)}}, 0, TL_OK};
  };
  const auto ask = [&](const char* command, const char* args) {
    const tl_status status = host.request(command, args, 0, {}, 7);
    return status == TL_OK ? host.answer->body : host.failure;
  };
  EXPECT_NE(ask("/messages", R"({"days": 2})").find("**11 messages**, about 6 a day. That is 120 % more than"),
            std::string::npos)
      << ask("/messages", R"({"days": 2})");
  EXPECT_NE(host.answer->body.find(R"("allowed_mentions":{"parse":[]})"), std::string::npos);
  EXPECT_EQ(host.statements[0].arguments[2].value.i, today - 3);
  EXPECT_EQ(host.statements[0].arguments[3].value.i, today);
  EXPECT_NE(ask("/messages", R"({"channel": "2", "days": 1})").find("**1 message** in <#2>"), std::string::npos);
  EXPECT_EQ(ask("/messages", R"({"channel": "3"})"),
            "Messages in <#3> are not counted. Whoever runs the bot can add it to its tracked channels.");
  EXPECT_NE(ask("/members", "{}").find("**10 members**, counted once"), std::string::npos);

  EXPECT_NE(ask("/snapshot", "{}").find("Please try again"), std::string::npos) << "the server is not known yet";
  tl_guild guild{};
  guild.size = sizeof guild;
  guild.id = 7;
  guild.member_count = 12;
  host.guilds = {guild};
  EXPECT_NE(ask("/snapshot", "{}").find("**12 members** today"), std::string::npos);
  EXPECT_NE(host.answer->body.find("That is 2 more than on"), std::string::npos) << host.answer->body;
  EXPECT_EQ(host.rows("user_counts").size(), 1u);
  const tl_entry& entry = host.entry("/snapshot").raw;
  EXPECT_EQ(entry.permissions, static_cast<std::uint64_t>(trellis::Permission::ManageGuild));
  EXPECT_EQ(entry.flags, static_cast<std::uint32_t>(TL_ENTRY_GUILDS_ONLY | TL_ENTRY_EPHEMERAL));
}
