#include "discord/rest_limits.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Id = RestLimits::Id;
using Time = RestLimits::Time;

struct Numbers {
  int limit, remaining;
  double reset_after;
  std::string bucket = "abcd";
};

RestLimits::Duration seconds(double s) {
  return std::chrono::duration_cast<RestLimits::Duration>(std::chrono::duration<double>(s));
}

RateHeaders ok(const Numbers& numbers) {
  RateHeaders headers;
  headers.status = 200;
  headers.bucket = numbers.bucket;
  headers.limit = numbers.limit;
  headers.remaining = numbers.remaining;
  headers.reset_after = seconds(numbers.reset_after);
  return headers;
}

RateHeaders plain(unsigned status) {
  RateHeaders headers;
  headers.status = status;
  return headers;
}

RateHeaders too_many(double retry_after, const Numbers& numbers) {
  RateHeaders headers = ok(numbers);
  headers.status = 429;
  headers.retry_after = seconds(retry_after);
  return headers;
}

// Requests under a clock that only the test moves.
class RestLimitsTest : public testing::Test {
 protected:
  Id add(const std::string& method, const std::string& target, const std::string& owner = "a", bool express = false) {
    return add(limits, method, target, owner, express);
  }
  Id add(RestLimits& to, const std::string& method, const std::string& target, const std::string& owner = "a",
         bool express = false) {
    to.add(++last, rest_route(method, target, target.ends_with("#name") ? R"({"name":"x"})" : "", "app", 0), owner,
           express, method != "GET");
    return last;
  }
  Id post(int channel, const std::string& owner = "a") {
    return add("POST", "/channels/" + std::to_string(channel) + "/messages", owner);
  }
  Id get(int channel, const std::string& owner = "a") {
    return add("GET", "/channels/" + std::to_string(channel) + "/messages", owner);
  }
  Id next() { return limits.next(now); }
  std::vector<Id> all_that_may_go() {
    std::vector<Id> out;
    while (const Id id = next()) out.push_back(id);
    return out;
  }
  void answer(Id id, const RateHeaders& headers) {
    limits.answered(id, &headers, now);
    limits.done(id);
  }
  // What the client does with a 429.
  void refuse(Id id, const RateHeaders& headers) {
    limits.answered(id, &headers, now);
    limits.again(id, Time::min());
  }
  // GET of this channel's messages has this limit from now on, and `remaining` of it.
  void known(int channel, const Numbers& numbers) {
    const Id id = get(channel);
    ASSERT_EQ(next(), id);
    answer(id, ok(numbers));
  }

  RestLimits limits;
  Time now = Time() + 1000h;
  Id last = 0;
};

TEST_F(RestLimitsTest, UnknownRouteGoesAlone) {
  const Id first = get(1), second = get(1), elsewhere = get(2);
  EXPECT_EQ(next(), first);
  EXPECT_EQ(next(), elsewhere);
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(limits.wake(now), RestLimits::kNever);
  answer(first, ok({5, 4, 2}));
  EXPECT_EQ(next(), second);
}

TEST_F(RestLimitsTest, KnownLimitIsUsedUpInParallelAndWaitsForTheReset) {
  known(1, {5, 4, 2});
  for (int i = 0; i < 8; ++i) get(1);
  EXPECT_EQ(all_that_may_go().size(), 4u);
  const Time wake = limits.wake(now);
  EXPECT_GE(wake, now + 2s);
  EXPECT_LE(wake, now + 2100ms);
  now = wake - 1ms;
  EXPECT_EQ(next(), 0u);
  now = wake;
  // Four of the old window have no answer yet: for all we know they count in the new one.
  EXPECT_EQ(all_that_may_go().size(), 1u);
}

TEST_F(RestLimitsTest, AnswersMayOvertakeOneAnother) {
  known(1, {5, 4, 2});
  for (int i = 0; i < 6; ++i) get(1);
  const auto sent = all_that_may_go();
  ASSERT_EQ(sent.size(), 4u);
  answer(sent[3], ok({5, 0, 1.9}));
  answer(sent[0], ok({5, 3, 2}));  // Discord said this before the one above
  answer(sent[1], ok({5, 2, 2}));
  answer(sent[2], ok({5, 1, 2}));
  EXPECT_EQ(next(), 0u);
  now += 2100ms;
  EXPECT_EQ(all_that_may_go().size(), 2u);
}

