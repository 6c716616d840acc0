#include "journal/event_types.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace trellis::host {
namespace {

TEST(EventTypes, KnownNamesHaveNumbersOfTheirOwn) {
  std::set<std::uint32_t> seen;
  for (const char* name :
       {"READY", "GUILD_CREATE", "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "VOICE_STATE_UPDATE",
        "INTERACTION_CREATE", "TRELLIS_GAP", "TRELLIS_CAUGHT_UP", "TRELLIS_OTHER", "THREAD_MEMBERS_UPDATE"}) {
    const std::uint32_t type = event_type(name);
    EXPECT_NE(type, 0u);
    EXPECT_TRUE(seen.insert(type).second) << name;
    EXPECT_EQ(event_name(type), name);
    EXPECT_EQ(event_type(name), type);
  }
}

TEST(EventTypes, OddNumbersAndNames) {
  EXPECT_EQ(event_name(0), "");
  EXPECT_EQ(event_name(kEventTypesMax), "");
  EXPECT_EQ(event_name(0xffffffff), "");
  EXPECT_EQ(event_type(""), event_type("TRELLIS_OTHER"));
  EXPECT_NE(event_type("A"), event_type("B"));
  EXPECT_NE(event_type("AAAAAAAAA"), event_type("AAAAAAAAB"));
}

// Ends with the table full: the last of this file's tests that wants new names.
TEST(EventTypes, ManyThreadsAgreeAndTheRestIsOther) {
  std::vector<std::vector<std::uint32_t>> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : got) {
      threads.emplace_back([&mine] {
        for (int i = 0; i < 1'500; ++i) mine.push_back(event_type("MADE_UP_" + std::to_string(i)));
      });
    }
  }
  const std::uint32_t other = event_type("TRELLIS_OTHER");
  std::set<std::uint32_t> distinct;
  int others = 0;
  for (int i = 0; i < 1'500; ++i) {
    for (auto& mine : got) {
      ASSERT_LT(mine[i], kEventTypesMax);
      ASSERT_EQ(event_type("MADE_UP_" + std::to_string(i)) == other, mine[i] == other);
      if (mine[i] == other) continue;
      ASSERT_EQ(event_name(mine[i]), "MADE_UP_" + std::to_string(i));
      ASSERT_EQ(mine[i], got[0][i]);
      distinct.insert(mine[i]);
    }
    others += got[0][i] == other;
  }
  EXPECT_GT(distinct.size(), 800u);
  EXPECT_EQ(distinct.size() + others, 1'500u);
  EXPECT_EQ(event_name(event_type("MESSAGE_CREATE")), "MESSAGE_CREATE");
}

}  // namespace
}  // namespace trellis::host
