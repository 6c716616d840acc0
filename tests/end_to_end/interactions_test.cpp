// What people ask of the bot, and what they see: the simulator is the judge.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>

#include "people.hpp"
#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class InteractionsTest : public DeskBench {
 protected:
  std::string id_of(const json::object& message) { return std::string(message.at("id").as_string()); }
  std::string press(const std::string& message, const std::string& custom_id) {
    return act({{"button", custom_id}, {"message", message}});
  }
  /// A card that is in the channel; its id.
  std::string card() {
    const json::object one = said(command("card"));
    EXPECT_EQ(content(one), "A card");
    return id_of(newest());
  }
};

TEST_F(InteractionsTest, OptionsOfEveryTypeReachTheHandler) {
  const json::value members = sim().get("/api/v10/guilds/" + server_ + "/members?limit=5");
  const json::value roles = sim().get("/api/v10/guilds/" + server_ + "/roles");
  const std::string user(members.at(1).at("user").at("id").as_string());
  const std::string role(roles.at(0).at("id").as_string());
  const std::string id = command("every", {{"text", "héllo"},
                                           {"whole", 7},
                                           {"real", 2.5},
                                           {"yes", true},
                                           {"user", user},
                                           {"channel", channel_},
                                           {"role", role},
                                           {"file", {{"filename", "a.txt"}, {"content", "12345"}}}});
  EXPECT_EQ(content(said(id)), fmt::format("héllo|7|2.500000|yes|{}|{}|{}|a.txt 5", user, channel_, role));
  EXPECT_EQ(callback_type(account(id)), 4);
  const std::string few = command("every", {{"text", "x"}, {"whole", 1}, {"real", 1}, {"yes", false}, {"user", user}});
  EXPECT_EQ(content(said(few)), fmt::format("x|1|1.000000|no|{}|-|-|-", user));
  EXPECT_EQ(visits("every"), 2);
  stop_host();
}

TEST_F(InteractionsTest, WhatWasDeclaredIsCheckedAgain) {
  const json::value members = sim().get("/api/v10/guilds/" + server_ + "/members?limit=5");
  const std::string id = command("every", {{"text", "x"},
                                           {"whole", 11},
                                           {"real", 1},
                                           {"yes", false},
                                           {"user", members.at(1).at("user").at("id").as_string()}});
  const json::object one = said(id);
  EXPECT_EQ(content(one), "whole must be at most 10");
  EXPECT_EQ(flags(one), 64);
  EXPECT_EQ(visits("every"), 0);
  stop_host();
}

TEST_F(InteractionsTest, SubcommandsAreFoundByTheirPath) {
  EXPECT_EQ(content(said(command("book", {{"seats", 4}}, {{"subcommand", "room"}}))), "A room for 4");
  EXPECT_EQ(content(said(command("book", {}, {{"subcommand", "table add"}}))), "A table");
  stop_host();
}

TEST_F(InteractionsTest, CommandsOfContextMenusHaveTheirTarget) {
  const json::value members = sim().get("/api/v10/guilds/" + server_ + "/members?limit=5");
  const json::value& user = members.at(1).at("user");
  EXPECT_EQ(content(said(act({{"user_command", "Greet"}, {"target", user.at("id")}}))),
            fmt::format("Hello {}, member", std::string(user.at("username").as_string())));
  const json::value message = sim().post("/api/v10/channels/" + channel_ + "/messages", {{"content", "to be or not"}});
  const std::string id(message.at("id").as_string());
  EXPECT_EQ(content(said(act({{"message_command", "Quote"}, {"target", id}}))), fmt::format("> to be or not ({})", id));
  stop_host();
}

