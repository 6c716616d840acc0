// From declarations to what Discord's API takes, and the form in which two commands can be compared.
#include "commands/command_json.hpp"

#include "ledger_builder.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

json::value only(const Ledger& of) {
  const json::array all = commands_of(of);
  EXPECT_EQ(all.size(), 1u);
  return all.empty() ? json::value(json::object()) : all[0];
}

TEST(CommandJson, OptionsOfEveryType) {
  ParamSpec text = option("text");
  text.min = 2, text.max = 50;
  ParamSpec whole = option("whole", TL_INT, false);
  whole.min = 0, whole.max = std::numeric_limits<double>::infinity();
  whole.choices = {{"Small", std::int64_t{1}}, {"Big", std::int64_t{9}, {{"de", {"Groß", ""}}}}};
  ParamSpec channel = option("where", TL_ID, false, TL_PARAM_CHANNEL);
  channel.channel_types = {5, 0};
  channel.text.clear();
  const Ledger of = ledger(
      {command("all", {text, option("on", TL_BOOL), option("whom", TL_ID, true, TL_PARAM_USER),
                       option("role", TL_ID, true, TL_PARAM_ROLE), option("either", TL_ID, true, TL_PARAM_MENTIONABLE),
                       option("day", TL_DAY), option("message", TL_ID), option("ratio", TL_REAL),
                       option("file", TL_JSON, true, TL_PARAM_ATTACHMENT), whole, channel})});
  EXPECT_EQ(only(of), json::parse(R"({
    "type": 1, "name": "all", "description": "Does something", "default_member_permissions": null,
    "contexts": [0, 1], "integration_types": [0], "nsfw": false,
    "options": [
      {"type": 3, "name": "text", "description": "The text", "required": true, "min_length": 2, "max_length": 50},
      {"type": 5, "name": "on", "description": "The on", "required": true},
      {"type": 6, "name": "whom", "description": "The whom", "required": true},
      {"type": 8, "name": "role", "description": "The role", "required": true},
      {"type": 9, "name": "either", "description": "The either", "required": true},
      {"type": 3, "name": "day", "description": "The day", "required": true},
      {"type": 3, "name": "message", "description": "The message", "required": true},
      {"type": 10, "name": "ratio", "description": "The ratio", "required": true},
      {"type": 11, "name": "file", "description": "The file", "required": true},
      {"type": 4, "name": "whole", "description": "The whole", "min_value": 0, "choices": [
        {"name": "Small", "value": 1}, {"name": "Big", "value": 9, "name_localizations": {"de": "Groß"}}]},
      {"type": 7, "name": "where", "description": "where", "channel_types": [0, 5]}]})"));
}

TEST(CommandJson, SubcommandsAreOneCommand) {
  EntrySpec add = command("quest admin add", {option("name")});
  add.permissions = 1 << 5 | 1 << 13;
  add.flags = TL_ENTRY_GUILDS_ONLY;
  EntrySpec list = command("quest list");
  list.permissions = 1 << 5;
  list.contexts = TL_CONTEXT_BOT_DM;
  EntrySpec quest = group("quest", "Quests of this server");
  quest.localized = {{"de", {"aufgabe", "Aufgaben"}}};
  EXPECT_EQ(only(ledger({add, quest, list})), json::parse(R"({
    "type": 1, "name": "quest", "description": "Quests of this server", "default_member_permissions": "32",
    "name_localizations": {"de": "aufgabe"}, "description_localizations": {"de": "Aufgaben"},
    "contexts": [0, 1], "integration_types": [0], "nsfw": false,
    "options": [
      {"type": 1, "name": "list", "description": "Does something"},
      {"type": 2, "name": "admin", "description": "add", "options": [
        {"type": 1, "name": "add", "description": "Does something", "options": [
          {"type": 3, "name": "name", "description": "The name", "required": true}]}]}]})"));
}

TEST(CommandJson, MenuCommandsAndWhereTheyAreUsed) {
  EntrySpec five = command("High five", {}, TL_COMMAND_USER);
  five.installs = TL_INSTALL_GUILD | TL_INSTALL_USER;
  EntrySpec keep = command("Keep it", {}, TL_COMMAND_MESSAGE);
  keep.flags = TL_ENTRY_GUILDS_ONLY | TL_ENTRY_NSFW;
  EXPECT_EQ(json::value(commands_of(ledger({keep, five}))), json::parse(R"([
    {"type": 2, "name": "High five", "description": "", "default_member_permissions": null, "contexts": [0, 1, 2],
     "integration_types": [0, 1], "nsfw": false},
    {"type": 3, "name": "Keep it", "description": "", "default_member_permissions": null, "contexts": [0],
     "integration_types": [0], "nsfw": true}])"));
}

TEST(CommandJson, ALongListOfNamesIsCutAtACharacter) {
  std::vector<EntrySpec> many;
  for (int i = 0; i < 20; ++i) many.push_back(command("quest größe" + std::to_string(i)));
  const std::string text(only(ledger(many)).at("description").as_string());
  EXPECT_LE(text.size(), 102u);
  EXPECT_TRUE(text.ends_with(" …")) << text;
}

TEST(CommandJson, WhatDiscordFillsInMakesNoDifference) {
  const json::value mine = only(ledger({command("days", {option("count", TL_INT, false)})}));
  const json::value theirs = json::parse(R"({
    "id": "1", "application_id": "2", "version": "3", "default_permission": true, "dm_permission": true, "handler": null,
    "type": 1, "name": "days", "name_localizations": null, "name_localized": "days", "description": "Does something",
    "description_localizations": null, "default_member_permissions": null, "nsfw": false,
    "contexts": [1, 0], "integration_types": [0],
    "options": [{"type": 4, "name": "count", "description": "The count", "required": false, "autocomplete": false,
                 "name_localizations": null, "choices": [], "channel_types": []}]})");
  EXPECT_EQ(normalised(theirs.as_object()), mine.as_object());
  json::object no_type = theirs.as_object();
  no_type.erase("type");
  EXPECT_EQ(normalised(no_type), mine.as_object());
  const json::object in_guild = normalised_for_guild(theirs.as_object());
  EXPECT_FALSE(in_guild.contains("contexts"));
  EXPECT_FALSE(in_guild.contains("integration_types"));
}

TEST(CommandJson, NumbersAreComparedAsNumbers) {
  const auto one = [](const char* limits) {
    return normalised(json::parse(R"({"name": "x", "description": "y", "options": [{"type": 10, "name": "a", )" +
                                  std::string(limits) + "}]}")
                          .as_object());
  };
  EXPECT_EQ(one(R"("min_value": 1, "max_value": 2.5)"), one(R"("min_value": 1.0, "max_value": 2.5)"));
  EXPECT_EQ(one(R"("min_length": 0)"), one(R"("required": false)"));
  EXPECT_NE(one(R"("min_value": 0)"), one(R"("required": false)"));
}

TEST(CommandJson, WrongTypesHurtNobody) {
  const json::object odd = normalised(json::parse(R"({"name": 5, "options": {"a": 1}, "contexts": "x", "nsfw": 7,
      "default_member_permissions": 8, "name_localizations": [1]})")
                                          .as_object());
  EXPECT_EQ(odd.at("name"), "");
  EXPECT_FALSE(odd.contains("options"));
  normalised(
      json::parse(R"({"options": [1, {"choices": [2, {"value": {}}], "min_value": "x", "channel_types": ["a"]}]})")
          .as_object());
}

}  // namespace
}  // namespace trellis::host
