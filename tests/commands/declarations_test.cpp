// What Discord would refuse is said beforehand, with the names of the command and the option.
#include "commands/declarations.hpp"

#include <fmt/ranges.h>

#include "ledger_builder.hpp"

namespace trellis::host {
namespace {

std::string said(std::vector<EntrySpec> entries) {
  return fmt::format("{}", fmt::join(check_declarations("quests", ledger(std::move(entries))), "\n"));
}
std::string said_of(ParamSpec param) { return said({command("quest", {std::move(param)})}); }
EntrySpec form(std::string title, std::vector<ParamSpec> inputs) {
  EntrySpec entry;
  entry.kind = TL_MODAL;
  entry.name = "edit";
  entry.text = std::move(title);
  entry.params = std::move(inputs);
  return entry;
}

TEST(Declarations, WhatIsRightIsSilent) {
  ParamSpec limited = option("count", TL_INT, false);
  limited.min = 1, limited.max = 100;
  EXPECT_EQ(said({command("quest add", {option("name"), limited}), command("quest admin drop"),
                  group("quest", "Quests"), group("quest admin", "For few"), command("High five", {}, TL_COMMAND_USER),
                  form("Edit it", {option("text")})}),
            "");
}

TEST(Declarations, NamesAndTexts) {
  EXPECT_EQ(said({command("Quest")}), "command \"Quest\": \"Quest\" in its name must be in lower case, and has \"Q\"");
  EXPECT_EQ(said({command("a b c d")}),
            "command \"a b c d\": Discord knows a command, a group in it and a subcommand in that; this has 4 words");
  EntrySpec silent = command("quest");
  silent.text.clear();
  EXPECT_EQ(said({silent}), "command \"quest\": its text must not be empty: 1 to 100 characters");
  EXPECT_EQ(said_of(option("Name")),
            "command \"quest\": option \"Name\": its name must be in lower case, and has \"N\"");
  EXPECT_EQ(said({command(std::string(40, 'x'), {}, TL_COMMAND_USER)}),
            "user command \"" + std::string(40, 'x') + "\": its name must have 1 to 32 characters, not 40");
  ParamSpec wordy = option("name");
  wordy.text = std::string(101, 'x');
  EXPECT_EQ(said_of(wordy), "command \"quest\": option \"name\": its text must have 1 to 100 characters, not 101");
}

TEST(Declarations, Options) {
  EXPECT_EQ(said({command("quest", {option("a", TL_TEXT, false), option("b")})}),
            "command \"quest\": option \"b\" is required and comes after \"a\", which is not: required ones go first");
  EXPECT_EQ(said({command("quest", {option("a"), option("a")})}), "command \"quest\": option \"a\" is declared twice");
  EXPECT_EQ(said_of(option("a", TL_JSON)), "command \"quest\": option \"a\": Discord has no options of this type");
  std::vector<ParamSpec> many;
  for (int i = 0; i < 26; ++i) many.push_back(option("o" + std::to_string(i)));
  EXPECT_EQ(said({command("quest", many)}), "command \"quest\": it has 26 options, at most 25 are allowed");
  ParamSpec channels = option("a", TL_TEXT);
  channels.channel_types = {0};
  EXPECT_EQ(said_of(channels), "command \"quest\": option \"a\": channels() is for an option that is a ChannelId");
}

TEST(Declarations, Limits) {
  ParamSpec whole = option("n", TL_INT);
  whole.min = 0.5, whole.max = 7;
  EXPECT_NE(said_of(whole).find("must be a whole number for whole numbers"), std::string::npos);
  whole.min = 9;
  EXPECT_EQ(said_of(whole), "command \"quest\": option \"n\": its min() is above its max()");
  ParamSpec text = option("t");
  text.min = 1, text.max = 6001;
  EXPECT_EQ(said_of(text), "command \"quest\": option \"t\": the length of a text is between 0 and 6000");
  ParamSpec flag = option("f", TL_BOOL);
  flag.max = 1;
  EXPECT_NE(said_of(flag).find("min() and max() are for numbers"), std::string::npos);
}

TEST(Declarations, Choices) {
  ParamSpec size = option("size", TL_INT);
  size.choices = {{"Small", std::int64_t{1}}, {"Small", std::int64_t{2}}};
  EXPECT_EQ(said_of(size), "command \"quest\": option \"size\", choice \"Small\" is there twice");
  size.choices = {{"Small", std::string("s")}};
  EXPECT_EQ(said_of(size), "command \"quest\": option \"size\", choice \"Small\": its value must be a whole number");
  size.choices = {{"Huge", std::int64_t{1} << 60}};
  EXPECT_EQ(said_of(size), "command \"quest\": option \"size\", choice \"Huge\": its value must be within 2^53");
  ParamSpec word = option("word");
  for (int i = 0; i < 26; ++i) word.choices.push_back({std::to_string(i), std::to_string(i)});
  EXPECT_EQ(said_of(word),
            "command \"quest\": option \"word\" has 26 choices, at most 25 are allowed; suggest() has no limit");
  word.choices = {{"a", std::string("a")}};
  word.suggest = [](void*, tl_turn, const tl_request*) -> tl_status { return TL_OK; };
  EXPECT_EQ(said_of(word), "command \"quest\": option \"word\": choices() and suggest() exclude each other");
  ParamSpec user = option("user", TL_ID, true, TL_PARAM_USER);
  user.choices = {{"a", std::string("a")}};
  EXPECT_EQ(said_of(user), "command \"quest\": option \"user\": choices() are for texts and numbers");
}

TEST(Declarations, Languages) {
  EntrySpec quest = command("quest");
  quest.localized = {{"de", {"Aufgabe", ""}}, {"xx", {"x", ""}}};
  EXPECT_EQ(said({quest}),
            "command \"quest\": its name in de must be in lower case, and has \"A\"\n"
            "command \"quest\": \"xx\" is none of Discord's locales, which are like \"de\"");
}

TEST(Declarations, Groups) {
  EXPECT_EQ(said({command("quest add"), group("quests", "Quests")}),
            "command group \"quests\": no command begins with \"quests \"");
  std::vector<EntrySpec> many;
  for (int i = 0; i < 26; ++i) many.push_back(command("quest s" + std::to_string(i)));
  EXPECT_EQ(said(many), "/quest: it has 26 subcommands and groups, at most 25 are allowed");
  EXPECT_EQ(said({command("quest admin"), command("quest admin add")}),
            "/quest: \"admin\" is a group and a subcommand at once");
}

TEST(Declarations, ACommandHasOnlySoManyCharacters) {
  ParamSpec word = option("word");
  for (int i = 0; i < 25; ++i)
    word.choices.push_back({std::to_string(i) + std::string(97, 'n'), std::string(100, 'v')});
  ParamSpec second = word;
  second.name = "second";
  EXPECT_EQ(said_of(word), "");
  EXPECT_NE(said({command("quest", {word, second})}).find("characters together, at most 8000 are allowed"),
            std::string::npos);
}

TEST(Declarations, ContextsFitTogether) {
  EntrySpec quest = command("quest");
  quest.contexts = TL_CONTEXT_PRIVATE;
  EXPECT_NE(said({quest}).find("Context::PrivateChannel is only for what users install"), std::string::npos);
  quest.installs = TL_INSTALL_USER;
  EXPECT_EQ(said({quest}), "");
  quest.flags = TL_ENTRY_GUILDS_ONLY;
  EXPECT_EQ(said({quest}), "command \"quest\": guilds_only() and contexts() exclude each other");
}

TEST(Declarations, FormsAndComponents) {
  EXPECT_EQ(said({form("", {option("a")})}), "form \"edit\": its title must not be empty: 1 to 45 characters");
  EXPECT_EQ(said({form("Edit", {})}), "form \"edit\": it has no input; declare 1 to 5 with param(…)");
  std::vector<ParamSpec> six;
  for (int i = 0; i < 6; ++i) six.push_back(option("i" + std::to_string(i)));
  EXPECT_EQ(said({form("Edit", six)}), "form \"edit\": it has 6 inputs, Discord shows at most 5");
  ParamSpec labelled = option("a");
  labelled.text = std::string(46, 'x');
  EXPECT_EQ(said({form("Edit", {labelled})}),
            "form \"edit\": input \"a\": its label must have 1 to 45 characters, not 46");
  const auto input = [](std::uint32_t kind, std::uint32_t flags) {
    ParamSpec param = option("a", kind);
    param.flags = flags;
    return param;
  };
  EXPECT_EQ(said({form("Edit", {input(TL_ID, TL_PARAM_MENTIONABLE)})}), "");
  EXPECT_EQ(said({form("Edit", {input(TL_JSON, TL_PARAM_ATTACHMENT)})}), "");
  ParamSpec channel = input(TL_ID, TL_PARAM_CHANNEL);
  channel.channel_types = {0, 5};
  EXPECT_EQ(said({form("Edit", {channel})}), "");
  ParamSpec user = input(TL_ID, TL_PARAM_USER);
  user.channel_types = {0};
  EXPECT_EQ(said({form("Edit", {user})}),
            "form \"edit\": input \"a\": channels() is for an option that is a ChannelId");
  EXPECT_EQ(said({form("Edit", {input(TL_BOOL, TL_PARAM_PARAGRAPH)})}),
            "form \"edit\": input \"a\": paragraph() is for texts that are written");
  ParamSpec limited = input(TL_BOOL, 0);
  limited.max = 3;
  EXPECT_EQ(said({form("Edit", {limited})}),
            "form \"edit\": input \"a\": min() and max() are for numbers, and for the length of texts");
  ParamSpec chosen = option("a");
  for (int i = 0; i < 26; ++i) chosen.choices.push_back({"c" + std::to_string(i), "v" + std::to_string(i)});
  EXPECT_NE(said({form("Edit", {chosen})}).find("input \"a\" has 26 choices, at most 25 are allowed"),
            std::string::npos);
  chosen.choices = {{"One", "v"}, {"Two", "v"}};
  EXPECT_EQ(said({form("Edit", {chosen})}),
            "form \"edit\": input \"a\", choice \"Two\": another one has the same value");
  EntrySpec button;
  button.kind = TL_COMPONENT;
  button.name = std::string(33, 'b');
  EXPECT_NE(said({button}).find("have 39 bytes together, at most 38 are allowed"), std::string::npos) << said({button});
  button.name = "a:b";
  EXPECT_EQ(said({button}), "component \"a:b\": its name must not have a \":\"");
}

}  // namespace
}  // namespace trellis::host
