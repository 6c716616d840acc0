// The REST client when Discord, or the way to it, has trouble; ends that come early.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <random>
#include <set>

#include "discord/rest_client.hpp"
#include "rest_rig.hpp"
#include "rest_server.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::has;
using test::page;
using test::request;
using test::RestRig;
using test::RestServer;
using test::too_many;
using test::wait_until;
using Request = RestServer::Request;
using Reply = RestServer::Reply;

TEST(RestClientTrouble, TroubleOfDiscordIsTriedAgainWhereItIsSafe) {
  std::atomic<int> count = 0;
  RestServer server([&](const Request&) { return ++count < 3 ? page(count == 1 ? 502 : 503) : Reply{}; });
  RestRig rig(server.api());
  EXPECT_TRUE(rig.call(request("PUT", "/guilds/1/members/2/roles/3")).ok());
  EXPECT_EQ(count, 3);

  count = 0;
  const RestAnswer answer = rig.call(request("POST", "/channels/1/messages", "{}"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_EQ(answer.http, 502u);
  EXPECT_TRUE(answer.maybe_done);
  EXPECT_TRUE(has(answer.error, "Access denied")) << answer.error;
  EXPECT_EQ(count, 1);

  count = -100;
  EXPECT_EQ(rig.get("/users/@me").status, TL_UNAVAILABLE);
  EXPECT_EQ(count, -96) << "four tries";
}

TEST(RestClientTrouble, DeletionThatWasDoneBeforeTheAnswerWasLost) {
  RestServer server([](const Request& got) {
    return got.connection == 1 ? Reply{.no_answer = true} : Reply{404, R"({"message":"Unknown Message","code":10008})"};
  });
  RestRig rig(server.api());
  EXPECT_EQ(rig.call(request("DELETE", "/channels/1/messages/2")).status, TL_OK);
  EXPECT_EQ(rig.call(request("DELETE", "/channels/1/messages/2")).status, TL_NOT_FOUND);
}

TEST(RestClientTrouble, TruncatedAnswer) {
  std::atomic<int> count = 0;
  RestServer server([&](const Request&) {
    return ++count == 2 ? Reply{} : Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\""};
  });
  RestRig rig(server.api());
  EXPECT_TRUE(rig.get("/users/@me").ok());
  const RestAnswer answer = rig.call(request("POST", "/channels/1/messages", "{}"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_TRUE(answer.maybe_done);
  EXPECT_TRUE(has(answer.error, "cut off")) << answer.error;
  EXPECT_EQ(count, 3);
}

TEST(RestClientTrouble, AnswerThatIsTooLarge) {
  RestServer server(
      [](const Request&) { return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"}; });
  RestRig rig(server.api());
  EXPECT_EQ(rig.get("/users/@me").status, TL_TOO_LARGE);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(RestClientTrouble, NoHttpAtAll) {
  RestServer server([](const Request&) { return Reply{.bytes = "SSH-2.0-OpenSSH\r\n"}; });
  RestRig rig(server.api());
  const RestAnswer answer = rig.get("/users/@me");
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_TRUE(has(answer.error, "did not answer")) << answer.error;
}

TEST(RestClientTrouble, SlowAnswer) {
  Gate gate;
  RestServer server([&](const Request& got) {
    if (got.connection != 2) gate.wait();
    return Reply{};
  });
  RestOptions options;
  options.timeouts.answer = 200ms;
  RestRig rig(server.api(), options);
  RestRequest post = request("POST", "/channels/1/messages", "{}");
  const RestAnswer answer = rig.call(post);
  EXPECT_EQ(answer.status, TL_TIMEOUT);
  EXPECT_TRUE(answer.maybe_done);
  EXPECT_TRUE(rig.get("/users/@me").ok());
  EXPECT_EQ(server.connections(), 2);
  gate.open();
}

TEST(RestClientTrouble, TimeIsUpWhileDiscordThinks) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{};
  });
  RestRig rig(server.api());
  RestRequest get = request("GET", "/users/@me");
  get.timeout = 100ms;
  const RestAnswer answer = rig.call(get);
  EXPECT_EQ(answer.status, TL_TIMEOUT);
  EXPECT_FALSE(answer.maybe_done) << "a GET does nothing";
  gate.open();
}

TEST(RestClientTrouble, TimeIsUpInTheQueue) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{};
  });
  RestRig rig(server.api());
  auto first = rig.send(request("POST", "/channels/1/messages", "1"));
  wait_until([&] { return server.requests().size() == 1; });
  RestRequest second = request("POST", "/channels/1/messages", "2");
  second.timeout = 50ms;
  const RestAnswer answer = rig.call(second);
  EXPECT_EQ(answer.status, TL_TIMEOUT);
  EXPECT_FALSE(answer.maybe_done);
  EXPECT_TRUE(has(answer.error, "was not sent")) << answer.error;
  gate.open();
  EXPECT_TRUE(RestRig::answer_of(first).ok());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(RestClientTrouble, Cancelling) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{};
  });
  RestRig rig(server.api());
  auto sent = rig.send(request("POST", "/channels/1/messages", "sent"));
  const auto sent_id = rig.last_id;
  wait_until([&] { return server.requests().size() == 1; });
  auto waiting = rig.send(request("POST", "/channels/1/messages", "waiting"));
  const auto waiting_id = rig.last_id;
  auto behind = rig.send(request("POST", "/channels/1/messages", "behind"));
  rig->cancel(waiting_id);
  const RestAnswer never = RestRig::answer_of(waiting);
  EXPECT_EQ(never.status, TL_CANCELLED);
  EXPECT_FALSE(never.maybe_done);
  rig->cancel(sent_id);
  const RestAnswer maybe = RestRig::answer_of(sent);
  EXPECT_EQ(maybe.status, TL_CANCELLED);
  EXPECT_TRUE(maybe.maybe_done);
  EXPECT_FALSE(RestRig::has_ended(behind));
  gate.open();
  EXPECT_TRUE(RestRig::answer_of(behind).ok());
  rig->cancel(sent_id);
  rig->cancel(12345);
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].body, "behind");
}

