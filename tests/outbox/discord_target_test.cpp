#include "outbox/discord_target.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace trellis::host {
namespace {

namespace json = boost::json;

class DiscordTargetTest : public testing::Test {
 protected:
  static OutboxRow row(const std::string& verb, const std::string& path, const std::string& body = "") {
    OutboxRow row;
    row.id = "abcdefghijklmnopqrstuvwx";
    row.plugin = "welcome";
    row.system = "discord";
    row.verb = verb;
    row.target = path;
    row.body = body;
    return row;
  }
  OutboxRow accepted(OutboxRow row) {
    EXPECT_EQ(target_.accept(row), "");
    return row;
  }
  Outcome deliver(const OutboxRow& row) {
    Outcome outcome = Outcome::unknown("it did not call back");
    target_.deliver(row, [&](Outcome given) { outcome = std::move(given); });
    return outcome;
  }

  RestCall call_;
  RestResult result_{.status = 200};
  DiscordTarget target_{[this](RestCall call, std::function<void(RestResult)> done) {
                          call_ = std::move(call);
                          done(result_);
                        },
                        DiscordExpiry{}};
};

TEST_F(DiscordTargetTest, ANewMessageIsGivenANonceThatDiscordChecks) {
  const OutboxRow message = accepted(row("POST", "/channels/1/messages", R"({"content":"hi"})"));
  EXPECT_TRUE(message.repeatable);
  EXPECT_EQ(message.queue, "discord /channels/1");
  EXPECT_EQ(message.give_up_after_us, DiscordExpiry{}.messages_us);
  EXPECT_EQ(deliver(message).kind, Outcome::Kind::Done);
  EXPECT_EQ(json::parse(call_.body),
            json::parse(R"({"content":"hi","nonce":"abcdefghijklmnopqrstuvwx","enforce_nonce":true})"));
  EXPECT_EQ(call_.owner, "welcome");
  EXPECT_EQ(call_.verb, "POST");
  EXPECT_EQ(call_.path, "/channels/1/messages");
  EXPECT_TRUE(call_.repeatable);
}

TEST_F(DiscordTargetTest, ItsAuthorsNonceStays) {
  const std::string own = R"({"content":"hi","nonce":"1"})", enforced = R"({"nonce":"1","enforce_nonce":true})";
  OutboxRow message = accepted(row("POST", "/channels/1/messages", own));
  EXPECT_FALSE(message.repeatable) << "Discord does not check it";
  deliver(message);
  EXPECT_EQ(call_.body, own);
  EXPECT_TRUE(accepted(row("POST", "/channels/1/messages", enforced)).repeatable);
  message = row("POST", "/channels/1/messages", "{}");
  message.delivery_id = "mine";
  deliver(accepted(message));
  EXPECT_EQ(json::parse(call_.body).at("nonce").as_string(), "mine");
  message.delivery_id = std::string(26, 'x');
  EXPECT_NE(target_.accept(message), "");
}

TEST_F(DiscordTargetTest, OnlyWhatMayBeDoneTwiceIsRepeated) {
  EXPECT_FALSE(accepted(row("POST", "/channels/1/threads", "{}")).repeatable);
  EXPECT_FALSE(accepted(row("POST", "/channels/1/messages/2/crosspost")).repeatable);
  EXPECT_FALSE(accepted(row("POST", "/webhooks/1/token", R"({"content":"x"})")).repeatable);
  EXPECT_FALSE(accepted(row("PATCH", "/channels/1", "{}")).repeatable);
  EXPECT_TRUE(accepted(row("PUT", "/guilds/1/members/2/roles/3")).repeatable);
  EXPECT_TRUE(accepted(row("DELETE", "/channels/1/messages/2")).repeatable);
  OutboxRow patch = row("PATCH", "/channels/1", "{}");
  patch.repeatable = true;
  EXPECT_TRUE(accepted(patch).repeatable) << "its author says so";
}

TEST_F(DiscordTargetTest, AQueuePerChannelGuildAndWebhookUnlessTheAuthorMadeOne) {
  EXPECT_EQ(accepted(row("DELETE", "/channels/1/messages/2")).queue, "discord /channels/1");
  EXPECT_EQ(accepted(row("PATCH", "/channels/1?x=y", "{}")).queue, "discord /channels/1");
  EXPECT_EQ(accepted(row("PUT", "/guilds/9/bans/2")).queue, "discord /guilds/9");
  EXPECT_EQ(accepted(row("POST", "/webhooks/5/secret?wait=true", "{}")).queue, "discord /webhooks/5");
  EXPECT_EQ(accepted(row("POST", "/users/@me/channels", "{}")).queue, "discord /users/@me");
  OutboxRow keyed = row("POST", "/channels/1/messages", "{}");
  keyed.queue = "key mine";
  EXPECT_EQ(accepted(keyed).queue, "key mine");
}

TEST_F(DiscordTargetTest, MessagesExpireEarlier) {
  EXPECT_EQ(accepted(row("POST", "/webhooks/5/secret", "{}")).give_up_after_us, 15 * 60'000'000ll);
  EXPECT_EQ(accepted(row("PATCH", "/channels/1/messages/2", "{}")).give_up_after_us, 60 * 60'000'000ll);
  OutboxRow own = row("POST", "/channels/1/messages", "{}");
  own.give_up_after_us = 5;
  EXPECT_EQ(accepted(own).give_up_after_us, 5);
}

TEST_F(DiscordTargetTest, WhatDiscordCannotTakeIsRefusedInWords) {
  OutboxRow bad = row("GET", "/channels/1");
  EXPECT_NE(target_.accept(bad).find("changes nothing"), std::string::npos);
  for (const char* path : {"channels/1", "", "/channels/1 HTTP/1.1\r\nX: y"}) {
    bad = row("PUT", path);
    EXPECT_NE(target_.accept(bad).find("not a route"), std::string::npos) << path;
  }
  bad = row("POST", "/channels/1/messages", "{\"content\":");
  EXPECT_NE(target_.accept(bad).find("not JSON"), std::string::npos);
  bad = row("POST", "/channels/1/messages", "[]");
  EXPECT_NE(target_.accept(bad), "");
  bad = row("PUT", "/guilds/1/bans/2");
  bad.headers = {{"authorization", "x"}};
  EXPECT_NE(target_.accept(bad).find("no header authorization"), std::string::npos);
}

TEST_F(DiscordTargetTest, ReasonAndFilesGoAlong) {
  OutboxRow message = row("POST", "/channels/1/messages", "{}");
  message.files = {{"a.txt", "text/plain", "abc"}};
  message.headers = {{"x-audit-log-reason", "grüße"}};
  message.timeout_us = 7;
  deliver(accepted(message));
  EXPECT_EQ(call_.reason, "grüße");
  ASSERT_EQ(call_.files.size(), 1u);
  EXPECT_EQ(call_.files[0].bytes, "abc");
  EXPECT_EQ(call_.timeout_us, 7);
}

TEST_F(DiscordTargetTest, WhatAnswersMean) {
  using Kind = Outcome::Kind;
  const auto kind = [](int status, const std::string& verb = "POST") {
    return DiscordTarget::outcome_of(row(verb, "/channels/1"), {.status = status, .error = "x"}).kind;
  };
  for (const int status : {200, 201, 204}) EXPECT_EQ(kind(status), Kind::Done);
  for (const int status : {400, 401, 403, 404, 405, 413}) EXPECT_EQ(kind(status), Kind::Refused);
  for (const int status : {408, 429, 503}) EXPECT_EQ(kind(status), Kind::Retry);
  for (const int status : {500, 502, 504}) EXPECT_EQ(kind(status), Kind::Unknown);
  EXPECT_EQ(kind(404, "DELETE"), Kind::Done) << "it is gone";
  EXPECT_EQ(kind(403, "DELETE"), Kind::Refused);
  const auto patch = row("PATCH", "/channels/1");
  EXPECT_EQ(DiscordTarget::outcome_of(patch, {.may_be_done = false, .error = "refused"}).kind, Kind::Retry);
  EXPECT_EQ(DiscordTarget::outcome_of(patch, {.may_be_done = true, .error = "cut"}).kind, Kind::Unknown);
  EXPECT_EQ(DiscordTarget::outcome_of(patch, {.status = 429, .retry_after_us = 9}).after_us, 9);
  EXPECT_EQ(DiscordTarget::outcome_of(patch, {.status = 403, .error = "Missing Access (50001)"}).why,
            "Discord answers 403: Missing Access (50001)");
}

}  // namespace
}  // namespace trellis::host
