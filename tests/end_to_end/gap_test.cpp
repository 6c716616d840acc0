// What cannot be had is said: every plugin is told exactly once what it missed, and nothing else is missing.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct StoredGap {
  std::string cause;
  std::uint64_t from, to;
  std::string types;
};
std::uint64_t seq(std::uint64_t position) { return position & 0xffffffff; }
std::uint64_t epoch(std::uint64_t position) { return position >> 32; }

const std::vector<std::string> kTold{"MESSAGE_CREATE", "TRELLIS_GAP", "TRELLIS_CAUGHT_UP"};
/// Messages only: so the numbers of a session's dispatches count them.
const std::vector<std::string> kOnlyMessages{
    "--guilds",       "3", "--reaction-share", "0", "--update-share",        "0", "--delete-share",   "0",
    "--voice-share",  "0", "--join-share",     "0", "--leave-share",         "0", "--presence-share", "0",
    "--typing-share", "0", "--thread-share",   "0", "--member-update-share", "0", "--other-share",    "0"};

class GapTest : public StoreBench {
 protected:
  Simulator& only_messages(std::vector<std::string> more) {
    more.insert(more.begin(), kOnlyMessages.begin(), kOnlyMessages.end());
    return start_simulator(std::move(more));
  }
  std::vector<StoredGap> gaps(const std::string& plugin = "recorder") {
    std::vector<StoredGap> all;
    for (const Row& row : store().rows(plugin,
                                       "SELECT cause, from_position, to_position, types FROM trellis_gaps WHERE "
                                       "to_position <> from_position ORDER BY from_position"))
      all.push_back({row.at(0), std::stoull(row.at(1)), std::stoull(row.at(2)), row.at(3)});
    return all;
  }
  std::int64_t recorded(const std::string& type = "MESSAGE_CREATE") {
    return store().number("recorder", "SELECT count(*) FROM recorded WHERE type = '" + type + "'");
  }
  void wait_for_recorded(std::int64_t messages, const std::string& type = "MESSAGE_CREATE") {
    wait_until(
        fmt::format("{} {} are recorded", messages, type), [&] { return recorded(type) >= messages; },
        [&] { return fmt::format("there are {}; {}", recorded(type), ctl({"status"}).out); });
    EXPECT_EQ(recorded(type), messages);
  }
  /// That the servers are known again stands at the position of the event before it.
  void expect_none_doubled() {
    EXPECT_EQ(store().number("recorder",
                             "SELECT count(*) FROM positions p WHERE times <> (SELECT count(DISTINCT type) FROM "
                             "recorded r WHERE r.shard = p.shard AND r.position = p.position)"),
              0);
  }
  std::uint64_t committed(const std::string& plugin) {
    return static_cast<std::uint64_t>(store().number(plugin, "SELECT max(position) FROM trellis_positions"));
  }
  void wait_for_session(int identifies) {
    wait_until(
        "another session",
        [&] { return shard().at("identifies").to_number<int>() == identifies && shard().at("state") == "ready"; },
        [&] { return ctl({"status"}).out; });
  }
};
TRELLIS_ON_BOTH_STORES(GapTest);

TEST_P(GapTest, ASessionThatEndsWhileItRuns) {
  plugins(recorder_conf(kTold));
  Simulator& sim = only_messages({"--rate", "2000", "--total", "4000"});
  start_host();
  wait_for_host();
  wait_for_sent(1000);
  sim.fault("invalid_session", {{"resumable", false}});
  wait_for_session(2);
  wait_until("the simulator has sent everything", [&] { return sim.finished(); });
  wait_for_recorded(sim.messages_sent());
  wait_for_recorded(2, "TRELLIS_CAUGHT_UP");
  wait_for_recorded(1, "TRELLIS_GAP");
  expect_none_doubled();
  const auto found = gaps();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].cause, "session");
  EXPECT_LT(epoch(found[0].from), epoch(found[0].to));
  EXPECT_EQ(seq(found[0].to), 0u);
  EXPECT_EQ(store().value("recorder", "SELECT position FROM recorded WHERE type = 'TRELLIS_GAP'"),
            std::to_string(found[0].to));
  EXPECT_EQ(store().number("recorder",
                           "SELECT count(*) FROM recorded g JOIN recorded c ON c.n > g.n WHERE g.type = 'TRELLIS_GAP' "
                           "AND c.type = 'TRELLIS_CAUGHT_UP'"),
            1)
      << "caught up comes after the gap of its session";
  const auto status = plugin("recorder").at("gaps").as_array();
  ASSERT_EQ(status.size(), 1u);
  EXPECT_EQ(status[0].at("cause"), "session");
  EXPECT_NE(ctl({"plugin", "status", "recorder"}).out.find("gap: session, "), std::string::npos);
  EXPECT_NE(host().err().find("events may be missing"), std::string::npos);
  stop_host();
}