TEST(RestClientTrouble, CancelledBeforeItWasSentMeansNeverSent) {
  RestServer server([](const Request&) { return Reply{}; });
  RestRig rig(server.api());
  std::set<std::string> cancelled;
  for (int i = 0; i < 100; ++i) {
    const auto post = request("POST", "/channels/" + std::to_string(i) + "/messages", "post " + std::to_string(i));
    std::future<RestAnswer> answer;
    if (i % 2) {  // at any moment of its life
      ASSERT_TRUE(rig.get("/users/@me").ok());
      answer = rig.send(post);
      rig->cancel(rig.last_id);
    } else {  // before it can have been sent, beside a connection that waits for it
      std::promise<void> ready;
      rig->send(request("GET", "/users/@me"), [&](RestAnswer) {
        answer = rig.send(post);
        rig->cancel(rig.last_id);
        ready.set_value();
      });
      ready.get_future().wait();
    }
    const RestAnswer got = RestRig::answer_of(answer);
    if (!got.ok() && !got.maybe_done) cancelled.insert(post.body);
  }
  EXPECT_GE(cancelled.size(), 50u);
  ASSERT_TRUE(rig.get("/users/@me").ok());
  for (const auto& got : server.requests()) EXPECT_FALSE(cancelled.contains(got.body)) << got.body;
}

TEST(RestClientTrouble, BlockingCallCanBeStopped) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{};
  });
  RestRig rig(server.api());
  std::stop_source stop;
  std::thread stopper([&] {
    wait_until([&] { return server.requests().size() == 1; });
    stop.request_stop();
  });
  EXPECT_EQ(rig->call(request("GET", "/users/@me"), stop.get_token()).status, TL_CANCELLED);
  EXPECT_EQ(rig->call(request("GET", "/users/@me"), stop.get_token()).status, TL_CANCELLED);
  stopper.join();
  gate.open();
}

