// The host is killed, stopped, asleep while another one takes its place, or there are two of them.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>
#include <regex>
#include <thread>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

constexpr int kOccupied = 6, kNoStore = 7;  // exit codes

class ProcessFaults : public StoreFaultRow {
 protected:
  void sleep_up_to(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random()() % static_cast<unsigned>(milliseconds)));
  }

  /// The database's clock passes the time until which the sleeping host has said that it lives.
  void host_expires() {
    if (full()) {
      const std::string now = postgresql() ? "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
                                           : "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)";
      wait_until("the host's time has run out", [&] {
        return store().number("trellis", "SELECT alive_until_us - " + now + " FROM trellis_host") < 0;
      });
    } else {
      store().rows("trellis", "UPDATE trellis_host SET alive_until_us = 1");
    }
  }

  /// At any moment, the start included.
  void kill_again_and_again(int shards) {
    const auto sharded = sharded_host(shards);
    start_stream(sharded_stream(shards));
    start_host(sharded);
    wait_for_host();
    for (int i = 0; i < times(3, 20); ++i) {
      if (i % 3 == 2) {
        sleep_up_to(500);
      } else {
        let_pass(static_cast<std::int64_t>(random()() % 4000));
      }
      kill_host();
      caused();
      start_host(sharded);
    }
    wait_for_host();
    EXPECT_EQ(status().at("shards").as_array().size(), static_cast<std::size_t>(shards));
    EXPECT_EQ(of_shards("identifies"), 0) << "a session was lost";
    finish();
    for (int shard = 0; shard < shards; ++shard)
      EXPECT_GT(store().number("recorder", fmt::format("SELECT count(*) FROM recorded WHERE shard = {}", shard)), 0)
          << "nothing came over shard " << shard;
  }

  /// SIGSTOP, at a moment at which the condition holds.
  void fall_asleep(const std::function<bool()>& condition) {
    wait_until("the host sleeps in the middle of its work", [&] {
      host().signal(SIGSTOP);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the server finishes what it was asked for
      if (condition()) return true;
      host().signal(SIGCONT);
      sleep_up_to(50);
      return false;
    });
  }
  /// The sleeper finds that it has been replaced.
  void wake(Process& sleeper) {
    sleeper.signal(SIGCONT);
    caused();
    EXPECT_EQ(sleeper.wait(), kOccupied) << sleeper.err();
    EXPECT_NE(sleeper.err().find("another host has taken the database over"), std::string::npos) << sleeper.err();
  }

  /// It says that the plugin is another host's, or that it ended with work left for which it found no time.
  static bool was_kept_from_writing(const Process& sleeper, const std::string& plugin) {
    const std::string said = sleeper.err(), who = "plugin " + plugin + ": ";
    return said.find(who + "stopped: another host or generation has taken") != std::string::npos ||
           said.find(who + "did not stop in time; its open events") != std::string::npos;
  }

  bool in_transaction() { return store().in_transaction("recorder") || store().in_transaction("message_counter"); }
  std::int64_t committed(const std::string& plugin) {
    return store().number(plugin, "SELECT max(position) FROM trellis_positions");
  }
  /// The position of the host's newest record, whether it runs or not.
  std::int64_t tail_of_journal() const {
    static const std::regex kNewest("newest +([0-9]+):([0-9]+)");
    const std::string text = trellis({"journal", "stat", "--state", state().string()}).out;
    std::smatch newest;
    if (!std::regex_search(text, newest, kNewest)) throw std::runtime_error("no newest record in: " + text);
    return std::stoll(newest[1]) << 32 | std::stoll(newest[2]);
  }
  bool holds_more_than_the_store() {
    const std::int64_t tail = tail_of_journal();
    return committed("recorder") < tail && committed("message_counter") < tail;
  }
};
TRELLIS_ON_BOTH_STORES(ProcessFaults);

TEST_P(ProcessFaults, KillNine) { kill_again_and_again(1); }
TEST_P(ProcessFaults, KillNineThreeShards) { kill_again_and_again(3); }

