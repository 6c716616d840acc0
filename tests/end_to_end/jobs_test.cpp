// Jobs by the clock, and questions to plugins.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

std::string today() { return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))); }

std::map<std::string, std::int64_t> members_of(Simulator& sim) {
  std::map<std::string, std::int64_t> members;
  const json::value truth = sim.truth();
  for (const auto& server : truth.at("members").as_object())
    members[std::string(server.key())] = server.value().to_number<std::int64_t>();
  return members;
}

class JobsTest : public StoreBench {
 protected:
  std::map<std::string, std::int64_t> user_counts(const std::string& date) {
    std::map<std::string, std::int64_t> counts;
    for (const Row& row :
         store().rows("message_counter", "SELECT server_id, user_count FROM user_counts WHERE date = '" + date + "'"))
      counts[row.at(0)] = std::stoll(row.at(1));
    return counts;
  }
};
TRELLIS_ON_BOTH_STORES(JobsTest);

/// The hour of the daily snapshot passed while the host was down.
TEST_P(JobsTest, AMissedSnapshotIsTakenAtTheNextStart) {
  Simulator& sim = start_simulator(
      {"--guilds", "4", "--rate", "0", "--total", "3000", "--join-share", "0.05", "--leave-share", "0.02"});
  start_host();
  expect_everything_counted();
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM user_counts"), 0)
      << "a schedule begins with its next time";
  EXPECT_NE(ctl({"jobs"}).out.find("message_counter/daily_snapshot  0 0 * * *"), std::string::npos)
      << ctl({"jobs"}).out;
  stop_host();

  const std::string early = today();
  store().rows("message_counter",
               "UPDATE trellis_schedule SET last_due_us = last_due_us - 3 * 86400000000 WHERE job = 'daily_snapshot'");
  start_host();
  wait_until(
      "the snapshot is taken",
      [&] { return store().number("message_counter", "SELECT count(*) FROM user_counts") > 0; },
      [&] { return ctl({"jobs"}).out + host().err(); });
  // Dated by when it was due, and once for all days that were missed.
  const auto dates = store().rows("message_counter", "SELECT DISTINCT CAST(date AS VARCHAR) FROM user_counts");
  ASSERT_EQ(dates.size(), 1u);
  EXPECT_TRUE(dates[0][0] == early || dates[0][0] == today()) << dates[0][0];
  EXPECT_EQ(user_counts(dates[0][0]), members_of(sim));
  stop_host();

  start_host();
  wait_for_host();
  EXPECT_NE(ctl({"jobs"}).out.find("daily_snapshot"), std::string::npos);
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM user_counts"), 4);
  stop_host();
}

TEST_P(JobsTest, Methods) {
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "0", "--total", "3000", "--span-days", "2"});
  start_host();
  expect_everything_counted();
  const auto members = members_of(sim);
  std::int64_t people = 0;
  for (const auto& [server, count] : members) people += count;

  const std::string early = today();
  const json::value snapshot = call("message_counter", "snapshot");
  EXPECT_EQ(snapshot.at("totalServers").to_number<int>(), 3);
  EXPECT_EQ(snapshot.at("totalUsers").to_number<std::int64_t>(), people);
  const std::string date(snapshot.at("date").as_string());
  EXPECT_TRUE(date == early || date == today()) << date;
  EXPECT_EQ(user_counts(date), members) << "in the store when the call returns";

  const Counts truth = sim.counts();
  const std::string day = std::get<2>(truth.begin()->first), server = std::get<0>(truth.begin()->first);
  std::int64_t of_day = 0, of_server = 0;
  for (const auto& [cell, count] : truth) {
    if (std::get<2>(cell) == day) of_day += count;
    if (std::get<0>(cell) == server) of_server += count;
  }
  EXPECT_EQ(call("message_counter", "dailySummary", fmt::format(R"({{"date": "{}"}})", day))
                .at("totalMessages")
                .to_number<std::int64_t>(),
            of_day);
  const json::value list = call("message_counter", "messageCounts", fmt::format(R"({{"server": "{}"}})", server));
  std::int64_t sum = 0;
  for (const json::value& row : list.as_array()) sum += row.at("message_count").to_number<std::int64_t>();
  EXPECT_EQ(sum, of_server);
  EXPECT_EQ(call("message_counter", "dailySummary", fmt::format(R"(["{}"])", day))
                .at("totalMessages")
                .to_number<std::int64_t>(),
            of_day)
      << "arguments in the order of the parameters";
  EXPECT_EQ(call("message_counter", "pending").at("totalPendingCounts").to_number<int>(), 0);
  EXPECT_TRUE(call("message_counter", "flush").at("flushed").as_bool());
  const std::string methods = ctl({"methods", "message_counter"}).out;
  EXPECT_NE(methods.find("dailySummary(date)"), std::string::npos) << methods;

  const auto refused = [&](std::vector<std::string> words, int code, std::vector<std::string> sayings) {
    words.insert(words.begin(), "call");
    const Finished answer = ctl(words);
    EXPECT_EQ(answer.code, code) << answer.out;
    EXPECT_TRUE(answer.out.empty()) << answer.out;
    for (const std::string& saying : sayings)
      EXPECT_NE(answer.err.find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << answer.err;
  };
  refused({"message_counter", "dailySummary"}, 1, {"date is required", "a day like 2024-01-15"});
  refused({"message_counter", "dailySummary", R"({"date": "yesterday"})"}, 1,
          {"date must be a day like 2024-01-15", "\"yesterday\""});
  refused({"message_counter", "dailySummary", R"({"date": "2026-02-30"})"}, 1, {"date must be a day", "2026-02-30"});
  refused({"message_counter", "dailySummary", R"({"dat": "2026-06-01"})"}, 1,
          {"no parameter \"dat\"", "did you mean \"date\"?"});
  refused({"message_counter", "userCounts", R"({"server": "here"})"}, 1, {"server must be an id"});
  refused({"message_counter", "serverStats", R"({"server": "1", "days": 0})"}, 1, {"days must be at least 1"});
  refused({"message_counter", "serverStats", R"({"server": "1", "days": 40000})"}, 1, {"days must be at most 36500"});
  refused({"message_counter", "dailySummary", R"("2026-06-01")"}, 1, {"must be a JSON object"});
  refused({"message_counter", "dailySumary", "{}"}, 1, {"no method \"dailySumary\"", "dailySummary"});
  refused({"mesage_counter", "pending"}, 1, {"plugin mesage_counter is not loaded", "message_counter"});
  refused({"message_counter", "pending", "{\"a\":"}, 2, {"not JSON", "{\"a\":"});
  refused({"message_counter"}, 2, {"trellis ctl call PLUGIN METHOD [JSON]"});
  EXPECT_EQ(plugin("message_counter").at("state"), "running");
  stop_host();
  expect_same(truth, stored());
}

}  // namespace
}  // namespace trellis::e2e
