#include "interactions/request_threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace trellis::host {
namespace {

TEST(RequestThreads, RunEverythingInTheOrderOfEachPlugin) {
  RequestThreads threads(2);
  std::mutex mutex;
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(threads.post("a", [&, i] {
      std::lock_guard lock(mutex);
      seen.push_back(i);
    }));
  threads.join();
  ASSERT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end())) << "one thread of two is one plugin's";
}

TEST(RequestThreads, OnePluginHasHalfOfThemAtMost) {
  RequestThreads threads(8);
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> running = 0, most = 0;
  for (int i = 0; i < 20; ++i)
    threads.post("stuck", [&, gone] {
      const int now = ++running;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      gone.wait();
      --running;
    });
  // Others get through meanwhile, however many there are.
  for (int i = 0; i < 100; ++i) {
    std::promise<void> done;
    threads.post("other " + std::to_string(i % 3), [&] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  }
  go.set_value();
  threads.join();
  EXPECT_LE(most, 4);
  EXPECT_EQ(running, 0);
}

TEST(RequestThreads, SoManyWaitAndNoMore) {
  RequestThreads threads(2, 3);
  std::promise<void> begun, go;
  const std::shared_future<void> gone = go.get_future().share();
  threads.post("a", [&, gone] {
    begun.set_value();
    gone.wait();
  });
  begun.get_future().wait();
  std::atomic<int> ran = 0;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(threads.post("a", [&] { ++ran; }));
  EXPECT_FALSE(threads.post("a", [&] { ++ran; }));
  EXPECT_EQ(threads.waiting(), 3u);
  EXPECT_TRUE(threads.post("b", [&] { ++ran; }));
  go.set_value();
  threads.join();
  EXPECT_EQ(ran, 4);
  EXPECT_FALSE(threads.post("a", [] {})) << "it has ended";
}

TEST(RequestThreads, FewOfWhatIsSoonWorthNothingWait) {
  RequestThreads threads(2);
  std::promise<void> begun, go;
  const std::shared_future<void> gone = go.get_future().share();
  threads.post("a", [&, gone] {
    begun.set_value();
    gone.wait();
  });
  begun.get_future().wait();
  std::atomic<int> ran = 0;
  for (std::size_t i = 0; i < RequestThreads::kPassingMax; ++i) EXPECT_TRUE(threads.post("a", [&] { ++ran; }, true));
  EXPECT_FALSE(threads.post("a", [&] { ++ran; }, true));
  EXPECT_TRUE(threads.post("a", [&] { ++ran; })) << "others wait as before";
  EXPECT_TRUE(threads.post("b", [&] { ++ran; }, true));
  go.set_value();
  threads.join();
  EXPECT_EQ(ran, 10);
}

TEST(RequestThreads, WhatHasRunMakesRoom) {
  RequestThreads threads(2);
  for (std::size_t i = 0; i < 3 * RequestThreads::kPassingMax; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(threads.post("a", [&] { done.set_value(); }, true));
    done.get_future().wait();
  }
  threads.join();
}

}  // namespace
}  // namespace trellis::host