TEST_F(RestLimitsTest, AnswerOfAnEarlierWindowSaysNothingAboutThisOne) {
  known(1, {3, 2, 1});
  for (int i = 0; i < 6; ++i) get(1);
  const auto sent = all_that_may_go();
  ASSERT_EQ(sent.size(), 2u);
  answer(sent[0], ok({3, 1, 1}));
  now += 2s;
  const auto later = all_that_may_go();
  ASSERT_EQ(later.size(), 2u);  // three less the one that is under way
  answer(sent[1], ok({3, 0, 0.5}));
  EXPECT_EQ(next(), 0u);
  answer(later[0], ok({3, 2, 1}));
  answer(later[1], ok({3, 1, 1}));
  now += 1100ms;
  EXPECT_EQ(all_that_may_go().size(), 2u);
}

TEST_F(RestLimitsTest, AloneDiscordsNumbersAreBelievedUpwardsToo) {
  known(1, {5, 0, 30});
  now += 31s;
  const Id id = get(1);
  ASSERT_EQ(next(), id);
  answer(id, ok({40, 39, 30}));
  for (int i = 0; i < 60; ++i) get(1);
  EXPECT_EQ(all_that_may_go().size(), 39u);
}

TEST_F(RestLimitsTest, SlidingWindowDoesNotStarveASteadySender) {
  // Each answer says four are left and the window ends five seconds from now.
  known(1, {5, 4, 5});
  for (int i = 0; i < 20; ++i) {
    now += 1s;
    const Id id = get(1);
    ASSERT_EQ(next(), id) << i;
    answer(id, ok({5, 4, 5}));
  }
}

TEST_F(RestLimitsTest, RoutesOfOneBucketShareIt) {
  known(1, {2, 1, 10});
  const Id post_ = post(1);
  ASSERT_EQ(next(), post_);
  answer(post_, ok({2, 0, 10}));  // the same bucket: that was the last of it
  get(1), post(1);
  EXPECT_EQ(next(), 0u);
  EXPECT_GE(limits.wake(now), now + 10s);
  const Id other_channel = get(2);
  EXPECT_EQ(next(), other_channel);
}

TEST_F(RestLimitsTest, OneNameWithTwoLimitsIsTwoBuckets) {
  known(1, {2, 0, 10, "abcd"});
  const Id id = post(1);
  ASSERT_EQ(next(), id);
  answer(id, ok({5, 4, 5, "abcd"}));
  const Id again = post(1);
  EXPECT_EQ(next(), again);
  get(1);
  EXPECT_EQ(next(), 0u);
}

TEST_F(RestLimitsTest, RenamedBucketTakesItsQueueAlong) {
  known(1, {5, 4, 100, "old"});
  const Id sent = get(1), waiting = get(1);
  ASSERT_EQ(next(), sent);
  answer(sent, ok({1, 0, 3, "new"}));
  EXPECT_EQ(next(), 0u);
  now += 3100ms;
  EXPECT_EQ(next(), waiting);
}

TEST_F(RestLimitsTest, WaitingIsCountedByBucketOverAllItsResources) {
  using Changes = std::vector<std::pair<std::string, std::size_t>>;
  const std::string route = "GET /channels/{id}/messages";
  get(1), get(1), get(2);
  EXPECT_EQ(limits.changed_queues(), (Changes{{route, 3}}));
  EXPECT_EQ(limits.changed_queues(), Changes{});
  const Id first = next();
  EXPECT_EQ(limits.label_of(first), route);
  answer(first, ok({5, 0, 60, "xyz"}));
  EXPECT_EQ(limits.changed_queues(), (Changes{{route, 1}, {"xyz", 1}})) << "channel 2 has not been asked about";
  const Id second = next();
  answer(second, ok({5, 0, 60, "xyz"}));
  get(2);
  const Id third = get(3);  // the name is known by its route
  EXPECT_EQ(limits.label_of(third), "xyz");
  EXPECT_EQ(limits.changed_queues(), (Changes{{route, 0}, {"xyz", 3}}));
  limits.done(third);
  EXPECT_EQ(limits.changed_queues(), (Changes{{"xyz", 2}}));
}

