// When which shard may IDENTIFY, by a clock of the test's own.
#include "gateway/identify_queue.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <random>
#include <thread>

#include "gateway/identify_permits.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Time = IdentifyQueue::Time;

/// Discord's side: says when a limit was broken.
struct Discord {
  void identify(std::uint32_t shard, Time now) {
    const std::uint32_t key = shard % max_concurrency;
    const auto last = last_of_key.find(key);
    if (last != last_of_key.end() && now - last->second < 5s) ++too_soon;
    last_of_key[key] = now;
    ++used;
    order[key].push_back(shard);
  }
  std::uint32_t max_concurrency = 1;
  std::map<std::uint32_t, Time> last_of_key;
  std::map<std::uint32_t, std::vector<std::uint32_t>> order;
  std::uint32_t used = 0, too_soon = 0;
};

TEST(IdentifyQueue, AHundredShardsInSixteenKeysStartAsFastAsAllowed) {
  Discord discord{.max_concurrency = 16};
  IdentifyQueue queue({});
  queue.set_limits({.max_concurrency = 16, .total = 1000, .remaining = 1000});
  const Time begin{};
  Time now = begin;
  for (std::uint32_t shard = 0; shard < 100; ++shard)
    queue.ask(shard, [&, shard] {
      discord.identify(shard, now);
      return true;
    });
  while (const auto next = queue.run(now)) {
    ASSERT_GT(*next, now);
    now = *next;
  }
  EXPECT_EQ(discord.used, 100u);
  EXPECT_EQ(discord.too_soon, 0u);
  EXPECT_EQ(queue.limits().remaining, 900u);
  // 100 shards in 16 keys are seven rounds: six waits.
  EXPECT_LE(now - begin, 6 * 5500ms);
  for (const auto& [key, shards] : discord.order) EXPECT_TRUE(std::is_sorted(shards.begin(), shards.end())) << key;
}

TEST(IdentifyQueue, NeverTooSoonWhateverShardsDo) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Discord discord{.max_concurrency = 1 + static_cast<std::uint32_t>(random() % 16)};
    IdentifyQueue queue({});
    queue.set_limits({.max_concurrency = discord.max_concurrency, .total = 100'000, .remaining = 100'000});
    Time now{};
    std::uint32_t wanted = 0, refused = 0;
    for (int step = 0; step < 400; ++step) {
      if (random() % 3 != 0) {
        const auto shard = static_cast<std::uint32_t>(random() % 100);
        const bool gone = random() % 4 == 0;  // its connection will have ended by then
        const std::size_t before = queue.waiting();
        queue.ask(shard, [&, shard, gone] {
          if (gone) return ++refused, false;
          discord.identify(shard, now);
          return true;
        });
        wanted += queue.waiting() - before;
      }
      now += std::chrono::milliseconds(random() % 3000);
      queue.run(now);
    }
    while (const auto next = queue.run(now)) now = *next;
    EXPECT_EQ(discord.too_soon, 0u);
    EXPECT_EQ(discord.used + refused, wanted);
    EXPECT_EQ(queue.limits().remaining, 100'000 - discord.used);
  }
}

TEST(IdentifyQueue, WhatIsNotSentCostsNothing) {
  IdentifyQueue queue({});
  queue.set_limits({.total = 1000, .remaining = 10, .resets_at = Time{} + 1h});
  int sent = 0;
  queue.ask(0, [] { return false; });
  queue.ask(1, [&] { return ++sent, true; });
  EXPECT_FALSE(queue.run(Time{}));
  EXPECT_EQ(sent, 1) << "the one before it did not take its turn";
  EXPECT_EQ(queue.limits().remaining, 9u);
}

