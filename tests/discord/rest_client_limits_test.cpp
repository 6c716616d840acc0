// The REST client under Discord's limits.
#include <gtest/gtest.h>

#include "discord/rest_client.hpp"
#include "rest_rig.hpp"
#include "rest_server.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::has;
using test::limited;
using test::page;
using test::request;
using test::RestRig;
using test::RestServer;
using test::too_many;
using test::wait_until;
using Request = RestServer::Request;
using Reply = RestServer::Reply;

TEST(RestClientLimits, RefusedRequestIsSentAgainWhenItMayBe) {
  std::vector<std::chrono::steady_clock::time_point> times;
  RestServer server([&](const Request&) {
    times.push_back(std::chrono::steady_clock::now());
    return times.size() == 1 ? too_many(0.3, "user") : limited(200, "{}", 5, 4, 5);
  });
  RestRig rig(server.api());
  const RestAnswer answer = rig.call(request("POST", "/channels/1/messages", "{}"));
  EXPECT_TRUE(answer.ok());
  ASSERT_EQ(times.size(), 2u);
  EXPECT_GE(times[1] - times[0], 300ms);
}

TEST(RestClientLimits, WritesKeepTheirOrderThroughRefusals) {
  std::atomic<int> count = 0;
  RestServer server([&](const Request&) { return ++count % 2 ? too_many(0.01, "user") : limited(200, "{}", 5, 4, 5); });
  RestRig rig(server.api());
  std::vector<std::future<RestAnswer>> answers;
  for (const char* body : {"1", "2", "3"}) answers.push_back(rig.send(request("POST", "/channels/1/messages", body)));
  for (auto& answer : answers) EXPECT_TRUE(RestRig::answer_of(answer).ok());
  std::string bodies;
  for (const auto& got : server.requests()) bodies += got.body;
  EXPECT_EQ(bodies, "112233");
}

TEST(RestClientLimits, SharedLimitParksOnlyItsResource) {
  RestServer server([](const Request& got) {
    return has(got.target, "/channels/1/") ? too_many(3600, "shared", 9) : limited(200, "{}", 10, 9, 1);
  });
  RestRig rig(server.api());
  auto parked = rig.send(request("GET", "/channels/1/messages"));
  const auto id = rig.last_id;
  wait_until([&] { return server.requests().size() == 1; });
  EXPECT_TRUE(rig.get("/channels/2/messages").ok());
  EXPECT_TRUE(rig.get("/users/@me").ok());
  EXPECT_FALSE(RestRig::has_ended(parked));
  rig->cancel(id);
  EXPECT_EQ(RestRig::answer_of(parked).status, TL_CANCELLED);
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(RestClientLimits, GlobalLimitSparesInteractions) {
  RestServer server([](const Request& got) { return got.number == 1 ? too_many(3600, "global") : Reply{204}; });
  RestRig rig(server.api());
  rig->set_application("77");
  auto refused = rig.send(request("GET", "/channels/1/messages"));
  wait_until([&] { return server.requests().size() == 1; });
  EXPECT_EQ(rig.call(request("POST", "/interactions/1/token/callback", "{}")).http, 204u);
  EXPECT_EQ(rig.call(request("PATCH", "/webhooks/77/token/messages/@original", "{}")).http, 204u);
  RestRequest other = request("GET", "/users/@me");
  other.timeout = 10min;
  const RestAnswer answer = rig.call(other);  // at once: it cannot be sent within its ten minutes
  EXPECT_EQ(answer.status, TL_RATE_LIMITED);
  EXPECT_GT(answer.retry_after, 59min);
  EXPECT_TRUE(has(answer.error, "Discord takes no requests")) << answer.error;
  EXPECT_FALSE(RestRig::has_ended(refused));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(RestClientLimits, PageOfABanStopsEverything) {
  RestServer server([](const Request&) {
    Reply reply = page(429);
    reply.headers.emplace_back("Retry-After", "3000");
    return reply;
  });
  RestRig rig(server.api());
  RestRequest first = request("GET", "/users/@me");
  first.timeout = 1min;
  const RestAnswer answer = rig.call(first);
  EXPECT_EQ(answer.status, TL_RATE_LIMITED);
  EXPECT_EQ(answer.http, 429u);
  RestRequest callback = request("POST", "/interactions/1/token/callback", "{}");
  callback.express = true;
  callback.timeout = 2500ms;
  EXPECT_EQ(rig.call(callback).status, TL_RATE_LIMITED);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(RestClientLimits, WaitThatIsTooLongIsToldAtOnce) {
  RestServer server([](const Request&) { return too_many(580, "user", 3); });
  RestRig rig(server.api());
  RestRequest rename = request("PATCH", "/channels/1", R"({"name":"x"})");
  rename.timeout = 1min;
  for (int i = 0; i < 2; ++i) {
    const RestAnswer answer = rig.call(rename);
    EXPECT_EQ(answer.status, TL_RATE_LIMITED);
    EXPECT_FALSE(answer.maybe_done);
    EXPECT_GT(answer.retry_after, 100s);
    EXPECT_LT(answer.retry_after, 582s);
    EXPECT_TRUE(has(answer.error, "PATCH /channels/1")) << answer.error;
    EXPECT_TRUE(has(answer.error, "longer than it may wait")) << answer.error;
  }
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(RestClientLimits, OwnersTakeTurns) {
  Gate gate;
  RestServer server([&](const Request& got) {
    if (got.body == "first") gate.wait();
    return limited(200, "{}", 1, 0, 0.01);
  });
  RestRig rig(server.api());
  std::vector<std::future<RestAnswer>> answers;
  answers.push_back(rig.send(request("POST", "/channels/1/messages", "first", "noisy")));
  for (int i = 0; i < 10; ++i) answers.push_back(rig.send(request("POST", "/channels/1/messages", "noisy", "noisy")));
  answers.push_back(rig.send(request("POST", "/channels/1/messages", "quiet", "quiet")));
  wait_until([&] { return server.requests().size() == 1; });
  gate.open();
  for (auto& answer : answers) EXPECT_TRUE(RestRig::answer_of(answer).ok());
  const auto got = server.requests();
  EXPECT_TRUE(got[1].body == "quiet" || got[2].body == "quiet");
}

}  // namespace
}  // namespace trellis::host
