// Enabled plugins, loaded or not, and for which of them the journal is kept.
#include "plugins/enabled.hpp"

#include "../lanes/lane_fixture.hpp"
#include "plugins/segment_release.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class EnabledTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    if (HasFatalFailure()) return;
    std::filesystem::create_directories(plugins());
    std::filesystem::copy_file(std::filesystem::path(SAMPLE_PLUGINS) / "sample_1_0_0.so", plugins() / "sample.so");
    store_->drop("sample");
    config_.id = "sample";
    config_.where = "plugins.conf:1";
    config_.settings = settings_;
    start_again();
  }
  void TearDown() override {
    end();
    store_->drop("sample");
    store_->drop("trellis");
    LaneTest::TearDown();
  }
  /// As another start of the host.
  void start_again() {
    end();
    host_ = std::make_unique<HostNamespace>(*store_, "this host");
    ManagerOptions options;
    options.plugins_folder = plugins();
    options.generations_folder = journal_folder_ / "generations";
    options.builds_folder = journal_folder_ / "builds";
    manager_ = std::make_unique<PluginManager>(options, *store_, context_, services_);
    manager_->attach(*journal_);
    enabled_ = std::make_unique<EnabledPlugins>(*store_, *host_, *manager_);
  }
  void end() {
    bool clean = true;
    if (manager_) manager_->stop_all(std::chrono::steady_clock::now() + 30s, clean);
    EXPECT_TRUE(clean);
    enabled_.reset();
    manager_.reset();
    host_.reset();
  }
  std::filesystem::path plugins() const { return journal_folder_ / "plugins"; }
  void load() {
    manager_->load(config_);
    enabled_->look_again();
  }
  void unload() { ASSERT_TRUE(manager_->unload("sample", std::chrono::steady_clock::now() + 30s)); }
  bool needs_messages() const { return enabled_->needs().types.contains(event_type("MESSAGE_CREATE")); }
  Position stands() const {
    std::vector<Standing> all;
    EXPECT_TRUE(enabled_->standings({}, all));
    return all.size() == 1 ? all[0].committed.position : Position{};
  }
  std::vector<Gap> gaps() { return read_gaps(*store_->open("sample")->connect()); }

  std::unique_ptr<HostNamespace> host_;
  std::unique_ptr<PluginManager> manager_;
  std::unique_ptr<EnabledPlugins> enabled_;
  PluginConfig config_;
};

TEST_P(EnabledTest, WhatIsNotLoadedIsStillCollectedAndKeptFor) {
  enabled_->begin({"sample"});
  EXPECT_FALSE(needs_messages()) << "it has never been loaded";
  load();
  EXPECT_TRUE(needs_messages());
  const std::uint64_t intents = enabled_->needs().intents;
  append(1, 10);
  ASSERT_TRUE(eventually([&] { return stands() == Position::of(7, 10); }));
  unload();
  enabled_->look_again();
  EXPECT_TRUE(needs_messages());
  EXPECT_EQ(stands(), Position::of(7, 10));
  start_again();
  enabled_->begin({"sample"});
  EXPECT_TRUE(needs_messages());
  EXPECT_EQ(enabled_->needs().intents, intents);
  EXPECT_EQ(stands(), Position::of(7, 10)) << "read from its namespace";
  append(11, 20);
  load();
  ASSERT_TRUE(eventually([&] { return stands() == Position::of(7, 20); }));
  EXPECT_TRUE(gaps().empty());
}

TEST_P(EnabledTest, SwitchedOffByAnOperator) {
  enabled_->begin({"sample"});
  load();
  append(1, 10);
  ASSERT_TRUE(eventually([&] { return stands() == Position::of(7, 10); }));
  unload();
  enabled_->switch_off("sample");
  enabled_->switch_off("sample");
  EXPECT_FALSE(needs_messages());
  std::vector<Standing> all;
  EXPECT_TRUE(enabled_->standings({}, all));
  EXPECT_TRUE(all.empty()) << "nothing is kept for it";
  ASSERT_EQ(gaps().size(), 1u);
  EXPECT_TRUE(gaps()[0].open());
  EXPECT_EQ(gaps()[0].from, Position::of(7, 10));
  append(11, 20);
  load();
  ASSERT_TRUE(eventually([&] { return !gaps().empty() && !gaps()[0].open(); }));
  EXPECT_EQ(gaps()[0].cause, GapCause::Disabled);
  EXPECT_EQ(gaps()[0].to, Position::of(7, 20));
}