TEST_P(GapTest, ASessionThatEndsWhileItIsStopped) {
  plugins(recorder_conf(kTold));
  Simulator& sim = only_messages({"--rate", "2000", "--total", "4000"});
  start_host();
  wait_for_host();
  wait_for_sent(1000);
  sim.fault("pause");
  wait_for_recorded(sim.messages_sent());
  stop_host();
  const std::uint64_t stood = committed("recorder");
  sim.fault("expire_session");
  sim.fault("resume_sending");
  start_host();
  wait_until("the simulator has sent everything", [&] { return sim.finished(); });
  wait_for_recorded(sim.messages_sent());
  wait_for_recorded(1, "TRELLIS_GAP");
  wait_for_recorded(2, "TRELLIS_CAUGHT_UP");
  expect_none_doubled();
  ASSERT_EQ(gaps().size(), 1u);
  EXPECT_EQ(gaps()[0].cause, "session");
  EXPECT_EQ(gaps()[0].from, stood);
  stop_host();
}

/// Everything but the store is gone, and the session lives: it goes on where the plugins stand.
TEST_P(GapTest, ALostStateDirectoryCostsNothingWhileTheSessionLives) {
  plugins(std::string(kCountEverything) + recorder_conf(kTold));
  Simulator& sim = only_messages({"--rate", "4000", "--total", "9000"});
  for (int i = 1; i <= 3; ++i) {
    start_host({"--take-over"});
    wait_for_host();
    EXPECT_EQ(shard().at("identifies").to_number<int>(), i == 1 ? 1 : 0);
    wait_for_sent(2000 * i);
    if (i % 2) {
      kill_host();
    } else {
      stop_host();
    }
    fs::remove_all(folder() / "state");
  }
  start_host({"--take-over"});
  wait_for_host();
  expect_everything_counted();
  wait_for_recorded(sim.messages_sent());
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 0);
  EXPECT_EQ(recorded("TRELLIS_GAP"), 0);
  EXPECT_LE(recorded("TRELLIS_CAUGHT_UP"), 1) << "0: the first kill came before it was committed";
  expect_none_doubled();
  EXPECT_TRUE(gaps("recorder").empty());
  EXPECT_TRUE(gaps("message_counter").empty());
  stop_host();
}

/// The journal is gone, and the session too: what was not committed is missing, and the gap says exactly that.
TEST_P(GapTest, ALostJournalWithItsSession) {
  plugins(recorder_conf(kTold));
  Simulator& sim = only_messages({"--rate", "4000", "--total", "8000"});
  start_host();
  wait_for_host();
  wait_until("some are committed", [&] { return recorded() > 100; });
  kill_host();
  sim.fault("pause");
  const auto last = static_cast<std::uint64_t>(sim.sequence());
  fs::remove_all(folder() / "state" / "journal");
  const std::uint64_t stood = committed("recorder");
  ASSERT_GT(seq(stood), 4u) << "it has handled messages";
  sim.fault("expire_session");
  sim.fault("resume_sending");
  start_host();
  wait_for_host();
  wait_until("the simulator has sent everything", [&] { return sim.finished(); });
  wait_for_recorded(sim.messages_sent() - static_cast<std::int64_t>(last - seq(stood)));
  wait_for_recorded(1, "TRELLIS_GAP");
  expect_none_doubled();
  const auto found = gaps();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].cause, "session");
  EXPECT_EQ(found[0].from, stood);
  EXPECT_EQ(seq(found[0].to), 0u);
  stop_host();
}

