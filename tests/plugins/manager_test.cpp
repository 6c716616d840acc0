// Loading, reloading and unloading real libraries, beside events.
#include "manager_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

TEST_P(ManagerTest, LoadsCountsAndUnloads) {
  manager_->attach(*journal_);
  int changes = 0;
  manager_->on_needs_changed([&] { ++changes; });
  manager_->load(config_);
  EXPECT_TRUE(manager_->needs().types.contains(event_type("MESSAGE_CREATE")));
  EXPECT_THROW(manager_->load(config_), PluginError);
  messages(1, 100);
  ASSERT_TRUE(passed(100));
  EXPECT_EQ(total(), 100);
  EXPECT_EQ(manager_->call("sample", call("none")).status, TL_NOT_FOUND);
  RequestCall version;
  version.name = "version";
  EXPECT_EQ(manager_->call("sample", version).body, "{\"version\":\"1.0.0\"}");
  EXPECT_EQ(mapped(), 1u);
  EXPECT_TRUE(manager_->unload("sample", std::chrono::steady_clock::now() + 30s));
  EXPECT_FALSE(manager_->unload("sample", std::chrono::steady_clock::now()));
  EXPECT_EQ(mapped(), 0u);
  EXPECT_EQ(changes, 2);
  EXPECT_FALSE(manager_->needs().types.contains(event_type("MESSAGE_CREATE")));
  messages(101, 150);
  manager_->load(config_);
  ASSERT_TRUE(passed(150));
  EXPECT_EQ(total(), 150) << "it goes on from where it stood";
}

TEST_P(ManagerTest, ReloadedUnderLoad) {
  manager_->load(config_);
  manager_->attach(*journal_);
  std::atomic<bool> stop = false;
  std::atomic<std::uint32_t> appended = 0;
  std::thread load([&] {
    for (std::uint32_t seq = 1; !stop; seq += 20) {
      messages(seq, seq + 19);
      appended = seq + 19;
      std::this_thread::sleep_for(1ms);
    }
  });
  for (int i = 1; i <= 10; ++i) {
    install(i % 2 ? "sample_1_1_0" : "sample_1_0_0");
    const auto report = manager_->reload("sample");
    EXPECT_EQ(report.generation, static_cast<std::uint64_t>(i + 1));
    EXPECT_EQ(report.version, i % 2 ? "1.1.0" : "1.0.0");
    EXPECT_TRUE(report.old_unmapped);
    EXPECT_EQ(mapped(), 1u);
  }
  // What is no plugin changes nothing.
  std::ofstream(plugins() / "aside") << "nonsense";
  std::filesystem::rename(plugins() / "aside", plugins() / "sample.so");
  EXPECT_THROW(manager_->reload("sample"), PluginError);
  EXPECT_FALSE(manager_->status().at(0).last_refusal.empty());
  stop = true;
  load.join();
  ASSERT_TRUE(passed(appended));
  EXPECT_EQ(total(), appended);
  EXPECT_EQ(manager_->status().at(0).lane.generation, 11u);
}

TEST_P(ManagerTest, RefusesInWords) {
  const auto refused = [&] {
    try {
      manager_->load(config_);
    } catch (const PluginError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  config_.id = "other";
  EXPECT_NE(refused().find("there is no"), std::string::npos);
  config_.path = plugins() / "sample.so";
  EXPECT_NE(refused().find("is the plugin \"sample\""), std::string::npos);
  config_.id = "sample";
  auto document = std::make_shared<Document>();
  document->root = boost::json::parse("{\"misspelt\": 1}");
  config_.settings = document;
  EXPECT_NE(refused().find("misspelt"), std::string::npos);
  EXPECT_TRUE(manager_->ids().empty());
  EXPECT_EQ(mapped(), 0u);
}

TEST_P(ManagerTest, WhatAPrivilegedIntentBringsIsKeptOnlyWithIt) {
  install("sample_members");
  std::string why = refusal([&] { manager_->load(config_); });
  EXPECT_NE(why.find("GUILD_MEMBERS"), std::string::npos) << why;
  EXPECT_NE(why.find("setup.needs(trellis::Intent::GuildMembers)"), std::string::npos) << why;
  install("sample_presences");
  why = refusal([&] { manager_->load(config_); });
  EXPECT_NE(why.find("setup.needs(trellis::Intent::GuildPresences)"), std::string::npos) << why;
  EXPECT_TRUE(manager_->ids().empty());
}

/// What a reload says of its pause is how long events stood, not how long it waited for a request, during which they go
/// on.
TEST_P(ManagerTest, EventsGoOnWhileAReloadWaitsForARequest) {
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> lingers = false, released = false;
  context_.sleep = [&](const Turn&, std::int64_t) {
    lingers = true;
    while (!released) std::this_thread::sleep_for(1ms);
    return true;
  };
  stop_manager();
  start_manager(1h, 1h);
  manager_->attach(*journal_);
  install("sample_lingers");
  manager_->load(config_);
  RequestCall linger;
  linger.name = "linger";
  std::thread request([&] { EXPECT_EQ(manager_->call("sample", linger).status, TL_OK); });
  EXPECT_TRUE(eventually([&] { return lingers.load(); }));
  install("sample_1_1_0");
  const auto asked = Clock::now();
  ReloadReport report;
  Clock::duration whole{};
  std::thread reload([&] {
    report = manager_->reload("sample");
    whole = Clock::now() - asked;
  });
  messages(1, 100);
  EXPECT_TRUE(passed(100)) << "events stand while the request is waited for";
  EXPECT_EQ(status().lane.generation, 1u);
  const Clock::duration lingered = Clock::now() - asked;
  released = true;
  reload.join();
  request.join();
  context_.sleep = nullptr;
  EXPECT_EQ(status().lane.generation, 2u);
  EXPECT_GT(report.pause_us, 0);
  EXPECT_LE(std::chrono::microseconds(report.pause_us) + lingered, whole);
  messages(101, 120);
  ASSERT_TRUE(passed(120));
  EXPECT_EQ(total(), 120);
}

TRELLIS_ON_BOTH(ManagerTest);

}  // namespace
}  // namespace trellis::host
