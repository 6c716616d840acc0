#include "plugins/dependencies.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace trellis::host {
namespace {

TEST(Dependencies, AreRead) {
  EXPECT_TRUE(parse_dependencies("").empty());
  EXPECT_TRUE(parse_dependencies("  ").empty());
  const auto list = parse_dependencies("leveling >= 1.2,economy , a_1>=3");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].text(), "leveling >= 1.2");
  EXPECT_EQ(list[1].text(), "economy");
  EXPECT_EQ(list[2].text(), "a_1 >= 3");
  for (const char* wrong :
       {"leveling > 1", "Leveling", "leveling >= one", "leveling >=", ",", "a,", "a b", "a, a >= 1"})
    EXPECT_THROW(parse_dependencies(wrong), std::invalid_argument) << wrong;
}

TEST(Dependencies, VersionsAreNumbersBetweenDots) {
  for (const auto& [have, wanted] : {std::pair{"1.10.0", "1.2"},
                                     {"1.2", "1.2.0"},
                                     {"2", "1.9.9"},
                                     {"1.0.0", ""},
                                     {"1.2.0-rc1", "1.2"},
                                     {"1.2.0+5", "1.2.0"}})
    EXPECT_TRUE(version_at_least(have, wanted)) << have << " " << wanted;
  for (const auto& [have, wanted] :
       {std::pair{"1.2.0", "1.10"}, {"1.1.9", "1.2"}, {"1", "1.0.1"}, {"", "1"}, {"nonsense", "1"}})
    EXPECT_FALSE(version_at_least(have, wanted)) << have << " " << wanted;
}

DependencyNode node(const char* version, const char* needs = "") { return {version, parse_dependencies(needs)}; }

TEST(Dependencies, MissingAndOldOnesAreNamed) {
  const DependencyGraph graph{{"a", node("1.0.0", "b >= 2, c")}, {"b", node("1.9.0")}, {"d", node("1.0.0", "b >= 1")}};
  EXPECT_EQ(unmet(graph, "a"), "plugin a needs b >= 2, and b is 1.9.0");
  EXPECT_EQ(unmet(graph, "d"), "");
  EXPECT_EQ(unmet({{"a", node("1", "c")}}, "a"), "plugin a needs c, which is not loaded");
  EXPECT_EQ(dependants(graph, "b"), (std::vector<std::string>{"a", "d"}));
  EXPECT_TRUE(dependants(graph, "a").empty());
}

TEST(Dependencies, OrderKeepsTheWishWhereItCan) {
  const DependencyGraph graph{{"a", node("1", "d")}, {"b", node("1")}, {"c", node("1", "a")}, {"d", node("1")}};
  EXPECT_EQ(in_order(graph, {"c", "b", "a", "d"}), (std::vector<std::string>{"d", "a", "c", "b"}));
  EXPECT_EQ(in_order(graph, {"b", "d"}), (std::vector<std::string>{"b", "d"}));
  EXPECT_EQ(cycle(graph), "");
}

TEST(Dependencies, CyclesAreSaid) {
  const DependencyGraph graph{
      {"a", node("1", "b")}, {"b", node("1", "c")}, {"c", node("1", "b")}, {"d", node("1", "e")}};
  EXPECT_EQ(cycle(graph), "b needs c, c needs b");
  EXPECT_EQ(cycle({{"a", node("1", "a")}}), "a needs a");
}

}  // namespace
}  // namespace trellis::host
