// Requests beside the events: units of their own, and waiting.
#include <future>

#include "lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class LaneRequestsTest : public LaneTest {
 protected:
  static Plan::OnEvent counting() {
    return [](Fake& fake, tl_turn turn, const tl_event& event) {
      fake.saw(turn, event.position);
      return fake.count(turn, 1);
    };
  }
};

TEST_P(LaneRequestsTest, AreCommittedWhenAnswered) {
  Plan plan;
  plan.on_event = counting();
  plan.commit_every_us = 3'600'000'000;
  plan.methods["add"] = [](Fake& fake, tl_turn turn, const tl_request& request) {
    fake.count(turn, 2, arg_n(request));
    return fake.say(turn, "{\"done\":true}");
  };
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(handled_to(*lane, 10));
  const RequestAnswer answer = lane->request(call("add", 5));
  EXPECT_EQ(answer.status, TL_OK) << answer.error;
  EXPECT_EQ(answer.body, "{\"done\":true}");
  EXPECT_EQ(count_of(2), 5);
  EXPECT_EQ(count_of(1), 10) << "the events before it were sealed before it";
}

TEST_P(LaneRequestsTest, FailAlone) {
  Plan plan;
  plan.on_event = counting();
  plan.methods["throws"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    fake.count(turn, 2, 100);
    return fake.fail(turn, "no such thing");
  };
  plan.methods["refused"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.saw(turn, 1, 5000); };
  plan.methods["lets_out"] = [](Fake&, tl_turn, const tl_request&) -> tl_status { throw 42; };
  plan.methods["sql"] = [](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    EXPECT_EQ(fake.work->sql(turn, abi("INSERT INTO counts VALUES (9, 9)"), nullptr, 0, nullptr), TL_OK);
    return fake.fail(turn, "after SQL");
  };
  plan.methods["flush"] = [](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    fake.saw(turn, 1, 5000);
    EXPECT_EQ(fake.work->sql(turn, abi("INSERT INTO counts VALUES (9, 9)"), nullptr, 0, nullptr), TL_CONFLICT);
    // Whoever swallows that has nothing any more: it cannot succeed, and nothing runs outside of a transaction.
    EXPECT_LT(fake.work->sql(turn, abi("INSERT INTO counts VALUES (8, 8)"), nullptr, 0, nullptr), 0);
    return TL_OK;
  };
  auto lane = start(plan);
  append(1, 100);
  EXPECT_EQ(lane->request(call("throws")).error, "no such thing");
  const RequestAnswer refused = lane->request(call("refused"));
  EXPECT_EQ(refused.status, TL_CONFLICT);
  EXPECT_NE(refused.error.find("seen"), std::string::npos) << refused.error;
  EXPECT_EQ(lane->request(call("lets_out")).status, TL_FAILED);
  EXPECT_EQ(lane->request(call("sql")).error, "after SQL");
  EXPECT_LT(lane->request(call("flush")).status, 0);
  EXPECT_EQ(lane->request(call("nothing")).status, TL_NOT_FOUND);
  append(101, 200);
  ASSERT_TRUE(committed_to(200));
  EXPECT_EQ(lane->status().state, "running");
  EXPECT_EQ(count_of(1), 200);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(2), 0);
  EXPECT_EQ(number("SELECT count(*) FROM counts WHERE name IN (8, 9)"), 0);
  EXPECT_EQ(dead(), 0);
}