TEST_F(InteractionsTest, SuggestionsAreAtMost25AndAlwaysCome) {
  const auto choices = [&](const std::string& typed) {
    const json::object one =
        answered(act({{"autocomplete", "find"}, {"options", {{"what", typed}}}, {"focused", "what"}}));
    EXPECT_EQ(callback_type(one), 8);
    return one.at("callback").at("data").at("choices").as_array();
  };
  const json::array found = choices("ab");
  ASSERT_EQ(found.size(), 25u);
  EXPECT_EQ(found.at(3), (json::value{{"name", "ab3"}, {"value", 3}}));
  EXPECT_TRUE(choices("fail").empty());
  EXPECT_TRUE(choices("slow").empty()) << "after two seconds an empty list is better than none";
  stop_host();
}

TEST_F(InteractionsTest, ButtonsAnswerChangeTheirMessageOrSayNothing) {
  const std::string message = card();
  EXPECT_EQ(content(said(press(message, "desk:more:a:b"))), "More of a:b");
  const json::object changed = answered(press(message, "desk:change:1"));
  EXPECT_EQ(callback_type(changed), 7);
  const json::value now = sim().get("/api/v10/channels/" + channel_ + "/messages/" + message);
  EXPECT_EQ(now.at("content"), "Changed by 1");
  EXPECT_EQ(callback_type(answered(press(message, "desk:quiet:"))), 6);
  EXPECT_EQ(visits("quiet"), 1);
  stop_host();
}

TEST_F(InteractionsTest, ASelectIsAnsweredWithWhatWasChosen) {
  const auto body = json::parse(R"({"content": "Choose", "components": [{"type": 1, "components": [
      {"type": 3, "custom_id": "desk:pick:lunch", "min_values": 1, "max_values": 2,
       "options": [{"label": "Soup", "value": "soup"}, {"label": "Rice", "value": "rice"}]}]}]})");
  const json::value message = sim().post("/api/v10/channels/" + channel_ + "/messages", body);
  const std::string id =
      act({{"select", "desk:pick:lunch"}, {"message", message.at("id")}, {"values", {"rice", "soup"}}});
  EXPECT_EQ(content(said(id)), "Picked rice soup for lunch");
  stop_host();
}

TEST_F(InteractionsTest, AFormGoesThereAndBack) {
  const std::string opener = command("order", {{"table", "12"}});
  EXPECT_EQ(callback_type(answered(opener)), 9);
  const std::string id = act({{"modal", opener}, {"fields", {{"dish", "noodles"}, {"count", "3"}}}});
  EXPECT_EQ(content(said(id)), "3 noodles to 12 (-)");
  EXPECT_EQ(visits("ordered"), 1);
  const std::string wrong = command("order", {{"table", "12"}});
  answered(wrong);
  const json::object refused = said(act({{"modal", wrong}, {"fields", {{"dish", "noodles"}, {"count", "many"}}}}));
  EXPECT_EQ(content(refused), "count must be a whole number, not \"many\"");
  EXPECT_EQ(flags(refused), 64);
  EXPECT_EQ(visits("ordered"), 1);
  stop_host();
}

TEST_F(InteractionsTest, AFormHasPeopleChannelsBoxesAndFiles) {
  const json::value members = sim().get("/api/v10/guilds/" + server_ + "/members?limit=5");
  const json::value roles = sim().get("/api/v10/guilds/" + server_ + "/roles");
  const std::string user(members.at(1).at("user").at("id").as_string());
  const std::string role(roles.at(0).at("id").as_string());
  const std::string opener = command("report");
  EXPECT_EQ(callback_type(answered(opener)), 9);
  std::string voice;
  const json::value channels = sim().get("/api/v10/guilds/" + server_ + "/channels");
  for (const json::value& one : channels.as_array())
    if (one.at("type") == 2) voice = std::string(one.at("id").as_string());
  EXPECT_THROW(act({{"modal", opener}, {"fields", {{"whom", json::array{user}}, {"where", json::array{voice}}}}}),
               std::exception)
      << "voice channels are not shown there";
  const std::string all = act({{"modal", opener},
                               {"fields",
                                {{"whom", json::array{role}},
                                 {"where", json::array{channel_}},
                                 {"sure", true},
                                 {"proof", json::array{{{"filename", "a.png"}, {"content", "12345"}}}},
                                 {"kind", json::array{"2"}}}}});
  EXPECT_EQ(content(said(all)), fmt::format("{}|{}|sure|a.png 5|2", role, channel_));
  const std::string again = command("report");
  answered(again);
  const std::string few =
      act({{"modal", again}, {"fields", {{"whom", json::array{user}}, {"kind", json::array{"1"}}}}});
  EXPECT_EQ(content(said(few)), fmt::format("{}|-|unsure|-|1", user));
  EXPECT_EQ(visits("reported"), 2);
  stop_host();
}

