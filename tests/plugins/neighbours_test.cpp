// Several plugins beside each other: names that clash, plugins that need others, libraries that stay mapped.
#include "manager_fixture.hpp"

namespace trellis::host {
namespace {

class NeighboursTest : public ManagerTest {
 protected:
  bool unload(const std::string& id, bool force = false) {
    return manager_->unload(id, std::chrono::steady_clock::now() + 30s, force);
  }
};

TEST_P(NeighboursTest, ClashesNameBoth) {
  install("sample_other", "other");
  manager_->load(config("other"));
  manager_->load(config_);
  install("sample_command");
  for (const bool dry : {true, false}) {
    const std::string why = refusal([&] { manager_->reload("sample", {.dry_run = dry}); });
    EXPECT_SAYS(why, "the command /level is plugin other's already, and plugin sample declares it too");
  }
  EXPECT_EQ(status().version, "1.0.0");
  EXPECT_EQ(status().lane.generation, 1u);
  EXPECT_TRUE(unload("sample"));
  EXPECT_SAYS(refusal([&] { manager_->load(config_); }), "plugins.conf:1: plugin sample: the command /level");
  EXPECT_TRUE(unload("other"));
  EXPECT_EQ(refusal([&] { manager_->load(config_); }), "");
}

TEST_P(NeighboursTest, WhatIsNeededComesFirstAndLeavesLast) {
  install("sample_needing", "needing");
  install("sample_1_1_0");
  manager_->load({config("needing"), config_});
  EXPECT_EQ(manager_->ids(), (std::vector<std::string>{"sample", "needing"}));
  EXPECT_EQ(status("needing").needs, std::vector<std::string>{"sample >= 1.1"});
  EXPECT_EQ(status().needed_by, std::vector<std::string>{"needing"});
  EXPECT_SAYS(refusal([&] { unload("sample"); }), "plugin sample is needed by needing");
  EXPECT_TRUE(manager_->loaded("sample"));
  // A reload to a version that is too old for it.
  install("sample_1_0_0");
  EXPECT_SAYS(refusal([&] { manager_->reload("sample"); }), "plugin needing needs sample >= 1.1, and sample is 1.0.0");
  EXPECT_EQ(status().version, "1.1.0");
  install("sample_circle");
  EXPECT_SAYS(refusal([&] { manager_->reload("sample"); }), "in a circle: needing needs sample, sample needs needing");
  install("sample_1_2_0");
  EXPECT_EQ(manager_->reload("sample").version, "1.2.0");
  EXPECT_TRUE(unload("sample", true));
  EXPECT_SAYS(refusal([&] { manager_->reload("needing"); }), "which is not loaded");
  EXPECT_TRUE(unload("needing"));
}

TEST_P(NeighboursTest, WhatIsNeededAndMissingOrTooOldOrInACircle) {
  install("sample_needing", "needing");
  EXPECT_SAYS(refusal([&] { manager_->load({config("needing")}); }),
              "plugin needing needs sample >= 1.1, which is not loaded");
  EXPECT_SAYS(refusal([&] { manager_->load({config("needing"), config_}); }), "and sample is 1.0.0");
  EXPECT_TRUE(manager_->loaded("sample")) << "what comes before it runs";
  EXPECT_TRUE(unload("sample"));
  install("sample_circle");
  EXPECT_SAYS(refusal([&] { manager_->load({config("needing"), config_}); }),
              "in a circle, so none of them can be first: needing needs sample, sample needs needing");
  EXPECT_TRUE(manager_->ids().empty());
  // One that an operator or a quarantine keeps out takes those along that need it, and nothing else.
  install("sample_other", "other");
  const auto left_out = manager_->load({config("needing"), config("other")}, {{"sample", "is in quarantine"}});
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out.at("needing").needs, "sample");
  EXPECT_EQ(left_out.at("needing").why, "it needs sample >= 1.1, which is in quarantine");
  EXPECT_EQ(manager_->ids(), std::vector<std::string>{"other"});
}

TRELLIS_ON_BOTH(NeighboursTest);

using ZombieTest = NeighboursTest;
TRELLIS_ON(ZombieTest, "sqlite");

/// What stays mapped is counted and explained; at some point a reload is refused rather than more memory lost.
TEST_P(ZombieTest, LibrariesThatStayMapped) {
  install("sample_pins", "pins");
  manager_->load(config("pins"));
  for (std::size_t i = 1; i <= PluginManager::kZombiesMax; ++i) {
    EXPECT_FALSE(manager_->reload("pins").old_unmapped);
    EXPECT_EQ(status("pins").zombies.size(), i);
  }
  EXPECT_SAYS(status("pins").zombies.front().why, "opens libraries itself");
  EXPECT_EQ(Library::zombies().size(), PluginManager::kZombiesMax);
  EXPECT_SAYS(refusal([&] { manager_->reload("pins"); }), "8 libraries of it stay mapped");
  EXPECT_SAYS(refusal([&] { manager_->reload("pins"); }), "opens libraries itself");
  EXPECT_EQ(manager_->reload("pins", {.force = true}).version, "1.4.0");
  EXPECT_EQ(status("pins").zombies.size(), PluginManager::kZombiesMax + 1);
  // The others are only memory: this one goes on, and so do the neighbours.
  manager_->load(config_);
  EXPECT_TRUE(manager_->reload("sample").old_unmapped);
  manager_->attach(*journal_);
  messages(1, 10);
  ASSERT_TRUE(passed(10));
  EXPECT_EQ(total(), 10);
}

}  // namespace
}  // namespace trellis::host
