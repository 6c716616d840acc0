#include "config/env_file.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

std::map<std::string, Variable> good(std::string_view text) {
  std::vector<std::string> complaints;
  auto all = parse_env(text, ".env", complaints);
  EXPECT_TRUE(complaints.empty()) << complaints[0];
  return all;
}

TEST(EnvFile, Values) {
  const auto all = good(
      "# a comment\r\n\r\nA=1\nexport B = two words # comment\nC='single $x \\n # kept'\nD=\"a\\tb\\\"c\\$\\q\" # "
      "comment\n"
      "E=\nF=a#b\n  export\tG=x=y\nA=again\nH=#\nexported=1");
  EXPECT_EQ(all.at("A").value, "again");
  EXPECT_EQ(all.at("A").line, 10);
  EXPECT_EQ(all.at("B").value, "two words");
  EXPECT_EQ(all.at("C").value, "single $x \\n # kept");
  EXPECT_EQ(all.at("D").value, "a\tb\"c$\\q");
  EXPECT_EQ(all.at("E").value, "");
  EXPECT_EQ(all.at("F").value, "a#b");
  EXPECT_EQ(all.at("G").value, "x=y");
  EXPECT_EQ(all.at("H").value, "");
  EXPECT_EQ(all.at("exported").value, "1");
  EXPECT_EQ(all.size(), 9u);
  EXPECT_TRUE(good("").empty());
}

TEST(EnvFile, ComplaintsHaveLinesAndNoValues) {
  std::vector<std::string> complaints;
  const auto all =
      parse_env("A=1\nhunter2\n2B=hunter2\nC='hunter2\nD=\"hunter2\" hunter2\nE=5\n", "x/.env", complaints);
  EXPECT_EQ(all.size(), 2u);
  ASSERT_EQ(complaints.size(), 4u);
  EXPECT_EQ(complaints[0], "x/.env:2: expected KEY=VALUE");
  EXPECT_EQ(complaints[1], "x/.env:3: what stands before = is not the name of a variable");
  EXPECT_EQ(complaints[2], "x/.env:4: C: the quote is not closed on this line");
  EXPECT_EQ(complaints[3], "x/.env:5: D: there is something after the closing quote");
}

}  // namespace
}  // namespace trellis::host