TEST_F(InteractionsTest, AFormFromAButtonHasItsData) {
  const std::string pressed = press(card(), "desk:ask:7");
  EXPECT_EQ(callback_type(answered(pressed)), 9);
  EXPECT_EQ(content(said(act({{"modal", pressed}, {"fields", {{"dish", "soup"}, {"count", "1"}, {"notes", "hot"}}}}))),
            "1 soup to 7 (hot)");
  stop_host();
}

TEST_F(InteractionsTest, EphemeralAnswersStayEphemeral) {
  const json::object quick = said(command("secret"));
  EXPECT_EQ(content(quick), "For your eyes only");
  EXPECT_EQ(flags(quick), 64);
  const std::string id = command("secret", {{"ms", 3500}});
  const json::object first = answered(id);
  EXPECT_EQ(callback_type(first), 5);
  EXPECT_EQ(flags(first), 64);
  EXPECT_EQ(content(said(id)), "For your eyes only");
  stop_host();
}

TEST_F(InteractionsTest, WhatTakesLongIsDeferredAndThenEdited) {
  const std::string id = command("slow", {{"ms", 3500}});
  EXPECT_EQ(callback_type(answered(id)), 5);
  const json::object one = said(id);
  EXPECT_EQ(content(one), "At last");
  EXPECT_EQ(one.at("edits").as_array().size(), 1u);
  EXPECT_EQ(visits("slow ends"), 1);
  EXPECT_NE(ctl({"metrics"}).out.find(R"(trellis_interactions_deferred_total{kind="command",plugin="desk"} 1)"),
            std::string::npos)
      << ctl({"metrics"}).out;
  stop_host();
}

TEST_F(InteractionsTest, ProgressIsEditedAndFollowUpsAreMessagesOfTheirOwn) {
  const std::string id = command("progress");
  json::object one;
  wait_until("the last edit", [&] { return content(one = account(id)) == "Done with it"; });
  EXPECT_EQ(one.at("callback").at("data").at("content"), "1 of 2");
  EXPECT_EQ(one.at("edits").as_array().size(), 2u);
  ASSERT_EQ(one.at("followups").as_array().size(), 1u);
  EXPECT_EQ(one.at("followups").at(0).at("data").at("content"), "By the way");
  stop_host();
}

TEST_F(InteractionsTest, FilesComeWithTheAnswer) {
  EXPECT_EQ(content(said(command("file"))), "See the file");
  const json::object message = newest();
  EXPECT_EQ(message.at("attachments").at(0).at("filename"), "hello.txt");
  EXPECT_EQ(message.at("attachments").at(0).at("size"), 11);
  stop_host();
}

TEST_F(InteractionsTest, AnExceptionIsToldByItsIdAndLoggedUnderIt) {
  const json::object one = said(command("broken"));
  const std::string text = content(one);
  const std::string begin = "Something went wrong. (Error ";
  ASSERT_TRUE(text.starts_with(begin)) << text;
  EXPECT_EQ(text.find("coffee"), std::string::npos) << "what failed is nothing for users";
  EXPECT_EQ(flags(one), 64);
  const std::string id = text.substr(begin.size(), 8);
  const std::string log = host().err();
  const std::size_t at = log.find(id);
  ASSERT_NE(at, std::string::npos) << log;
  const std::string line = log.substr(log.rfind('\n', at) + 1, log.find('\n', at) - log.rfind('\n', at));
  for (const std::string& part :
       {std::string("the coffee machine is on fire"), std::string("desk"), std::string("broken"), server_})
    EXPECT_NE(line.find(part), std::string::npos) << part << " is not in " << line;
  EXPECT_EQ(visits("broken"), 0) << "its effects are undone";
  stop_host();
}

