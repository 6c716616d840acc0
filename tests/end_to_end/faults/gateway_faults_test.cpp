// Whatever happens to the gateway connection, every dispatch is handled once.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

// More than a second of the stream: a connection that lived longer than that is followed by another one at once.
constexpr int kSecond = 4'500;

class GatewayFaults : public StoreFaultRow {
 protected:
  using Fault = std::function<void(Simulator&)>;

  void start(std::vector<std::string> flags = {}) {
    start_stream(std::move(flags));
    start_host();
    wait_for_host();
  }
  int number(const char* key) const { return shard().at(key).to_number<int>(); }
  bool ready() const { return shard().at("state") == "ready"; }
  void await(const char* what, const std::function<bool()>& condition) {
    wait_until(what, condition, [&] { return ctl({"status"}).out + host().err(); });
  }

  /// Causes the fault and waits until the session has been resumed.
  void resumed_after(const Fault& fault) {
    let_pass(kSecond);
    const int resumes = number("resumes");
    fault(sim());
    caused();
    await("the session is resumed", [&] { return number("resumes") > resumes && ready(); });
  }
  /// The stream stands, and the session that is about to end has said everything.
  void last_words() {
    sim().fault("pause");
    for (const json::value sessions = sim().get("/_sim/sessions"); const json::value& session : sessions.as_array())
      if (session.at("attached").as_bool()) session_ended(session.at("seq").to_number<std::int64_t>());
  }
  /// Causes the fault and waits until there is another session.
  void another_session_after(const Fault& fault) {
    let_pass(kSecond);
    const int identifies = number("identifies");
    const auto epoch = shard().at("tail").at("epoch").to_number<std::int64_t>();
    fault(sim());
    caused();
    await("there is another session", [&] { return number("identifies") > identifies && ready(); });
    EXPECT_GT(shard().at("tail").at("epoch").to_number<std::int64_t>(), epoch);
  }

  /// A row whose session is resumed each time.
  void resumes(int count, const Fault& fault, std::vector<std::string> flags = {}) {
    start(std::move(flags));
    for (int i = 0; i < count; ++i) resumed_after(fault);
    EXPECT_EQ(number("identifies"), 1) << "the session was lost";
    finish();
  }
  /// A row in which the connection stays.
  void stays(int count, const Fault& fault, std::vector<std::string> flags = {}) {
    start(std::move(flags));
    for (int i = 0; i < count; ++i) {
      let_pass(500);
      fault(sim());
      caused();
    }
    let_pass(500);
    EXPECT_EQ(number("reconnects"), 0);
    EXPECT_EQ(number("malformed"), 0);
    finish();
  }
};
TRELLIS_ON_BOTH_STORES(GatewayFaults);

