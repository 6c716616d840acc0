// A handler that fails, hangs or crashes costs its own event at most, and no other plugin anything.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

class HandlerFaults : public StoreFaultRow {
 protected:
  void start(std::vector<std::string> flags = {}, std::vector<std::string> host_arguments = {}) {
    start_stream(std::move(flags));
    // A failing plugin keeps the code and the settings that it was given.
    host_arguments.insert(host_arguments.end(), {"--set", "reload.probation=0 s"});
    start_host(std::move(host_arguments));
    wait_for_host();
  }
  void send(const std::string& content) {
    const std::string server = sim().servers().at(0);
    sim().send_message(server, server, content);
  }
  std::int64_t dead_letters() { return store().number("troubled", "SELECT count(*) FROM trellis_dead"); }
  std::int64_t recorded(const std::string& plugin) { return store().number(plugin, "SELECT count(*) FROM recorded"); }
  void reload_troubled() const {
    const Finished reload = ctl({"plugin", "reload", "troubled"});
    EXPECT_EQ(reload.code, 0) << reload.err;
  }
  int failures() const { return plugin("troubled").at("failures").to_number<int>(); }
};
TRELLIS_ON_BOTH_STORES(HandlerFaults);

TEST_P(HandlerFaults, ThrowsEvery1000th) {
  with_troubled("throw_every = 1000\n");
  start();
  let_pass(times(3, 50) * 1000);
  wait_until(
      "events were given up", [&] { return dead_letters() >= times(3, 50); }, [&] { return ctl({"status"}).out; });
  caused(static_cast<int>(dead_letters()));
  finish();
}

TEST_P(HandlerFaults, PoisonEvent) {
  with_troubled("");
  start();
  for (int i = 0; i < times(1, 20); ++i) {
    let_pass(500);
    send("poison");
    caused();
    wait_until("it is given up", [&] { return dead_letters() > i; }, [&] { return ctl({"status"}).out; });
  }
  EXPECT_EQ(failures(), 2 * times(1, 20)) << "each is tried twice";
  EXPECT_EQ(dead_letters(), times(1, 20));
  finish();
}

/// Nothing is skipped: the plugin stands before the event, and goes on when it is mended.
TEST_P(HandlerFaults, ThrowsAlways) {
  with_troubled("throw_every = 1\n");
  start();
  for (int i = 0; i < times(1, 3); ++i) {
    wait_until(
        "the plugin is paused", [&] { return plugin("troubled").at("state") == "paused"; },
        [&] { return ctl({"status"}).out; });
    const auto before = recorded("recorder");
    wait_until("the others go on", [&] { return recorded("recorder") > before + 2000; });
    with_troubled("");
    reload_troubled();
    const auto done = recorded("troubled");
    wait_until("it goes on", [&] { return recorded("troubled") > done + 2000; }, [&] { return ctl({"status"}).out; });
    if (i + 1 == times(1, 3)) break;
    with_troubled("throw_every = 1\n");
    reload_troubled();
  }
  caused(failures());
  EXPECT_LE(dead_letters(), 2 * times(1, 3)) << "few are given up before the plugin is paused";
  finish();
}

/// A handler that hangs (a minute in the full form) holds up its own plugin, and neither the others nor the heartbeats.
TEST_P(HandlerFaults, Hangs) {
  const auto hold = folder() / "go-on";
  with_troubled(fmt::format("hold = \"{}\"\n", hold.string()));
  start({"--heartbeat-interval", "500"});
  let_pass(1000);
  send("hang");
  caused();
  const auto sent = sim().messages_sent();
  wait_until("the plugin stands", [&] {
    const auto before = recorded("troubled");
    let_pass(1000);
    return recorded("troubled") == before;
  });
  const auto stood = recorded("troubled");
  const auto counted = [&] {
    return store().number("message_counter", "SELECT sum(message_count) FROM message_counts");
  };
  // While it hangs, the others have at the end of each second what was sent before it.
  const std::int64_t beats = sim().heartbeats();
  std::int64_t furthest = 0;
  for (int second = 0; second < times(2, 60); ++second) {
    const std::int64_t messages = total(sim().counts());
    const std::int64_t events = sim().dispatches("MESSAGE_CREATE");
    let_pass(4000);
    const auto creations = [&] {
      return store().number("recorder", "SELECT count(*) FROM recorded WHERE type = 'MESSAGE_CREATE'");
    };
    wait_until(
        "the others go on", [&] { return creations() >= events && counted() >= messages; },
        [&] { return ctl({"status"}).out; });
    furthest = std::max(furthest, plugin("recorder").at("streams").at(0).at("lag_events").to_number<std::int64_t>());
  }
  EXPECT_EQ(recorded("troubled"), stood) << "it went on";
  EXPECT_LE(stood, sent + 1000);
  wait_until("heartbeats go on", [&] { return sim().heartbeats() >= beats + times(4, 100); });
  EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0) << "heartbeats were missing";
  write_file(hold, "");
  EXPECT_EQ(failures(), 0);
  note(fmt::format("recorder at most {} events behind meanwhile, {} heartbeats", furthest, sim().heartbeats() - beats));
  finish();
}

/// The process dies of it: the supervisor starts another, the event runs alone, and is given up when it kills again.
TEST_P(HandlerFaults, Crashes) {
  with_troubled("");
  start({}, {"--supervise"});
  let_pass(1000);
  send("crash");
  wait_until("the event is given up", [&] { return dead_letters() == 1; }, [&] { return host().err(); });
  caused(2);
  wait_for_host();
  let_pass(1000);
  EXPECT_EQ(plugin("troubled").at("state"), "running");
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 0) << "the session was lost";
  finish();
}

}  // namespace
}  // namespace trellis::e2e