TEST_F(RestLimitsTest, RouteWithoutALimitIsNotHeldBack) {
  const Id first = get(1);
  ASSERT_EQ(next(), first);
  answer(first, plain(200));
  for (int i = 0; i < 10; ++i) get(1);
  EXPECT_EQ(all_that_may_go().size(), 10u);
}

TEST_F(RestLimitsTest, TroubleTeachesNothing) {
  const Id first = get(1);
  get(1), get(1);
  ASSERT_EQ(next(), first);
  answer(first, plain(502));
  EXPECT_EQ(all_that_may_go().size(), 1u);  // still unknown, so still alone
}

TEST_F(RestLimitsTest, NoAnswerDoesNotLoseTheAllowance) {
  known(1, {2, 1, 5});
  const Id id = get(1), other = get(1);
  ASSERT_EQ(next(), id);
  now += 6s;  // a new window, whose end no answer has told
  ASSERT_EQ(next(), other);
  limits.answered(id, nullptr, now);
  limits.done(id);
  limits.answered(other, nullptr, now);
  limits.done(other);
  const Id last_one = get(1);
  EXPECT_EQ(next(), last_one);
}

TEST_F(RestLimitsTest, LyingNumbersAreTamed) {
  known(1, {5, 400, 1});
  for (int i = 0; i < 20; ++i) get(1);
  EXPECT_EQ(all_that_may_go().size(), 5u);
  known(2, {0, -3, -100});
  now += 60ms;
  const Id id = get(2);
  EXPECT_EQ(next(), id);
  known(3, {5, 0, 1e9});
  get(3);
  EXPECT_LE(limits.wake(now), now + 25h);
}

TEST_F(RestLimitsTest, WritesOfOneOwnerGoInOrder) {
  Id id = post(1);
  ASSERT_EQ(next(), id);
  answer(id, ok({50, 49, 5}));
  const Id one = post(1), two = post(1), others = post(1, "b");
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{one, others}));
  answer(one, ok({50, 47, 5}));
  EXPECT_EQ(next(), two);
}

TEST_F(RestLimitsTest, UserScope429WaitsAndGoesFirst) {
  known(1, {5, 4, 1});
  for (int i = 0; i < 4; ++i) get(1);
  const auto sent = all_that_may_go();
  ASSERT_EQ(sent.size(), 4u);
  const Id later = get(1);
  refuse(sent[2], too_many(3, {5, 0, 3}));
  refuse(sent[0], too_many(3, {5, 0, 3}));
  answer(sent[1], ok({5, 1, 1}));
  answer(sent[3], ok({5, 0, 1}));
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(limits.wait_of(later, now).reason, RestLimits::Reason::Route);
  now += 2s;
  EXPECT_EQ(next(), 0u);
  now += 1100ms;
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{sent[0], sent[2], later}));
}

TEST_F(RestLimitsTest, RetryAfterIsBelievedBeforeTheResetKnownSoFar) {
  known(1, {5, 4, 60});
  const Id id = get(1);
  ASSERT_EQ(next(), id);
  refuse(id, too_many(1, {5, 0, 60}));
  now += 1100ms;
  EXPECT_EQ(next(), id);
}

TEST_F(RestLimitsTest, SubLimitParksOnlyItsClassOfRequest) {
  const auto settle = [&](const std::string& target) {
    const Id id = add("PATCH", target);
    ASSERT_EQ(next(), id);
    answer(id, ok({5, 4, 15}));
  };
  settle("/channels/1#name");
  settle("/channels/1");
  const Id rename = add("PATCH", "/channels/1#name"), move = add("PATCH", "/channels/1"),
           elsewhere = add("PATCH", "/channels/2#name");
  ASSERT_EQ(next(), rename);
  refuse(rename, too_many(580, {5, 2, 15}));  // allowance is left: a limit that the numbers do not show
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{move, elsewhere}));
  EXPECT_GE(limits.wait_of(rename, now).until, now + 580s);
  EXPECT_EQ(limits.wait_of(rename, now).reason, RestLimits::Reason::Route);
  now += 581s;
  EXPECT_EQ(next(), rename);
}

