// All plugins' commands together, what is different about the registered ones, and Discord's complaints placed.
#include "commands/command_set.hpp"

#include <fmt/ranges.h>

#include "commands/command_json.hpp"
#include "commands/form_errors.hpp"
#include "ledger_builder.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

std::string text_of(const std::vector<CommandChange>& changes) {
  std::string text;
  for (const CommandChange& change : changes) text += change_text(change);
  return text;
}
/// As Discord answers, with what it adds.
json::array registered(json::array commands) {
  int id = 0;
  for (json::value& one : commands) {
    one.as_object()["id"] = std::to_string(++id);
    one.as_object()["version"] = "9";
    one.as_object()["dm_permission"] = true;
  }
  return commands;
}
CommandWish wish(std::map<std::string, Ledger> ledgers) {
  CommandWish made;
  for (const auto& [plugin, of] : ledgers) made.plugins[plugin] = commands_of(of);
  return made;
}

TEST(CommandSet, TheSameIsNoDifference) {
  const CommandSet set =
      merged(wish({{"quests", ledger({command("quest add", {option("name")})})},
                   {"levels", ledger({command("level"), command("Level of", {}, TL_COMMAND_USER)})}}),
             false);
  EXPECT_TRUE(set.problems.empty());
  ASSERT_EQ(set.commands.size(), 3u);
  EXPECT_EQ(set.commands[0].plugin, "levels");
  EXPECT_EQ(text_of(differences(set, registered(set.body()), false)), "");
}

TEST(CommandSet, DifferencesAreNamed) {
  ParamSpec count = option("count", TL_INT, false);
  count.max = 5;
  const CommandSet before = merged(
      wish({{"quests", ledger({command("quest", {count, option("old", TL_TEXT, false)}), command("gone")})}}), false);
  count.max = 7;
  count.choices = {{"One", std::int64_t{1}}};
  EntrySpec quest = command("quest", {count, option("new", TL_BOOL, false)});
  quest.text = "Other words";
  const CommandSet after = merged(wish({{"quests", ledger({quest, command("fresh")})}}), false);
  EXPECT_EQ(text_of(differences(after, registered(before.body()), false)),
            "+ /fresh (quests)\n"
            "~ /quest (quests)\n"
            "    description: \"Does something\" -> \"Other words\"\n"
            "    option old: removed\n"
            "    option count, choice One: new\n"
            "    option count, max_value: 5 -> 7\n"
            "    option new: new\n"
            "- /gone\n");
}

TEST(CommandSet, TheOrderOfOptionsCounts) {
  const auto with = [](std::vector<ParamSpec> params) {
    return merged(wish({{"a", ledger({command("x", std::move(params))})}}), false);
  };
  EXPECT_EQ(text_of(differences(with({option("a"), option("b")}), with({option("b"), option("a")}).body(), false)),
            "~ /x (a)\n    option: in another order\n");
}

TEST(CommandSet, OfOneServerContextsDoNotCount) {
  EntrySpec everywhere = command("x");
  EntrySpec guilds = command("x");
  guilds.flags = TL_ENTRY_GUILDS_ONLY;
  const json::array there = registered(merged(wish({{"a", ledger({everywhere})}}), false).body());
  EXPECT_EQ(text_of(differences(merged(wish({{"a", ledger({guilds})}}), true), there, true)), "");
  EXPECT_NE(text_of(differences(merged(wish({{"a", ledger({guilds})}}), false), there, false)), "");
  EXPECT_FALSE(merged(wish({{"a", ledger({guilds})}}), true).body()[0].as_object().contains("contexts"));
}

TEST(CommandSet, WhatDoesNotFitIsLeftOutAndNamed) {
  std::vector<EntrySpec> many;
  for (int i = 0; i < 101; ++i) many.push_back(command("c" + std::to_string(i)));
  const CommandSet set =
      merged(wish({{"a", ledger(many)}, {"b", ledger({command("c5"), command("X", {}, TL_COMMAND_USER)})}}), false);
  EXPECT_EQ(set.commands.size(), 101u) << "100 slash commands and a user command";
  ASSERT_EQ(set.problems.size(), 2u);
  EXPECT_EQ(set.problems[0], "/c99 of plugin a is one too many: Discord takes 100 commands of its type");
  EXPECT_EQ(set.problems[1], "/c5 is declared by plugin a and by plugin b; the one of a is registered");
}

TEST(CommandSet, WhatMayBeOfAPluginThatIsNotLoadedStays) {
  const json::array there =
      registered(merged(wish({{"a", ledger({command("mine"), command("other")})}}), false).body());
  CommandSet set = merged(wish({{"a", ledger({command("mine")})}}), false);
  keep(set, there, true);
  EXPECT_EQ(set.commands.size(), 2u);
  EXPECT_EQ(text_of(differences(set, there, false)), "");
  CommandSet known = merged(wish({{"a", ledger({command("mine")})}}), false);
  keep(known, there, false);
  EXPECT_EQ(text_of(differences(known, there, false)), "- /other\n");
}

TEST(CommandSet, TheEntryPointOfAnActivityStays) {
  CommandSet set = merged({}, false);
  keep(set, {json::object{{"id", "1"}, {"type", 4}, {"name", "Launch"}, {"description", ""}, {"handler", 2}}}, false);
  ASSERT_EQ(set.commands.size(), 1u);
  EXPECT_EQ(set.commands[0].command.at("handler"), 2);
}

TEST(CommandSet, ComplaintsOfDiscordsAreGivenTheirPlaces) {
  const CommandSet set = merged(wish({{"levels", ledger({command("level")})},
                                      {"quests", ledger({command("quest add", {option("a"), option("size")})})}}),
                                false);
  const auto errors = placed_errors(R"json({"code": 50035, "message": "Invalid Form Body", "errors": {
      "1": {"options": {"0": {"options": {"1": {"description": {"_errors": [
          {"code": "BASE_TYPE_BAD_LENGTH", "message": "Must be between 1 and 100 in length."}]}}}}}},
      "0": {"_errors": [{"code": "APPLICATION_COMMAND_TOO_LARGE", "message": "Command exceeds maximum size (8000)"}]},
      "7": {"_errors": [{"code": "X", "message": "of nothing that was sent"}]}}})json",
                                    set);
  EXPECT_EQ(
      fmt::format("{}", fmt::join(errors, "\n")),
      "plugin quests: /quest, option \"add\", option \"size\", description: Must be between 1 and 100 in length.\n"
      "plugin levels: /level: Command exceeds maximum size (8000)");
  for (const char* other : {"", "<html>", "[]", R"({"errors": 5})", R"({"errors": {"0": {"_errors": [5]}}})"})
    EXPECT_TRUE(placed_errors(other, set).empty()) << other;
}

}  // namespace
}  // namespace trellis::host
