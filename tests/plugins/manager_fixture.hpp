// A manager of real libraries in a test, with a journal and both kinds of store.
#pragma once
#include <fstream>
#include <set>

#include "../lanes/lane_fixture.hpp"
#include "plugins/manager.hpp"

#define EXPECT_SAYS(sentence, part)                                                              \
  do {                                                                                           \
    const std::string said = (sentence);                                                         \
    EXPECT_NE(said.find(part), std::string::npos) << "\"" << (part) << "\" is not in: " << said; \
  } while (false)

namespace trellis::host {

using namespace std::chrono_literals;

class ManagerTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    if (HasFatalFailure()) return;
    std::filesystem::create_directories(plugins());
    install("sample_1_0_0");
    drop_all();
    config_ = config("sample");
    start_manager();
  }
  void TearDown() override {
    if (manager_) {
      stop_manager();
      drop_all();
    }
    LaneTest::TearDown();
  }
  void drop_all() {
    for (const char* id : {"sample", "other", "needing", "pins"}) store_->drop(id);
  }
  PluginConfig config(const std::string& id) const {
    PluginConfig made;
    made.id = id;
    made.where = "plugins.conf:1";
    made.settings = settings_;
    return made;
  }
  /// As at a start of the host. Probations are long: nothing passes them by itself.
  void start_manager(std::chrono::microseconds probation = 1h, std::chrono::microseconds grace = 200ms) {
    ManagerOptions options;
    options.plugins_folder = plugins();
    options.generations_folder = journal_folder_ / "generations";
    options.builds_folder = journal_folder_ / "builds";
    options.grace = grace;
    options.probation = probation;
    manager_ = std::make_unique<PluginManager>(options, *store_, context_, services_);
  }
  void stop_manager() {
    bool clean = true;
    manager_->stop_all(std::chrono::steady_clock::now() + 30s, clean);
    EXPECT_TRUE(clean);
    manager_.reset();
  }
  void restart_manager(std::chrono::microseconds probation = 1h) {
    stop_manager();
    start_manager(probation);
    manager_->attach(*journal_);
  }
  std::filesystem::path plugins() const { return journal_folder_ / "plugins"; }
  void install(const std::string& name, const std::string& id = "sample") {
    const auto aside = plugins() / "aside";
    std::filesystem::copy_file(std::filesystem::path(SAMPLE_PLUGINS) / (name + ".so"), aside,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(aside, plugins() / (id + ".so"));
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
  PluginStatus status(const std::string& id = "sample") {
    for (PluginStatus& one : manager_->status())
      if (one.id == id) return one;
    ADD_FAILURE() << id << " is not loaded";
    return {};
  }
  /// What a change is refused with; "" when it is not.
  template <class F>
  static std::string refusal(F&& change) {
    try {
      change();
    } catch (const PluginError& error) {
      return error.what();
    }
    return {};
  }
  bool passed(std::uint32_t seq) {
    return eventually([&] {
      for (const std::string& id : manager_->ids()) {
        Position committed;
        for (const StoredPosition& stored : manager_->lane(id)->committed_positions())
          if (stored.stream == Stream{}) committed = stored.position;
        if (committed < Position::of(7, seq)) return false;
      }
      return true;
    });
  }
  std::size_t mapped() const {
    std::size_t count = 0;
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> files;
    for (std::string line; std::getline(maps, line);)
      if (line.find("/generations/sample.") != std::string::npos) files.insert(line.substr(line.find('/')));
    count = files.size();
    return count;
  }

  std::unique_ptr<PluginManager> manager_;
  PluginConfig config_;
};

}  // namespace trellis::host
