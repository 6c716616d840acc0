// A start with an installed file that is no good: the build that proved itself runs instead.
#include "manager_fixture.hpp"

namespace trellis::host {
namespace {

namespace fs = std::filesystem;

class StartTest : public ManagerTest {
 protected:
  /// 1.0.0 has proved itself and counted 50.
  void run_a_good_build() {
    restart_manager(0us);
    manager_->load(config_);
    good_ = status().build;
    messages(1, 50);
    ASSERT_TRUE(passed(50));
  }
  void start() {
    restart_manager();
    manager_->load(std::vector{config_});
  }
  void expect_the_good_one(const std::string& why) {
    EXPECT_EQ(status().build, good_);
    EXPECT_EQ(status().lane.state, "running");
    EXPECT_SAYS(status().fallback, why);
    EXPECT_SAYS(status().fallback, "build " + good_.substr(0, 12) + ", which proved itself, runs instead");
    EXPECT_FALSE(status().probation_left);
    const std::int64_t before = total();
    const auto from = static_cast<std::uint32_t>(before);
    messages(from + 1, from + 50);
    ASSERT_TRUE(passed(from + 50));
    EXPECT_EQ(total(), before + 50);
  }
  std::string good_;
};

TEST_P(StartTest, WithoutAGoodFile) {
  run_a_good_build();
  fs::resize_file(plugins() / "sample.so", fs::file_size(plugins() / "sample.so") / 2);
  start();
  expect_the_good_one("truncated");
  install("sample_other");
  start();
  expect_the_good_one("is the plugin \"other\"");
  fs::remove(plugins() / "sample.so");
  start();
  expect_the_good_one("there is no");
  install("sample_members");
  start();
  expect_the_good_one("GUILD_MEMBERS");
  install("sample_fails_to_start");
  start();
  expect_the_good_one("the cellar is flooded");
  // A load by hand says what is wrong and loads nothing; what is installed next is taken again.
  restart_manager();
  EXPECT_SAYS(refusal([&] { manager_->load(config_); }), "the cellar is flooded");
  EXPECT_TRUE(manager_->ids().empty());
  install("sample_1_1_0");
  start();
  EXPECT_EQ(status().version, "1.1.0");
  EXPECT_EQ(status().fallback, "");
}

TEST_P(StartTest, WithAFileThatIsDamagedWithin) {
  run_a_good_build();
  std::fstream file(plugins() / "sample.so", std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto at = bytes.find("trellis_plugin_v1");  // the name of its entry point
  ASSERT_NE(at, std::string::npos);
  for (auto each = at; each != std::string::npos; each = bytes.find("trellis_plugin_v1", each + 1))
    bytes.replace(each, 7, "damaged");
  file.clear();
  file.seekp(0);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  start();
  expect_the_good_one("what is installed cannot be used");
}

TEST_P(StartTest, WithoutAGoodBuild) {
  install("sample_fails_to_start");
  EXPECT_SAYS(refusal([&] { start(); }), "plugins.conf:1: plugin sample: it failed to start: the cellar is flooded");
  EXPECT_TRUE(manager_->ids().empty());
}

/// Wrong settings are refused, as ever: it is not the file's fault, and nobody is to wonder why they have no effect.
TEST_P(StartTest, WithWrongSettings) {
  run_a_good_build();
  auto document = std::make_shared<Document>();
  document->root = boost::json::parse(R"({"depth": 3})");
  config_.settings = document;
  const std::string why = refusal([&] { start(); });
  EXPECT_SAYS(why, "depth");
  EXPECT_EQ(why.find("instead"), std::string::npos) << why;
  EXPECT_TRUE(manager_->ids().empty());
}

/// A build that does not fit the schema any more is no way out.
TEST_P(StartTest, AfterAMigrationThatDoesMoreThanAdd) {
  run_a_good_build();
  install("sample_loses");
  EXPECT_SAYS(refusal([&] { start(); }), "the cellar is flooded");
  EXPECT_EQ(total(), 1050) << "its migration was not applied";
  EXPECT_SAYS(refusal([&] { start(); }), "the cellar is flooded");
  install("sample_2_0_0");
  start();
  EXPECT_EQ(status().version, "2.0.0");
  EXPECT_SAYS(status().builds.no_way_back, "0002_less.sql");
}

/// Both are no good: both reasons are said.
TEST_P(StartTest, WithADamagedKeptFile) {
  run_a_good_build();
  install("sample_fails_to_start");
  fs::resize_file(journal_folder_ / "builds" / "sample" / ("sample." + good_ + ".so"), 1000);
  const std::string why = refusal([&] { start(); });
  EXPECT_SAYS(why, "the cellar is flooded");
  EXPECT_SAYS(why, "the build that proved itself cannot run instead");
  EXPECT_SAYS(why, "truncated");
}

/// What the kept build needs is loaded before it, and what needs another version than that is refused.
TEST_P(StartTest, WithOthersThatNeedIt) {
  install("sample_1_1_0");
  install("sample_needing", "needing");
  restart_manager(0us);
  manager_->load({config("needing"), config_});
  EXPECT_EQ(manager_->ids(), (std::vector<std::string>{"sample", "needing"}));
  good_ = status().build;
  install("sample_circle");  // its new build needs the other one, which needs it
  restart_manager(0us);
  EXPECT_SAYS(refusal([&] { manager_->load({config("needing"), config_}); }), "in a circle");
  install("sample_fails_to_start");
  restart_manager(0us);
  manager_->load({config("needing"), config_});
  EXPECT_EQ(manager_->ids(), (std::vector<std::string>{"sample", "needing"}));
  EXPECT_EQ(status().build, good_);
}

TRELLIS_ON_BOTH(StartTest);

}  // namespace
}  // namespace trellis::host
