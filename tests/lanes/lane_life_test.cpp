// Starting, replacing and stopping a lane, under load.
#include <future>

#include "lane_fixture.hpp"
#ifdef TRELLIS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

/// A lane that did not end is no leak, but meant.
void kept_for_ever([[maybe_unused]] const std::shared_ptr<Lane>& lane) {
#ifdef TRELLIS_ASAN
  __lsan_ignore_object(lane.get());
#endif
}

class LaneLifeTest : public LaneTest {
 protected:
  static Plan::OnEvent counting(std::int64_t name = 1) {
    return [name](Fake& fake, tl_turn turn, const tl_event& event) {
      fake.saw(turn, event.position);
      return fake.count(turn, name);
    };
  }
};

TEST_P(LaneLifeTest, OnStartComesFirstAndIsCommitted) {
  Plan plan;
  std::atomic<bool> started = false;
  plan.on_start = [&](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    EXPECT_EQ(request.kind, static_cast<std::uint32_t>(TL_START));
    std::this_thread::sleep_for(20ms);
    fake.count(turn, 5, 1);
    if (const tl_status status = fake.wait->sleep(turn, 10'000); status < 0) return status;
    fake.member = fake.counted(turn, 5);
    started = true;
    return TL_OK;
  };
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) {
    EXPECT_TRUE(started);
    EXPECT_GE(fake.member, 1);
    return fake.saw(turn, event.position);
  };
  plan.methods["m"] = [&](Fake&, tl_turn, const tl_request&) {
    EXPECT_TRUE(started);
    return TL_OK;
  };
  auto lane = start(plan);
  EXPECT_EQ(count_of(5), 1);
  append(1, 10);
  EXPECT_EQ(lane->request(call("m")).status, TL_OK);
  ASSERT_TRUE(committed_to(10));
}

TEST_P(LaneLifeTest, WhatDoesNotStartLeavesNothing) {
  Plan plan;
  plan.on_start = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.fail(turn, "not today"); };
  try {
    start(plan);
    FAIL() << "it started";
  } catch (const PluginError& error) {
    EXPECT_NE(std::string(error.what()).find("not today"), std::string::npos);
  }
  EXPECT_EQ(plan.created, 1);
  EXPECT_EQ(plan.destroyed, 1);
  Plan broken;
  broken.on_event = counting();
  db().execute("DROP TABLE seen");
  EXPECT_THROW(start(broken), StoreError);
  EXPECT_EQ(broken.created, broken.destroyed);
}

TEST_P(LaneLifeTest, ReplacedUnderLoadEveryEventCountsOnce) {
  std::vector<std::unique_ptr<Plan>> plans;
  const auto plan = [&](std::int64_t generation) -> Plan& {
    auto& made = *plans.emplace_back(std::make_unique<Plan>());
    made.on_event = counting();
    made.methods["add"] = [generation](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
      fake.count(turn, 2, 1);
      if (fake.wait->sleep(turn, 1000) < 0) return TL_CANCELLED;
      fake.count(turn, 2, 1);
      return fake.say(turn, std::to_string(generation));
    };
    return made;
  };
  auto lane = start(plan(1));
  std::atomic<bool> stop_load = false;
  std::atomic<std::uint32_t> appended = 0;
  std::thread events([&] {
    for (std::uint32_t seq = 1; !stop_load; seq += 50) {
      append(seq, seq + 49);
      appended = seq + 49;
      std::this_thread::sleep_for(1ms);
    }
  });
  std::atomic<std::int64_t> done = 0, cancelled = 0, answered = 0;
  std::vector<std::thread> requests;
  for (int t = 0; t < 2; ++t)
    requests.emplace_back([&] {
      while (!stop_load) {
        const RequestAnswer answer = lane->request(call("add"));
        ++answered;
        // One that was cancelled has done what it had committed, if it came as far as waiting.
        if (answer.status == TL_OK)
          done += 2;
        else if (answer.status == TL_CANCELLED)
          cancelled += 1;
        else
          ADD_FAILURE() << answer.status << " " << answer.error;
      }
    });
  for (std::uint64_t generation = 2; generation <= 12; ++generation) {
    const std::int64_t before = answered;
    ASSERT_TRUE(eventually([&] { return answered > before + 2; }));
    Plan& next = plan(static_cast<std::int64_t>(generation));
    const auto grace = generation % 2 ? 2'000'000us : 0us;
    ASSERT_NO_THROW(lane->replace(make(next), factory(next), generation, grace));
    EXPECT_EQ(lane->status().generation, generation);
    Plan& old = *plans[generation - 2];
    EXPECT_TRUE(eventually([&] { return old.destroyed == old.created; })) << generation;
    EXPECT_EQ(old.created, 1);
  }
  stop_load = true;
  events.join();
  for (auto& thread : requests) thread.join();
  ASSERT_TRUE(committed_to(appended));
  EXPECT_EQ(handled(), appended);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), appended);
  EXPECT_GE(count_of(2), done);
  EXPECT_LE(count_of(2), done + cancelled);
  EXPECT_EQ(Fake::inside_max, 1) << "two instances handled events at a time";
  lane.reset();
  stop();
  for (const auto& made : plans) EXPECT_EQ(made->created, made->destroyed);
}

