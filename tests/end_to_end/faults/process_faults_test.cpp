// The host is killed, stopped, asleep while another one takes its place, or there are two of them.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <csignal>
#include <thread>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

constexpr int kOccupied = 6;  // exit code

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
};
TRELLIS_ON_BOTH_STORES(ProcessFaults);

/// At any moment, the start included.
TEST_P(ProcessFaults, KillNine) {
  start_stream();
  start_host();
  wait_for_host();
  for (int i = 0; i < times(4, 20); ++i) {
    if (i % 4 == 3) {
      sleep_up_to(500);
    } else {
      let_pass(static_cast<std::int64_t>(random()() % 4000));
    }
    kill_host();
    caused();
    start_host();
  }
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").as_int64(), 0) << "the session was lost";
  finish();
}

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

/// A host sleeps (SIGSTOP), longer than it has said that it lives; another one, with a state directory of its own,
/// takes the database over. When the first wakes up, with events in its socket that the other one has counted, it has
/// to go.
TEST_P(ProcessFaults, Takeover) {
  Simulator& sim = start_stream({"--rate", "200"});
  start_host();
  wait_for_host();
  for (int i = 0; i < times(1, 3); ++i) {
    let_pass(300);
    // The new session begins where the old one ends.
    sim.fault("pause");
    expect_counted(sim.counts());
    expect_recorded(*this, types());
    host().signal(SIGSTOP);
    host_expires();
    const auto sleeper = leave_host(fmt::format("state-{}", i));
    start_host();
    wait_for_host();
    sim.fault("resume_sending");
    let_pass(300);
    sleeper->signal(SIGCONT);
    caused();
    EXPECT_EQ(sleeper->wait(), kOccupied) << sleeper->err();
    EXPECT_NE(sleeper->err().find("another host has taken the database over"), std::string::npos) << sleeper->err();
    let_pass(300);
  }
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
