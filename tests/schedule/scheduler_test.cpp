// Jobs: by schedule, started, interrupted, failed. The clock is the test's.
#include "schedule/scheduler.hpp"

#include <future>

#include "../lanes/lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr std::int64_t kNoon = 1'705'320'000 * kSecond;  // 2024-01-15 12:00 UTC

class SchedulerTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    if (HasFatalFailure()) return;
    now_us = [this] { return clock_.load(); };
    services_.check_schedule = Scheduler::check;
    new_scheduler();
    context_.on_started = [this](Lane& lane) { scheduler_->plugin_started(lane); };
    context_.on_job_changes = [this](Lane& lane, const auto& changes) { scheduler_->runs_changed(lane, changes); };
  }
  void TearDown() override {
    scheduler_->stop();
    stop_all();
    requests_.join();
    scheduler_.reset();
    LaneTest::TearDown();
  }
  void new_scheduler() {
    SchedulerOptions options;
    options.now_us = [this] { return clock_.load(); };
    options.post = [this](std::function<void()> run) { boost::asio::post(requests_, std::move(run)); };
    options.guilds_known = [this] { return guilds_known_.load(); };
    options.own_thread = false;
    options.at_once_per_plugin = 6;
    options.crashed_runs = [this](const std::string&) { return crashed_; };
    scheduler_ = std::make_unique<Scheduler>(std::move(options));
  }
  /// Ends the host's part of it and begins anew.
  void restart(Plan& plan) {
    stop_all();
    ASSERT_TRUE(eventually([&] { return scheduler_->idle(); }));
    new_scheduler();
    start(plan);
  }
  void go_to(std::int64_t us) {
    clock_ = us;
    scheduler_->run_due();
  }
  /// Everything that is due has run.
  bool settled() {
    return eventually([&] {
      scheduler_->run_due();
      return scheduler_->idle();
    });
  }
  /// A job that counts its runs, by schedule.
  static Plan::Job job(std::string schedule, std::uint32_t flags = 0) {
    Plan::Job job;
    job.schedule = std::move(schedule);
    job.flags = flags;
    job.run = [](Fake& fake, tl_turn turn, const tl_request& request) {
      fake.saw(turn, static_cast<std::uint64_t>(request.due_us / kSecond));
      return fake.count(turn, 1);
    };
    return job;
  }
  std::string due_times() { return rows("SELECT position FROM seen ORDER BY position"); }
  static std::string time(std::int64_t us) { return "int " + std::to_string(us / kSecond); }
  std::int64_t runs() { return number("SELECT count(*) FROM trellis_runs"); }
  /// Starts a run of the plugin's job through a method, as a plugin does.
  static Plan::OnRequest starter(std::string job, std::string key = "", std::string args = "{}") {
    return [=](Fake& fake, tl_turn turn, const tl_request& request) {
      const std::string name = key.empty() ? std::to_string(arg_n(request)) : key;
      return fake.work->start(turn, fake.jobs.at(job), abi(name), abi(args), 0);
    };
  }

  std::atomic<std::int64_t> clock_ = kNoon;
  std::atomic<bool> guilds_known_ = true;
  std::vector<CrashedRun> crashed_;  // changed while no lane starts
  boost::asio::thread_pool requests_{8};
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_P(SchedulerTest, ByCron) {
  Plan plan;
  plan.jobs["hourly"] = job("0 * * * *");
  start(plan);
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), "") << "its schedule begins today";
  go_to(kNoon + kHour - 1);
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), "");
  go_to(kNoon + kHour);
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), time(kNoon + kHour));
  go_to(kNoon + kHour + kMinute);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
  EXPECT_EQ(number("SELECT last_due_us FROM trellis_schedule"), kNoon + kHour);
  go_to(kNoon + 4 * kHour + kMinute);  // three times at once are one run, for the latest
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), time(kNoon + kHour) + "; " + time(kNoon + 4 * kHour));
  EXPECT_EQ(doubled(), 0);
}

TEST_P(SchedulerTest, MissedRunsAreMadeUpForOnceOrNotAtAll) {
  Plan plan;
  plan.jobs["caught"] = job("0 * * * *", TL_ENTRY_RUN_MISSED);
  plan.jobs["skipped"] = job("30 * * * *");
  start(plan);
  ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM trellis_schedule") == 2; }));
  stop_all();
  clock_ = kNoon + 5 * kHour + 40 * kMinute;
  restart(plan);
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), time(kNoon + 5 * kHour));
  restart(plan);
  ASSERT_TRUE(settled());
  EXPECT_EQ(due_times(), time(kNoon + 5 * kHour));
  EXPECT_EQ(doubled(), 0);
}

