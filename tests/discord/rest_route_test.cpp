#include "discord/rest_route.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

constexpr std::int64_t kNow = 1'790'000'000'000;  // September 2026

RestRoute route(std::string_view method, std::string_view target, std::string_view body = "",
                std::string_view application = "") {
  return rest_route(method, target, body, application, kNow);
}

std::string message_of_age(std::int64_t ms) {
  return std::to_string(static_cast<std::uint64_t>(kNow - ms - 1'420'070'400'000) << 22);
}

TEST(RestRoute, LeavesIdsOut) {
  EXPECT_EQ(route("GET", "/channels/1/messages?limit=5").key, "GET /channels/{id}/messages");
  EXPECT_EQ(route("PUT", "/guilds/1/members/2/roles/3").key, "PUT /guilds/{id}/members/{id}/roles/{id}");
  EXPECT_EQ(route("GET", "/users/@me").key, "GET /users/@me");
  EXPECT_EQ(route("GET", "/invites/abcdef").key, "GET /invites/{code}");
  EXPECT_EQ(route("GET", "/guilds/templates/hgM48av5Q69A").key, "GET /guilds/templates/{code}");
  EXPECT_EQ(route("GET", "/guilds/1/SomeThing%20Else").key, "GET /guilds/{id}/{text}");
  EXPECT_EQ(route("GET", "").key, "GET ");
}

TEST(RestRoute, KnowsTheResource) {
  EXPECT_EQ(route("GET", "/channels/12/messages/34").major, "12");
  EXPECT_EQ(route("GET", "/guilds/12/members/34").major, "12");
  EXPECT_EQ(route("GET", "/webhooks/12").major, "12");
  EXPECT_EQ(route("POST", "/webhooks/12/secret?wait=true").major, "12/secret");
  EXPECT_EQ(route("PUT", "/applications/12/guilds/34/commands").major, "");
  EXPECT_EQ(route("GET", "/gateway/bot").major, "");
}

TEST(RestRoute, ReactionsAreOneRoute) {
  EXPECT_EQ(route("PUT", "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me").key,
            "PUT /channels/{id}/messages/{id}/reactions/*");
  EXPECT_EQ(route("PUT", "/channels/1/messages/2/reactions/a:3/@me").key,
            "PUT /channels/{id}/messages/{id}/reactions/*");
}

TEST(RestRoute, TokensAreNeverShown) {
  for (const char* target : {"/webhooks/1/aSecret", "/webhooks/1/aSecret/messages/@original",
                             "/interactions/1/aSecret/callback?with_response=true", "/webhooks/1/aSecret/github"}) {
    const RestRoute found = route("POST", target);
    EXPECT_EQ(found.key.find("aSecret"), std::string::npos) << found.key;
    EXPECT_EQ(found.shown.find("aSecret"), std::string::npos) << found.shown;
    EXPECT_FALSE(found.authorized);
  }
  EXPECT_EQ(route("GET", "/webhooks/1/aSecret/messages/@original").key, "GET /webhooks/{id}/{token}/messages/{id}");
  EXPECT_EQ(route("GET", "/channels/12/messages?limit=5").shown, "GET /channels/12/messages");
  EXPECT_TRUE(route("GET", "/webhooks/1").authorized);
  EXPECT_TRUE(route("GET", "/channels/1/webhooks").authorized);
}

TEST(RestRoute, InteractionsAreTheApplicationsOwn) {
  EXPECT_TRUE(route("POST", "/interactions/1/t/callback").interaction);
  EXPECT_TRUE(route("POST", "/webhooks/77/t", "", "77").interaction);
  EXPECT_FALSE(route("POST", "/webhooks/78/t", "", "77").interaction);
  EXPECT_FALSE(route("POST", "/webhooks/78/t", "", "").interaction);
  EXPECT_FALSE(route("POST", "/channels/77/messages", "", "77").interaction);
}

TEST(RestRoute, OldMessagesAreDeletedApart) {
  constexpr std::int64_t kDay = 24ll * 3600 * 1000;
  const std::string plain = "DELETE /channels/{id}/messages/{id}";
  EXPECT_EQ(route("DELETE", "/channels/1/messages/" + message_of_age(13 * kDay)).key, plain);
  EXPECT_EQ(route("DELETE", "/channels/1/messages/" + message_of_age(15 * kDay)).key,
            plain + " (older than two weeks)");
  EXPECT_EQ(route("DELETE", "/channels/1/messages/99999999999999999999999").key, plain);
  EXPECT_EQ(route("PATCH", "/channels/1/messages/" + message_of_age(15 * kDay)).key,
            "PATCH /channels/{id}/messages/{id}");
}

TEST(RestRoute, NewMessagesOfWebhooksAndInteractionsAreMetered) {
  const auto meter = [](std::string_view method, std::string_view target, std::string_view channel = "") {
    return rest_route(method, target, "", "7", 0, channel).meter;
  };
  EXPECT_EQ(meter("POST", "/webhooks/5/token?wait=true"), "webhook 5");
  EXPECT_EQ(meter("POST", "/webhooks/5/token/slack"), "webhook 5");
  EXPECT_EQ(meter("PATCH", "/webhooks/5/token/messages/9"), "");
  EXPECT_EQ(meter("POST", "/webhooks/7/token", "33"), "channel 33");
  EXPECT_EQ(meter("POST", "/webhooks/7/token"), "") << "it is not known where";
  EXPECT_EQ(meter("POST", "/interactions/1/token/callback", "33"), "");
  EXPECT_EQ(meter("POST", "/channels/33/messages"), "");
}

TEST(RestRoute, AnswersThatTellOfWebhooks) {
  for (const char* target : {"/webhooks/5", "/webhooks/5/token", "/channels/1/webhooks", "/guilds/1/webhooks"})
    EXPECT_TRUE(route("GET", target).tells_webhooks) << target;
  EXPECT_TRUE(route("POST", "/webhooks/5/token?wait=true", R"({"content":"x"})").tells_webhooks);
  EXPECT_FALSE(route("POST", "/webhooks/5/token?wait=true&thread_id=7").tells_webhooks) << "it names the thread";
  EXPECT_FALSE(route("POST", "/webhooks/5/token?wait=true", R"({"thread_name":"x"})").tells_webhooks);
  EXPECT_FALSE(route("POST", "/webhooks/7/token", "", "7").tells_webhooks) << "an interaction's";
  EXPECT_FALSE(route("GET", "/webhooks/5/token/messages/9").tells_webhooks) << "it may lie in a thread";
  EXPECT_FALSE(route("DELETE", "/webhooks/5").tells_webhooks);
  EXPECT_FALSE(route("GET", "/channels/1/messages").tells_webhooks);
  EXPECT_EQ(route("POST", "/webhooks/5/token").webhook, "5");
  EXPECT_EQ(route("POST", "/channels/1/webhooks").webhook, "");
}

TEST(RestRoute, RenamesAreApart) {
  EXPECT_EQ(route("PATCH", "/channels/1", R"({"name":"x"})").key, "PATCH /channels/{id} (name or topic)");
  EXPECT_EQ(route("PATCH", "/channels/1", R"({"topic":null})").key, "PATCH /channels/{id} (name or topic)");
  EXPECT_EQ(route("PATCH", "/channels/1", R"({"position":4})").key, "PATCH /channels/{id}");
  EXPECT_EQ(route("PATCH", "/channels/1", "not JSON").key, "PATCH /channels/{id}");
  EXPECT_EQ(route("PATCH", "/guilds/1", R"({"name":"x"})").key, "PATCH /guilds/{id}");
}

}  // namespace
}  // namespace trellis::host
