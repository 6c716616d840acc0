#include "interactions/interaction.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "interactions/serving.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

json::object envelope(int type, json::object data) {
  return {{"id", "1000000000000000000"},
          {"application_id", "77"},
          {"token", "tok"},
          {"type", type},
          {"guild_id", "5"},
          {"channel_id", "6"},
          {"member", {{"user", {{"id", "7"}}}, {"permissions", "12345678901"}}},
          {"data", std::move(data)}};
}

Interaction read(const json::object& d) {
  std::string why;
  auto one = read_interaction(json::serialize(d), why);
  EXPECT_TRUE(one) << why;
  return one.value_or(Interaction());
}

TEST(InteractionRead, ACommandHasItsPlaceAndItsOptions) {
  const Interaction one =
      read(envelope(2, {{"name", "hello"},
                        {"type", 1},
                        {"resolved", {{"attachments", {{"9", {{"filename", "a.png"}, {"size", 3}}}}}}},
                        {"options", json::array{json::object{{"name", "text"}, {"type", 3}, {"value", "x"}},
                                                json::object{{"name", "n"}, {"type", 4}, {"value", 3}},
                                                json::object{{"name", "who"}, {"type", 6}, {"value", "12"}},
                                                json::object{{"name", "file"}, {"type", 11}, {"value", "9"}}}}}));
  EXPECT_EQ(one.kind, InteractionKind::Command);
  EXPECT_EQ(one.entry_kind(), static_cast<std::uint32_t>(TL_COMMAND));
  EXPECT_EQ(one.name, "hello");
  EXPECT_EQ(one.application, "77");
  EXPECT_EQ(one.guild, 5u);
  EXPECT_EQ(one.channel, 6u);
  EXPECT_EQ(one.user, 7u);
  EXPECT_EQ(one.permissions, 12345678901u);
  EXPECT_EQ(one.args.at("text"), "x");
  EXPECT_EQ(one.args.at("n"), 3);
  EXPECT_EQ(one.args.at("who"), "12");
  EXPECT_EQ(one.args.at("file").at("filename"), "a.png");
  EXPECT_EQ(one.created_ms(), (1000000000000000000ll >> 22) + 1420070400000);
}

TEST(InteractionRead, SubcommandsBecomePartOfTheName) {
  const json::array leaf{json::object{{"name", "n"}, {"type", 4}, {"value", 3}}};
  const json::array sub{json::object{{"name", "add"}, {"type", 1}, {"options", leaf}}};
  const Interaction one =
      read(envelope(2, {{"name", "quest"},
                        {"type", 1},
                        {"options", json::array{json::object{{"name", "admin"}, {"type", 2}, {"options", sub}}}}}));
  EXPECT_EQ(one.name, "quest admin add");
  EXPECT_EQ(one.args, (json::object{{"n", 3}}));
  EXPECT_EQ(read(envelope(2, {{"name", "quest"}, {"options", sub}})).name, "quest add");
}

TEST(InteractionRead, WhatIsTypedIsKnownByItsOption) {
  const Interaction one = read(envelope(
      4, {{"name", "find"},
          {"options", json::array{json::object{{"name", "a"}, {"type", 3}, {"value", "done"}},
                                  json::object{{"name", "b"}, {"type", 10}, {"value", "3."}, {"focused", true}}}}}));
  EXPECT_EQ(one.kind, InteractionKind::Autocomplete);
  EXPECT_EQ(one.focused, "b");
  EXPECT_EQ(one.body, "3.");
}

TEST(InteractionRead, DirectMessagesHaveAUserAndNoServer) {
  json::object d = envelope(3, {{"custom_id", "desk:more:1"}, {"component_type", 2}});
  d.erase("guild_id");
  d.erase("member");
  d["user"] = {{"id", "8"}};
  d["message"] = {{"id", "99"}};
  const Interaction one = read(d);
  EXPECT_EQ(one.kind, InteractionKind::Component);
  EXPECT_EQ(one.guild, 0u);
  EXPECT_EQ(one.user, 8u);
  EXPECT_EQ(one.permissions, 0u);
  EXPECT_EQ(one.message, 99u);
  EXPECT_EQ(one.name, "desk:more:1");
}