TEST_P(SchedulerTest, Intervals) {
  Plan plan;
  plan.jobs["every"] = job("@every 10s");
  std::atomic<int> fails = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event&) {
    return ++fails == 1 ? fake.fail(turn, "back") : fake.count(turn, 99);
  };
  start(plan);
  go_to(kNoon + 9 * kSecond);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 0);
  append(1, 1);  // a new instance does not begin the interval anew
  ASSERT_TRUE(committed_to(1));
  go_to(kNoon + 10 * kSecond);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
  for (int i = 2; i <= 5; ++i) {
    go_to(kNoon + i * 10 * kSecond);
    ASSERT_TRUE(settled());
    EXPECT_EQ(count_of(1), i);
  }
}

TEST_P(SchedulerTest, AClockSetBackRunsNothingTwice) {
  Plan plan;
  plan.jobs["hourly"] = job("0 * * * *", TL_ENTRY_RUN_MISSED);
  start(plan);
  go_to(kNoon + kHour);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
  for (const std::int64_t at : {kNoon + kHour / 2, kNoon + kHour - 1, kNoon + kHour, kNoon + kHour + kMinute}) {
    go_to(at);
    ASSERT_TRUE(settled());
  }
  EXPECT_EQ(count_of(1), 1);
  go_to(kNoon + 2 * kHour);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 2);
}

TEST_P(SchedulerTest, ALastRunInTheFutureDoesNotSilenceTheJob) {
  Plan plan;
  plan.jobs["hourly"] = job("0 * * * *", TL_ENTRY_RUN_MISSED);
  start(plan);
  ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM trellis_schedule") == 1; }));
  stop_all();
  db().execute("UPDATE trellis_schedule SET last_due_us = " + std::to_string(kNoon + 1000 * kHour));
  restart(plan);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 0);
  go_to(kNoon + kHour);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
  EXPECT_EQ(number("SELECT last_due_us FROM trellis_schedule"), kNoon + kHour);
}

TEST_P(SchedulerTest, ScheduledRunsWaitForTheGuilds) {
  guilds_known_ = false;
  Plan plan;
  plan.jobs["hourly"] = job("0 * * * *");
  plan.jobs["started"] = job("");
  plan.methods["start"] = starter("started");
  std::atomic<int> fails = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event&) {
    return ++fails == 1 ? fake.fail(turn, "back") : fake.count(turn, 99);
  };
  auto lane = start(plan);
  go_to(kNoon + kHour);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 0);
  EXPECT_EQ(lane->request(call("start", 1)).status, TL_OK);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1) << "a started one waits for nothing";
  append(1, 1);  // nor is it forgotten when the lane goes back meanwhile
  ASSERT_TRUE(committed_to(1));
  guilds_known_ = true;
  scheduler_->look_again();
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 2);
}

TEST_P(SchedulerTest, StartedRunsByKey) {
  Plan plan;
  std::atomic<int> ran = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request& request) {
    ++ran;
    EXPECT_EQ(arg_n(request), 7);
    return fake.count(turn, std::stoll(std::string(request.key.p, request.key.n)));
  };
  plan.jobs["work"].at_once = 3;
  plan.methods["start"] = starter("work", "", "{\"n\":7}");
  auto lane = start(plan);
  for (const int n : {5, 6, 5, 5}) EXPECT_EQ(lane->request(call("start", n)).status, TL_OK);
  EXPECT_EQ(runs(), 2) << "a waiting key stays";
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(count_of(5), 1);
  EXPECT_EQ(count_of(6), 1);
  EXPECT_EQ(runs(), 0);
}

// A started run is in the unit that started it: what is undone was never started.
TEST_P(SchedulerTest, WhatWasUndoneWasNotStarted) {
  Plan plan;
  std::atomic<int> ran = 0, tries = 0;
  plan.jobs["work"].run = [&](Fake&, tl_turn, const tl_request&) {
    ++ran;
    return TL_OK;
  };
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.work->start(turn, fake.jobs.at("work"), abi(std::to_string(event.position)), abi(""), 0);
    if (Position{event.position}.seq() == 2) return fake.fail(turn, "no");
    if (Position{event.position}.seq() == 3 && ++tries == 1) return fake.fail(turn, "once");
    return TL_OK;
  };
  start(plan);
  append(1, 3);
  ASSERT_TRUE(committed_to(3));
  go_to(clock_us() + kMinute);  // due when the event was received
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(runs(), 0);
}

