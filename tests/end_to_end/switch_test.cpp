// What operators switch on and off, and let out of quarantine: all of it or nothing.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class SwitchTest : public StoreBench {
 protected:
  std::vector<std::string> here() const { return {"--set", "plugins.dir=" + (folder() / "plugins").string()}; }
  void start() {
    start_host(here());
    wait_for_host();
  }
  void restart() {
    kill_host();
    start();
  }
  /// What the host writes to this table of its own fails from now on.
  void forbid(const std::string& what, const std::string& table) {
    if (postgresql())
      store().rows("trellis",
                   "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
                   "'not today'; END $$");
    store().rows("trellis", fmt::format("CREATE TRIGGER no BEFORE {} ON {} {}", what, table,
                                        postgresql() ? "FOR EACH ROW EXECUTE FUNCTION no()"
                                                     : "BEGIN SELECT RAISE(ABORT, 'not today'); END"));
  }
  void allow() { store().rows("trellis", postgresql() ? "DROP FUNCTION no() CASCADE" : "DROP TRIGGER no"); }
  void refused(std::vector<std::string> words, const std::string& saying) {
    const Finished answer = ctl(std::move(words));
    EXPECT_EQ(answer.code, 1) << answer.out;
    EXPECT_NE(answer.err.find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << answer.err;
  }
  void says(const std::string& text, const std::string& saying) {
    EXPECT_NE(text.find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << text;
  }
  bool loaded(const std::string& id) const {
    const boost::json::value all = status();
    for (const auto& plugin : all.at("plugins").as_array())
      if (plugin.at("id") == id.c_str() && plugin.at("state") == "running") return true;
    return false;
  }
  void cut(const std::string& id) {
    const auto file = folder() / "plugins" / (id + ".so");
    const std::string whole = read_file(file);
    write_file(folder() / "cut.so", whole.substr(0, whole.size() / 2));
    install(*this, folder() / "cut.so", id);
  }
  std::string overrides() {
    std::string text;
    for (const Row& row : store().rows("trellis", "SELECT plugin, enabled FROM trellis_overrides ORDER BY plugin"))
      text += row.at(0) + "=" + row.at(1) + " ";
    return text;
  }
};
TRELLIS_ON_BOTH_STORES(SwitchTest);

/// What cannot be loaded is not enabled, so the next start is none the worse for it.
TEST_P(SwitchTest, WhatCannotBeLoadedIsNotEnabled) {
  Simulator& sim = start_simulator({"--rate", "500"});
  plugins(std::string(kCountEverything) + "[bank]\n");
  install(*this, build_of_message_counter("a"), "message_counter");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  start();
  EXPECT_EQ(ctl({"plugin", "disable", "bank"}).code, 0);
  cut("bank");
  refused({"plugin", "enable", "bank"}, "truncated");
  EXPECT_EQ(overrides(), "bank=0 ");
  refused({"plugin", "enable", "bank", "--forget"}, "truncated");
  EXPECT_EQ(overrides(), "bank=0 ");
  refused({"plugin", "enable", "bnk"}, "no table [bnk]; did you mean bank?");
  refused({"plugin", "disable", "bnk"}, "no table [bnk]");
  refused({"plugin", "enable", "bnk", "--forget"}, "no table [bnk]");
  EXPECT_EQ(overrides(), "bank=0 ");
  EXPECT_EQ(store().number("trellis", "SELECT count(*) FROM trellis_enabled WHERE plugin = 'bank'"), 0);
  restart();
  EXPECT_FALSE(loaded("bank"));
  EXPECT_TRUE(loaded("message_counter"));
  install(*this, test_plugin("bank_1_2_0"), "bank");
  EXPECT_EQ(ctl({"plugin", "enable", "bank"}).code, 0);
  EXPECT_TRUE(loaded("bank"));
  EXPECT_EQ(overrides(), "bank=1 ");
  EXPECT_EQ(ctl({"plugin", "enable", "bank", "--forget"}).code, 0);
  EXPECT_EQ(overrides(), "");
  // What was stored about a plugin that has gone from plugins.conf can be forgotten.
  EXPECT_EQ(ctl({"plugin", "disable", "bank"}).code, 0);
  plugins(kCountEverything);
  const Finished forgotten = ctl({"plugin", "enable", "bank", "--forget"});
  EXPECT_EQ(forgotten.code, 0) << forgotten.err;
  says(forgotten.out, "has no table [bank]");
  EXPECT_EQ(overrides(), "");
  sim.fault("pause");
  expect_counted(sim.counts());
  stop_host();
}

/// The store does not take it: what ran runs, now and after the next start.
TEST_P(SwitchTest, WhatCannotBeStoredIsNotDone) {
  Simulator& sim = start_simulator({"--rate", "500"});
  plugins(std::string(kCountEverything) + "[bank]\n");
  install(*this, build_of_message_counter("a"), "message_counter");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  start();
  EXPECT_EQ(ctl({"plugin", "disable", "bank"}).code, 0);
  forbid("INSERT", "trellis_overrides");
  refused({"plugin", "disable", "message_counter"}, "not today");
  EXPECT_TRUE(loaded("message_counter"));
  EXPECT_EQ(plugin("message_counter").at("generation").as_int64(), 1);
  refused({"plugin", "enable", "bank"}, "not today");
  EXPECT_FALSE(loaded("bank"));
  EXPECT_EQ(store().number("trellis", "SELECT count(*) FROM trellis_enabled WHERE plugin = 'bank'"), 0);
  restart();
  EXPECT_TRUE(loaded("message_counter"));
  EXPECT_FALSE(loaded("bank"));
  allow();
  EXPECT_EQ(ctl({"plugin", "enable", "bank"}).code, 0);
  EXPECT_TRUE(loaded("bank"));
  sim.fault("pause");
  expect_counted(sim.counts());
  stop_host();
}

/// One in quarantine and one that needs it are shown wherever plugins are, and come back together.
TEST_P(SwitchTest, Quarantine) {
  start_simulator({"--guilds", "1", "--rate", "100"});
  plugins("[shop]\n[bank]\n");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  install(*this, test_plugin("shop"), "shop");
  start();
  kill_host();
  store().rows("trellis",
               "INSERT INTO trellis_quarantine (plugin, since_us, why) VALUES ('bank', 1, 'it crashed twice')");
  start();
  const std::string why = "it needs bank >= 1.2, which is in quarantine";
  const auto expect_shown = [&] {
    EXPECT_EQ(plugin("bank").at("state"), "quarantined");
    EXPECT_EQ(plugin("shop").at("state"), "left_out");
    EXPECT_EQ(plugin("shop").at("why"), why.c_str());
    for (const std::string& text : {ctl({"status"}).out, ctl({"plugin", "list"}).out}) {
      says(text, "it crashed twice");
      says(text, "left out: " + why);
    }
    refused({"plugin", "status", "bank"}, "quarantined since");
    refused({"plugin", "status", "shop"}, "plugin shop is not loaded: " + why);
    const std::string metrics = ctl({"metrics"}).out;
    says(metrics, "trellis_lane_state{plugin=\"bank\",state=\"quarantined\"} 1");
    says(metrics, "trellis_lane_state{plugin=\"shop\",state=\"left_out\"} 1");
  };
  expect_shown();
  refused({"plugin", "enable", "bank"}, "quarantined since");
  refused({"plugin", "release", "shop"}, "not in quarantine");
  cut("bank");
  refused({"plugin", "release", "bank"}, "truncated");
  expect_shown();
  restart();
  expect_shown();
  install(*this, test_plugin("bank_1_2_0"), "bank");
  forbid("DELETE", "trellis_quarantine");
  refused({"plugin", "release", "bank"}, "not today");
  expect_shown();
  allow();
  // A dependant that cannot come with it is no reason to keep it in.
  cut("shop");
  const Finished released = ctl({"plugin", "release", "bank"});
  EXPECT_EQ(released.code, 0) << released.err;
  says(released.out, "bank is released from quarantine, and loaded");
  says(released.out, "shop stays left out");
  says(std::string(plugin("shop").at("why").as_string()), "truncated");
  EXPECT_TRUE(loaded("bank"));
  install(*this, test_plugin("shop"), "shop");
  EXPECT_EQ(ctl({"plugin", "load", "shop"}).code, 0);
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 1})"), boost::json::parse(R"({"balance": 1})"));
  const std::string metrics = ctl({"metrics"}).out;
  for (const char* id : {"bank", "shop"}) {
    says(metrics, fmt::format("trellis_lane_state{{plugin=\"{}\",state=\"running\"}} 1", id));
    says(metrics, fmt::format("trellis_lane_state{{plugin=\"{}\",state=\"quarantined\"}} 0", id));
    says(metrics, fmt::format("trellis_lane_state{{plugin=\"{}\",state=\"left_out\"}} 0", id));
  }
  EXPECT_EQ(ctl({"plugin", "list"}).out.find("left out"), std::string::npos);
  stop_host();
}

