// Another number of shards: what came over the old ones is handled first, once, and the plugin is told of the time
// between.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

const std::vector<std::string> kTold{"MESSAGE_CREATE", "TRELLIS_GAP", "TRELLIS_CAUGHT_UP"};

class ReshardingTest : public StoreBench {
 protected:
  void SetUp() override {
    StoreBench::SetUp();
    start_simulator({"--guilds", "12", "--rate", "2000"});
  }
  void slow(int ms) {
    plugins(std::string(kCountEverything) + recorder_conf(kTold) + fmt::format("delay = {}\n", ms * 0.001));
  }
  Process& start(int shards) { return start_host({"--set", fmt::format("discord.shards={}", shards)}); }
  void wait_until_ready(std::size_t count) {
    wait_until(
        "all shards are ready",
        [&] {
          const json::array all = status().at("shards").as_array();
          return all.size() == count &&
                 std::all_of(all.begin(), all.end(), [](const auto& shard) { return shard.at("state") == "ready"; });
        },
        [&] { return ctl({"status"}).out; });
  }
  std::int64_t recorded(const std::string& what) {
    return store().number("recorder", "SELECT count(*) FROM recorded WHERE " + what);
  }
  /// Everything that was sent is in the journal, and nothing more comes.
  void quiet() {
    sim().fault("pause");
    expect_counted(sim().counts());
  }
  std::vector<std::string> journals() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(state() / "journal")) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void wait_for_all_recorded() {
    wait_until(
        "every message is recorded", [&] { return recorded("type = 'MESSAGE_CREATE'") >= sim().messages_sent(); },
        [&] {
          return fmt::format("{} of {}; {}", recorded("type = 'MESSAGE_CREATE'"), sim().messages_sent(),
                             ctl({"status"}).out);
        });
    EXPECT_EQ(recorded("type = 'MESSAGE_CREATE'"), sim().messages_sent());
    EXPECT_EQ(store().number("recorder", "SELECT count(*) FROM positions WHERE times <> 1"), 0);
  }
  /// In each server messages were handled in the order of their sessions, and within those of their numbers.
  void expect_order_in_each_server() {
    EXPECT_EQ(store().number("recorder",
                             "SELECT count(*) FROM (SELECT position, lag(position) OVER (PARTITION BY guild_id ORDER "
                             "BY n) AS before FROM recorded WHERE type = 'MESSAGE_CREATE') o WHERE before >= position"),
              0);
  }
};
TRELLIS_ON_BOTH_STORES(ReshardingTest);

TEST_P(ReshardingTest, AKilledHostComesBackWithMoreShards) {
  slow(5);
  start(2);
  wait_for_host();
  wait_until_ready(2);
  wait_for_sent(2000);
  quiet();
  const std::int64_t sent = sim().messages_sent();
  kill_host();
  const std::int64_t before = recorded("type = 'MESSAGE_CREATE'");
  ASSERT_LT(before, sent) << "the plugin was to be behind";
  sim().fault("expire_session");

  slow(1);
  start(3);
  wait_for_host();
  wait_until_ready(3);
  EXPECT_NE(host().err().find("plugins finish what came over the old ones first old_streams=2"), std::string::npos)
      << host().err();
  sim().fault("resume_sending");
  wait_for_sent(sent + 1000);
  quiet();
  wait_for_all_recorded();
  expect_order_in_each_server();
  wait_until(
      "the old streams are gone", [&] { return journals() == std::vector<std::string>{"0-of-3", "1-of-3", "2-of-3"}; },
      [&] { return ctl({"status"}).out; });
  EXPECT_TRUE(status().at("old_streams").as_array().empty());
  wait_until("their positions too", [&] {
    return store().number("recorder", "SELECT count(*) FROM trellis_positions WHERE shards = 2") == 0;
  });
  EXPECT_EQ(store().number("recorder", "SELECT count(*) FROM trellis_positions WHERE shards = 3"), 3);
  EXPECT_EQ(recorded("type = 'TRELLIS_GAP'"), 3) << "one for each of the new streams";
  EXPECT_EQ(store().number("recorder",
                           "SELECT count(*) FROM trellis_gaps WHERE cause = 'session' AND shards = 3 AND to_position "
                           "<> 0 AND from_us > 0 AND from_us <= to_us"),
            3);
  EXPECT_EQ(store().number("recorder",
                           "SELECT count(*) FROM recorded m JOIN recorded g ON g.shard = m.shard AND g.n > m.n AND "
                           "g.position < m.position WHERE g.type = 'TRELLIS_GAP' AND m.type = 'MESSAGE_CREATE'"),
            0)
      << "the gap comes before what follows it";
  EXPECT_EQ(recorded("type = 'TRELLIS_CAUGHT_UP'"), 5);
  stop_host();

  // The next start finds nothing old any more.
  start(3);
  wait_for_host();
  wait_until_ready(3);
  const json::value now = status();
  for (const json::value& shard : now.at("shards").as_array()) EXPECT_EQ(shard.at("resumes"), 1);
  EXPECT_EQ(recorded("type = 'TRELLIS_GAP'"), 3);
  stop_host();
}

/// And back again before the plugin has caught up: still everything once, and in order.
TEST_P(ReshardingTest, ThereAndBackWithoutEverCatchingUp) {
  slow(5);
  std::int64_t sent = 0, first = 0;
  int changes = -1;
  for (const int shards : {2, 3, 2}) {
    start(shards);
    wait_for_host();
    wait_until_ready(static_cast<std::size_t>(shards));
    sim().fault("resume_sending");
    wait_for_sent(sent + 800);
    quiet();
    sent = sim().messages_sent();
    if (first == 0) first = sent;
    // By the third change it has read what came before the first: more is not promised.
    if (++changes == 2)
      wait_until("what came first is recorded", [&] { return recorded("type = 'MESSAGE_CREATE'") >= first; });
    ASSERT_LT(recorded("type = 'MESSAGE_CREATE'"), sent) << "the plugin was to be behind";
    kill_host();
  }
  slow(0);
  start(2);
  wait_for_host();
  wait_until_ready(2);
  wait_for_all_recorded();
  expect_order_in_each_server();
  wait_until(
      "the old streams are gone", [&] { return journals() == std::vector<std::string>{"0-of-2", "1-of-2"}; },
      [&] { return ctl({"status"}).out; });
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