TEST_P(GatewayFaults, CutMidFrame) {
  resumes(times(2, 50), [](Simulator& sim) { sim.fault("cut_mid_frame"); });
}
TEST_P(GatewayFaults, ConnectionReset) {
  resumes(times(1, 50), [](Simulator& sim) { sim.fault("drop"); });
}
/// Neither bytes nor an end: only the heartbeats tell.
TEST_P(GatewayFaults, HalfOpen) {
  resumes(times(1, 20), [](Simulator& sim) { sim.fault("half_open"); }, {"--heartbeat-interval", "1000"});
}
/// Heartbeats stay unanswered, and nothing else comes either.
TEST_P(GatewayFaults, AcksMissing) {
  start({"--heartbeat-interval", "1000"});
  for (int i = 0; i < times(1, 20); ++i) {
    resumed_after([](Simulator& sim) {
      sim.fault("pause");
      sim.fault("mute_acks");
    });
    sim().fault("resume_sending");
  }
  EXPECT_EQ(number("identifies"), 1) << "the session was lost";
  finish();
}
/// Heartbeats stay unanswered, but events come: the connection lives.
TEST_P(GatewayFaults, AcksMissingAmongEvents) {
  start({"--heartbeat-interval", "1000"});
  sim().fault("mute_acks");
  caused();
  let_pass(times(3, 20) * kSecond);
  EXPECT_EQ(number("reconnects"), 0);
  finish();
}
TEST_P(GatewayFaults, Op7Reconnect) {
  resumes(times(1, 50), [](Simulator& sim) { sim.fault("reconnect"); });
}
TEST_P(GatewayFaults, Op9Resumable) {
  resumes(times(1, 20), [](Simulator& sim) { sim.fault("invalid_session", {{"resumable", true}}); });
}
/// The address to resume at refuses. The session goes on by the main one, and its own address is not asked again; so
/// each time needs another session.
TEST_P(GatewayFaults, ResumeRefused503) {
  const int count = times(1, 10);
  start();
  for (int i = 1;; ++i) {
    resumed_after([](Simulator& sim) {
      sim.fault("resume_503", {{"count", 1}});
      sim.fault("drop");
    });
    EXPECT_EQ(sim().handshakes_refused(), i) << "the host did not come to the address to resume at";
    EXPECT_EQ(number("identifies"), i) << "the session was lost";
    if (i == count) break;
    another_session_after([&](Simulator& sim) {
      last_words();
      sim.fault("invalid_session", {{"resumable", false}});
    });
    caused(-1);  // that was only the way there
    sim().fault("resume_sending");
  }
  finish();
}
/// Every close code after which the session lives.
TEST_P(GatewayFaults, CloseResumable) {
  start();
  std::vector<int> codes{4000, 1000};
  if (full()) codes.insert(codes.end(), {1001, 4001, 4002, 4008, 4999});
  for (int round = 0; round < times(1, 5); ++round)
    for (const int code : codes) resumed_after([&](Simulator& sim) { sim.fault("close", {{"code", code}}); });
  EXPECT_EQ(number("identifies"), 1) << "the session was lost";
  finish();
}
/// Every close code after which it does not. What had a number before it was delivered before it, so nothing is missed;
/// but the host cannot know that, so there is a Gap.
TEST_P(GatewayFaults, CloseInvalidates) {
  start();
  for (const int code : {4003, 4005, 4007, 4009}) {
    if (!full() && code != 4007) continue;
    another_session_after([&](Simulator& sim) {
      last_words();
      sim.fault("close", {{"code", code}});
    });
    sim().fault("resume_sending");
  }
  EXPECT_EQ(number("resumes"), 0);
  finish();
}
TEST_P(GatewayFaults, Op9NewSession) {
  start();
  for (int i = 0; i < times(1, 5); ++i) {
    another_session_after([&](Simulator& sim) {
      last_words();
      sim.fault("invalid_session", {{"resumable", false}});
    });
    sim().fault("resume_sending");
  }
  let_pass(500);
  EXPECT_EQ(number("resumes"), 0);
  finish();
}

/// A session is forgotten while nobody is connected, and events with it.
TEST_P(GatewayFaults, SessionExpired) {
  start({"--send-while-away"});
  for (int i = 0; i < times(1, 5); ++i) {
    another_session_after([&](Simulator& sim) {
      sim.fault("gateway_503", {{"seconds", 3600}});
      sim.fault("drop");
      let_pass(500);
      sim.fault("pause");
      session_ended(sim.sequence());
      sim.fault("expire_session");
      sim.fault("gateway_503", {{"count", 0}});
    });
    sim().fault("resume_sending");
  }
  let_pass(500);
  finish();
}
/// The same while the host is stopped; with nothing sent meanwhile, nothing is missed.
TEST_P(GatewayFaults, SessionExpiredWhileStopped) {
  start();
  for (int i = 0; i < times(1, 5); ++i) {
    let_pass(1000);
    last_words();
    stop_host();
    sim().fault("expire_session");
    sim().fault("resume_sending");
    caused();
    start_host();
    wait_for_host();
    EXPECT_EQ(number("identifies"), 1);
  }
  let_pass(500);
  finish();
}

/// Its own heartbeats come once in ten minutes here: each one that comes sooner is an answer.
TEST_P(GatewayFaults, HeartbeatRequests) {
  const auto heartbeats = [this] {
    return sim().get("/_sim/sessions").at(0).at("heartbeats").to_number<std::int64_t>();
  };
  stays(times(5, 100),
        [&](Simulator& sim) {
          const std::int64_t before = heartbeats();
          sim.fault("heartbeat_request");
          await("the heartbeat that was asked for", [&] { return heartbeats() > before; });
        },
        {"--heartbeat-interval", "600000"});
}
TEST_P(GatewayFaults, Duplicates) {
  stays(times(3, 100), [](Simulator& sim) { sim.fault("duplicate", {{"count", 50}}); });
}
TEST_P(GatewayFaults, NonsenseInBetween) {
  stays(times(2, 100), [](Simulator& sim) { sim.fault("raw", {{"text", R"({"op":99,"d":{"what":"is this"}})"}}); });
}

}  // namespace
}  // namespace trellis::e2e