/// Off for a while, over a restart: it is told what it missed when it is on again, and begins there.
TEST_P(GapTest, SwitchedOffAndOnAgain) {
  const std::string conf = std::string(kCountEverything) + recorder_conf(kTold);
  plugins(conf);
  Simulator& sim = only_messages({"--rate", "2000"});
  start_host();
  wait_for_host();
  std::int64_t missed = 0;
  const auto all_there = [&] {
    sim.fault("pause");
    expect_counted(sim.counts());
    wait_for_recorded(sim.messages_sent() - missed);
  };
  const auto miss_some = [&] {
    const std::int64_t before = sim.messages_sent();
    sim.fault("resume_sending");
    wait_for_sent(before + 500);
    sim.fault("pause");
    expect_counted(sim.counts());
    missed += sim.messages_sent() - before;
  };
  wait_for_sent(500);
  all_there();
  ASSERT_EQ(ctl({"plugin", "disable", "recorder"}).code, 0);
  miss_some();
  stop_host();
  start_host();
  wait_for_host();
  miss_some();
  ASSERT_EQ(ctl({"plugin", "enable", "recorder"}).code, 0);
  wait_for_recorded(1, "TRELLIS_GAP");
  sim.fault("resume_sending");
  wait_for_sent(sim.messages_sent() + 500);
  all_there();
  // Not in plugins.conf for one run.
  stop_host();
  plugins(kCountEverything);
  start_host();
  wait_for_host();
  miss_some();
  stop_host();
  plugins(conf);
  start_host();
  wait_for_host();
  wait_for_recorded(2, "TRELLIS_GAP");
  sim.fault("resume_sending");
  wait_for_sent(sim.messages_sent() + 500);
  all_there();
  expect_none_doubled();
  const auto found = gaps();
  ASSERT_EQ(found.size(), 2u);
  std::uint64_t total = 0;
  for (const StoredGap& gap : found) {
    EXPECT_EQ(gap.cause, "disabled");
    total += gap.to - gap.from;
  }
  constexpr int kResumedMeanwhile = 2;  // RESUMED is a dispatch, too
  EXPECT_EQ(total, static_cast<std::uint64_t>(missed) + kResumedMeanwhile) << "as long as what was missed";
  stop_host();
}

/// Not loaded is not switched off: what only it wants goes on being collected.
TEST_P(GapTest, UnloadedForAWhile) {
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_REACTION_ADD", "TRELLIS_GAP", "TRELLIS_CAUGHT_UP"}));
  Simulator& sim = start_simulator({"--rate", "2000", "--reaction-share", "1"});
  start_host();
  wait_for_host();
  wait_for_sent(500);
  ASSERT_EQ(ctl({"plugin", "unload", "recorder"}).code, 0);
  wait_for_sent(sim.messages_sent() + 1000);
  ASSERT_EQ(ctl({"plugin", "load", "recorder"}).code, 0);
  wait_for_sent(sim.messages_sent() + 500);
  sim.fault("pause");
  expect_recorded(*this, {"MESSAGE_REACTION_ADD"});
  EXPECT_TRUE(gaps().empty());
  stop_host();
}

TEST_P(GapTest, AReloadThatGainsTypes) {
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_CREATE", "TRELLIS_GAP"}));
  Simulator& sim = start_simulator({"--rate", "2000", "--update-share", "0.5", "--typing-share", "0.5"});
  start_host();
  wait_for_host();
  wait_for_sent(500);
  sim.fault("pause");
  wait_for_recorded(sim.messages_sent());
  // A type that the session brings: from now on it is there, and nothing of it was missed.
  const std::int64_t updates = sim.dispatches("MESSAGE_UPDATE");
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_CREATE", "MESSAGE_UPDATE", "TRELLIS_GAP"}));
  ASSERT_EQ(ctl({"plugin", "reload", "recorder"}).code, 0);
  sim.fault("resume_sending");
  wait_for_sent(sim.messages_sent() + 500);
  sim.fault("pause");
  wait_for_recorded(sim.dispatches("MESSAGE_UPDATE") - updates, "MESSAGE_UPDATE");
  EXPECT_TRUE(gaps().empty());
  // One that needs an intent which the session does not have: it is missed until a new one is begun.
  plugins(std::string(kCountEverything) +
          recorder_conf({"MESSAGE_CREATE", "MESSAGE_UPDATE", "TYPING_START", "TRELLIS_GAP"}));
  ASSERT_EQ(ctl({"plugin", "reload", "recorder"}).code, 0);
  EXPECT_NE(host().err().find("GUILD_MESSAGE_TYPING"), std::string::npos);
  EXPECT_NE(host().err().find("reidentify"), std::string::npos);
  sim.fault("resume_sending");
  wait_until("the gap is known", [&] { return gaps().size() == 1; });
  EXPECT_EQ(gaps()[0].to, 0u) << "it has no end yet";
  EXPECT_EQ(gaps()[0].types, R"(["TYPING_START"])");
  EXPECT_TRUE(plugin("recorder").at("gaps").as_array().at(0).at("open").as_bool());
  const Finished answer = ctl({"gateway", "reidentify"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_NE(answer.out.find("one IDENTIFY of the day's budget"), std::string::npos);
  EXPECT_NE(answer.out.find("Gap"), std::string::npos);
  wait_for_session(2);
  wait_until("typing is recorded", [&] { return recorded("TYPING_START") > 0; });
  sim.fault("pause");
  wait_for_recorded(sim.dispatches("TYPING_START"), "TYPING_START");
  const auto found = gaps();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].to, 0u);
  EXPECT_NE(found[1].to, 0u);
  EXPECT_EQ(recorded("TRELLIS_GAP"), 2);
  stop_host();
}