TEST_P(SchedulerTest, GoesOnFromItsProgressAfterAnInterruption) {
  Plan plan;
  std::atomic<int> part = 0;
  std::promise<void> saved;
  std::atomic<bool> first = true;
  const auto* json = static_cast<const tl_json_v1*>(find_abi_table("trellis.json/1"));
  const Plan::OnRequest run = [&](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    tl_value progress{};
    json->value(request.progress, &progress);
    for (std::int64_t n = progress.kind == TL_INT ? progress.i : 0; n < 3; ++n) {
      fake.count(turn, n);
      ++part;
      fake.work->save(turn, abi(std::to_string(n + 1)));
      if (const tl_status status = fake.wait->commit(turn); status < 0) return status;
      if (n == 1 && first.exchange(false)) {
        saved.set_value();
        return fake.wait->sleep(turn, 3'600 * kSecond);
      }
    }
    return TL_OK;
  };
  plan.jobs["started"].run = run;
  plan.methods["start"] = starter("started", "key");
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  scheduler_->run_due();
  saved.get_future().wait();
  lane.reset();
  restart(plan);
  clock_ += 10 * kSecond;
  ASSERT_TRUE(settled());
  EXPECT_EQ(part, 3);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(count_of(n), 1) << n;
  EXPECT_EQ(runs(), 0);
  // The same for a scheduled one.
  stop_all();
  db().execute("DELETE FROM counts");
  saved = {};
  first = true;
  part = 0;
  plan.jobs["nightly"].run = run;
  plan.jobs["nightly"].schedule = "0 * * * *";
  restart(plan);
  go_to(kNoon + kHour);
  saved.get_future().wait();
  restart(plan);
  clock_ += 10 * kSecond;
  ASSERT_TRUE(settled());
  EXPECT_EQ(part, 3);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(count_of(n), 1) << n;
  EXPECT_EQ(runs(), 0);
  EXPECT_EQ(number("SELECT last_due_us FROM trellis_schedule WHERE job = 'nightly'"), kNoon + kHour);
}

TEST_P(SchedulerTest, AReloadInterruptsAndGoesOn) {
  Plan plan, next;
  std::promise<void> inside;
  std::atomic<int> ran = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) {
    if (++ran == 1) inside.set_value();
    return fake.wait->sleep(turn, 3'600 * kSecond);
  };
  next.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) { return fake.count(turn, 1); };
  plan.methods["start"] = starter("work", "key");
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  scheduler_->run_due();
  inside.get_future().wait();
  lane->replace(make(next), factory(next), 2, 0us);
  clock_ += 10 * kSecond;
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
  EXPECT_EQ(runs(), 0);
}

TEST_P(SchedulerTest, StoppedByItsPlugin) {
  Plan plan;
  std::promise<void> inside;
  std::atomic<int> ran = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    if (++ran > 1) return fake.count(turn, 1);
    inside.set_value();
    return fake.wait->sleep(turn, 3'600 * kSecond);
  };
  plan.methods["start"] = starter("work", "key");
  plan.methods["stop"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    return fake.work->stop(turn, fake.jobs.at("work"), abi("key"));
  };
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  scheduler_->run_due();
  inside.get_future().wait();
  EXPECT_EQ(lane->request(call("stop")).status, TL_OK);
  clock_ += 10 * kSecond;
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(runs(), 0);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  ASSERT_TRUE(settled());
  EXPECT_EQ(count_of(1), 1);
}

TEST_P(SchedulerTest, AtOnceAltogetherAndPerGroup) {
  Plan plan;
  std::atomic<int> now = 0, most = 0, ran = 0;
  std::mutex mutex;
  std::map<std::string, int> groups;
  int most_of_group = 0;
  plan.jobs["work"].at_once = 4;
  plan.jobs["work"].at_once_per_group = 2;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    const std::string key(request.key.p, request.key.n), group = key.substr(0, key.find('/'));
    {
      std::lock_guard lock(mutex);
      most = std::max(most.load(), ++now);
      most_of_group = std::max(most_of_group, ++groups[group]);
    }
    const tl_status status = fake.wait->sleep(turn, 20'000);
    std::lock_guard lock(mutex);
    --now;
    --groups[group];
    ++ran;
    return status;
  };
  plan.methods["start"] = [](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    for (const char* group : {"a", "b", "c"})
      for (int i = 0; i < 5; ++i)
        fake.work->start(turn, fake.jobs.at("work"), abi(std::string(group) + "/" + std::to_string(i)), abi(""), 0);
    return TL_OK;
  };
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  ASSERT_TRUE(eventually([&] {
    scheduler_->run_due();
    return ran == 15;
  }));
  ASSERT_TRUE(settled());
  EXPECT_LE(most, 4);
  EXPECT_GE(most, 3);
  EXPECT_LE(most_of_group, 2);
}

