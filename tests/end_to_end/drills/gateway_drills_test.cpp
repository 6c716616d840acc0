// Outages of the gateway. Those that a stream of events tells more about are rows of the fault suite: half-open
// sockets, missing ACKs, op 1, 7 and 9, close codes, a resume host that answers 503.
#include <fmt/format.h>

#include <regex>

#include "drill.hpp"

namespace trellis::e2e {
namespace {

constexpr int kExitDiscord = 4;

class GatewayDrill : public Drill {
 protected:
  /// Messages of a person that the simulator sends while the host listens.
  std::vector<std::string> quick(std::vector<std::string> more = {}) {
    std::vector<std::string> flags{"--guilds", "1", "--rate", "1", "--total", "1"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  /// Connections that got no Hello.
  std::size_t silent() {
    const std::string log = sim().process().err();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find("no_hello, as was asked for", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  bool answers() { return ctl({"status", "--json"}).code == 0 && !status().at("shards").as_array().empty(); }
  std::int64_t sessions() { return sim().dispatches("READY"); }
};

/// 4014: the host stops, and says which intent to switch on and where. It does not try again.
TEST_F(GatewayDrill, IntentNotGranted) {
  start_simulator(quick({"--privileged", "members,presences"}));
  start_host();
  EXPECT_EQ(end_of_host(), kExitDiscord);
  EXPECT_NE(host().err().find("4014"), std::string::npos);
  EXPECT_NE(host().err().find("MESSAGE_CONTENT"), std::string::npos);
  EXPECT_NE(host().err().find("https://discord.com/developers/applications"), std::string::npos);
  EXPECT_EQ(sessions(), 0);
  found("stopped, naming MESSAGE_CONTENT");
}

/// Every code after which another try would be in vain: the host stops, names the code and says what to do.
TEST_F(GatewayDrill, FatalCloseCodes) {
  start_simulator(quick());
  const std::vector<std::pair<int, const char*>> codes{
      {4004, "Check DISCORD_TOKEN"}, {4010, "Check discord.shards"},          {4011, "Raise discord.shards"},
      {4012, "update it"},           {4013, "Update the plugins or Trellis"}, {4014, "Switch on Message Content"},
  };
  for (const auto& [code, remedy] : codes) {
    start_host({"--set", "discord.shards=1"});  // with "auto" 4011 is no reason to end
    wait_for_host();
    const auto before = sessions();
    sim().fault("close", {{"code", code}});
    EXPECT_EQ(end_of_host(), kExitDiscord) << code;
    EXPECT_NE(host().err().find(fmt::format("for good ({},", code)), std::string::npos) << code << host().err();
    EXPECT_NE(host().err().find(remedy), std::string::npos) << code << host().err();
    EXPECT_EQ(sessions(), before) << "it logged in again after " << code;
  }
  found("stopped six times, each with what to do");
}

/// 4004 in the middle of a session, and 401 from the HTTP API: the host stops and says that the token is no longer
/// valid. It does not log in again, which would only hurt.
TEST_F(GatewayDrill, TokenRevoked) {
  start_simulator(quick());
  start_host();
  wait_for_host();
  sim().fault("revoke_token");
  EXPECT_EQ(end_of_host(), kExitDiscord);
  EXPECT_NE(host().err().find("4004"), std::string::npos);
  EXPECT_NE(host().err().find("token"), std::string::npos);
  EXPECT_EQ(sessions(), 1);
  start_host();
  EXPECT_EQ(end_of_host(), kExitDiscord) << "a token that is refused from the start";
  EXPECT_NE(host().err().find("401"), std::string::npos);
  found("stopped, naming the token");
}

/// The host for resuming takes every connection and says nothing. The session lives: the main host resumes it.
TEST_F(GatewayDrill, HelloNeverComes) {
  start_simulator(quick());
  start_host();
  wait_for_host();
  sim().fault("no_hello", {{"count", 1'000'000}, {"host", "resume"}});
  sim().fault("drop");
  await("the session is resumed", [&] { return number("resumes") == 1 && ready(); });
  EXPECT_EQ(number("identifies"), 1) << "the session was lost";
  sim().fault("drop");
  await("it is resumed again", [&] { return number("resumes") == 2 && ready(); });
  EXPECT_EQ(silent(), 1u) << "the host that says nothing was asked again";
  stop_host();
  found("left, and resumed at the main host");
}

/// In an outage READY may take minutes, while heartbeats are acknowledged. Another IDENTIFY would only come later
/// still.
TEST_F(GatewayDrill, ReadyComesLate) {
  start_simulator(quick({"--heartbeat-interval", "5000"}));
  sim().fault("late_ready", {{"seconds", 70}});
  start_host();
  wait_for_host();
  EXPECT_EQ(number("identifies"), 1);
  EXPECT_EQ(sessions(), 1);
  stop_host();
  found("waited, with heartbeats");
}

/// The host is killed and started again while the HTTP API answers 503 to everything. The gateway works, so the session
/// is resumed; only what begins anew has to wait for what Discord says of IDENTIFYs.
TEST_F(GatewayDrill, RestIsDownAtTheStart) {
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_CREATE", "TRELLIS_GAP"}));
  start_simulator({"--guilds", "2", "--rate", "400", "--total", "2000"});
  start_host();
  wait_for_host();
  wait_for_sent(500);
  kill_host();
  sim().fault("rest_error", {{"count", 1'000'000'000}, {"status", 503}});
  start_host();
  await("the session is resumed", [&] { return answers() && number("resumes") == 1 && ready(); });
  expect_everything_counted();
  expect_recorded(*this, {"MESSAGE_CREATE"});
  EXPECT_EQ(number("identifies"), 0);
  EXPECT_EQ(sessions(), 1);
  EXPECT_EQ(store().number("recorder", "SELECT count(*) FROM gaps"), 0);

  const Finished refused = ctl({"gateway", "reidentify"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("Discord has not said yet how many"), std::string::npos) << refused.err;
  sim().fault("invalid_session", {{"resumable", false}});
  await("the shard waits for leave", [&] { return number("reconnects") == 1 && shard().at("state") == "identifying"; });
  EXPECT_NE(ctl({"gateway"}).out.find("Discord has not said yet how many are left; 1 shards wait"), std::string::npos)
      << ctl({"gateway"}).out;
  sim().fault("rest_clear");
  await("there is a new session", [&] { return number("identifies") == 1 && ready(); });
  EXPECT_EQ(sessions(), 2);
  stop_host();
  found("resumed without the HTTP API, nothing missed");
}

/// The gateway's address does not work any more, nor the one for resuming, when the HTTP API comes back: it is asked
/// for the address of today.
TEST_F(GatewayDrill, TheAddressIsAnotherOne) {
  start_simulator(quick());
  start_host();
  wait_for_host();
  kill_host();
  const auto file = state() / "gateway.json";
  const std::string kept = read_file(file);
  ASSERT_NE(kept.find("ws://127.0.0.1:"), std::string::npos) << kept;
  write_file(file, std::regex_replace(kept, std::regex("ws://127[.]0[.]0[.]1:[0-9]+"), "ws://127.0.0.1:1"));
  sim().fault("resume_503", {{"count", 1'000'000}});
  sim().fault("rest_error", {{"count", 1'000'000'000}, {"status", 503}});
  start_host();
  await("it tries the old address", [&] { return answers() && number("reconnects") >= 2; });
  EXPECT_EQ(number("resumes"), 0);
  sim().fault("rest_clear");
  await("the session is resumed", [&] { return number("resumes") == 1 && ready(); });
  EXPECT_EQ(number("identifies"), 0);
  EXPECT_EQ(sessions(), 1);
  wait_until("the address is kept", [&] { return read_file(file) == kept; }, [&] { return read_file(file); });
  stop_host();
  found("asked for the new one and resumed there");
}

/// IDENTIFY is never answered, and nothing else comes either. Heartbeats are so far apart that their ACKs are no sign
/// of life in between.
TEST_F(GatewayDrill, ReadyNeverComes) {
  start_simulator(quick({"--heartbeat-interval", "3600000"}));
  sim().fault("no_ready", {{"count", 1}});
  start_host();
  wait_for_host();
  EXPECT_EQ(number("identifies"), 2);
  EXPECT_EQ(number("reconnects"), 1);
  EXPECT_EQ(sessions(), 1);
  stop_host();
  found("left after a minute, and identified again");
}

/// The bot has grown beyond its shards (4011). Under "auto" a supervised host starts again with the number that Discord
/// recommends by then; where that is no larger, it stops and says so.
TEST_F(GatewayDrill, MoreShardsAreRequired) {
  plugins(kCountEverything);
  start_simulator({"--guilds", "8", "--shards", "2", "--max-concurrency", "2", "--rate", "400"});
  // What an earlier start was told, when one was enough; the API is away for a moment.
  std::filesystem::create_directories(state());
  write_file(state() / "gateway.json",
             boost::json::serialize(boost::json::object{
                 {"api", sim().api()}, {"url", sim().get("/api/v10/gateway/bot").at("url")}, {"shards", 1}}));
  sim().fault("rest_error", {{"path", "/gateway/bot"}, {"count", 4}, {"status", 503}});
  start_host({"--supervise"});
  wait_for_host();
  ASSERT_EQ(status().at("shards").as_array().size(), 1u);
  wait_for_sent(500);
  sim().fault("close", {{"code", 4011}});
  await("it has two shards", [&] {
    if (ctl({"status", "--json"}).code != 0) return false;
    const boost::json::value now = status();
    const auto& shards = now.at("shards").as_array();
    return shards.size() == 2 && shards[0].at("state") == "ready" && shards[1].at("state") == "ready";
  });
  EXPECT_NE(host().err().find("it recommends 2 now, which the next start takes over"), std::string::npos);
  sim().fault("pause");
  expect_counted(sim().counts());

  sim().fault("close", {{"code", 4011}});
  EXPECT_EQ(end_of_host(), kExitDiscord);
  EXPECT_NE(host().err().find("recommends 2 all the same. Set discord.shards to a larger number"), std::string::npos)
      << host().err();
  found("started again with two shards; stopped where Discord recommends no more");
}

/// Each RESUME is answered by a close. After some the host gives the session up instead of asking for ever.
TEST_F(GatewayDrill, ResumeLoop) {
  start_simulator(quick());
  start_host();
  wait_for_host();
  const int before = number("identifies");
  sim().fault("refuse_resume", {{"count", 1'000'000}});
  sim().fault("drop");
  await("there is a new session", [&] { return number("identifies") == before + 1 && ready(); });
  EXPECT_EQ(number("resumes"), 0);
  EXPECT_EQ(sessions(), 2);
  stop_host();
  found("a new session after RESUMEs in vain");
}

/// The day's IDENTIFYs are used up but for a reserve. One more than there are would reset the bot's token, so the host
/// waits for the next day, which is short here.
TEST_F(GatewayDrill, IdentifyBudgetExhausted) {
  start_simulator(quick({"--identify-total", "2", "--identify-reset", "20"}));
  start_host();
  wait_for_host();
  sim().fault("invalid_session", {{"resumable", false}});
  await("it says why it waits", [&] { return host().err().find("are left, and those are kept") != std::string::npos; });
  EXPECT_EQ(sessions(), 1);
  await("the next day", [&] { return sessions() == 2 && ready(); });
  EXPECT_EQ(sim().get("/api/v10/users/@me").as_object().count("id"), 1u) << "the token was reset";
  stop_host();
  found("waited for new ones; the token lives");
}

}  // namespace
}  // namespace trellis::e2e