TEST(RestClientTrouble, StoppingEndsEverything) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{};
  });
  RestRig rig(server.api());
  std::vector<std::future<RestAnswer>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(rig.send(request("POST", "/channels/1/messages", "{}")));
  answers.push_back(rig.send(request("GET", "/users/@me")));
  wait_until([&] { return server.requests().size() == 2; });
  rig->stop();
  for (auto& answer : answers) EXPECT_EQ(RestRig::answer_of(answer).status, TL_CANCELLED);
  EXPECT_EQ(rig.get("/users/@me").status, TL_CANCELLED);
  gate.open();
}

TEST(RestClientTrouble, RefusedTokenIsNotTriedOnAndOn) {
  RestServer server([](const Request& got) {
    return got.headers.count("authorization") ? Reply{401, R"({"message":"401: Unauthorized","code":0})"} : Reply{204};
  });
  RestRig rig(server.api());
  for (int i = 0; i < 3; ++i) {
    const RestAnswer answer = rig.get("/users/@me");
    EXPECT_EQ(answer.status, TL_DENIED);
    EXPECT_EQ(answer.http, 401u);
    EXPECT_TRUE(has(answer.error, "DISCORD_TOKEN")) << answer.error;
  }
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_TRUE(rig.call(request("POST", "/webhooks/1/token", "{}")).ok()) << "that one needs no bot token";
}

constexpr const char* kUnknownWebhook = R"({"message":"Unknown Webhook","code":10015})";

TEST(RestClientTrouble, WebhookThatIsGoneIsNotUsedAgain) {
  Gate gate;
  RestServer server([&](const Request& got) {
    if (has(got.target, "/webhooks/3/")) return Reply{404, R"({"message":"Unknown Message","code":10008})"};
    if (has(got.target, "/webhooks/2/")) return Reply{204};
    gate.wait();
    return Reply{404, kUnknownWebhook};
  });
  RestRig rig(server.api());
  rig->set_application("77");
  auto first = rig.send(request("POST", "/webhooks/1/token?wait=true", "{}"));
  auto behind = rig.send(request("POST", "/webhooks/1/token?wait=true", "{}"));
  wait_until([&] { return server.requests().size() == 1; });
  gate.open();
  EXPECT_TRUE(has(RestRig::answer_of(first).error, "Unknown Webhook"));
  const RestAnswer refused = RestRig::answer_of(behind);
  EXPECT_EQ(refused.status, TL_NOT_FOUND);
  EXPECT_EQ(refused.http, 404u);
  EXPECT_EQ(refused.code, 10015);
  EXPECT_FALSE(refused.maybe_done);
  EXPECT_FALSE(refused.may_retry());
  EXPECT_EQ(refused.error,
            "Discord said before that this webhook does not exist (404, code 10015), so POST /webhooks/1/{token} was "
            "not sent. A webhook that was deleted never comes back; make another one.");
  EXPECT_EQ(rig.call(request("PATCH", "/webhooks/1/token/messages/9", "{}")).code, 10015);
  EXPECT_EQ(server.requests().size(), 1u) << "asked again";
  EXPECT_TRUE(rig.call(request("POST", "/webhooks/2/token", "{}")).ok()) << "another webhook";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(rig.call(request("PATCH", "/webhooks/3/token/messages/9", "{}")).code, 10008) << "only the message is";
    EXPECT_EQ(rig.call(request("POST", "/webhooks/77/one", "{}")).code, 10015) << "an interaction that is over";
  }
  EXPECT_EQ(server.requests().size(), 6u);
  EXPECT_TRUE(has(rig.get("/webhooks/1").error, "Unknown Webhook")) << "of the token's nothing was known";
  EXPECT_TRUE(has(rig.call(request("POST", "/webhooks/1/other", "{}")).error, "said before"));
}