TEST_F(InteractionsTest, ARefusalIsASentenceForTheUser) {
  const json::object one = said(command("refuse"));
  EXPECT_EQ(content(one), "We are closed.");
  EXPECT_EQ(flags(one), 64);
  EXPECT_EQ(host().err().find("We are closed."), std::string::npos) << "a refusal is no fault";
  stop_host();
}

TEST_F(InteractionsTest, ALateRefusalIsNotForAllToSee) {
  const std::string id = command("refuse", {{"ms", 3500}});
  const json::object first = answered(id);
  EXPECT_EQ(callback_type(first), 5);
  EXPECT_EQ(flags(first), 0);
  const json::object one = said(id);
  EXPECT_TRUE(one.at("edits").as_array().empty());
  EXPECT_EQ(one.at("deletes").as_array().size(), 1u) << "nobody is told to wait any more";
  ASSERT_EQ(one.at("followups").as_array().size(), 1u);
  EXPECT_EQ(one.at("followups").at(0).at("data").at("content"), "We are closed.");
  EXPECT_EQ(one.at("followups").at(0).at("data").at("flags"), 64);
  stop_host();
}

TEST_F(InteractionsTest, AUserWhoCannotBeToldIsInTheLog) {
  sim().fault("rest_error", {{"method", "POST"}, {"path", "/callback"}, {"count", 1}, {"status", 403}});
  const std::string id = command("refuse");
  may_fail_.push_back(id);
  wait_until("it is in the log", [&] { return host().err().find("the user could not be told") != std::string::npos; });
  stop_host();
}

TEST_F(InteractionsTest, SuggestionsThatNobodyWaitsForAreNotAskedFor) {
  const auto word = folder() / "go";
  const std::string stuck = command("stuck", {{"until", word.string()}});
  wait_until("the handler stands", [&] { return std::filesystem::exists(word.string() + ".begun"); });
  std::vector<std::string> others;  // with them the plugin has all the threads that it may
  for (int i = 0; i < 3; ++i) others.push_back(command("silent"));
  const json::object one =
      answered(act({{"autocomplete", "find"}, {"options", {{"what", "ab"}}}, {"focused", "what"}}));
  EXPECT_TRUE(one.at("callback").at("data").at("choices").as_array().empty());
  write_file(word, "go");
  EXPECT_EQ(content(said(stuck)), "Free again");
  for (const std::string& id : others) EXPECT_EQ(content(said(id)), "Done.");
  wait_until("the suggestions had their turn", [&] {
    return ctl({"metrics"})
               .out.find(R"(trellis_interactions_total{kind="autocomplete",outcome="late",plugin="desk"} 1)") !=
           std::string::npos;
  });
  EXPECT_EQ(call("desk", "suggested", "{}"), json::value(0));
  stop_host();
}

TEST_F(InteractionsTest, NothingToSayEndsInSomethingSensible) {
  const json::object one = said(command("silent"));
  EXPECT_EQ(content(one), "Done.");
  EXPECT_EQ(flags(one), 64);
  stop_host();
}

TEST_F(InteractionsTest, WhatDiscordRefusesIsToldToTheUserAndLogged) {
  const json::object one = said(command("wrong"));
  EXPECT_TRUE(content(one).starts_with("Something went wrong with the answer. (Error ")) << content(one);
  EXPECT_NE(host().err().find("the answer was not taken"), std::string::npos);
  stop_host();
}

