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

  RestRequest call_;
  RestAnswer result_{.http = 200};
  DiscordTarget target_{[this](RestRequest call, std::function<void(RestAnswer)> done) {
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
  EXPECT_EQ(call_.method, "POST");
  EXPECT_EQ(call_.target, "/channels/1/messages");
  EXPECT_TRUE(call_.repeatable);
}

TEST_F(DiscordTargetTest, AMessageOfACallHasANonceToo) {
  const RestRequest call = DiscordTarget::call_of(row("POST", "/channels/1/messages", R"({"content":"hi"})"), "abc");
  EXPECT_TRUE(call.repeatable);
  EXPECT_EQ(json::parse(call.body), json::parse(R"({"content":"hi","nonce":"abc","enforce_nonce":true})"));
  const std::string own = R"({"content":"hi","nonce":"1"})";
  EXPECT_EQ(DiscordTarget::call_of(row("POST", "/channels/1/messages", own), "abc").body, own);
  EXPECT_FALSE(DiscordTarget::call_of(row("POST", "/channels/1/messages", own), "abc").repeatable);
  EXPECT_EQ(DiscordTarget::call_of(row("POST", "/channels/1/messages", "{"), "abc").body, "{") << "Discord says why";
  EXPECT_FALSE(DiscordTarget::call_of(row("POST", "/channels/1/threads", "{}"), "abc").repeatable);
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
  message.timeout_us = 6500;
  deliver(accepted(message));
  EXPECT_EQ(call_.reason, "grüße");
  ASSERT_EQ(call_.parts.size(), 1u);
  EXPECT_EQ(call_.parts[0].name, "files[0]");
  EXPECT_EQ(call_.parts[0].filename, "a.txt");
  EXPECT_EQ(call_.parts[0].content_type, "text/plain");
  EXPECT_EQ(call_.parts[0].data, "abc");
  EXPECT_EQ(call_.timeout.count(), 7);
}

TEST_F(DiscordTargetTest, WhatAnswersMean) {
  using Kind = Outcome::Kind;
  const auto kind = [](RestAnswer answer, const std::string& verb = "POST") {
    return DiscordTarget::outcome_of(row(verb, "/channels/1"), answer).kind;
  };
  EXPECT_EQ(kind({.status = TL_OK, .http = 204}), Kind::Done);
  EXPECT_EQ(kind({.status = TL_INVALID, .http = 400}), Kind::Refused);
  EXPECT_EQ(kind({.status = TL_DENIED, .http = 403}), Kind::Refused);
  EXPECT_EQ(kind({.status = TL_FAILED, .http = 418}), Kind::Refused);
  EXPECT_EQ(kind({.status = TL_INVALID}), Kind::Refused) << "the client did not even send it";
  EXPECT_EQ(kind({.status = TL_NOT_FOUND, .http = 404}), Kind::Refused);
  EXPECT_EQ(kind({.status = TL_NOT_FOUND, .http = 404}, "DELETE"), Kind::Done) << "it is gone";
  EXPECT_EQ(kind({.status = TL_DENIED, .http = 403}, "DELETE"), Kind::Refused);
  EXPECT_EQ(kind({.status = TL_DENIED, .http = 401}), Kind::Retry) << "the host's token is wrong";
  EXPECT_EQ(kind({.status = TL_DENIED, .http = 401, .code = 50027}), Kind::Refused) << "the webhook's is";
  EXPECT_EQ(kind({.status = TL_RATE_LIMITED, .http = 429}), Kind::Retry);
  EXPECT_EQ(kind({.status = TL_TIMEOUT, .http = 408}), Kind::Retry);
  EXPECT_EQ(kind({.status = TL_UNAVAILABLE}), Kind::Retry) << "nobody answered the phone";
  EXPECT_EQ(kind({.status = TL_UNAVAILABLE, .http = 502, .maybe_done = true}), Kind::Unknown);
  EXPECT_EQ(kind({.status = TL_TIMEOUT, .maybe_done = true}), Kind::Unknown);
  EXPECT_EQ(kind({.status = TL_CANCELLED}), Kind::Retry);
  EXPECT_EQ(kind({.status = TL_REFUSED}), Kind::Retry) << "a certificate";
  const auto limited = DiscordTarget::outcome_of(
      row("PATCH", "/channels/1"),
      {.status = TL_RATE_LIMITED, .http = 429, .error = "too many", .retry_after = std::chrono::milliseconds(9)});
  EXPECT_EQ(limited.after_us, 9000);
  EXPECT_EQ(limited.why, "too many");
}

}  // namespace
}  // namespace trellis::host