TEST_P(SchedulerTest, FailuresAreTriedAgainThenPutAside) {
  Plan plan;
  std::atomic<int> ran = 0, nightly = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) {
    ++ran;
    fake.count(turn, 1);
    return fake.fail(turn, "no luck");
  };
  plan.jobs["nightly"] = job("0 0 * * *");
  plan.jobs["nightly"].run = [&](Fake& fake, tl_turn turn, const tl_request&) {
    ++nightly;
    return fake.fail(turn, "never");
  };
  plan.methods["start"] = starter("work", "key", "{\"a\":1}");
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 1);
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 1) << "not before its time";
  EXPECT_EQ(rows("SELECT attempts, error FROM trellis_runs"), "int 1, text no luck");
  for (int i = 0; i < 10; ++i) {
    clock_ += 5 * kMinute;
    ASSERT_TRUE(settled());
  }
  EXPECT_EQ(ran, 5);
  EXPECT_EQ(runs(), 0);
  EXPECT_EQ(count_of(1), 0);
  EXPECT_EQ(rows("SELECT kind, type, error, data FROM trellis_dead"),
            "text job, text work/key, text no luck, text {\"a\":1}");
  for (int day = 1; day <= 2; ++day) {
    for (int i = 0; i < 6; ++i) {
      go_to(kNoon + (day * 24 - 12) * kHour + i * 5 * kMinute);
      ASSERT_TRUE(settled());
    }
    EXPECT_EQ(nightly, 3 * day);
    EXPECT_EQ(number("SELECT count(*) FROM trellis_dead WHERE type = 'nightly'"), day)
        << "each night is one of its own";
    EXPECT_EQ(number("SELECT last_due_us FROM trellis_schedule WHERE job = 'nightly'"),
              kNoon + (day * 24 - 12) * kHour);
  }
}

// What the host knows of runs that crashed it counts as an attempt, and the second is the last.
TEST_P(SchedulerTest, RunsThatCrashedTheHost) {
  Plan plan;
  std::atomic<int> ran = 0;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request&) {
    ++ran;
    return fake.count(turn, 1);
  };
  plan.methods["start"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    return fake.work->start(turn, fake.jobs.at("work"), abi("key"), abi("{\"a\":1}"), kNoon + kHour);
  };
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  lane.reset();
  clock_ = kNoon + kHour;
  crashed_ = {{"work/other", kNoon + kHour, 2, clock_, true, "another"},
              {"work/key", kNoon + kHour, 1, clock_, false, "crashed"}};
  restart(plan);
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 0) << "not at once";
  EXPECT_EQ(runs(), 1);
  crashed_[1].count = 2;
  crashed_[1].dead = true;
  restart(plan);
  ASSERT_TRUE(eventually([&] { return runs() == 0; }));
  EXPECT_EQ(rows("SELECT kind, type, position, error, data FROM trellis_dead"),
            "text job, text work/key, int " + std::to_string(kNoon + kHour) + ", text crashed, text {\"a\":1}");
  clock_ += kHour;
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 0);
  // An operator has it run again.
  const auto letters = lanes_.at("fake")->dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  const auto soon = std::chrono::steady_clock::now() + 60s;
  EXPECT_EQ(lanes_.at("fake")->retry_dead_letter(letters[0], soon).status, TL_OK);
  ASSERT_TRUE(settled());
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(count_of(1), 1);
  EXPECT_EQ(dead(), 0);
}

TEST_P(SchedulerTest, TimeLimit) {
  Plan plan;
  plan.jobs["work"].timeout_us = kMinute;
  std::promise<tl_status> slept;
  std::atomic<bool> once = true;
  plan.jobs["work"].run = [&](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    EXPECT_EQ(request.deadline_us, clock_.load() + kMinute);
    clock_ += 2 * kMinute;
    if (once.exchange(false)) slept.set_value(fake.wait->sleep(turn, kHour));
    return TL_OK;
  };
  plan.methods["start"] = starter("work", "key");
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start")).status, TL_OK);
  scheduler_->run_due();
  EXPECT_EQ(slept.get_future().get(), TL_TIMEOUT);
  ASSERT_TRUE(settled());
}

TEST_P(SchedulerTest, OneWithAThreadRunsByItself) {
  scheduler_->stop();
  now_us = clock_us;
  SchedulerOptions options;
  options.now_us = clock_us;
  options.post = [this](std::function<void()> run) { boost::asio::post(requests_, std::move(run)); };
  scheduler_ = std::make_unique<Scheduler>(std::move(options));
  Plan plan;
  plan.jobs["every"] = job("@every 1s");
  plan.jobs["work"] = job("");
  plan.methods["start"] = starter("work");
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("start", 1)).status, TL_OK);
  EXPECT_TRUE(eventually([&] { return count_of(1) >= 3; }));
}

TRELLIS_ON_BOTH(SchedulerTest);

}  // namespace
}  // namespace trellis::host