TEST_F(InteractionsTest, AFormAfterTwoSecondsIsAnErrorThatUndoesItsStep) {
  const std::string id = command("late_form");
  EXPECT_EQ(callback_type(answered(id)), 5);
  EXPECT_TRUE(content(said(id)).starts_with("Something went wrong.")) << content(account(id));
  EXPECT_NE(host().err().find("a form must be the first answer"), std::string::npos);
  EXPECT_EQ(visits("late_form"), 0);
  stop_host();
}

TEST_F(InteractionsTest, RulesAreCheckedOnEveryUse) {
  EXPECT_EQ(content(said(command("here", {}, {{"dm", true}}))), "This works in a server only.");
  EXPECT_EQ(content(said(command("here"))), "Done.");
  const json::value guild = sim().get("/api/v10/guilds/" + server_);
  std::string nobody;
  const json::value members = sim().get("/api/v10/guilds/" + server_ + "/members?limit=20");
  for (const json::value& one : members.as_array())
    if (one.at("user").at("id") != guild.at("owner_id") && one.at("roles").as_array().empty() &&
        !one.at("user").as_object().contains("bot"))
      nobody = one.at("user").at("id").as_string();
  if (nobody.empty()) nobody = members.at(members.as_array().size() - 1).at("user").at("id").as_string();
  EXPECT_EQ(content(said(command("ban", {}, {{"user", guild.at("owner_id")}}))), "Done.");
  EXPECT_EQ(content(said(command("ban", {}, {{"user", nobody}}))), "For this you need: Ban Members.");
  const std::string owner(sim().get("/api/v10/applications/@me").at("owner").at("id").as_string());
  wait_until("the owners are known",
             [&] { return content(said(command("owners", {}, {{"user", owner}}))) == "Done."; });
  EXPECT_EQ(
      content(said(command("owners", {}, {{"user", nobody == owner ? guild.at("owner_id") : json::value(nobody)}}))),
      "This is for the owners of this bot.");
  EXPECT_EQ(content(said(command("rare"))), "Done.");
  EXPECT_EQ(content(said(command("rare"))), "Done.");
  EXPECT_EQ(content(said(command("rare"))), "Not so fast: this can be used again in 60 minutes.");
  stop_host();
}

TEST_F(InteractionsTest, WhatNobodyDeclaresIsAnsweredPolitely) {
  sim().post("/api/v10/applications/" + application_ + "/commands",
             {{"name", "nobodys"}, {"type", 1}, {"description", "Of an earlier version"}});
  const json::object one = said(command("nobodys"));
  EXPECT_EQ(content(one), "This is not available any more.");
  EXPECT_EQ(flags(one), 64);
  stop_host();
}

class MeteredInteractionsTest : public InteractionsTest {
 protected:
  void SetUp() override {
    rest_limits_ = "on";
    InteractionsTest::SetUp();
  }
};

/// Discord lets thirty follow-ups a minute into a channel, which it does not say, and bans who tries on and on.
TEST_F(MeteredInteractionsTest, FollowUpsOfAChannelAreMetered) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) ids.push_back(command("chatty", {{"times", 17}}));
  for (const std::string& id : ids) {
    wait_until(
        "all was said", [&] { return content(account(id)) == "That was all"; },
        [&] { return json::serialize(account(id)) + host().err(); }, std::chrono::minutes(4));
    const json::object seen = account(id);
    EXPECT_TRUE(seen.at("refused").as_array().empty()) << json::serialize(seen);
    const json::array& more = seen.at("followups").as_array();
    ASSERT_EQ(more.size(), 17u);
    for (std::size_t i = 0; i < more.size(); ++i)
      EXPECT_EQ(more[i].at("data").at("content"), json::value(std::to_string(i)));
  }
  const json::value all = sim().get("/_sim/requests");
  for (const json::value& one : all.as_array()) EXPECT_NE(one.at("status"), 429) << json::serialize(one);
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