TEST_P(EnabledTest, NotEnabledAnyMoreAtAStart) {
  enabled_->begin({"sample"});
  load();
  append(1, 10);
  ASSERT_TRUE(eventually([&] { return stands() == Position::of(7, 10); }));
  start_again();
  enabled_->begin({});
  EXPECT_FALSE(needs_messages());
  ASSERT_EQ(gaps().size(), 1u);
  EXPECT_TRUE(gaps()[0].open());
  start_again();
  enabled_->begin({});
  EXPECT_EQ(gaps().size(), 1u);
}

TRELLIS_ON_BOTH(EnabledTest);

// ---- the segments of a journal ----

class SegmentReleaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "trellis-release-XXXXXX";
    ASSERT_TRUE(mkdtemp(name.data()));
    folder_ = name;
    JournalOptions options;
    options.folder = folder_ / "0-of-1";
    options.segment_bytes = 64 << 10;
    options.keep_us = 0;
    options.reserve_bytes = 0;
    journal_ = std::make_unique<Journal>(options, Stream{});
  }
  void TearDown() override {
    journal_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// About 1 KiB each.
  void append_to(std::uint32_t last) {
    const std::string data(930, 'x');
    for (std::uint32_t seq = journal_->last().seq() + 1; seq <= last; ++seq)
      ASSERT_TRUE(journal_->append({.position = Position::of(7, seq), .type = 1, .data = data}));
    ASSERT_FALSE(journal_->flush());
  }
  static Standing at(const std::string& plugin, std::uint32_t committed, std::uint32_t durable) {
    return {plugin, {{}, Position::of(7, committed)}, Position::of(7, durable)};
  }
  static Standing at(const std::string& plugin, std::uint32_t seq) { return at(plugin, seq, seq); }
  std::uint32_t oldest() const { return journal_->stats().oldest.seq(); }

  std::filesystem::path folder_;
  std::unique_ptr<Journal> journal_;
  std::vector<std::string> cut_;
  std::function<void(const std::string&)> on_cut_ = [this](const std::string& plugin) { cut_.push_back(plugin); };
};

TEST_F(SegmentReleaseTest, TheSlowestHoldsThem) {
  SegmentRelease release(*journal_, 1 << 20, on_cut_);
  append_to(500);
  release.release({at("quick", 500), at("slow", 300)});
  EXPECT_LE(oldest(), 300u);
  EXPECT_GT(oldest(), 200u);
  EXPECT_EQ(release.passed(), Position::of(7, 300));
  release.release({at("quick", 500), at("slow", 500, 350)});
  EXPECT_LE(oldest(), 350u) << "what a power loss may take back is kept";
  EXPECT_EQ(release.passed(), Position::of(7, 500));
  EXPECT_TRUE(cut_.empty());
  release.release({});
  EXPECT_GT(oldest(), 400u) << "nobody needs them";
}

TEST_F(SegmentReleaseTest, OneThatIsTooFarBehindIsCutLoose) {
  SegmentRelease release(*journal_, 256 << 10, on_cut_);
  append_to(200);
  release.release({at("quick", 200), at("slow", 10)});
  EXPECT_EQ(oldest(), 1u);
  append_to(500);
  release.release({at("quick", 450), at("slow", 10)});
  EXPECT_GT(oldest(), 300u);
  EXPECT_EQ(cut_, std::vector<std::string>{"slow"});
  EXPECT_EQ(release.cut_loose(), std::set<std::string>{"slow"});
  EXPECT_EQ(release.passed(), Position::of(7, 450));
  release.release({at("quick", 500), at("slow", 10)});
  EXPECT_EQ(cut_.size(), 1u) << "said once";
  release.release({at("quick", 500), at("slow", 499)});
  EXPECT_TRUE(release.cut_loose().empty()) << "it has read on";
}

TEST_F(SegmentReleaseTest, WhenAllAreBehindNothingGoes) {
  SegmentRelease release(*journal_, 128 << 10, on_cut_);
  append_to(500);
  release.release({at("one", 10), at("another", 70)});
  EXPECT_LE(oldest(), 10u);
  EXPECT_TRUE(cut_.empty());
  release.release({at("only", 10)});
  EXPECT_LE(oldest(), 10u);
}

}  // namespace
}  // namespace trellis::host