TEST(IdentifyQueue, AskingAgainKeepsThePlace) {
  IdentifyQueue queue({});
  std::vector<int> order;
  queue.ask(0, [&] { return order.push_back(0), true; });
  queue.ask(1, [&] { return order.push_back(-1), true; });
  queue.ask(2, [&] { return order.push_back(2), true; });
  queue.ask(1, [&] { return order.push_back(1), true; });
  Time now{};
  while (const auto next = queue.run(now)) now = *next;
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(IdentifyQueue, TheReserveIsNotTouchedUntilDiscordGivesNewOnes) {
  IdentifyQueue queue({.reserve = 5});
  Time now{};
  queue.set_limits({.total = 1000, .remaining = 8, .resets_at = now + 3h});
  int sent = 0;
  for (std::uint32_t shard = 0; shard < 10; ++shard) queue.ask(shard, [&] { return ++sent, true; });
  std::optional<Time> next = now;
  while ((next = queue.run(now)) && *next < now + 1h) now = *next;
  EXPECT_EQ(sent, 3);
  EXPECT_TRUE(queue.exhausted(now));
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, Time{} + 3h);
  now = *next;
  while ((next = queue.run(now))) now = *next;
  EXPECT_EQ(sent, 10);
  EXPECT_EQ(queue.limits().remaining, 993u);
  EXPECT_GE(queue.limits().resets_at, Time{} + 27h) << "a day begins with its first IDENTIFY";
}

TEST(IdentifyQueue, AReserveBeyondASmallBudgetLeavesHalfOfIt) {
  IdentifyQueue queue({.reserve = 11});
  queue.set_limits({.total = 4, .remaining = 4, .resets_at = Time{} + 1h});
  int sent = 0;
  Time now{};
  for (std::uint32_t shard = 0; shard < 4; ++shard) queue.ask(shard, [&] { return ++sent, true; });
  std::optional<Time> next;
  while ((next = queue.run(now)) && *next < Time{} + 1h) now = *next;
  EXPECT_EQ(sent, 2);
}

TEST(IdentifyQueue, OtherKeysTakeEffectAtOnceAndForgetNothing) {
  IdentifyQueue queue({});
  int sent = 0;
  const auto go = [&] { return ++sent, true; };
  Time now{};
  queue.ask(0, go);
  queue.ask(1, go);
  ASSERT_TRUE(queue.run(now));
  EXPECT_EQ(sent, 1);
  queue.set_limits({.max_concurrency = 2});
  EXPECT_FALSE(queue.run(now + 1s)) << "shard 1 has a key of its own now";
  EXPECT_EQ(sent, 2);
  queue.set_limits({.max_concurrency = 1});
  queue.ask(2, go);
  EXPECT_EQ(queue.run(now + 2s), now + 1s + 5400ms);
}

// ---- with a clock ----

TEST(IdentifyPermits, AskDiscordAgainWhenWhatTheyKnowIsOld) {
  boost::asio::io_context io;
  int asked = 0;
  std::function<void(std::optional<IdentifyLimits>)> answer;
  const auto permits = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{.stale = 0ms},
      [&](auto done) {
        ++asked;
        answer = std::move(done);
      },
      IdentifyLimits{.total = 1000, .remaining = 3});
  int sent = 0;
  permits->ask(0, [&] { return ++sent, true; });
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(sent, 0);
  permits->ask(1, [&] { return ++sent, true; });
  EXPECT_EQ(asked, 1) << "once for all that wait";
  answer(IdentifyLimits{
      .max_concurrency = 2, .total = 2000, .remaining = 1500, .resets_at = std::chrono::steady_clock::now() + 1h});
  EXPECT_EQ(sent, 2);
  const auto stats = permits->stats();
  EXPECT_EQ(stats.total, 2000u);
  EXPECT_EQ(stats.remaining, 1498u);
  EXPECT_EQ(stats.max_concurrency, 2u);
  EXPECT_EQ(stats.waiting, 0u);
  permits->ask(0, [&] { return ++sent, true; });
  EXPECT_EQ(asked, 2);
  answer(std::nullopt);  // Discord is away: by what is known
  EXPECT_EQ(permits->stats().waiting, 1u) << "less than 5 s have passed for its key";
  permits->stop();
}

