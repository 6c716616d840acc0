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
