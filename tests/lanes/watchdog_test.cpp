// Handlers that take long are named, and measured.
#include "lanes/watchdog.hpp"

#include <fstream>
#include <future>

#include "lane_fixture.hpp"
#include "log/log.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Clock = HandlerWatch::Clock;

TEST(HandlerTimes, BucketsHoldWhatTheirBoundsSay) {
  for (std::int64_t us = 1; us < 1'000'000'000; us = us * 9 / 8 + 1) {
    HandlerTimes times;
    times.add(std::chrono::microseconds(us));
    const double bound = times.snapshot().quantile(0.5), seconds = static_cast<double>(us) * 1e-6;
    EXPECT_GT(bound, seconds) << us;
    EXPECT_LE(bound, seconds * 1.25 + 1e-6) << us;
  }
}

TEST(HandlerTimes, Quantiles) {
  HandlerTimes times;
  EXPECT_EQ(times.snapshot().quantile(0.99), 0);
  for (int i = 0; i < 98; ++i) times.add(100us);
  times.add(1s);
  times.add(100h);
  const auto snapshot = times.snapshot();
  EXPECT_EQ(snapshot.count, 100u);
  EXPECT_NEAR(snapshot.quantile(0.5), 100e-6, 25e-6);
  EXPECT_NEAR(snapshot.quantile(0.98), 100e-6, 25e-6);
  EXPECT_NEAR(snapshot.quantile(0.99), 1, 0.25);
  EXPECT_EQ(snapshot.quantile(1), HandlerTimes::bound(HandlerTimes::kBuckets - 1));
  EXPECT_NEAR(snapshot.sum_seconds, 360'001.0098, 1e-3);
}

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    std::string name = testing::TempDir() + "trellis-watch-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder_ = name;
    start_log("info", "text", (folder_ / "log").string());
  }
  ~WatchTest() override {
    start_log("info", "text", "");
    std::filesystem::remove_all(folder_);
  }
  /// Lines with this in them.
  int said(std::string_view what) const {
    std::ifstream in(folder_ / "log");
    int count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(what) != std::string::npos;
    return count;
  }
  void look(std::chrono::seconds later) { watch_.look(1s, 30s, Clock::now() + later); }

  std::filesystem::path folder_;
  HandlerWatch watch_{"slow"};
};

TEST_F(WatchTest, NamedOncePerLimitAndRun) {
  const std::string what = "the handler of MESSAGE_CREATE 7:12 (shard 1/2) has not returned for";
  look(100s);
  EXPECT_EQ(watch_.text(), "");
  for (int run = 1; run <= 2; ++run) {
    watch_.begin_event(event_type("MESSAGE_CREATE"), {1, 2}, Position::of(7, 12));
    look(0s);
    EXPECT_EQ(watch_.slow(), static_cast<unsigned>(run - 1));
    for (int i = 2; i < 10; ++i) look(std::chrono::seconds(i));
    EXPECT_EQ(said(what), 2 * run - 1);
    EXPECT_EQ(watch_.slow(), static_cast<unsigned>(run));
    EXPECT_FALSE(watch_.wedged());
    for (int i = 30; i < 40; ++i) look(std::chrono::seconds(i));
    EXPECT_EQ(said(what), 2 * run);
    EXPECT_EQ(said("the plugin stands, everything else goes on"), run);
    EXPECT_TRUE(watch_.wedged());
    EXPECT_NE(watch_.wedged_since_us(), 0);
    EXPECT_EQ(watch_.hangs(), static_cast<unsigned>(run));
    EXPECT_EQ(watch_.text().find(what), 0u) << watch_.text();
    watch_.end();
    EXPECT_FALSE(watch_.wedged());
    EXPECT_EQ(watch_.wedged_since_us(), 0);
    EXPECT_EQ(said("the handler of MESSAGE_CREATE 7:12 (shard 1/2) has returned after"), run);
    EXPECT_EQ(watch_.text(), "");
  }
  EXPECT_EQ(watch_.times().snapshot().count, 2u);
}