TEST(InteractionRead, FieldsAreFoundInLabelsAndRowsAndEmptyOnesAreAbsent) {
  const Interaction one = read(envelope(
      5,
      {{"custom_id", "desk:order:"},
       {"components",
        json::array{
            json::object{{"type", 18}, {"component", {{"type", 4}, {"custom_id", "dish"}, {"value", "soup"}}}},
            json::object{{"type", 18}, {"component", {{"type", 4}, {"custom_id", "notes"}, {"value", ""}}}},
            json::object{{"type", 18}, {"component", {{"type", 5}, {"custom_id", "who"}, {"values", {"12"}}}}},
            json::object{{"type", 18}, {"component", {{"type", 3}, {"custom_id", "none"}, {"values", json::array()}}}},
            json::object{
                {"type", 1},
                {"components", json::array{json::object{{"type", 4}, {"custom_id", "old"}, {"value", "x"}}}}}}}}));
  EXPECT_EQ(one.kind, InteractionKind::Form);
  EXPECT_EQ(one.args, (json::object{{"dish", "soup"}, {"who", "12"}, {"old", "x"}}));
}

TEST(InteractionRead, WhatCannotBeAnsweredIsNone) {
  std::string why;
  for (const char* text : {"", "nonsense", "[]", "{}", R"({"id": "1", "type": 2})", R"({"id": 1, "token": "x"})",
                           R"({"id": "x", "token": "x", "application_id": "1", "type": 2})"}) {
    EXPECT_FALSE(read_interaction(text, why)) << text;
    EXPECT_FALSE(why.empty()) << text;
  }
  EXPECT_FALSE(read_interaction(json::serialize(envelope(99, {})), why));
  EXPECT_EQ(why, "") << "of a type that nobody knows yet";
}

TEST(InteractionRead, MembersOfOtherTypesDoNoHarm) {
  json::object d = envelope(2, {{"name", 3}, {"type", "x"}, {"options", {{"a", 1}}}});
  d["guild_id"] = json::array();
  d["member"] = "nobody";
  d["user"] = 4;
  d["channel"] = nullptr;
  const Interaction one = read(d);
  EXPECT_EQ(one.name, "");
  EXPECT_EQ(one.guild, 0u);
  EXPECT_EQ(one.user, 0u);
  d["data"] = 7;
  EXPECT_EQ(read(d).name, "");
  EXPECT_EQ(
      read(envelope(2, {{"name", "a"}, {"options", json::array{1, json::array(), json::object{{"name", 3}}}}})).args,
      json::object());
}

TEST(Destination, CommandsAreFoundByTypeAndNameComponentsByTheirId) {
  EntrySpec slash, user, button;
  slash.kind = user.kind = TL_COMMAND;
  slash.name = user.name = "level";
  slash.command_type = TL_COMMAND_SLASH;
  user.command_type = TL_COMMAND_USER;
  user.flags = TL_ENTRY_EPHEMERAL;
  button.kind = TL_COMPONENT;
  button.name = "more";
  const Declared declared{{"a", {slash, button}}, {"b", {user}}};
  Interaction one;
  one.name = "level";
  EXPECT_EQ(destination_of(one, declared).plugin, "a");
  one.command_type = 2;
  EXPECT_EQ(destination_of(one, declared).plugin, "b");
  EXPECT_TRUE(destination_of(one, declared).ephemeral);
  one.name = "level up";
  EXPECT_EQ(destination_of(one, declared).plugin, "");
  one.kind = InteractionKind::Component;
  one.name = "a:more:x:y";
  EXPECT_EQ(destination_of(one, declared).plugin, "a");
  EXPECT_EQ(destination_of(one, declared).name, "more");
  EXPECT_EQ(destination_of(one, declared).data, "x:y");
  one.name = "gone:more:";
  EXPECT_EQ(destination_of(one, declared).plugin, "") << "no plugin, and nothing to count under";
  one.name = "of another program";
  EXPECT_EQ(destination_of(one, declared).plugin, "");
}

}  // namespace
}  // namespace trellis::host