TEST_P(LaneLifeTest, ANewGenerationThatDoesNotStartLeavesTheOldCode) {
  Plan old, bad;
  old.on_event = counting();
  old.methods["who"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    if (fake.wait->sleep(turn, 100) < 0) return static_cast<tl_status>(TL_FAILED);
    return fake.say(turn, "\"old\"");
  };
  bad.on_event = counting(7);
  bad.on_start = [](Fake& fake, tl_turn turn, const tl_request&) {
    fake.count(turn, 8, 1);
    return fake.fail(turn, "bad news");
  };
  auto lane = start(old);
  append(1, 10);
  try {
    lane->replace(make(bad), factory(bad), 2, 0us);
    FAIL() << "it was replaced";
  } catch (const PluginError& error) {
    EXPECT_NE(std::string(error.what()).find("bad news"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("old code runs again"), std::string::npos) << error.what();
  }
  append(11, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(lane->request(call("who")).body, "\"old\"");
  EXPECT_EQ(lane->status().generation, 1u);
  EXPECT_EQ(count_of(1), 20);
  EXPECT_EQ(count_of(7), 0);
  EXPECT_EQ(count_of(8), 0);
  EXPECT_EQ(bad.created, bad.destroyed);
}

TEST_P(LaneLifeTest, APausedPluginCanBeReplaced) {
  Plan broken, fixed;
  broken.on_event = [](Fake& fake, tl_turn turn, const tl_event&) { return fake.fail(turn, "always"); };
  fixed.on_event = counting();
  auto lane = start(broken);
  append(1, 10);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  lane->replace(make(fixed), factory(fixed), 2, 0us);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled() + dead(), 10);
  EXPECT_EQ(dead(), 2);
  EXPECT_EQ(lane->status().state, "running");
}

TEST_P(LaneLifeTest, ReplacedWhenItsTableIsWhatIsBroken) {
  Plan old, fixed;
  old.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) { return fake.saw(turn, event.position); };
  fixed.on_event = [](Fake& fake, tl_turn turn, const tl_event&) { return fake.count(turn, 1); };
  auto lane = start(old);
  db().execute("ALTER TABLE seen RENAME COLUMN times TO other");
  append(1, 10);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  db().execute("ALTER TABLE seen RENAME COLUMN other TO times");
  lane->replace(make(fixed), factory(fixed), 2, 0us);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(count_of(1), 10);
}

