// Plugins that need others, and call them.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <thread>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class DependenciesTest : public StoreBench {
 protected:
  /// The shop is named first: it is the host's matter to load the bank before it.
  void start(const std::string& bank) {
    plugins("[shop]\n[bank]\n");
    install(*this, test_plugin("bank_" + bank), "bank");
    install(*this, test_plugin("shop"), "shop");
    start_simulator({"--guilds", "1", "--rate", "100"});
    start_host(here());
  }
  std::vector<std::string> here() const { return {"--set", "plugins.dir=" + (folder() / "plugins").string()}; }
  std::int64_t balance() { return store().number("bank", "SELECT sum(amount) FROM balances"); }
  void refused(std::vector<std::string> words, const std::string& saying) {
    const Finished answer = ctl(std::move(words));
    EXPECT_EQ(answer.code, 1) << answer.out;
    EXPECT_NE(answer.err.find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << answer.err;
  }
};
TRELLIS_ON_BOTH_STORES(DependenciesTest);

TEST_P(DependenciesTest, OnePluginCallsAnother) {
  start("1_2_0");
  wait_for_host();
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 3})"), boost::json::parse(R"({"balance": 3})"));
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 4})"), boost::json::parse(R"({"balance": 7})"));
  EXPECT_EQ(balance(), 7) << "an answer comes after the commit";
  refused({"call", "shop", "sell", R"({"guild": "5", "price": -1})"}, "a deposit is not negative");
  refused({"call", "shop", "sell", R"({"guild": "no id", "price": 1})"}, "guild");
  EXPECT_EQ(balance(), 7);

  EXPECT_NE(ctl({"plugin", "status", "shop"}).out.find("needs: bank >= 1.2"), std::string::npos);
  EXPECT_NE(ctl({"plugin", "status", "bank"}).out.find("needed by: shop"), std::string::npos);
  refused({"plugin", "unload", "bank"}, "plugin bank is needed by shop");
  refused({"plugin", "disable", "bank"}, "plugin bank is needed by shop");
  install(*this, test_plugin("bank_1_0_0"), "bank");
  refused({"plugin", "reload", "bank"}, "plugin shop needs bank >= 1.2, and bank is 1.0.0");
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 1})"), boost::json::parse(R"({"balance": 8})"));

  EXPECT_EQ(ctl({"plugin", "unload", "bank", "--force"}).code, 0);
  refused({"call", "shop", "sell", R"({"guild": "5", "price": 1})"}, "plugin bank is not loaded");
  refused({"plugin", "load", "bank"}, "plugin shop needs bank >= 1.2");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  EXPECT_EQ(ctl({"plugin", "load", "bank"}).code, 0);
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 1})"), boost::json::parse(R"({"balance": 9})"));
  stop_host();
}

/// While the bank is replaced, calls wait; none fails, and each takes effect once.
TEST_P(DependenciesTest, CallsWaitForAReload) {
  start("1_2_0");
  wait_for_host();
  std::atomic<bool> done = false;
  std::atomic<int> sold = 0;
  std::thread customer([&] {
    for (; !done; ++sold) {
      const Finished answer = ctl({"call", "shop", "sell", R"({"guild": "5", "price": 1})"});
      EXPECT_EQ(answer.code, 0) << answer.err;
    }
  });
  constexpr int kReloads = 10;
  for (int i = 0; i < kReloads; ++i) {
    const int before = sold;
    wait_until("something is sold", [&] { return sold > before; });
    const Finished answer = ctl({"plugin", "reload", "bank"});
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_NE(answer.out.find("the same build as before"), std::string::npos) << answer.out;
  }
  done = true;
  customer.join();
  EXPECT_EQ(plugin("bank").at("generation").as_int64(), kReloads + 1);
  EXPECT_EQ(balance(), sold.load());
  stop_host();
}

TEST_P(DependenciesTest, AStartWithoutWhatIsNeeded) {
  start("1_0_0");
  EXPECT_EQ(host().wait(), 5);
  EXPECT_NE(host().err().find("plugin shop needs bank >= 1.2, and bank is 1.0.0"), std::string::npos) << host().err();
  plugins("[shop]\n");
  start_host(here());
  EXPECT_EQ(host().wait(), 5);
  EXPECT_NE(host().err().find("plugin shop needs bank >= 1.2, which is not loaded"), std::string::npos) << host().err();
  // What an operator switched off takes along what needs it, not the host.
  plugins("[shop]\n[bank]\n");
  install(*this, test_plugin("bank_1_2_0"), "bank");
  start_host(here());
  wait_for_host();
  EXPECT_EQ(ctl({"plugin", "disable", "bank", "--force"}).code, 0);
  stop_host();
  start_host(here());
  wait_for_host();
  EXPECT_NE(host().err().find("not loaded: it needs bank >= 1.2, which was disabled by an operator"), std::string::npos)
      << host().err();
  EXPECT_EQ(ctl({"plugin", "enable", "bank"}).code, 0);
  EXPECT_EQ(ctl({"plugin", "load", "shop"}).code, 0);
  EXPECT_EQ(call("shop", "sell", R"({"guild": "5", "price": 1})"), boost::json::parse(R"({"balance": 1})"));
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
