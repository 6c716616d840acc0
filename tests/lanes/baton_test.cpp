#include "lanes/baton.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

template <class F>
bool eventually(F&& condition) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

TEST(Baton, OneHolderAtATime) {
  Baton baton;
  int unguarded = 0;
  std::atomic<int> inside = 0, most = 0;
  const auto hold = [&] {
    most = std::max(most.load(), ++inside);
    ++unguarded;
    --inside;
    baton.release();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        if (baton.acquire_for_request()) hold();
    });
  threads.emplace_back([&] {
    for (int i = 0; i < 500; ++i)
      if (baton.acquire_for_events()) hold();
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(unguarded, 2500);
  EXPECT_EQ(most, 1);
}

TEST(Baton, EventsHaveTheirTurnBesideEndlessRequests) {
  Baton baton;
  std::atomic<bool> stop = false;
  std::atomic<int> requests = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        if (!baton.acquire_for_request()) return;
        ++requests;
        baton.release();
      }
    });
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(baton.acquire_for_events(std::chrono::steady_clock::now() + 30s)) << i;
    baton.release();
  }
  // And they do not keep requests from theirs.
  const int before = requests;
  EXPECT_TRUE(eventually([&] { return requests > before + 10; }));
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST(Baton, RequestsGoBeforeEvents) {
  Baton baton;
  ASSERT_TRUE(baton.acquire_for_events());
  std::atomic<int> order = 0;
  int request_at = 0, events_at = 0;
  std::thread request([&] {
    ASSERT_TRUE(baton.acquire_for_request());
    request_at = ++order;
    baton.release();
  });
  ASSERT_TRUE(eventually([&] { return baton.request_waits(); }));
  std::thread events([&] {
    ASSERT_TRUE(baton.acquire_for_events());
    events_at = ++order;
    baton.release();
  });
  std::this_thread::sleep_for(2ms);
  baton.release();
  request.join();
  events.join();
  EXPECT_EQ(request_at, 1);
  EXPECT_EQ(events_at, 2);
}

TEST(Baton, HeldRequestsWaitAndThoseThatComeBackDoNot) {
  Baton baton;
  baton.hold_requests();
  EXPECT_FALSE(baton.acquire_for_request(std::chrono::steady_clock::now() + 20ms));
  auto held = std::async(std::launch::async, [&] {
    const bool got = baton.acquire_for_request();
    if (got) baton.release();
    return got;
  });
  // Events that never pause let one that comes back have it all the same.
  std::atomic<bool> stop = false;
  std::thread events([&] {
    while (!stop) {
      if (!baton.acquire_for_events()) return;
      std::this_thread::sleep_for(200us);
      baton.release();
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(baton.acquire_again(std::chrono::steady_clock::now() + 10s)) << i;
    baton.release();
  }
  EXPECT_EQ(held.wait_for(0s), std::future_status::timeout);
  baton.hold_requests();
  baton.admit_requests();
  EXPECT_EQ(held.wait_for(20ms), std::future_status::timeout);  // one hold is left
  baton.admit_requests();
  EXPECT_TRUE(held.get());
  stop = true;
  events.join();
}

/// Whose turn it is when the requests' spell ends must be the same for both that wait.
TEST(Baton, OneOfThoseThatWaitGoesOnWheneverTheSpellEnds) {
  Baton baton;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(baton.acquire_for_events());
    baton.release();
    ASSERT_TRUE(baton.acquire_for_request());
    const auto began = Baton::Clock::now();
    const auto until = Baton::Clock::now() + 30s;
    auto events = std::async(std::launch::async, [&] {
      const bool got = baton.acquire_for_events(until);
      if (got) baton.release();
      return got && Baton::Clock::now() < until;  // not only because the time was over
    });
    auto request = std::async(std::launch::async, [&] {
      const bool got = baton.acquire_for_request(until);
      if (got) baton.release();
      return got && Baton::Clock::now() < until;  // not only because the time was over
    });
    while (Baton::Clock::now() - began < 5ms - std::chrono::microseconds(i % 100)) {
    }
    baton.release();
    ASSERT_TRUE(events.get()) << "after " << i;
    ASSERT_TRUE(request.get()) << "after " << i;
  }
}

TEST(Baton, RefusedAndClosed) {
  Baton baton;
  ASSERT_TRUE(baton.acquire_for_events());
  auto fresh = std::async(std::launch::async, [&] { return baton.acquire_for_request(); });
  ASSERT_TRUE(eventually([&] { return baton.request_waits(); }));
  auto again = std::async(std::launch::async, [&] {
    const bool got = baton.acquire_again();
    if (got) baton.release();
    return got;
  });
  baton.refuse_requests();
  EXPECT_FALSE(fresh.get());
  EXPECT_FALSE(baton.acquire_for_request());
  baton.release();
  EXPECT_TRUE(again.get());
  EXPECT_TRUE(baton.acquire_for_events());
  auto late = std::async(std::launch::async, [&] { return baton.acquire_again(); });
  ASSERT_TRUE(eventually([&] { return baton.request_waits(); }));
  baton.close();
  EXPECT_FALSE(late.get());
  EXPECT_FALSE(baton.acquire_for_events());
}

}  // namespace
}  // namespace trellis::host