TEST_P(LaneLifeTest, StopsUnderLoadAndTheNextGoesOn) {
  std::uint32_t last = 0;
  for (int round = 0; round < 5; ++round) {
    Plan plan;
    plan.on_event = counting();
    plan.methods["wait"] = [](Fake& fake, tl_turn turn, const tl_request&) {
      return fake.wait->sleep(turn, 3'600'000'000);
    };
    auto lane = start(plan);
    std::vector<std::future<RequestAnswer>> waiting;
    for (int i = 0; i < 3; ++i)
      waiting.push_back(std::async(std::launch::async, [&] { return lane->request(call("wait")); }));
    std::thread events([&] {
      for (int i = 0; i < 20; ++i) {
        append(last + 1, last + 100);
        last += 100;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    EXPECT_TRUE(lane->stop(std::chrono::steady_clock::now() + 30s));
    events.join();
    for (auto& one : waiting) EXPECT_LT(one.get().status, 0);
    EXPECT_EQ(lane->request(call("wait")).status, TL_UNAVAILABLE);
    EXPECT_EQ(plan.created, plan.destroyed);
    lanes_.clear();
  }
  Plan plan;
  plan.on_event = counting();
  start(plan);
  ASSERT_TRUE(committed_to(last));
  EXPECT_EQ(handled(), last);
  EXPECT_EQ(doubled(), 0);
}

TEST_P(LaneLifeTest, AStopWithGraceLetsRunningRequestsEnd) {
  Plan plan;
  plan.on_event = counting();
  std::promise<void> inside, go_on;
  auto may_go_on = go_on.get_future();
  plan.methods["ends"] = [&](Fake& fake, tl_turn turn, const tl_request&) {
    std::function<void()> waits = [&] {
      inside.set_value();
      may_go_on.wait();
    };
    const tl_status status =
        fake.wait->outside(turn, [](void* run) { (*static_cast<std::function<void()>*>(run))(); }, &waits);
    return status < 0 ? status : fake.say(turn, "1");
  };
  std::atomic<bool> begun = false;
  plan.methods["sleeps"] = [&](Fake& fake, tl_turn turn, const tl_request&) {
    begun = true;
    return fake.wait->sleep(turn, 3'600'000'000);
  };
  plan.methods["new"] = [](Fake&, tl_turn, const tl_request&) { return TL_OK; };
  auto lane = start(plan);
  auto running = std::async(std::launch::async, [&] { return lane->request(call("ends")); });
  inside.get_future().wait();
  auto stopping =
      std::async(std::launch::async, [&] { return lane->stop(std::chrono::steady_clock::now() + 10min, 5min); });
  EXPECT_TRUE(eventually([&] { return lane->request(call("new")).status == TL_UNAVAILABLE; }));
  go_on.set_value();
  const RequestAnswer answer = running.get();
  EXPECT_EQ(answer.status, TL_OK) << answer.error;
  EXPECT_TRUE(stopping.get());
  EXPECT_EQ(plan.created, plan.destroyed);
  lanes_.clear();
  // What does not end within the grace is ended.
  lane = start(plan);
  auto asleep = std::async(std::launch::async, [&] { return lane->request(call("sleeps")); });
  ASSERT_TRUE(eventually([&] { return begun.load(); }));
  EXPECT_TRUE(lane->stop(std::chrono::steady_clock::now() + 10min, 1ms));
  EXPECT_EQ(asleep.get().status, TL_CANCELLED);
}

TEST_P(LaneLifeTest, WhatDoesNotReturnIsGivenUpAtTheDeadline) {
  Plan plan;
  std::promise<void> inside;
  auto leave = std::make_shared<std::promise<void>>();
  auto left = leave->get_future().share();
  plan.on_event = [&, left](Fake&, tl_turn, const tl_event&) {
    inside.set_value();
    left.wait();
    return TL_OK;
  };
  auto lane = start(plan);
  append(1, 1);
  inside.get_future().wait();
  EXPECT_FALSE(lane->stop(std::chrono::steady_clock::now() + 100ms));
  kept_for_ever(lane);
  std::weak_ptr<Lane> alive = lane;
  lane.reset();
  lanes_.clear();
  EXPECT_FALSE(alive.expired()) << "its thread still runs in it";
  leave->set_value();
  // It ends by itself; the lane is kept for ever, as nobody can know when.
  EXPECT_TRUE(eventually([&] { return plan.destroyed == 1; }));
  const auto status = alive.lock();
  EXPECT_TRUE(eventually([&] { return status->status().state == "stopped"; }));
}

TEST_P(LaneLifeTest, AStoreThatIsAwayAtTheEndIsNotWaitedFor) {
  if (!postgresql()) GTEST_SKIP() << "a lock on the plugin's row is what PostgreSQL has";
  Plan plan;
  plan.on_event = counting();
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  // Somebody holds the plugin's row: no commit comes through.
  auto locker = connect();
  locker->begin(Durability::Lazy);
  locker->execute("SELECT * FROM trellis_unit FOR UPDATE");
  append(11, 20);
  ASSERT_TRUE(handled_to(*lane, 20));
  const auto began = std::chrono::steady_clock::now();
  auto stopping = std::async(std::launch::async, [&] { return lane->stop(std::chrono::steady_clock::now() + 200ms); });
  EXPECT_FALSE(stopping.get());
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  kept_for_ever(lane);
  locker->rollback();
  writers_.join();
}

TRELLIS_ON_BOTH(LaneLifeTest);

}  // namespace
}  // namespace trellis::host