TEST(IdentifyPermits, LetNobodyGoBeforeDiscordHasAnsweredOnce) {
  boost::asio::io_context io;
  int asked = 0, sent = 0;
  const auto permits = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{.first_retry = 1ms, .last_retry = 2ms},
      [&](auto done) {
        ++asked;
        EXPECT_EQ(sent, 0);
        done(asked < 4 ? std::nullopt : std::optional(IdentifyLimits{.total = 1000, .remaining = 1000}));
      },
      std::nullopt);
  permits->ask(0, [&] { return ++sent, true; });
  EXPECT_EQ(asked, 0);
  EXPECT_FALSE(permits->stats().known);
  EXPECT_EQ(permits->stats().waiting, 1u);
  permits->look_again();
  permits->look_again();
  EXPECT_EQ(asked, 1) << "it was asked just now";
  EXPECT_EQ(permits->stats().waiting, 1u);
  io.run();  // ends when nothing is left to wait for
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(sent, 1);
  EXPECT_TRUE(permits->stats().known);
  EXPECT_EQ(permits->stats().remaining, 999u);
}

TEST(IdentifyPermits, LookForAnAddressThatWorksNowAndThen) {
  boost::asio::io_context io;
  int asked = 0;
  const auto permits = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{.look_again = 0ms}, [&](auto) { ++asked; },
      IdentifyLimits{.total = 1000, .remaining = 1000});
  permits->look_again();
  permits->look_again();
  EXPECT_EQ(asked, 1) << "the answer is not there yet";
  permits->stop();
  const auto later = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{}, [&](auto) { ++asked; }, IdentifyLimits{.total = 1000, .remaining = 1000});
  later->look_again();
  EXPECT_EQ(asked, 1) << "it was heard just now";
  later->stop();
}

TEST(IdentifyPermits, WhatDiscordDidNotAnswerMakesNothingNewer) {
  boost::asio::io_context io;
  int asked = 0, sent = 0;
  std::function<void(std::optional<IdentifyLimits>)> answer;
  constexpr auto kStale = 20ms;
  const auto permits = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{.stale = kStale, .look_again = 0ms},
      [&](auto done) {
        ++asked;
        answer = std::move(done);
      },
      IdentifyLimits{.total = 1000, .remaining = 900});
  const auto old = std::chrono::steady_clock::now() + kStale;
  while (std::chrono::steady_clock::now() < old) std::this_thread::yield();
  permits->look_again();
  answer(std::nullopt);
  permits->ask(0, [&] { return ++sent, true; });
  EXPECT_EQ(asked, 2) << "it went by limits of long ago";
  EXPECT_EQ(sent, 0);
  answer(IdentifyLimits{.total = 1000, .remaining = 500, .resets_at = std::chrono::steady_clock::now() + 1h});
  EXPECT_EQ(sent, 1);
  EXPECT_EQ(permits->stats().remaining, 499u);
  permits->stop();
}

TEST(IdentifyPermits, SayWhenThereAreNoneLeftAndLookAgain) {
  boost::asio::io_context io;
  int asked = 0, sent = 0;
  const auto permits = std::make_shared<IdentifyPermits>(
      io.get_executor(), IdentifyOptions{.queue = {.reserve = 11}, .ask_again = 1ms},
      [&](auto done) {
        ++asked;
        done(asked < 3 ? std::nullopt : std::optional(IdentifyLimits{.total = 1000, .remaining = 1000}));
      },
      IdentifyLimits{.total = 1000, .remaining = 11, .resets_at = std::chrono::steady_clock::now() + 10h});
  permits->ask(0, [&] { return ++sent, true; });
  EXPECT_EQ(sent, 0);
  EXPECT_TRUE(permits->stats().exhausted);
  EXPECT_GT(permits->stats().resets_in_s, 9 * 3600);
  io.run();  // ends when nothing is left to wait for
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(sent, 1);
  EXPECT_FALSE(permits->stats().exhausted);
}

}  // namespace
}  // namespace trellis::host
