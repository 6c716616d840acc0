#include "interactions/admission.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class Admission : public testing::Test {
 protected:
  Admission() {
    entry_.kind = TL_COMMAND;
    entry_.name = "ban";
    one_.guild = 5;
    one_.user = 7;
  }
  std::string ask() { return refusal("desk", entry_, one_, owners_, limits_, now_); }

  EntrySpec entry_;
  Interaction one_;
  Owners owners_;
  UsageLimits limits_;
  UsageLimits::Clock::time_point now_ = UsageLimits::Clock::time_point(1000s);
};

TEST_F(Admission, EverybodyMayWhatIsNotRestricted) {
  EXPECT_EQ(ask(), "");
  one_.guild = 0;
  EXPECT_EQ(ask(), "");
}

TEST_F(Admission, ServersOnly) {
  entry_.flags = TL_ENTRY_GUILDS_ONLY;
  EXPECT_EQ(ask(), "");
  one_.guild = 0;
  EXPECT_EQ(ask(), "This works in a server only.");
}

TEST_F(Admission, PermissionsAreThoseOfWhoAsks) {
  entry_.permissions = 1 << 2 | 1 << 1;
  EXPECT_EQ(ask(), "For this you need: Kick Members, Ban Members.");
  one_.permissions = 1 << 2;
  EXPECT_EQ(ask(), "For this you need: Kick Members.");
  one_.permissions = 1 << 2 | 1 << 1;
  EXPECT_EQ(ask(), "");
  one_.permissions = 1 << 3;
  EXPECT_EQ(ask(), "") << "administrators may everything";
  one_.guild = 0;
  EXPECT_NE(ask(), "") << "there are no permissions outside of servers";
}

TEST_F(Admission, ContextsOfASubcommandAreItsOwn) {
  entry_.contexts = TL_CONTEXT_GUILD;
  EXPECT_EQ(ask(), "");
  entry_.contexts = TL_CONTEXT_BOT_DM;
  EXPECT_EQ(ask(), "This works in direct messages only.");
  one_.guild = 0;
  EXPECT_EQ(ask(), "");
  entry_.contexts = TL_CONTEXT_GUILD;
  EXPECT_EQ(ask(), "This works in a server only.");
}

TEST_F(Admission, OwnersAreTheBotsAndNotTheServers) {
  entry_.flags = TL_ENTRY_OWNERS_ONLY;
  one_.permissions = 1 << 3;
  EXPECT_EQ(ask(), "Who owns this bot is not known yet. Please try again in a moment.");
  owners_ = std::set<std::uint64_t>{8};
  EXPECT_EQ(ask(), "This is for the owners of this bot.");
  owners_->insert(7);
  EXPECT_EQ(ask(), "");
}

TEST_F(Admission, UsesAreCountedInAWindowForEachUser) {
  entry_.limit_count = 2;
  entry_.limit_window_us = 10'000'000;
  EXPECT_EQ(ask(), "");
  now_ += 4s;
  EXPECT_EQ(ask(), "");
  EXPECT_EQ(ask(), "Not so fast: this can be used again in 6 seconds.");
  one_.user = 8;
  EXPECT_EQ(ask(), "");
  one_.user = 7;
  now_ += 6s;
  EXPECT_EQ(ask(), "") << "the first one is out of the window";
  EXPECT_EQ(ask(), "Not so fast: this can be used again in 4 seconds.");
  one_.kind = InteractionKind::Autocomplete;
  EXPECT_EQ(ask(), "") << "typing is no use";
}

TEST_F(Admission, OrForEachServer) {
  entry_.limit_count = 1;
  entry_.limit_window_us = 7'200'000'000;
  entry_.limit_per = 1;
  EXPECT_EQ(ask(), "");
  one_.user = 8;
  EXPECT_EQ(ask(), "Not so fast: this can be used again in 2 hours.");
  one_.guild = 6;
  EXPECT_EQ(ask(), "");
  one_.guild = 0;
  EXPECT_EQ(ask(), "") << "in direct messages the user counts";
  one_.user = 9;
  EXPECT_EQ(ask(), "");
}

TEST_F(Admission, WindowsThatAreOverAreForgotten) {
  entry_.limit_count = 1;
  entry_.limit_window_us = 1'000'000;
  for (std::uint64_t user = 1; user <= 1000; ++user) {
    one_.user = user;
    EXPECT_EQ(ask(), "");
  }
  EXPECT_EQ(limits_.kept(), 1000u);
  now_ += 2min;
  EXPECT_EQ(ask(), "");
  EXPECT_EQ(limits_.kept(), 1u);
}

TEST_F(Admission, WhatIsRefusedForAnotherReasonIsNoUse) {
  entry_.limit_count = 1;
  entry_.limit_window_us = 1'000'000;
  entry_.flags = TL_ENTRY_OWNERS_ONLY;
  owners_.emplace();
  EXPECT_EQ(ask(), "This is for the owners of this bot.");
  owners_->insert(7);
  EXPECT_EQ(ask(), "");
}

}  // namespace
}  // namespace trellis::host