TEST_F(RestLimitsTest, SharedScopeParksOnlyThatResource) {
  known(1, {5, 4, 5});
  const Id id = get(1);
  post(1);
  ASSERT_EQ(next(), id);
  RateHeaders headers = too_many(7, {5, 0, 1});
  headers.shared = true;
  refuse(id, headers);
  EXPECT_EQ(all_that_may_go().size(), 1u);  // the POST
  now += 6s;
  EXPECT_EQ(next(), 0u);
  now += 1100ms;
  EXPECT_EQ(next(), id);
}

TEST_F(RestLimitsTest, Global429StopsAllRoutesButInteractions) {
  const Id id = get(1);
  ASSERT_EQ(next(), id);
  RateHeaders headers = plain(429);
  headers.retry_after = 4s;
  headers.global = true;
  refuse(id, headers);
  const Id elsewhere = get(2), callback = add("POST", "/interactions/5/token/callback"),
           follow_up = add("POST", "/webhooks/app/token");
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{callback, follow_up}));
  EXPECT_EQ(limits.wait_of(elsewhere, now).reason, RestLimits::Reason::AllRoutes);
  now += 4100ms;
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{id, elsewhere}));
}

TEST_F(RestLimitsTest, Global429OfAnInteractionMakesItsLineWait) {
  const Id id = add("POST", "/webhooks/app/token");
  ASSERT_EQ(next(), id);
  RateHeaders headers = plain(429);
  headers.retry_after = 4s;
  headers.global = true;
  refuse(id, headers);
  const Id callback = add("POST", "/interactions/5/token/callback");
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{callback}));
  now += 4100ms;
  EXPECT_EQ(all_that_may_go(), (std::vector<Id>{id}));
}

TEST_F(RestLimitsTest, PageOfABanStopsEverything) {
  const Id id = get(1);
  ASSERT_EQ(next(), id);
  RateHeaders headers = plain(429);
  headers.from_api = false;
  refuse(id, headers);
  add("POST", "/interactions/5/token/callback", "a", true);
  EXPECT_EQ(next(), 0u);
  EXPECT_GE(limits.wake(now), now + 60s);
  now += 61s;
  EXPECT_EQ(all_that_may_go().size(), 2u);
}

TEST_F(RestLimitsTest, FiftyASecondOverAllRoutes) {
  for (int channel = 1; channel <= 120; ++channel) get(channel);
  const Id callback = add("POST", "/interactions/5/token/callback");
  auto sent = all_that_may_go();
  EXPECT_EQ(sent.size(), 51u);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), callback), 1);
  EXPECT_GE(limits.wake(now), now + 1s);
  now += 500ms;
  EXPECT_EQ(next(), 0u);
  now = limits.wake(now);
  EXPECT_EQ(all_that_may_go().size(), 50u);
  now += 2s;
  EXPECT_EQ(all_that_may_go().size(), 20u);
}

/// As Discord's own limit per channel: it is the same for all follow-ups there, whatever their tokens are.
TEST_F(RestLimitsTest, FollowUpsInAChannelAreMetered) {
  const auto follow_up = [&](int token, const std::string& channel) {
    const std::string target = "/webhooks/app/token" + std::to_string(token);
    limits.add(++last, rest_route("POST", target, "", "app", 0, channel), "a", false, true);
    return last;
  };
  for (int i = 0; i < 40; ++i) follow_up(i, "1");
  const Id elsewhere = follow_up(100, "2");
  auto sent = all_that_may_go();
  EXPECT_EQ(sent.size(), 31u);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), elsewhere), 1);
  for (const Id id : sent) answer(id, plain(204));
  now += 30s;
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(limits.wait_of(last - 1, now).reason, RestLimits::Reason::Route);
  EXPECT_GE(limits.wake(now), now + 30s);
  EXPECT_LE(limits.wake(now), now + 31s);
  now = limits.wake(now);
  EXPECT_EQ(all_that_may_go().size(), 10u);
}

