#include "plugins/claims.hpp"

#include <gtest/gtest.h>

#include "lanes/instance.hpp"

namespace trellis::host {
namespace {

Ledger ledger(std::uint32_t kind, std::vector<std::string> names) {
  Ledger made;
  for (std::string& name : names) {
    EntrySpec& entry = made.entries.emplace_back();
    entry.kind = kind;
    entry.name = std::move(name);
  }
  return made;
}

std::string refused(const Ledger& given) {
  try {
    claims_of(given);
  } catch (const PluginError& error) {
    return error.what();
  }
  return {};
}

TEST(Claims, ACommandBelongsToOnePlugin) {
  const auto mine = claims_of(ledger(TL_COMMAND, {"quest list", "quest add", "Level"}));
  EXPECT_TRUE(clashes("a", mine, {{"a", mine}}).empty()) << "not with itself";
  EXPECT_TRUE(clashes("a", mine, {{"b", claims_of(ledger(TL_COMMAND, {"questing"}))}}).empty());
  const auto found = clashes("a", mine, {{"b", claims_of(ledger(TL_COMMAND, {"quest drop", "level"}))}});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0],
            "the command /level is plugin b's already, and plugin a declares it too (\"level\" and \"Level\"); "
            "disable one of them, or rename it");
  EXPECT_NE(found[1].find("\"quest drop\" and \"quest add\""), std::string::npos) << found[1];
}

TEST(Claims, CommandsOfOtherTypesHaveNamesOfTheirOwn) {
  Ledger menu = ledger(TL_COMMAND, {"level"});
  menu.entries[0].command_type = TL_COMMAND_USER;
  EXPECT_TRUE(clashes("a", claims_of(menu), {{"b", claims_of(ledger(TL_COMMAND, {"level"}))}}).empty());
  const auto found = clashes("a", claims_of(menu), {{"b", claims_of(menu)}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("the user command \"level\" is plugin b's already"), std::string::npos) << found[0];
}

TEST(Claims, OnlySoManyCommandsOfAllPluginsTogether) {
  std::vector<std::string> sixty, forty, subcommands;
  for (int i = 0; i < 60; ++i) sixty.push_back("a" + std::to_string(i));
  for (int i = 0; i < 40; ++i) forty.push_back("b" + std::to_string(i));
  for (int i = 0; i < 20; ++i) subcommands.push_back("one s" + std::to_string(i));
  const auto a = claims_of(ledger(TL_COMMAND, sixty)), b = claims_of(ledger(TL_COMMAND, forty));
  EXPECT_TRUE(too_many_commands("b", b, {{"a", a}, {"b", b}}).empty()) << "a reload does not count twice";
  const auto found = too_many_commands("c", claims_of(ledger(TL_COMMAND, subcommands)), {{"a", a}, {"b", b}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0],
            "with the 1 slash commands of plugin c there are 101 of all plugins together, and Discord takes 100");
  EXPECT_TRUE(too_many_commands("d", {}, {{"a", a}, {"b", b}}).empty()) << "who has none adds none";

  Ledger menus = ledger(TL_COMMAND, std::vector<std::string>(sixty.begin(), sixty.begin() + 15));
  for (auto& entry : menus.entries) entry.command_type = TL_COMMAND_USER;
  Ledger menu = ledger(TL_COMMAND, {"Greet"});
  menu.entries[0].command_type = TL_COMMAND_USER;
  const auto one_more = too_many_commands("m", claims_of(menu), {{"a", a}, {"n", claims_of(menus)}});
  ASSERT_EQ(one_more.size(), 1u);
  EXPECT_NE(one_more[0].find("there are 16 of all plugins together, and Discord takes 15"), std::string::npos)
      << one_more[0];
}

TEST(Claims, RoutesAreTheSameWhateverTheirPartsAreCalled) {
  const auto mine = claims_of(ledger(TL_ROUTE, {"GET /counts/{guild}", "POST /counts/{guild}"}));
  const auto found = clashes("a", mine,
                             {{"b", claims_of(ledger(TL_ROUTE, {"GET /counts/{server}"}))},
                              {"c", claims_of(ledger(TL_ROUTE, {"GET /counts", "GET /counts/{a}/{b}"}))}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("the route GET /counts/{} is plugin b's"), std::string::npos) << found[0];
  // Other kinds of names are each plugin's own.
  EXPECT_TRUE(claims_of(ledger(TL_METHOD, {"count"})).empty());
}

TEST(Claims, OneLedgerMustNotClaimTwice) {
  EXPECT_NE(refused(ledger(TL_ROUTE, {"GET /a/{x}", "GET /a/{y}"})).find("are the same"), std::string::npos);
  EXPECT_NE(refused(ledger(TL_COMMAND, {"quest", "quest add"})).find("exclude each other"), std::string::npos);
  EXPECT_EQ(refused(ledger(TL_COMMAND, {"quest add", "quest list"})), "");
  Ledger tables;
  tables.tables.resize(2);
  tables.tables[0].name = tables.tables[1].name = "counts";
  EXPECT_NE(refused(tables).find("\"counts\" is declared twice"), std::string::npos);
  tables.tables[1].existing_only = true;
  EXPECT_EQ(refused(tables), "");
}

}  // namespace
}  // namespace trellis::host