TEST_P(ProcessFaults, Terminated) {
  start_stream();
  start_host();
  wait_for_host();
  for (int i = 0; i < times(2, 5); ++i) {
    let_pass(1000 + static_cast<std::int64_t>(random()() % 4000));
    stop_host();
    caused();
    start_host();
    wait_for_host();
    EXPECT_EQ(shard().at("identifies").as_int64(), 0) << "the session was lost";
  }
  finish();
}

/// A host sleeps (SIGSTOP) in the middle of its work, longer than it has said that it lives; another one, with a state
/// directory of its own, takes the database over and goes on with the session. When the first one wakes up, all that it
/// has in its socket, its journal and its units is in the store already: it may write none of it, and has to go.
TEST_P(ProcessFaults, Takeover) {
  start_stream({"--rate", "1000"});
  start_host();
  wait_for_host();
  for (int i = 0; i < times(1, 3); ++i) {
    let_pass(300);
    // With SQLite it would keep the other one out: see the next row.
    fall_asleep([&] { return holds_more_than_the_store() && (postgresql() || !in_transaction()); });
    const std::int64_t held = tail_of_journal();
    host_expires();
    const auto sleeper = leave_host(fmt::format("state-{}", i));
    start_host();
    wait_for_host();
    let_pass(300);
    wait_until(
        "the other host has done what the sleeper had begun",
        [&] { return committed("recorder") > held && committed("message_counter") > held; },
        [&] { return ctl({"status"}).out; });
    wake(*sleeper);
    for (const char* plugin : {"recorder", "message_counter"})
      EXPECT_TRUE(was_kept_from_writing(*sleeper, plugin))
          << plugin << " had nothing to write, so nothing kept it from writing:\n"
          << sleeper->err();
    let_pass(300);
  }
  EXPECT_EQ(of_shards("identifies"), 0) << "the session was lost";
  finish();
}

/// The same with a host that has a transaction open. PostgreSQL ends it for the one that takes over. With SQLite the
/// sleeper holds the file's lock: the other one gives up in words, the sleeper's unit is the last that it writes, and
/// whoever starts then goes on behind it.
TEST_P(ProcessFaults, TakeoverInTransaction) {
  start_stream({"--rate", "1000"});
  start_host();
  wait_for_host();
  for (int i = 0; i < times(1, 5); ++i) {
    let_pass(300);
    fall_asleep([&] { return in_transaction(); });
    store().rows("trellis", "UPDATE trellis_host SET alive_until_us = 1");
    const auto sleeper = leave_host(fmt::format("state-{}", i));
    start_host();
    if (postgresql()) {
      wait_for_host();
      let_pass(300);
    } else {
      EXPECT_EQ(host().wait(), kNoStore) << host().err();
      EXPECT_NE(host().err().find("locked"), std::string::npos) << host().err();
    }
    wake(*sleeper);
    if (!postgresql()) {
      start_host();
      wait_for_host();
    }
    let_pass(300);
  }
  EXPECT_EQ(of_shards("identifies"), 0) << "the session was lost";
  finish();
}

/// A second host with the same state directory, or with the same database, refuses and says who is there; the first one
/// does not notice.
TEST_P(ProcessFaults, TwoHosts) {
  start_stream();
  start_host();
  wait_for_host();
  const std::string owner = fmt::format("process {}", host().pid());
  for (int i = 0; i < times(2, 10); ++i) {
    let_pass(500);
    const bool same_state = i % 2 == 0;
    const std::string other =
        same_state ? "store.url=sqlite:" + (folder() / "other").string() : "state.dir=" + (folder() / "other").string();
    const Finished second = run_to_end(host_command({"--set", other}));
    caused();
    EXPECT_EQ(second.code, kOccupied) << second.err;
    EXPECT_NE(second.err.find(same_state ? "the state directory" : "the database is used by another host"),
              std::string::npos)
        << second.err;
    EXPECT_NE(second.err.find(owner), std::string::npos) << second.err;
  }
  EXPECT_EQ(shard().at("reconnects").as_int64(), 0);
  finish();
}

}  // namespace
}  // namespace trellis::e2e
