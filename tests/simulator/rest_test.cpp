// The routes without sockets: a sweep over all of them, so that a sanitizer sees every handler.
#include "rest.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auto_moderation.hpp"
#include "control_people.hpp"
#include "gateway.hpp"

using namespace trellis::sim;
namespace json = boost::json;

namespace {

class Rest : public testing::Test {
 protected:
  Rest() : gateway(options()) { gateway.tick(); }

  static const Options& options() {
    static const Options made = [] {
      Options chosen;
      chosen.quiet = true;
      chosen.rest_limits = "off";
      chosen.start = "now";
      chosen.span_days = 0;
      return chosen;
    }();
    return made;
  }

  /// The answer's JSON; fails the test if the status is another.
  json::value ask(unsigned status, std::string method, const std::string& path, std::string body = {},
                  std::string content_type = "application/json") {
    Request request{std::move(method), "/api/v10" + path, "Bot x", std::move(content_type), "test",
                    "why%20not",       std::move(body)};
    const Response response = handle(gateway, request);
    EXPECT_EQ(response.status, status) << request.method << ' ' << path << ": " << response.body;
    return response.body.empty() ? json::value() : json::parse(response.body);
  }

  static std::string id(const json::value& value) { return std::string(value.at("id").as_string()); }

  Gateway gateway;
};

TEST_F(Rest, MessagesReactionsAndPins) {
  const Guild& guild = gateway.world.guilds[0];
  const std::string channel = "/channels/" + std::to_string(gateway.world.channels[guild.channels[1]].id);
  const std::string message = id(ask(
      200, "POST", channel + "/messages",
      R"({"content":"<@1> @everyone","embeds":[{"title":"t","fields":[{"name":"a","value":"b"}]}],"nonce":"1","enforce_nonce":true,
          "components":[{"type":1,"components":[{"type":2,"style":1,"label":"x","custom_id":"go"}]}]})"));
  const std::string at = channel + "/messages/" + message;
  ask(200, "POST", channel + "/messages",
      R"({"content":"re","message_reference":{"message_id":")" + message + R"("}})");
  ask(200, "POST", channel + "/messages", R"({"message_reference":{"type":1,"message_id":")" + message + R"("}})");
  ask(200, "POST", channel + "/messages",
      "--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a\"\r\n\r\nx\r\n--b--",
      "multipart/form-data; boundary=b");
  ask(200, "POST", channel + "/messages", "content=form", "application/x-www-form-urlencoded");
  ask(200, "PATCH", at, R"({"content":"new","embeds":null})");
  ask(204, "PUT", at + "/reactions/%F0%9F%94%A5/@me");
  ask(200, "GET", at + "/reactions/%F0%9F%94%A5");
  EXPECT_EQ(ask(200, "GET", at).at("reactions").as_array().size(), 1U);
  ask(204, "DELETE", at + "/reactions/%F0%9F%94%A5/@me");
  ask(204, "PUT", channel + "/messages/pins/" + message);
  ask(200, "GET", channel + "/messages/pins");
  ask(204, "DELETE", channel + "/messages/pins/" + message);
  EXPECT_EQ(ask(200, "GET", channel + "/messages?limit=3").as_array().size(), 3U);
  ask(204, "POST", channel + "/typing");
  ask(204, "DELETE", at);
  ask(404, "GET", at);
  ask(400, "POST", channel + "/messages",
      R"({"embeds":[1,null,{"fields":[[]]}],"components":[{"type":1,"components":[{},7]}],"allowed_mentions":[]})");
  ask(400, "POST", channel + "/messages", R"([1])");
  EXPECT_EQ(gateway.truth.dispatches("MESSAGE_CREATE"), 0U) << "nobody listens";
}

TEST_F(Rest, ServersMembersAndRoles) {
  const Guild& guild = gateway.world.guilds[0];
  const std::string at = "/guilds/" + std::to_string(guild.id);
  const std::uint32_t person = guild.members[gateway.world.options.bots + 1].user;
  const std::string who = std::to_string(gateway.world.users[person].id);
  ask(200, "GET", at + "?with_counts=true");
  ask(200, "GET", at + "/channels");
  ask(200, "GET", at + "/threads/active");
  ask(200, "GET", at + "/members?limit=5");
  ask(200, "GET", at + "/members/search?query=u&limit=5");
  ask(200, "GET", at + "/members/@me");
  const std::string role =
      id(ask(200, "POST", at + "/roles", R"({"name":"r","color":1,"colors":{"primary_color":2}})"));
  ask(200, "PATCH", at + "/roles/" + role, R"({"name":"s"})");
  ask(200, "PATCH", at + "/roles", R"([{"id":")" + role + R"(","position":2}])");
  ask(204, "PUT", at + "/members/" + who + "/roles/" + role);
  EXPECT_EQ(ask(200, "GET", at + "/roles/member-counts").at(role).to_number<int>(), 1);
  ask(204, "DELETE", at + "/roles/" + role);
  ask(200, "PATCH", at + "/members/@me", R"({"nick":"x"})");
  const auto count = guild.members.size();
  ask(204, "PUT", at + "/bans/" + who, R"({})");
  EXPECT_EQ(guild.members.size(), count - 1);
  ask(200, "GET", at + "/bans");
  ask(204, "DELETE", at + "/bans/" + who);
  EXPECT_EQ(ask(200, "GET", at + "/audit-logs").at("audit_log_entries").at(0).at("reason").as_string(), "why not");
}

TEST_F(Rest, ChannelsThreadsAndWebhooks) {
  const Guild& guild = gateway.world.guilds[0];
  const std::string server = "/guilds/" + std::to_string(guild.id);
  const std::string channel = id(ask(201, "POST", server + "/channels", R"({"name":"A B","topic":null})"));
  const std::string at = "/channels/" + channel;
  ask(200, "PATCH", at, R"({"name":"c","topic":"t","permission_overwrites":[{"id":"1","type":1}]})");
  ask(204, "PUT", at + "/permissions/" + std::to_string(guild.id), R"({"type":0,"deny":"2048"})");
  ask(204, "DELETE", at + "/permissions/" + std::to_string(guild.id));
  const std::string thread = id(ask(201, "POST", at + "/threads", R"({"name":"t","type":11})"));
  ask(200, "POST", "/channels/" + thread + "/messages", R"({"content":"x"})");
  ask(200, "PATCH", "/channels/" + thread, R"({"archived":true})");
  ask(200, "GET", at + "/threads/archived/public");
  ask(200, "POST", "/channels/" + thread + "/messages", R"({"content":"wakes it"})");
  const json::value hook = ask(200, "POST", at + "/webhooks", R"({"name":"hook"})");
  const std::string path = "/webhooks/" + id(hook) + "/" + std::string(hook.at("token").as_string());
  const std::string posted = id(ask(200, "POST", path + "?wait=true", R"({"content":"x"})"));
  ask(200, "PATCH", path + "/messages/" + posted, R"({"content":"y"})");
  ask(204, "DELETE", path + "/messages/" + posted);
  ask(200, "DELETE", at);
  ask(404, "GET", "/channels/" + thread);
  ask(404, "POST", path, R"({"content":"x"})");
}

TEST_F(Rest, CommandsAndInteractions) {
  const std::string app = std::to_string(gateway.world.self.id);
  ask(200, "PUT", "/applications/" + app + "/commands",
      R"([{"name":"a","description":"x","options":[{"type":3,"name":"t","description":"x","required":true},
          {"type":6,"name":"u","description":"x"},{"type":11,"name":"f","description":"x"}]},{"name":"U","type":2}])");
  ask(400, "PUT", "/applications/" + app + "/commands",
      R"([{"name":"A","options":[{},1,{"type":1,"options":[{"type":2}]}]},null])");
  const auto answer = gateway.interact(R"({"command":"a","options":{"t":"x","f":{"filename":"n","content":"c"}}})");
  ASSERT_TRUE(answer.ok) << answer.text;
  const json::value sent = json::parse(answer.text);
  const std::string token(sent.at("token").as_string());
  const std::string callback = "/interactions/" + id(sent) + "/" + token + "/callback";
  ask(400, "POST", callback, R"({"type":9,"data":{"title":1,"components":[{}]}})");
  const json::value made = ask(
      200, "POST", callback + "?with_response=true",
      R"({"type":4,"data":{"content":"x","components":[{"type":1,"components":[{"type":2,"style":1,"label":"x","custom_id":"go"}]}]}})");
  ask(400, "POST", callback, R"({"type":5})");
  const std::string hook = "/webhooks/" + app + "/" + token;
  ask(200, "PATCH", hook + "/messages/@original", R"({"content":"y"})");
  const std::string more = id(ask(200, "POST", hook, R"({"content":"more"})"));
  ask(204, "DELETE", hook + "/messages/" + more);
  const std::string message = id(made.at("resource").at("message"));
  const auto press = gateway.interact(R"({"button":"go","message":")" + message + R"("})");
  ASSERT_TRUE(press.ok) << press.text;
  const json::value pressed = json::parse(press.text);
  ask(204, "POST", "/interactions/" + id(pressed) + "/" + std::string(pressed.at("token").as_string()) + "/callback",
      R"({"type":9,"data":{"custom_id":"m","title":"t","components":[{"type":18,"label":"l","component":{"type":4,"style":1,"custom_id":"i"}}]}})");
  const auto submit = gateway.interact(R"({"modal":")" + id(pressed) + R"(","fields":{"i":"v"}})");
  ASSERT_TRUE(submit.ok) << submit.text;
  const json::value submitted = json::parse(submit.text);
  const std::string form_token(submitted.at("token").as_string());
  ask(204, "POST", "/interactions/" + id(submitted) + "/" + form_token + "/callback", R"({"type":6})");
  const std::string of_form = "/webhooks/" + app + "/" + form_token;
  EXPECT_EQ(id(ask(200, "PATCH", of_form + "/messages/@original", R"({"content":"z"})")), message);
  // "thinking ..." that was taken away is not what the next message fills.
  const auto again = gateway.interact(R"({"command":"a","options":{"t":"x"}})");
  ASSERT_TRUE(again.ok) << again.text;
  const json::value third = json::parse(again.text);
  const std::string third_token(third.at("token").as_string());
  ask(204, "POST", "/interactions/" + id(third) + "/" + third_token + "/callback", R"({"type":5})");
  ask(204, "DELETE", "/webhooks/" + app + "/" + third_token + "/messages/@original");
  const json::value alone = ask(200, "POST", "/webhooks/" + app + "/" + third_token, R"({"content":"x","flags":64})");
  EXPECT_EQ(alone.at("flags").to_number<int>() & 64, 64);
  for (const char* senseless : {"", "[]", "{}", R"({"command":"b"})", R"({"button":"go","message":"1"})",
                                R"({"modal":"1"})", R"({"command":"a","guild":"1"})",
                                R"({"user_command":"U","target":"1"})", R"({"command":"a","options":{"t":1}})"}) {
    EXPECT_FALSE(gateway.interact(senseless).ok) << senseless;
  }
  EXPECT_EQ(json::parse(gateway.truth_json()).at("interactions").as_array().size(), 4U);
}