/// Whatever was left out comes back with what it needs: after a release as after an enable.
TEST_P(SwitchTest, ThoseThatNeedItComeWithIt) {
  start_simulator({"--guilds", "1", "--rate", "100"});
  plugins("[shop]\n[bank]\n");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  install(*this, test_plugin("shop"), "shop");
  start();
  kill_host();
  store().rows("trellis", "INSERT INTO trellis_quarantine (plugin, since_us, why) VALUES ('bank', 1, 'it crashed')");
  start();
  Finished answer = ctl({"plugin", "release", "bank"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  says(answer.out, "shop needs bank, and is loaded, too");
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 1})"), boost::json::parse(R"({"balance": 1})"));
  EXPECT_EQ(ctl({"plugin", "disable", "bank", "--force"}).code, 0);
  restart();
  EXPECT_EQ(plugin("shop").at("why"), "it needs bank >= 1.2, which was disabled by an operator");
  answer = ctl({"plugin", "enable", "bank"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  says(answer.out, "shop needs bank, and is loaded, too");
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 2})"), boost::json::parse(R"({"balance": 3})"));
  // An operator who disables what was left out does not get it back with the other one.
  EXPECT_EQ(ctl({"plugin", "disable", "bank", "--force"}).code, 0);
  restart();
  EXPECT_EQ(ctl({"plugin", "disable", "shop"}).code, 0);
  answer = ctl({"plugin", "enable", "bank"});
  EXPECT_EQ(answer.out, "bank is loaded\n");
  EXPECT_FALSE(loaded("shop"));
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
