// New code that fails, and the code from before that takes over again; over restarts, too.
#include "manager_fixture.hpp"

namespace trellis::host {
namespace {

class RollbackTest : public ManagerTest {
 protected:
  /// 1.0.0 runs and has proved itself.
  void start_with_a_good_build() {
    restart_manager(0us);
    manager_->load(config_);
    EXPECT_EQ(status().builds.good, status().build);
    good_ = status().build;
    restart_manager();
    manager_->load(config_);
    EXPECT_FALSE(status().probation_left) << "it need not prove itself again";
    messages(1, 50);
    ASSERT_TRUE(passed(50));
  }
  bool eventually_build(const std::string& build) {
    return eventually([&] { return status().build == build && status().lane.state == "running"; });
  }
  std::string good_;
};

TEST_P(RollbackTest, ABuildThatFailsOnProbationIsTakenBack) {
  start_with_a_good_build();
  install("sample_throws");
  const ReloadReport report = manager_->reload("sample");
  EXPECT_EQ(report.version, "1.3.0");
  EXPECT_TRUE(status().probation_left);
  EXPECT_EQ(status().builds.good, good_);
  EXPECT_EQ(status().builds.trial, report.build);
  messages(51, 200);
  ASSERT_TRUE(eventually_build(good_)) << status().last_rollback;
  ASSERT_TRUE(passed(200));
  // What went to its dead letters was offered to the code from before: every event takes effect once.
  ASSERT_TRUE(eventually([&] { return total() == 200; })) << total();
  EXPECT_EQ(status().lane.dead_letters, 0u);
  EXPECT_EQ(status().lane.generation, 3u);
  EXPECT_SAYS(status().last_rollback, "on probation, it paused: three events in a row failed");
  EXPECT_SAYS(status().fallback, "was rolled back");
  EXPECT_EQ(mapped(), 1u);
  // Until something else is installed, it is not taken again by mistake ...
  EXPECT_SAYS(refusal([&] { manager_->reload("sample"); }), "was rolled back before (on probation");
  EXPECT_EQ(status().lane.generation, 3u);
  restart_manager();
  manager_->load(config_);
  EXPECT_EQ(status().build, good_) << "the start took the installed one";
  EXPECT_SAYS(status().fallback, "--force");
  messages(201, 250);
  ASSERT_TRUE(passed(250));
  EXPECT_EQ(total(), 250);
  // ... but when it is asked for.
  EXPECT_EQ(manager_->reload("sample", {.force = true}).version, "1.3.0");
  messages(251, 300);
  ASSERT_TRUE(eventually_build(good_));
  install("sample_1_1_0");
  EXPECT_EQ(manager_->reload("sample").version, "1.1.0");
  EXPECT_TRUE(status().fallback.empty());
}

TEST_P(RollbackTest, AProbationThatPassesMakesItTheOneToGoBackTo) {
  start_with_a_good_build();
  restart_manager(1ms);
  manager_->load(config_);
  install("sample_1_1_0");
  const std::string next = manager_->reload("sample").build;
  ASSERT_TRUE(eventually([&] { return !status().probation_left; }));
  EXPECT_EQ(status().builds.good, next);
  EXPECT_EQ(status().builds.previous, good_);
  messages(51, 100);
  ASSERT_TRUE(passed(100));
  // By hand, also after the probation.
  const ReloadReport back = manager_->rollback("sample", "by an operator");
  EXPECT_EQ(back.build, good_);
  EXPECT_EQ(back.generation, 3u);
  EXPECT_EQ(status().builds.good, good_);
  EXPECT_SAYS(status().last_rollback, "generation 2");
  EXPECT_SAYS(refusal([&] { manager_->rollback("sample", "again"); }), "no earlier build");
  EXPECT_SAYS(refusal([&] { manager_->rollback("none", "why"); }), "not loaded");
  messages(101, 120);
  ASSERT_TRUE(passed(120));
  EXPECT_EQ(total(), 120);
}

/// The settings were the mistake: those from before come back with the code.
TEST_P(RollbackTest, SettingsAreTakenBackToo) {
  start_with_a_good_build();
  auto document = std::make_shared<Document>();
  document->root = boost::json::parse(R"({"depth": 3})");
  PluginConfig changed = config_;
  changed.settings = document;
  EXPECT_SAYS(refusal([&] { manager_->reload("sample", {.config = changed}); }), "depth");
  install("sample_setting");
  manager_->reload("sample", {.config = changed});
  messages(51, 100);
  ASSERT_TRUE(eventually_build(good_)) << status().last_rollback;
  ASSERT_TRUE(passed(100));
  // The build from before does not know the new setting, and starts all the same.
  restart_manager();
  manager_->load(changed);
  EXPECT_EQ(status().build, good_);
}

TEST_P(RollbackTest, ACrashOnProbationIsARollback) {
  start_with_a_good_build();
  install("sample_1_1_0");
  const std::string next = manager_->reload("sample").build;
  restart_manager();  // as after a kill: the new build goes on, on probation
  manager_->crashed("sample", good_, "SIGSEGV");
  manager_->load(config_);
  EXPECT_EQ(status().build, next);
  EXPECT_TRUE(status().probation_left);
  restart_manager();
  manager_->crashed("sample", next, "SIGSEGV in MESSAGE_CREATE");
  manager_->load(config_);
  EXPECT_EQ(status().build, good_);
  EXPECT_SAYS(status().fallback, "SIGSEGV in MESSAGE_CREATE");
}

TEST_P(RollbackTest, WithoutAnEarlierBuildItStays) {
  install("sample_throws");
  manager_->attach(*journal_);
  manager_->load(config_);
  messages(1, 20);
  ASSERT_TRUE(eventually([&] { return !status().last_rollback.empty(); }));
  EXPECT_SAYS(status().last_rollback, "no earlier build that proved itself");
  EXPECT_EQ(status().lane.generation, 1u);
  EXPECT_TRUE(status().builds.rolled_back.empty());
  // And a fix is taken at once.
  install("sample_1_1_0");
  EXPECT_EQ(manager_->reload("sample").version, "1.1.0");
  ASSERT_TRUE(passed(20));
}

/// A kept file that was damaged is no way back, and says so.
TEST_P(RollbackTest, ADamagedKeptFile) {
  start_with_a_good_build();
  install("sample_1_1_0");
  manager_->reload("sample");
  const auto kept = journal_folder_ / "builds" / "sample" / ("sample." + good_ + ".so");
  ASSERT_TRUE(std::filesystem::exists(kept));
  std::filesystem::copy_file(std::filesystem::path(SAMPLE_PLUGINS) / "sample_1_2_0.so", kept,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_SAYS(refusal([&] { manager_->rollback("sample", "by an operator"); }), "is damaged");
  std::filesystem::resize_file(kept, 1000);
  EXPECT_SAYS(refusal([&] { manager_->rollback("sample", "by an operator"); }), "truncated");
  EXPECT_EQ(status().version, "1.1.0");
  EXPECT_EQ(status().lane.state, "running");
}

// ---- migrations ----

TEST_P(RollbackTest, WhatOnlyAddsIsAppliedBesideTheRunningCode) {
  start_with_a_good_build();
  install("sample_1_2_0");
  const ReloadReport dry = manager_->reload("sample", {.dry_run = true});
  EXPECT_EQ(dry.migrations, std::vector<std::string>{"0002_more.sql"});
  EXPECT_EQ(dry.version, "1.2.0");
  EXPECT_EQ(status().lane.generation, 1u) << "a dry run changed something";
  EXPECT_EQ(status().builds.trial, "");
  EXPECT_EQ(mapped(), 1u);
  const auto connection = store_->open("sample")->connect();
  EXPECT_THROW(connection->execute("SELECT note FROM totals"), StoreError);
  EXPECT_EQ(manager_->reload("sample").migrations, dry.migrations);
  EXPECT_NO_THROW(connection->execute("SELECT note FROM totals"));
  // The code from before goes on with the column it does not know.
  messages(51, 60);
  ASSERT_TRUE(passed(60));
  EXPECT_EQ(manager_->rollback("sample", "by an operator").build, good_);
  messages(61, 70);
  ASSERT_TRUE(passed(70));
  EXPECT_EQ(total(), 70);
}

TEST_P(RollbackTest, WhatDoesMoreNeedsAStop) {
  start_with_a_good_build();
  install("sample_2_0_0");
  for (const bool dry : {true, false}) {
    const std::string why = refusal([&] { manager_->reload("sample", {.dry_run = dry}); });
    EXPECT_SAYS(why, "migrations/0002_less.sql:2: UPDATE");
    EXPECT_SAYS(why, "--stop-first");
  }
  EXPECT_EQ(status().lane.generation, 1u);
  EXPECT_EQ(total(), 50) << "the migration was applied";
  messages(51, 60);
  const ReloadReport report = manager_->reload("sample", {.stop_first = true});
  EXPECT_EQ(report.generation, 2u);
  ASSERT_TRUE(passed(60));
  EXPECT_EQ(total(), 1060);
  EXPECT_SAYS(refusal([&] { manager_->rollback("sample", "by an operator"); }), "the schema was changed");
  EXPECT_SAYS(status().builds.no_way_back, "0002_less.sql");
}

/// When the schema was changed and the new code does not start, the old code would break on it: the new one stays,
/// paused, and is tried again.
TEST_P(RollbackTest, AStopThatFailsHalfway) {
  start_with_a_good_build();
  install("sample_2_1_0");
  const std::string why = refusal([&] { manager_->reload("sample", {.stop_first = true}); });
  EXPECT_SAYS(why, "0003_broken.sql");
  EXPECT_SAYS(why, "does not fit the schema any more");
  EXPECT_EQ(status().version, "2.1.0");
  EXPECT_EQ(status().lane.generation, 2u);
  EXPECT_EQ(total(), 1050) << "what was before the broken one is in";
  messages(51, 60);
  install("sample_2_0_0");
  EXPECT_EQ(manager_->reload("sample").version, "2.0.0");
  ASSERT_TRUE(passed(60));
  EXPECT_EQ(total(), 1060);
}

TRELLIS_ON_BOTH(RollbackTest);

}  // namespace
}  // namespace trellis::host