TEST_F(Rest, EventsAndTheirGuests) {
  const std::string at = "/guilds/" + std::to_string(gateway.world.guilds[0].id) + "/scheduled-events";
  const std::string event = id(ask(
      200, "POST", at,
      R"({"name":"e","privacy_level":2,"scheduled_start_time":"2999-01-01T00:00:00Z","scheduled_end_time":"2999-01-02T00:00:00Z",
          "entity_type":3,"entity_metadata":{"location":"x"},"recurrence_rule":{"start":"2999-01-01T00:00:00Z","frequency":1}})"));
  ask(400, "POST", at,
      R"({"name":7,"entity_type":1,"recurrence_rule":{"frequency":[]},"entity_metadata":[],"image":"x"})");
  EXPECT_EQ(join_event(gateway, R"({"event":")" + event + R"("})").status, 200U);
  for (const char* senseless : {"", "[]", "{}", R"({"event":"1"})"})
    EXPECT_EQ(join_event(gateway, senseless).status, 400U);
  EXPECT_EQ(ask(200, "GET", at + "/" + event + "/users?with_member=true").as_array().size(), 1U);
  EXPECT_EQ(ask(200, "GET", at + "?with_user_count=true").at(0).at("user_count").to_number<int>(), 1);
  EXPECT_EQ(ask(200, "PATCH", at + "/" + event, R"({"status":2})").at("status").to_number<int>(), 2);
  ask(204, "DELETE", at + "/" + event);
  ask(404, "GET", at + "/" + event);
}

