#include "config/shards.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

TEST(Shards, AllOrAPart) {
  std::string why;
  EXPECT_TRUE(parse_shards("auto", why)->automatic());
  EXPECT_EQ(parse_shards("1", why), (ShardRange{0, 0, 1}));
  EXPECT_EQ(parse_shards("16", why), (ShardRange{0, 15, 16}));
  EXPECT_EQ(parse_shards("0-3/16", why), (ShardRange{0, 3, 16}));
  EXPECT_EQ(parse_shards("15/16", why), (ShardRange{15, 15, 16}));
  EXPECT_EQ(parse_shards("4-7/16", why)->size(), 4u);
  EXPECT_EQ(why, "");
}

TEST(Shards, WhatIsNone) {
  std::string why;
  for (const char* text :
       {"", "0", "-1", "16385", "many", "4/", "/4", "1-/4", "-3/4", "1-2-3/4", "1,2/4", "0-3/0", "0x3", " 4"}) {
    EXPECT_FALSE(parse_shards(text, why)) << text;
    EXPECT_EQ(why, "") << text;
  }
}

TEST(Shards, NumbersThatDoNotGoTogetherAreExplained) {
  std::string why;
  EXPECT_FALSE(parse_shards("3-1/16", why));
  EXPECT_EQ(why, "shards 3 to 1: the first comes after the last");
  EXPECT_FALSE(parse_shards("0-16/16", why));
  EXPECT_EQ(why, "there is no shard 16 among 16: they are numbered from 0 to 15");
}

}  // namespace
}  // namespace trellis::host