TEST_F(RestLimitsTest, PostsOfAWebhookAreMetered) {
  const auto send = [&](RestLimits& to) {
    int sent = 0;
    for (int i = 0; i < 40; ++i) add(to, "POST", "/webhooks/5/token?wait=true");
    while (const Id id = to.next(now)) {
      const RateHeaders headers = ok({100, 99, 1});
      to.answered(id, &headers, now);
      to.done(id);
      ++sent;
    }
    return sent;
  };
  EXPECT_EQ(send(limits), 30);
  RestLimits::Options options;
  options.webhook_posts_per_minute = 0;
  RestLimits unmetered(options);
  EXPECT_EQ(send(unmetered), 40);
}

/// Discord counts the channel, so what was sent before it was known counts, too.
TEST_F(RestLimitsTest, WebhooksOfOneChannelAreMeteredTogether) {
  const auto send = [&](int webhook, int count) {
    int sent = 0;
    now += 2s;  // the limit over all routes is another matter
    for (int i = 0; i < count; ++i) add("POST", "/webhooks/" + std::to_string(webhook) + "/token?wait=true");
    while (const Id id = next()) answer(id, ok({100, 99, 1})), ++sent;
    return sent;
  };
  EXPECT_EQ(send(5, 10), 10);
  EXPECT_EQ(send(6, 10), 10);
  limits.learn_meter("webhook 5", "channel 1");
  limits.learn_meter("webhook 6", "channel 1");
  limits.learn_meter("webhook 6", "channel 1");
  EXPECT_EQ(send(5, 20), 10) << "thirty in all";
  EXPECT_EQ(send(6, 1), 0);
  EXPECT_EQ(send(7, 31), 30) << "nobody knows where that one writes";
  limits.learn_meter("webhook 6", "channel 2");  // it was moved
  EXPECT_EQ(send(6, 20), 21);
}

/// Discord counts from the arrival, and the way there may be long.
TEST_F(RestLimitsTest, AMinuteIsCountedFromTheAnswer) {
  for (int i = 0; i < 31; ++i) add("POST", "/webhooks/5/token?wait=true");
  std::vector<Id> sent;
  for (int i = 0; i < 30; ++i) {
    sent.push_back(next());
    now += 2s;
    answer(sent.back(), ok({100, 99, 1}));
  }
  now += 500ms;  // more than a minute after the first was sent
  EXPECT_EQ(next(), 0u);
  now += 1s;
  EXPECT_EQ(next(), 0u);
  now += 600ms;  // ... and after its answer
  EXPECT_NE(next(), 0u);
}

TEST_F(RestLimitsTest, ExpressGoesFirst) {
  for (int channel = 1; channel <= 60; ++channel) get(channel);
  const Id callback = add("POST", "/interactions/5/token/callback", "z", true);
  EXPECT_EQ(limits.next(now, true), callback);
  EXPECT_EQ(limits.next(now, true), 0u);
  EXPECT_EQ(limits.wake(now, true), RestLimits::kNever);
  const Id second = add("POST", "/interactions/6/token/callback", "z", true);
  EXPECT_EQ(next(), second);
}

TEST_F(RestLimitsTest, OwnersTakeTurnsInABucket) {
  known(1, {1, 0, 1});
  for (int i = 0; i < 50; ++i) get(1, "noisy");
  const Id quiet = get(1, "quiet");
  std::vector<Id> order;
  for (int i = 0; i < 3; ++i) {
    now += 1100ms;
    const Id id = next();
    ASSERT_NE(id, 0u);
    answer(id, ok({1, 0, 1}));
    order.push_back(id);
  }
  EXPECT_EQ(std::count(order.begin(), order.begin() + 2, quiet), 1) << "waited behind fifty requests of another plugin";
}

TEST_F(RestLimitsTest, OwnersTakeTurnsOverAllRoutes) {
  for (int channel = 1; channel <= 200; ++channel) get(channel, "noisy");
  std::vector<Id> quiet;
  for (int channel = 301; channel <= 310; ++channel) quiet.push_back(get(channel, "quiet"));
  const auto sent = all_that_may_go();
  ASSERT_EQ(sent.size(), 50u);
  for (const Id id : quiet) EXPECT_EQ(std::count(sent.begin(), sent.end(), id), 1);
}