TEST_F(Rest, AutoModerationRules) {
  const std::string at = "/guilds/" + std::to_string(gateway.world.guilds[0].id) + "/auto-moderation/rules";
  const json::value rule = ask(
      200, "POST", at,
      R"({"name":"r","event_type":1,"trigger_type":1,"enabled":true,"actions":[{"type":1}],"trigger_metadata":{"keyword_filter":
          ["*a*","\u00e9t\u00e9"],"regex_patterns":["^b+$"],"allow_list":["cab"]}})");
  const auto strikes = [&](std::string_view text) { return find_match(rule.as_object(), text).has_value(); };
  EXPECT_TRUE(strikes("xax"));
  EXPECT_TRUE(strikes("bbb"));
  EXPECT_FALSE(strikes("bbc"));
  EXPECT_FALSE(strikes("cab"));
  EXPECT_TRUE(strikes("un \xc3\xa9t\xc3\xa9."));
  EXPECT_FALSE(strikes("\xc3\xa9t\xc3\xa9s")) << "not a whole word";
  EXPECT_FALSE(strikes(""));
  ask(400, "POST", at,
      R"({"name":7,"event_type":[],"trigger_type":1,"actions":[1,{"type":3}],"trigger_metadata":{"keyword_filter":[1]}})");
  ask(200, "PATCH", at + "/" + id(rule), R"({"enabled":false})");
  EXPECT_EQ(ask(200, "GET", at).as_array().size(), 1U);
  ask(204, "DELETE", at + "/" + id(rule));
}

