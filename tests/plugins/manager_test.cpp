// Loading, reloading and unloading real libraries, beside events.
#include "plugins/manager.hpp"

#include <fstream>

#include "../lanes/lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class ManagerTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    if (HasFatalFailure()) return;
    std::filesystem::create_directories(plugins());
    install("sample_1_0_0");
    store_->drop("sample");
    ManagerOptions options;
    options.plugins_folder = plugins();
    options.generations_folder = journal_folder_ / "generations";
    options.builds_folder = journal_folder_ / "builds";
    options.grace = 200ms;
    manager_ = std::make_unique<PluginManager>(options, *store_, context_, services_);
    config_.id = "sample";
    config_.where = "plugins.conf:1";
    config_.settings = settings_;
  }
  void TearDown() override {
    if (manager_) {
      bool clean = true;
      manager_->stop_all(std::chrono::steady_clock::now() + 30s, clean);
      EXPECT_TRUE(clean);
      manager_.reset();
      store_->drop("sample");
    }
    LaneTest::TearDown();
  }
  std::filesystem::path plugins() const { return journal_folder_ / "plugins"; }
  void install(const std::string& name) {
    const auto aside = plugins() / "aside";
    std::filesystem::copy_file(std::filesystem::path(SAMPLE_PLUGINS) / (name + ".so"), aside,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(aside, plugins() / "sample.so");
  }
  void messages(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t seq = first; seq <= last; ++seq) {
      Record record;
      record.position = Position::of(7, seq);
      record.type = event_type("MESSAGE_CREATE");
      record.guild = 5;
      record.received_us = clock_us();
      record.data = R"({"id":"1","channel_id":"2","guild_id":"5","content":"x","author":{"id":"3"}})";
      ASSERT_TRUE(journal_->append(record));
    }
    ASSERT_FALSE(journal_->flush());
  }
  std::int64_t total() {
    const auto connection = store_->open("sample")->connect();
    const auto cursor = connection->execute("SELECT coalesce(sum(messages), 0) FROM totals");
    const std::string shown = show(cursor->next()[0]);
    return std::stoll(shown.substr(shown.find(' ') + 1));
  }
  bool passed(std::uint32_t seq) {
    return eventually([&] { return manager_->passed_by_all({}, false) >= Position::of(7, seq); });
  }
  std::size_t mapped() const {
    std::size_t count = 0;
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> files;
    for (std::string line; std::getline(maps, line);)
      if (line.find("/generations/") != std::string::npos) files.insert(line.substr(line.find('/')));
    count = files.size();
    return count;
  }

  std::unique_ptr<PluginManager> manager_;
  PluginConfig config_;
};

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

TRELLIS_ON_BOTH(ManagerTest);

}  // namespace
}  // namespace trellis::host