TEST_F(RestLimitsTest, NobodyStarvesWhereOneSendsElsewhereToo) {
  known(1, {1, 0, 1});
  known(2, {1, 0, 1});
  for (int i = 0; i < 20; ++i) get(1, "a"), get(2, "a"), get(2, "b");
  std::map<std::string, int> served;
  std::vector<Id> in_channel_2;
  for (int i = 0; i < 10; ++i) {
    now += 1100ms;
    for (const Id id : all_that_may_go()) {
      answer(id, ok({1, 0, 1}));
      if (id > 2 && id % 3 == 1) ++served["a in 2"];
      if (id > 2 && id % 3 == 2) ++served["b in 2"];
    }
  }
  EXPECT_EQ(served["a in 2"], 5);
  EXPECT_EQ(served["b in 2"], 5);
}

TEST_F(RestLimitsTest, RetryWaitsWithItsLineAlone) {
  Id id = post(1);
  ASSERT_EQ(next(), id);
  answer(id, ok({50, 49, 60}));
  const Id failed = post(1), behind = post(1), others = post(1, "b");
  ASSERT_EQ(all_that_may_go(), (std::vector<Id>{failed, others}));
  const RateHeaders trouble = plain(503);
  limits.answered(failed, &trouble, now);
  EXPECT_EQ(next(), 0u);  // what comes behind it waits for the decision
  limits.again(failed, now + 2s);
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(limits.wait_of(behind, now).reason, RestLimits::Reason::Retry);
  EXPECT_EQ(limits.wake(now), now + 2s);
  now += 2s;
  EXPECT_EQ(next(), failed);
  answer(failed, ok({50, 46, 58}));
  EXPECT_EQ(next(), behind);
}

TEST_F(RestLimitsTest, CancelledRequestsLeaveTheirPlace) {
  const Id sent = post(1), waiting = post(1), behind = post(1);
  ASSERT_EQ(next(), sent);
  limits.done(waiting);
  limits.done(sent);      // no longer wanted, but it is under way
  EXPECT_EQ(next(), 0u);  // so the order of writes still holds
  const RateHeaders headers = ok({5, 4, 1});
  limits.answered(sent, &headers, now);
  EXPECT_EQ(next(), behind);
  limits.done(12345);
  EXPECT_EQ(limits.waiting(), 0u);
}

TEST_F(RestLimitsTest, BrakeBeforeTheBanForTooManyRefusals) {
  RestLimits small({.per_second = 50, .refusals_to_brake = 5, .refusals_to_stop = 7});
  const auto refuse_one = [&](unsigned status, bool express) {
    const Id id = add(small, "GET", "/channels/" + std::to_string(last + 1), "a", express);
    ASSERT_EQ(small.next(now), id);
    const RateHeaders headers = plain(status);
    small.answered(id, &headers, now);
    small.done(id);
    now += 1s;
  };
  for (const unsigned status : {401u, 403u, 429u, 403u, 403u}) refuse_one(status, false);
  EXPECT_EQ(small.refusals(now), 5u);
  const Id held = add(small, "GET", "/channels/9999");
  EXPECT_EQ(small.next(now), 0u);
  EXPECT_EQ(small.wait_of(held, now).reason, RestLimits::Reason::Refusals);
  refuse_one(403, true), refuse_one(403, true);
  const Id express = add(small, "GET", "/channels/8888", "a", true);
  EXPECT_EQ(small.next(now), 0u);
  now += 10min - 6s;  // the first refusals are older than ten minutes
  EXPECT_EQ(small.next(now), express);
  now += 10min;
  EXPECT_EQ(small.next(now), held);
}

TEST_F(RestLimitsTest, WhatIsOfNoMoreUseGoes) {
  for (int i = 0; i < 1000; ++i) {
    const Id id = add("POST", "/interactions/" + std::to_string(i) + "/token" + std::to_string(i) + "/callback");
    ASSERT_EQ(next(), id);
    answer(id, i % 2 ? plain(204) : ok({5, 4, 1}));
  }
  EXPECT_GT(limits.kept(), 1000u);
  now += 2min;
  known(1, {5, 4, 1});
  EXPECT_LE(limits.kept(), 4u);
}

}  // namespace
}  // namespace trellis::host