TEST_F(Rest, SoundsStickersAndPolls) {
  const Guild& guild = gateway.world.guilds[0];
  const std::string server = "/guilds/" + std::to_string(guild.id);
  const std::string sound(
      ask(201, "POST", server + "/soundboard-sounds", R"({"name":"ab","sound":"data:audio/ogg;base64,AA"})")
          .at("sound_id")
          .as_string());
  ask(200, "PATCH", server + "/soundboard-sounds/" + sound, R"({"volume":0.5,"emoji_id":null,"emoji_name":null})");
  ask(204, "DELETE", server + "/soundboard-sounds/" + sound);
  ask(200, "GET", "/soundboard-default-sounds");
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nab\r\n--b\r\nContent-Disposition: form-data; "
      "name=\"tags\"\r\n\r\nt\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.gif\"\r\n"
      "Content-Type: image/gif\r\n\r\nGIF89a\r\n--b--";
  const std::string sticker = id(ask(201, "POST", server + "/stickers", form, "multipart/form-data; boundary=b"));
  ask(200, "PATCH", server + "/stickers/" + sticker, R"({"name":"bc","description":null})");
  ask(200, "GET", "/stickers/" + sticker);
  ask(204, "DELETE", server + "/stickers/" + sticker);
  ask(400, "POST", server + "/stickers", R"({"name":[]})");
  const std::string channel = "/channels/" + std::to_string(gateway.world.channels[guild.channels[1]].id);
  const std::string poll = id(
      ask(200, "POST", channel + "/messages",
          R"({"poll":{"question":{"text":"q"},"answers":[{"poll_media":{"text":"a"}},{"poll_media":{"text":"b"}}]}})"));
  const auto vote = [&](const std::string& more) {
    return vote_in_poll(gateway, {"POST", "", "", "", "", "", R"({"message":")" + poll + "\"" + more + "}"}).status;
  };
  EXPECT_EQ(vote(R"(,"answer":2)"), 200U);
  EXPECT_EQ(vote(R"(,"answer":2)"), 400U);
  EXPECT_EQ(vote(R"(,"answer":7)"), 400U);
  EXPECT_EQ(vote(R"(,"answer":2,"remove":true)"), 200U);
  EXPECT_EQ(ask(200, "GET", channel + "/polls/" + poll + "/answers/2").at("users").as_array().size(), 0U);
  ask(200, "POST", channel + "/polls/" + poll + "/expire");
  EXPECT_EQ(vote(R"(,"answer":1)"), 400U);
}

