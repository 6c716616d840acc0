// The routes without sockets: a sweep over all of them, so that a sanitizer sees every handler.
#include "rest.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

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