/// The answers tell to which channel a webhook writes, and Discord counts its channel.
TEST(RestClientTrouble, WebhooksOfAChannelCountTogether) {
  RestServer server([&](const Request& got) {
    const std::string channel = has(got.target, "thread_id") ? "99" : "5";
    const std::string webhook(1, got.target.at(got.target.find("/webhooks/") + 10));
    return Reply{200, R"({"id":"1000","webhook_id":")" + webhook + R"(","channel_id":")" + channel + R"("})"};
  });
  RestOptions options;
  options.limits.webhook_posts_per_minute = 3;
  RestRig rig(server.api(), options);
  EXPECT_TRUE(rig.call(request("POST", "/webhooks/1/token?wait=true", "{}")).ok());
  EXPECT_TRUE(rig.call(request("POST", "/webhooks/2/token?wait=true", "{}")).ok());
  EXPECT_TRUE(rig.call(request("POST", "/webhooks/1/token?wait=true&thread_id=99", "{}")).ok());
  auto fourth = request("POST", "/webhooks/2/token?wait=true", "{}");
  fourth.timeout = std::chrono::seconds(1);
  EXPECT_EQ(rig.call(fourth).status, TL_RATE_LIMITED);
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(RestClientTrouble, WhatWaitsWithARefusedTokenIsNotSent) {
  Gate gate;
  RestServer server([&](const Request&) {
    gate.wait();
    return Reply{401, R"({"message":"401: Unauthorized","code":0})"};
  });
  RestRig rig(server.api());
  std::vector<std::future<RestAnswer>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(rig.send(request("POST", "/channels/1/messages", "{}")));
  wait_until([&] { return server.requests().size() == 1; });
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(RestRig::answer_of(answer).status, TL_DENIED);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(RestClientTrouble, BrakeIsTold) {
  RestServer server([](const Request&) { return Reply{403, R"({"message":"Missing Access","code":50001})"}; });
  RestOptions options;
  options.limits.refusals_to_brake = 3;
  RestRig rig(server.api(), options);
  RestRequest get = request("GET", "/channels/1");
  get.timeout = 1min;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rig.call(get).status, TL_DENIED);
  const RestAnswer answer = rig.call(get);
  EXPECT_EQ(answer.status, TL_RATE_LIMITED);
  EXPECT_TRUE(has(answer.error, "banned")) << answer.error;
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(RestClientTrouble, RoughDayLosesNothingAndDoublesNothing) {
  std::mutex mutex;
  std::mt19937 random{7};
  std::map<std::string, int> done;  // by the body of the request
  RestServer server([&](const Request& got) {
    std::lock_guard lock(mutex);
    switch (random() % 10) {
      case 0:
        return too_many(0.01, "user");
      case 1:
        return too_many(0.01, "shared", 3);
      case 2:
        return Reply{.no_answer = true};  // before it was done
      case 3:
        ++done[got.body];
        return Reply{.no_answer = true};  // after
      case 4:
        return page(502);
      case 5:
        ++done[got.body];
        return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"};
      default:
        ++done[got.body];
        return Reply{.close = random() % 4 == 0};
    }
  });
  RestRig rig(server.api());
  constexpr int kThreads = 4, kEach = 30;
  std::vector<RestAnswer> answers(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const int n = t * kEach + i;
        const std::string channel = "/channels/" + std::to_string(i % 7);
        RestRequest post = request("POST", channel + "/messages", std::to_string(n), std::string(1, char('a' + t)));
        answers[n] = rig.call(std::move(post));
      }
    });
  for (auto& thread : threads) thread.join();
  int ok = 0, open = 0;
  for (int n = 0; n < kThreads * kEach; ++n) {
    const RestAnswer& answer = answers[n];
    const auto found = done.find(std::to_string(n));
    const int times = found == done.end() ? 0 : found->second;
    EXPECT_LE(times, 1) << "done twice: " << n;
    if (answer.ok()) EXPECT_EQ(times, 1) << n;
    if (!answer.ok() && !answer.maybe_done) EXPECT_EQ(times, 0) << n << ": " << answer.error;
    ok += answer.ok();
    open += answer.maybe_done;
  }
  EXPECT_GT(ok, 30);
  EXPECT_GT(open, 10);
}

}  // namespace
}  // namespace trellis::host