TEST_F(Rest, SigningInAndCommandPermissions) {
  const std::string app = std::to_string(gateway.world.self.id);
  const auto as = [&](std::string method, std::string target, std::string authorization, std::string body) {
    const bool json = body.starts_with("{");
    return handle(gateway,
                  {std::move(method), std::move(target), std::move(authorization),
                   json ? "application/json" : "application/x-www-form-urlencoded", "test", "", std::move(body)});
  };
  EXPECT_EQ(as("GET", "/oauth2/authorize?client_id=" + app + "&redirect_uri=x&scope=identify", "", "").status, 400U);
  EXPECT_EQ(as("GET", "/oauth2/authorize?scope=bot&client_id=" + app, "", "").status, 302U);
  const std::string own = "&client_id=" + app + "&client_secret=x";
  const Response token =
      as("POST", "/api/oauth2/token", "",
         "grant_type=client_credentials&scope=identify+applications.commands.permissions.update" + own);
  ASSERT_EQ(token.status, 200U) << token.body;
  const std::string bearer = "Bearer " + std::string(json::parse(token.body).at("access_token").as_string());
  EXPECT_EQ(as("GET", "/api/v10/users/@me", bearer, "").status, 200U);
  EXPECT_EQ(as("GET", "/api/v10/users/@me/guilds", bearer, "").status, 401U);
  EXPECT_EQ(as("GET", "/api/v10/oauth2/@me", bearer, "").status, 200U);
  const Guild& guild = gateway.world.guilds[0];
  gateway.world.guilds[0].owner = 0;  // who owns the application
  if (gateway.world.find_member(guild, 0) == nullptr)
    gateway.world.guilds[0].members.push_back({0, guild.members[0].json});
  const std::string permissions =
      "/api/v10/applications/" + app + "/guilds/" + std::to_string(guild.id) + "/commands/" + app + "/permissions";
  EXPECT_EQ(as("PUT", permissions, bearer, R"({"permissions":[{"id":"1","type":2,"permission":true}]})").status, 200U);
  EXPECT_EQ(as("PUT", permissions, bearer, R"({"permissions":[1,{"id":[]}]})").status, 400U);
  EXPECT_EQ(as("GET", permissions, bearer, "").status, 200U);
  for (const char* nonsense :
       {"", "grant_type=refresh_token", "a=1&a=2", "=&&=", "grant_type=authorization_code&code=x"}) {
    EXPECT_GE(as("POST", "/api/oauth2/token", "Basic !!!", nonsense).status, 400U) << nonsense;
  }
  EXPECT_EQ(as("POST", "/api/oauth2/token/revoke", "", "token=x" + own).status, 200U);
}

TEST_F(Rest, AnEndpointThatCannotBeReachedIsNotTaken) {
  Request request{"PATCH",
                  "/api/v10/applications/@me",
                  "Bot x",
                  "application/json",
                  "test",
                  "",
                  R"({"interactions_endpoint_url":"http://127.0.0.1:1/"})"};
  const Response response = handle(gateway, request);
  ASSERT_TRUE(response.later);
  unsigned status = 0;
  response.later([&](const Response& late) { status = late.status; });
  EXPECT_EQ(status, 400U);
  EXPECT_FALSE(gateway.endpoint.in_use());
  request.body = R"({"interactions_endpoint_url":"","description":"d","tags":[1]})";
  EXPECT_EQ(handle(gateway, request).status, 400U);
  request.body = R"({"interactions_endpoint_url":null,"description":"d"})";
  EXPECT_EQ(handle(gateway, request).status, 200U);
}

TEST_F(Rest, WhatMakesNoSenseIsRefused) {
  ask(404, "GET", "/channels/1");
  ask(400, "GET", "/channels/x");
  ask(404, "GET", "/nothing");
  ask(405, "PUT", "/users/@me");
  Request request{"GET", "/api/v7/users/@me", "Bot x", "", "test", "", ""};
  EXPECT_EQ(handle(gateway, request).status, 400U);
  request.target = "/api/v10/users/@me";
  request.authorization = "Bearer x";
  EXPECT_EQ(handle(gateway, request).status, 401U);
  request.target = "/elsewhere";
  EXPECT_EQ(handle(gateway, request).status, 404U);
}

}  // namespace