// What was staged on top of a unit that is refused is not done either, and whoever asked for it is told.
TEST_P(LaneRequestsTest, StagedOnTopOfWhatFails) {
  std::mutex mutex;
  std::vector<std::function<void()>> held;
  bool hold = false;
  context_.post_write = [&](std::function<void()> run) {
    std::lock_guard lock(mutex);
    if (hold)
      held.push_back(std::move(run));
    else
      boost::asio::post(writers_, std::move(run));
  };
  Plan plan;
  plan.on_event = counting();
  plan.methods["refused"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.saw(turn, 1, 5000); };
  plan.methods["add"] = [](Fake& fake, tl_turn turn, const tl_request&) { return fake.count(turn, 2, 5); };
  auto lane = start(plan);
  append(1, 10);
  // Durably: nothing is written by itself any more, and held in the requests' place.
  ASSERT_TRUE(eventually([&] {
    const auto durable = lane->durable_positions();
    return !durable.empty() && durable[0].position.value >= at(10);
  }));
  {
    std::lock_guard lock(mutex);
    hold = true;
  }
  auto refused = std::async(std::launch::async, [&] { return lane->request(call("refused")); });
  ASSERT_TRUE(eventually([&] { return lane->status().writer.rows_waiting == 1; }));
  auto on_top = std::async(std::launch::async, [&] { return lane->request(call("add")); });
  ASSERT_TRUE(eventually([&] { return lane->status().writer.rows_waiting == 2; }));
  {
    std::lock_guard lock(mutex);
    hold = false;
    for (auto& run : held) boost::asio::post(writers_, std::move(run));
  }
  for (auto* answer : {&refused, &on_top}) {
    const RequestAnswer given = answer->get();
    EXPECT_EQ(given.status, TL_CONFLICT);
    EXPECT_NE(given.error.find("this was not done"), std::string::npos) << given.error;
  }
  EXPECT_EQ(count_of(2), 0);
  EXPECT_EQ(lane->request(call("add")).status, TL_OK);
  append(11, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(count_of(1), 20);
  EXPECT_EQ(count_of(2), 5);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(lane->status().failures, 0u) << "no event is to blame";
  lane.reset();
  stop();
}

TEST_P(LaneRequestsTest, WaitingCommits) {
  Plan plan;
  std::promise<void> committed_before, go_on;
  plan.methods["pay"] = [&](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    fake.count(turn, 2, 1);
    struct Context {
      std::promise<void>*out, *in;
      Fake* fake;
      tl_turn turn;
    } context{&committed_before, &go_on, &fake, turn};
    const tl_status status = fake.wait->outside(
        turn,
        [](void* at) {
          auto* c = static_cast<Context*>(at);
          EXPECT_EQ(c->fake->count(c->turn, 3), TL_REFUSED) << "it has no baton here";
          c->out->set_value();
          c->in->get_future().wait();
        },
        &context);
    EXPECT_EQ(status, TL_OK);
    fake.count(turn, 2, 10);
    return fake.fail(turn, "too late");
  };
  plan.on_event = counting();
  auto lane = start(plan);
  auto answer = std::async(std::launch::async, [&] { return lane->request(call("pay")); });
  committed_before.get_future().wait();
  EXPECT_EQ(count_of(2), 1);
  append(1, 5);  // events go on meanwhile
  EXPECT_TRUE(committed_to(5));
  go_on.set_value();
  EXPECT_EQ(answer.get().error, "too late");
  EXPECT_EQ(count_of(2), 1);
}

TEST_P(LaneRequestsTest, AQuerySeesWhatEventsStaged) {
  Plan plan;
  plan.on_event = counting();
  plan.commit_every_us = 3'600'000'000;
  plan.methods["query"] = [](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    EXPECT_EQ(fake.counted(turn, 1), 10) << "staged by events";
    tl_id rows = 0;
    const tl_status status = fake.rows->query(turn, abi("SELECT n FROM counts WHERE name = 1"), nullptr, 0, &rows);
    if (status < 0) return status;
    const tl_value* row = nullptr;
    EXPECT_EQ(fake.rows->next(turn, rows, &row), TL_OK);
    const std::int64_t n = row ? row[0].i : -1;
    EXPECT_EQ(fake.rows->next(turn, rows, &row), TL_NOT_FOUND);
    fake.rows->close(turn, rows);
    EXPECT_EQ(fake.rows->next(turn, rows, &row), TL_INVALID);
    return fake.say(turn, std::to_string(n));
  };
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(handled_to(*lane, 10));
  for (int i = 0; i < 3; ++i) {
    if (postgresql() && i == 2) cut_connections();  // a reader that was kept is found dead and replaced
    const RequestAnswer answer = lane->request(call("query"));
    EXPECT_EQ(answer.body, "10") << answer.error;
  }
}

TEST_P(LaneRequestsTest, ArgumentsAreChecked) {
  Plan plan;
  plan.methods["m"] = [](Fake& fake, tl_turn turn, const tl_request& request) {
    return fake.say(turn, std::to_string(arg_n(request)));
  };
  auto lane = start(plan);
  EXPECT_EQ(lane->request(call("m", 5)).body, "5");
  RequestCall wrong = call("m");
  wrong.args = boost::json::parse("{\"m\":1}");
  EXPECT_EQ(lane->request(wrong).status, TL_INVALID);
  wrong.args = boost::json::parse("{\"n\":\"x\"}");
  EXPECT_NE(lane->request(wrong).error.find("whole number"), std::string::npos);
}

TEST_P(LaneRequestsTest, DeadlinesAndCancelling) {
  Plan plan;
  plan.methods["sleep"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    return fake.wait->sleep(turn, 3'600'000'000);
  };
  plan.methods["quick"] = [](Fake&, tl_turn, const tl_request&) { return TL_OK; };
  std::promise<void> inside, leave;
  plan.on_event = [&](Fake&, tl_turn, const tl_event&) {
    inside.set_value();
    leave.get_future().wait();
    return TL_OK;
  };
  auto lane = start(plan);
  RequestCall sleep = call("sleep");
  sleep.deadline_us = clock_us() + 50'000;
  EXPECT_EQ(lane->request(sleep).status, TL_TIMEOUT);
  sleep.deadline_us = 0;
  sleep.cancelled = std::make_shared<std::atomic<bool>>(false);
  auto answer = std::async(std::launch::async, [&] { return lane->request(sleep); });
  std::this_thread::sleep_for(20ms);
  *sleep.cancelled = true;
  lane->wake_waits();
  EXPECT_EQ(answer.get().status, TL_CANCELLED);
  append(1, 1);
  inside.get_future().wait();  // the lane is busy
  RequestCall quick = call("quick");
  quick.deadline_us = clock_us() + 50'000;
  EXPECT_EQ(lane->request(quick).status, TL_TIMEOUT);
  leave.set_value();
  quick.deadline_us = clock_us() + 60'000'000;
  EXPECT_EQ(lane->request(quick).status, TL_OK);
}

// A calls B, B calls A, and so on, all on one thread and under two batons.
TEST_P(LaneRequestsTest, ServiceCallsMayComeBack) {
  Plan plan;
  plan.methods["down"] = [](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    const std::int64_t n = arg_n(request);
    fake.count(turn, 2, 1);
    if (n == 0) return fake.say(turn, "0");
    const std::string body = "{\"n\":" + std::to_string(n - 1) + "}";
    tl_operation operation{};
    operation.size = sizeof operation;
    operation.system = abi("service");
    operation.verb = n % 2 ? abi("other.down") : abi("fake.down");
    operation.body = abi(body);
    tl_reply reply{};
    reply.size = sizeof reply;
    if (const tl_status status = fake.wait->call(turn, &operation, &reply); status < 0) return status;
    const std::string got(reply.body.p, reply.body.n);
    fake.wait->release(reply.handle);
    return fake.say(turn, std::to_string(std::stoll(got) + 1));
  };
  store_->open(name_ + "x")
      ->connect()
      ->run_script(
          "CREATE TABLE seen (position BIGINT PRIMARY KEY, times BIGINT NOT NULL);"
          "CREATE TABLE counts (name BIGINT PRIMARY KEY, n BIGINT NOT NULL)");
  Plan other;
  other.methods = plan.methods;
  auto lane = start(plan, "fake", false);
  auto second = std::make_shared<Lane>("other", store_->open(name_ + "x"), context_);
  second->start(make(other), factory(other), 1);
  lanes_["other"] = second;
  const RequestAnswer answer = lane->request(call("down", 5));
  EXPECT_EQ(answer.body, "5") << answer.error;
  EXPECT_EQ(count_of(2), 3);
  EXPECT_EQ(lane->request(call("down", 8)).body, "8");
  const RequestAnswer deep = lane->request(call("down", 9));
  EXPECT_EQ(deep.status, TL_REFUSED);
  EXPECT_NE(deep.error.find("levels"), std::string::npos);
  // Many at a time: no deadlock.
  std::vector<std::future<RequestAnswer>> many;
  for (int i = 0; i < 8; ++i)
    many.push_back(std::async(std::launch::async, [&] { return lane->request(call("down", 6)); }));
  for (auto& one : many) EXPECT_EQ(one.get().body, "6");
  lane.reset();
  second.reset();
  stop("other");
  stop();
  store_->drop(name_ + "x");
}

// The lane goes back while a request of the old instance waits: that one may end, but it stages nothing any more.
TEST_P(LaneRequestsTest, AnInstanceThatIsGivenUpStagesNothing) {
  Plan plan;
  std::promise<void> waits;
  std::atomic<int> statuses = 0;
  plan.methods["stubborn"] = [&](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    waits.set_value();
    EXPECT_EQ(fake.wait->sleep(turn, 3'600'000'000), TL_CANCELLED);
    EXPECT_EQ(fake.wait->sleep(turn, 1), TL_CANCELLED) << "for ever after";
    fake.count(turn, 2, 100);
    fake.work->sql(turn, abi("INSERT INTO counts VALUES (9, 9)"), nullptr, 0, nullptr);
    ++statuses;
    return TL_OK;
  };
  std::atomic<int> tries = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) {
    if (Position{event.position}.seq() == 3 && ++tries == 1) return fake.fail(turn, "back");
    return fake.saw(turn, event.position);
  };
  auto lane = start(plan);
  auto answer = std::async(std::launch::async, [&] { return lane->request(call("stubborn")); });
  waits.get_future().wait();
  append(1, 10);
  EXPECT_EQ(answer.get().status, TL_CANCELLED);
  EXPECT_EQ(statuses, 1);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled(), 10);
  EXPECT_EQ(count_of(2), 0);
  EXPECT_EQ(count_of(9), 0);
  lane.reset();
  stop();
  EXPECT_EQ(plan.created, 2);
  EXPECT_EQ(plan.destroyed, 2);
}

TEST_P(LaneRequestsTest, BesideALoadOfEventsTheSumsAreExact) {
  Plan plan;
  plan.on_event = counting();
  plan.methods["add"] = [](Fake& fake, tl_turn turn, const tl_request& request) -> tl_status {
    fake.count(turn, 2, 1);
    const std::int64_t n = arg_n(request);
    if (n % 3 == 0 && fake.wait->commit(turn) < 0) return TL_FAILED;
    if (n % 5 == 0) return fake.fail(turn, "undone");
    fake.count(turn, 3, 1);
    return TL_OK;
  };
  auto lane = start(plan);
  std::vector<std::thread> threads;
  std::atomic<std::int64_t> second = 0, third = 0;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (std::int64_t n = 1; n <= 60; ++n) {
        const RequestAnswer answer = lane->request(call("add", n));
        EXPECT_EQ(answer.status < 0, n % 5 == 0) << answer.error;
        second += n % 5 != 0 || n % 3 == 0;
        third += n % 5 != 0;
      }
    });
  for (std::uint32_t i = 0; i < 40; ++i) append(i * 50 + 1, i * 50 + 50);
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(committed_to(2000));
  EXPECT_EQ(count_of(1), 2000);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(2), second);
  EXPECT_EQ(count_of(3), third);
}

TRELLIS_ON_BOTH(LaneRequestsTest);

}  // namespace
}  // namespace trellis::host
