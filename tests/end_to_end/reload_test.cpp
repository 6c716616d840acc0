// New code for a running plugin, while events pour in.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class ReloadTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(ReloadTest);

TEST_P(ReloadTest, UnderLoad) { reload_under_load(*this, 20, std::chrono::seconds(0)); }

/// A candidate that is no good is refused with a sentence, and what runs goes on.
TEST_P(ReloadTest, BrokenCandidates) {
  install(*this, build_of_message_counter("a"), "message_counter");
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "2000"});
  start_host({"--set", "plugins.dir=" + (folder() / "plugins").string()});
  wait_for_host();
  const std::string file = (folder() / "plugins" / "message_counter.so").string();
  int refusals = 0;
  const auto refused = [&](std::vector<std::string> sayings) {
    const std::int64_t sent = sim.messages_sent();
    const Finished answer = ctl({"plugin", "reload", "message_counter"});
    EXPECT_EQ(answer.code, 1) << answer.out;
    for (const std::string& saying : sayings)
      EXPECT_NE(answer.err.find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << answer.err;
    EXPECT_EQ(answer.err.find("/generations/"), std::string::npos) << "names a private copy: " << answer.err;
    const auto plugin = this->plugin("message_counter");
    EXPECT_EQ(plugin.at("generation").as_int64(), 1);
    EXPECT_EQ(plugin.at("state"), "running");
    EXPECT_FALSE(plugin.at("last_refusal").as_string().empty());
    EXPECT_EQ(mapped_generations(host().pid()), 1u);
    wait_until("messages flow", [&] { return sim.messages_sent() > sent; });
    ++refusals;
  };

  const std::string whole = read_file(build_of_message_counter("b"));
  const auto truncated = folder() / "truncated.so";
  write_file(truncated, whole.substr(0, whole.size() / 2));
  install(*this, truncated, "message_counter");
  refused({file, "truncated"});
  write_file(truncated, "");
  install(*this, truncated, "message_counter");
  refused({file});
  write_file(truncated, "#!/bin/sh\necho this is no plugin\n");
  install(*this, truncated, "message_counter");
  refused({file, "ELF"});
  install(*this, test_plugin("wrong_abi"), "message_counter");
  refused({file, "9"});
  install(*this, test_plugin("throws_in_setup"), "message_counter");
  refused({file, "is the plugin \"throws_in_setup\""});
  install(*this, build_of_message_counter("throws"), "message_counter");
  refused({"the moon is not full"});
  plugins("[message_counter]\n");  // these two know no settings
  install(*this, build_of_message_counter("misfit"), "message_counter");
  refused({"imagined"});
  install(*this, build_of_message_counter("bad_migration"), "message_counter");
  refused({"0002_broken.sql", "there_is_no_such_table"});
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM half_done"), 0);
  EXPECT_THROW(store().rows("message_counter", "SELECT * FROM half_done"), std::exception)
      << "half of a migration stayed";
  plugins(kCountEverything);
  std::filesystem::remove(file);
  refused({file, "install it there"});

  // Settings are read again, too.
  install(*this, build_of_message_counter("b"), "message_counter");
  plugins("[message_counter]\ndailyCutoffHourUTC = 25\ntrackedChannels = { \"*\" = [\"*\"] }\n");
  refused({"plugins.conf:2", "dailyCutoffHourUTC", "23"});
  plugins("[message_counter]\ndailyCutoffHourUtc = 5\ntrackedChannels = { \"*\" = [\"*\"] }\n");
  refused({"plugins.conf:2", "dailyCutoffHourUtc", "dailyCutoffHourUTC"});
  plugins("[message_counter\n");
  refused({"plugins.conf:1"});
  plugins("[hello]\n");
  refused({"message_counter"});
  EXPECT_EQ(refusals, 13);

  plugins(kCountEverything);
  const Finished answer = ctl({"plugin", "reload", "message_counter"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(plugin("message_counter").at("generation").as_int64(), 2);
  EXPECT_TRUE(plugin("message_counter").at("last_refusal").as_string().empty());
  sim.fault("pause");
  expect_counted(sim.counts());
  EXPECT_EQ(plugin("message_counter").at("failures").as_int64(), 0);
  stop_host();
  expect_same(sim.counts(), stored());
}

/// A dry run says what would happen, and nothing happens.
TEST_P(ReloadTest, DryRun) {
  install(*this, build_of_message_counter("a"), "message_counter");
  start_simulator({"--guilds", "2", "--rate", "500"});
  start_host({"--set", "plugins.dir=" + (folder() / "plugins").string()});
  wait_for_host();
  install(*this, build_of_message_counter("b"), "message_counter");
  Finished answer = ctl({"plugin", "reload", "message_counter", "--dry-run"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_NE(answer.out.find("would go from generation 1 to 2"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("migrations to apply: none"), std::string::npos) << answer.out;
  plugins("[message_counter]\ndailyCutoffHourUTC = 25\n");
  answer = ctl({"plugin", "reload", "message_counter", "--dry-run"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.err.find("would not be reloaded"), std::string::npos) << answer.err;
  EXPECT_NE(answer.err.find("plugins.conf:2"), std::string::npos) << answer.err;
  EXPECT_EQ(plugin("message_counter").at("generation").as_int64(), 1);
  EXPECT_EQ(plugin("message_counter").at("last_refusal"), "");
  EXPECT_EQ(mapped_generations(host().pid()), 1u);
  EXPECT_EQ(ctl({"plugin", "reload", "message_counter", "--dryrun"}).code, 2);
  EXPECT_NE(ctl({"plugin", "reload", "message_counter", "--dryrun"}).err.find("--dry-run?"), std::string::npos);
  EXPECT_EQ(ctl({"plugin", "rolback", "message_counter"}).code, 2);
  stop_host();
}

/// A build that fails is taken back by itself, loses nothing, and stays away over a restart although it is installed.
TEST_P(ReloadTest, TakenBack) {
  const std::string here = "plugins.dir=" + (folder() / "plugins").string();
  install(*this, build_of_message_counter("a"), "message_counter");
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "1000"});
  start_host({"--set", here, "--set", "reload.probation=0 s"});  // what runs has proved itself
  wait_for_host();
  stop_host();
  start_host({"--set", here});
  wait_for_host();
  const auto good = plugin("message_counter").at("build");
  install(*this, build_of_message_counter("fails"), "message_counter");
  EXPECT_EQ(ctl({"plugin", "reload", "message_counter"}).code, 0);
  const auto back = [&] { return plugin("message_counter").at("build") == good; };
  wait_until("the build before is back", back, [&] { return ctl({"plugin", "status", "message_counter"}).out; });
  const auto dead = [&] { return store().number("message_counter", "SELECT count(*) FROM trellis_dead"); };
  wait_until("what it gave up is handled", [&] { return dead() == 0; }, [&] { return ctl({"dead", "list"}).out; });
  const std::string status = ctl({"plugin", "status", "message_counter"}).out;
  EXPECT_NE(status.find("rolled back: generation 2"), std::string::npos) << status;
  EXPECT_NE(status.find("this build can do nothing"), std::string::npos) << status;
  EXPECT_NE(ctl({"plugin", "list"}).out.find("(not what is installed)"), std::string::npos);
  Finished again = ctl({"plugin", "reload", "message_counter"});
  EXPECT_EQ(again.code, 1) << again.out;
  EXPECT_NE(again.err.find("was rolled back before"), std::string::npos) << again.err;
  kill_host();
  start_host({"--set", here});
  wait_for_host();
  EXPECT_TRUE(back()) << "the start took what is installed";
  EXPECT_NE(host().err().find("was rolled back"), std::string::npos) << host().err();
  install(*this, build_of_message_counter("b"), "message_counter");
  EXPECT_EQ(ctl({"plugin", "reload", "message_counter"}).code, 0);
  // By hand, too.
  const Finished rollback = ctl({"plugin", "rollback", "message_counter"});
  EXPECT_EQ(rollback.code, 0) << rollback.err;
  EXPECT_TRUE(back());
  sim.fault("pause");
  expect_counted(sim.counts());
  EXPECT_EQ(dead(), 0);
  stop_host();
  expect_same(sim.counts(), stored());
}

/// A handler that never returns holds up its plugin; --force gives it up and goes on without it.
TEST_P(ReloadTest, PastAHandlerThatHangs) {
  const auto conf = [](const char* how_long) {
    return fmt::format("[throws_on_word]\npath = \"{}\"\nhang_for = \"{}\"\n", test_plugin("throws_on_word").string(),
                       how_long);
  };
  plugins(std::string(kCountEverything) + conf("1h"));
  Simulator& sim = start_simulator({"--guilds", "2", "--rate", "0", "--total", "200"});
  start_host({"--set", "handler.soft_limit=1 s", "--set", "handler.hard_limit=2 s"});
  expect_everything_counted();
  const std::string server = sim.servers().at(0);
  sim.send_message(server, server, "hang");
  wait_until("it hangs", [&] { return plugin("throws_on_word").at("state") == "wedged"; });
  plugins(std::string(kCountEverything) + conf("1s"));
  const Finished refused = ctl({"plugin", "reload", "throws_on_word"});
  EXPECT_EQ(refused.code, 1) << refused.out;
  EXPECT_NE(refused.err.find("--force"), std::string::npos) << refused.err;
  const Finished forced = ctl({"plugin", "reload", "throws_on_word", "--force"});
  EXPECT_EQ(forced.code, 0) << forced.err;
  EXPECT_NE(forced.out.find("STILL MAPPED"), std::string::npos) << forced.out;
  sim.send_message(server, server, "fine");
  const auto all = sim.messages_sent();
  wait_until(
      "the other code goes on",
      [&] { return store().number("throws_on_word", "SELECT sum(messages) FROM counted") == all; },
      [&] { return ctl({"status"}).out; });
  EXPECT_EQ(plugin("throws_on_word").at("state"), "running");
  expect_everything_counted();
  kill_host();  // the handler would hold up a stop until its deadline
}

/// Unloaded, it misses nothing that it does not want to miss: it goes on where it was.
TEST_P(ReloadTest, UnloadAndLoad) {
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "0", "--total", std::to_string(scaled(20'000))});
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_CREATE"}));
  start_host({"--set", "journal.keep=10 min"});
  wait_for_sent(scaled(5'000));
  wait_for_host();
  EXPECT_EQ(ctl({"plugin", "unload", "message_counter"}).code, 0);
  EXPECT_EQ(mapped_generations(host().pid()), 1u) << "recorder alone";
  const Finished again = ctl({"plugin", "unload", "message_counter"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("message_counter is not loaded"), std::string::npos) << again.err;
  wait_for_sent(scaled(10'000));
  EXPECT_EQ(ctl({"plugin", "load", "message_counter"}).code, 0);
  expect_everything_counted();
  expect_recorded(*this, {"MESSAGE_CREATE"});
  stop_host();
  expect_same(sim.counts(), stored());
}

/// An operator's `disable` outlives a restart, until it is forgotten.
TEST_P(ReloadTest, DisableOutlivesARestart) {
  Simulator& sim = start_simulator({"--rate", "500"});
  plugins(std::string(kCountEverything) + recorder_conf({"MESSAGE_CREATE"}));
  start_host();
  wait_for_host();
  EXPECT_EQ(ctl({"plugin", "disable", "recorder"}).code, 0);
  stop_host();
  start_host();
  wait_for_host();
  EXPECT_THROW(plugin("recorder"), std::exception);
  EXPECT_NE(ctl({"plugin", "list"}).out.find("recorder"), std::string::npos);
  EXPECT_NE(host().err().find("recorder"), std::string::npos) << "the log does not say so";
  EXPECT_EQ(ctl({"plugin", "enable", "recorder"}).code, 0);
  EXPECT_EQ(plugin("recorder").at("state"), "running");
  EXPECT_EQ(ctl({"plugin", "enable", "recorder", "--forget"}).code, 0);
  sim.fault("pause");
  expect_counted(sim.counts());
  stop_host();
}

/// Operators look into the SQLite files with other programs while the host writes: what it writes after that is in
/// them, too. (A lock that the host lost would let the other program take the write-ahead log away.)
class OtherReaderTest : public Bench {};

TEST_F(OtherReaderTest, AfterAReload) {
  Simulator& sim = start_simulator({"--guilds", "2", "--rate", "1000"});
  start_host();
  wait_for_host();
  ASSERT_EQ(ctl({"plugin", "reload", "message_counter"}).code, 0);
  for (int round = 1; round <= 3; ++round) {
    wait_for_sent(sim.messages_sent() + 300);
    sim.fault("pause");
    expect_counted(sim.counts());
    sim.fault("resume_sending");
  }
  sim.fault("pause");
  stop_host();
  expect_same(sim.counts(), stored());
}

}  // namespace
}  // namespace trellis::e2e