TEST_P(GapTest, AStartWithReidentify) {
  plugins(recorder_conf(kTold));
  Simulator& sim = only_messages({"--rate", "2000"});
  start_host();
  wait_for_host();
  wait_for_sent(500);
  sim.fault("pause");
  wait_for_recorded(sim.messages_sent());
  stop_host();
  start_host({"--reidentify"});
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
  EXPECT_NE(host().err().find("--reidentify: a new session; it costs one IDENTIFY"), std::string::npos);
  wait_for_recorded(1, "TRELLIS_GAP");
  wait_for_recorded(2, "TRELLIS_CAUGHT_UP");
  stop_host();
}

TEST_P(GapTest, CaughtUpOnceOverKills) {
  plugins(recorder_conf(kTold));
  Simulator& sim = start_simulator({"--rate", "2000", "--guilds", "40"});
  for (int kill = 1; kill <= 5; ++kill) {
    start_host();
    wait_for_sent(100 * kill * kill);
    kill_host();
  }
  start_host();
  wait_for_host();
  sim.fault("pause");
  wait_for_recorded(sim.messages_sent());
  wait_for_recorded(1, "TRELLIS_CAUGHT_UP");
  EXPECT_EQ(recorded("TRELLIS_GAP"), 0);
  expect_none_doubled();
  stop_host();
}

/// One plugin is much too slow: the journal is not kept for it for ever, the other one misses nothing.
TEST_P(GapTest, ALaggingPluginIsCutLoose) {
  std::string slow = recorder_conf(kTold);
  slow += "delay = 0.003\n";
  plugins(std::string(kCountEverything) + slow);
  Simulator& sim = only_messages({"--rate", "0", "--total", "15000"});
  start_host({"--set", "journal.segment=1 MiB", "--set", "journal.max_lag=3 MiB"});
  wait_for_host();
  expect_everything_counted();
  wait_until(
      "it is cut loose", [&] { return host().err().find("the journal is not kept for it") != std::string::npos; },
      [&] { return ctl({"status"}).out; });
  EXPECT_NE(ctl({"metrics"}).out.find("trellis_plugin_cut_loose_total{plugin=\"recorder\"} "), std::string::npos);
  EXPECT_EQ(host().err().find("plugin message_counter: is further behind"), std::string::npos);
  const auto missed = [&] {
    std::int64_t sum = 0;
    for (const StoredGap& gap : gaps()) sum += static_cast<std::int64_t>(gap.to - gap.from);
    return sum;
  };
  wait_until(
      "it has read on to the end", [&] { return recorded() + missed() >= sim.messages_sent(); },
      [&] { return fmt::format("{} and {} missed; {}", recorded(), missed(), ctl({"status"}).out); });
  EXPECT_EQ(recorded() + missed(), sim.messages_sent());
  const auto found = gaps();
  ASSERT_FALSE(found.empty());
  for (const StoredGap& gap : found) {
    EXPECT_EQ(gap.cause, "lost");
    EXPECT_EQ(store().number("recorder",
                             fmt::format("SELECT count(*) FROM recorded WHERE type = 'MESSAGE_CREATE' AND position > "
                                         "{} AND position <= {}",
                                         gap.from, gap.to)),
              0);
  }
  EXPECT_EQ(recorded("TRELLIS_GAP"), static_cast<std::int64_t>(found.size()));
  expect_none_doubled();
  wait_until("nobody is cut loose any more", [&] { return shard().at("cut_loose").as_array().empty(); });
  EXPECT_EQ(shard().at("paused"), false);
  EXPECT_TRUE(gaps("message_counter").empty());
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