TEST_F(WatchTest, WhoWaitsWithoutTheBatonDoesNotHang) {
  watch_.begin_request(TL_JOB, "backfill");
  look(2s);
  EXPECT_EQ(said("the handler of job backfill has not returned"), 1);
  watch_.end();  // it waits
  look(100s);
  EXPECT_FALSE(watch_.wedged());
  watch_.begin_request(TL_JOB, "backfill");
  look(0s);
  EXPECT_FALSE(watch_.wedged());
  watch_.end();
  watch_.end();  // the lane lost the baton meanwhile
  look(100s);
  EXPECT_FALSE(watch_.wedged());
  EXPECT_EQ(watch_.times().snapshot().count, 2u);
}

class WedgedLaneTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    context_.watchdog = &watchdog_;
  }
  Watchdog watchdog_{200ms, 1s};
};

TEST_P(WedgedLaneTest, OnlyItStands) {
  Plan plan;
  std::promise<void> leave;
  auto left = leave.get_future().share();
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) {
    if (Position{event.position}.seq() == 3) left.wait();
    return fake.saw(turn, event.position);
  };
  plan.methods["quick"] = [](Fake&, tl_turn, const tl_request&) { return TL_OK; };
  auto lane = start(plan);
  store_->open(name_ + "x")
      ->connect()
      ->run_script(
          "CREATE TABLE seen (position BIGINT PRIMARY KEY, times BIGINT NOT NULL);"
          "CREATE TABLE counts (name BIGINT PRIMARY KEY, n BIGINT NOT NULL)");
  Plan fine;
  fine.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) { return fake.saw(turn, event.position); };
  auto other = std::make_shared<Lane>("other", store_->open(name_ + "x"), context_);
  other->start(make(fine), factory(fine), 1);
  other->attach(*journal_);
  lanes_["other"] = other;

  append(1, 10);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "wedged"; }));
  EXPECT_TRUE(handled_to(*other, 10));
  const auto status = lane->status();
  EXPECT_NE(status.why.find("the handler of MESSAGE_CREATE 7:3 (shard 0/1) has not returned for"), std::string::npos)
      << status.why;
  EXPECT_NE(status.since_us, 0);
  // Whoever asks is told, without a deadline too.
  const RequestAnswer answer = lane->request(call("quick"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_NE(answer.error.find("the handler of MESSAGE_CREATE 7:3"), std::string::npos) << answer.error;
  Plan next;
  try {
    lane->replace(make(next), factory(next), 2, 0s);
    FAIL() << "it replaced what runs";
  } catch (const PluginError& error) {
    EXPECT_NE(std::string(error.what()).find("the handler of MESSAGE_CREATE 7:3"), std::string::npos) << error.what();
  }
  leave.set_value();
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled(), 10);
  EXPECT_EQ(lane->request(call("quick")).status, TL_OK);
  EXPECT_GE(lane->watch().hangs(), 1u);
  EXPECT_EQ(lane->status().times.count, 11u);
  lane.reset();
  other.reset();
  stop("other");
  stop();
  store_->drop(name_ + "x");
}

// A request in a wait holds nothing up, however long; one that does not hand the baton back does.
TEST_P(WedgedLaneTest, RequestsThatWaitAndRequestsThatHang) {
  Plan plan;
  std::string running;
  context_.sleep = [&](const Turn& turn, std::int64_t) {
    running = turn.lane.watch().text();
    return true;
  };
  std::promise<void> leave;
  auto left = leave.get_future().share();
  plan.methods["waits"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.wait->sleep(turn, 1); };
  plan.methods["hangs"] = [&](Fake&, tl_turn, const tl_request&) {
    left.wait();
    return TL_OK;
  };
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("waits")).status, TL_OK);
  EXPECT_EQ(running, "");
  auto hanging = std::async(std::launch::async, [&] { return lane->request(call("hangs")); });
  ASSERT_TRUE(eventually([&] { return lane->status().state == "wedged"; }));
  EXPECT_NE(lane->status().why.find("the handler of method hangs"), std::string::npos) << lane->status().why;
  leave.set_value();
  EXPECT_EQ(hanging.get().status, TL_OK);
  EXPECT_NE(lane->status().state, "wedged");
}

TRELLIS_ON_BOTH(WedgedLaneTest);

}  // namespace
}  // namespace trellis::host
