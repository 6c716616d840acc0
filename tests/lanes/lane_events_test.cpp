// Events of a lane: in order, once, whatever fails.
#include "lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class LaneEventsTest : public LaneTest {};

Plan::OnEvent counting() {
  return [](Fake& fake, tl_turn turn, const tl_event& event) {
    if (const tl_status status = fake.saw(turn, event.position); status < 0) return status;
    return fake.count(turn, 1);
  };
}

TEST_P(LaneEventsTest, InOrderWithTheirPositions) {
  Plan plan;
  std::vector<std::uint64_t> order;  // of the lane's thread alone
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    order.push_back(event.position);
    EXPECT_EQ(std::string_view(event.raw.p, event.raw.n),
              "{\"n\":" + std::to_string(Position{event.position}.seq()) + "}");
    return fake.saw(turn, event.position);
  };
  start(plan);
  append(1, 2000);
  ASSERT_TRUE(committed_to(2000));
  EXPECT_EQ(handled(), 2000);
  EXPECT_EQ(doubled(), 0);
  stop();
  ASSERT_EQ(order.size(), 2000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(plan.created, 1);
  EXPECT_EQ(plan.destroyed, 1);
}

TEST_P(LaneEventsTest, GoesOnFromTheCommittedPosition) {
  Plan plan;
  plan.on_event = counting();
  start(plan);
  append(1, 100);
  ASSERT_TRUE(committed_to(100));
  stop();
  append(101, 200);
  start(plan);
  ASSERT_TRUE(committed_to(200));
  EXPECT_EQ(handled(), 200);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), 200);
}

// Abandoned as by kill -9, before anything but the start position was committed: nothing that came meanwhile is lost.
TEST_P(LaneEventsTest, ANewPluginMissesNothingAfterItsStart) {
  append(1, 50);
  Plan plan;
  plan.commit_every_us = 3'600'000'000;
  plan.on_event = [](Fake&, tl_turn, const tl_event&) { return TL_OK; };
  auto lane = start(plan);
  EXPECT_EQ(committed(), at(50)) << "it begins with what comes from now on";
  append(51, 60);
  ASSERT_TRUE(handled_to(*lane, 60));
  lane->abandon();
  lane.reset();
  lanes_.clear();
  Plan next;
  next.on_event = counting();
  start(next);
  ASSERT_TRUE(committed_to(60));
  EXPECT_EQ(handled(), 10);
}

TEST_P(LaneEventsTest, ANewPluginWithAnEmptyJournalMissesNothingEither) {
  Plan plan;
  plan.commit_every_us = 3'600'000'000;
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(handled_to(*lane, 10));
  lane->abandon();
  lane.reset();
  lanes_.clear();
  Plan next;
  next.on_event = counting();
  start(next);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled(), 10);
}

TEST_P(LaneEventsTest, AFailingEventIsTriedAgainOnANewInstanceThenPutAside) {
  Plan plan;
  std::atomic<int> tries = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    ++fake.member;
    fake.saw(turn, event.position);
    fake.count(turn, 1);
    if (Position{event.position}.seq() == 50) {
      ++tries;
      EXPECT_EQ((event.flags & TL_EVENT_REPLAY) != 0, tries > 1);
      EXPECT_EQ(fake.member, tries == 1 ? 50 : 1);
      return fake.fail(turn, "no");
    }
    return TL_OK;
  };
  auto lane = start(plan);
  append(1, 100);
  ASSERT_TRUE(committed_to(100));
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(handled(), 99);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), 99) << "what it staged was undone";
  EXPECT_EQ(rows("SELECT kind, position, type, error, data FROM trellis_dead"),
            "text event, int " + std::to_string(at(50)) + ", text MESSAGE_CREATE, text no, text {\"n\":50}");
  EXPECT_EQ(lane->status().dead_letters, 1u);
  EXPECT_EQ(lane->status().state, "running");
  lane.reset();
  stop();
  EXPECT_EQ(plan.created, 3);
  EXPECT_EQ(plan.destroyed, 3);
}

TEST_P(LaneEventsTest, AFailureThatPassesCostsNothing) {
  Plan plan;
  std::atomic<int> tries = 0;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    if (Position{event.position}.seq() == 5 && ++tries == 1) return fake.fail(turn, "once");
    return TL_OK;
  };
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled(), 10);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(dead(), 0);
}

TEST_P(LaneEventsTest, TheSameFailureThreeTimesInARowPausesBeforeTheEvent) {
  Plan plan;
  std::atomic<bool> broken = true;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    if (broken && Position{event.position}.seq() > 5) return fake.fail(turn, "a table is missing");
    return fake.saw(turn, event.position);
  };
  auto lane = start(plan);
  append(1, 20);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  EXPECT_NE(lane->status().why.find("a table is missing"), std::string::npos);
  EXPECT_EQ(committed(), at(7)) << "two were put aside, the third is waited for";
  EXPECT_EQ(dead(), 2);
  broken = false;
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(handled(), 18);
  EXPECT_EQ(doubled(), 0);
}

TEST_P(LaneEventsTest, WithSqlInTheUnitAllOfItIsReplayed) {
  Plan plan;
  std::atomic<int> tries = 0;
  plan.commit_every_us = 1'000'000;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    const tl_value name = integer(2);
    if (const tl_status status = fake.work->sql(
            turn, abi("INSERT INTO counts (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = counts.n + 1"),
            &name, 1, nullptr);
        status < 0)
      return status;
    fake.count(turn, 1);
    EXPECT_EQ(fake.counted(turn, 1), fake.counted(turn, 2));
    if (Position{event.position}.seq() == 30) {
      ++tries;
      return fake.fail(turn, "after SQL");
    }
    return TL_OK;
  };
  start(plan);
  append(1, 60);
  ASSERT_TRUE(committed_to(60));
  EXPECT_GE(tries, 2);
  EXPECT_EQ(handled(), 59);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), 59);
  EXPECT_EQ(count_of(2), 59);
  EXPECT_EQ(dead(), 1);
}

TEST_P(LaneEventsTest, AStatementThatFailsIsTheHandlersAlone) {
  Plan plan;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    EXPECT_EQ(fake.work->sql(turn, abi("SELECT * FROM there_is_none"), nullptr, 0, nullptr), TL_INVALID);
    EXPECT_EQ(fake.work->sql(turn, abi("INSERT INTO seen VALUES (1, 100000)"), nullptr, 0, nullptr), TL_CONFLICT);
    return fake.saw(turn, event.position);
  };
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(handled(), 10);
  EXPECT_EQ(dead(), 0);
}

// Rows that the database refuses: the unit is taken apart, and the one event is put aside.
TEST_P(LaneEventsTest, RefusedRowsAreFoundAndPutAside) {
  Plan plan;
  plan.commit_every_us = 200'000;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    const std::uint32_t seq = Position{event.position}.seq();
    fake.count(turn, 1);
    return fake.saw(turn, event.position, seq == 40 || seq == 77 ? 5000 : 1);
  };
  auto lane = start(plan);
  append(1, 150);
  ASSERT_TRUE(committed_to(150)) << lane->status().why;
  EXPECT_EQ(handled(), 148);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), 148);
  EXPECT_EQ(rows("SELECT position FROM trellis_dead ORDER BY position"),
            "int " + std::to_string(at(40)) + "; int " + std::to_string(at(77)));
}

TEST_P(LaneEventsTest, WithoutItsTableItStandsAndGoesOnWhenItIsBack) {
  Plan plan;
  plan.on_event = counting();
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  db().execute("ALTER TABLE seen RENAME TO away");
  append(11, 20);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  EXPECT_EQ(committed(), at(10));
  db().execute("ALTER TABLE away RENAME TO seen");
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(handled(), 20);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(dead(), 0);
}

TEST_P(LaneEventsTest, AnotherOwnerStopsTheLaneForGood) {
  Plan plan;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    if (Position{event.position}.seq() == 15) return fake.fail(turn, "goes back");
    return fake.saw(turn, event.position);
  };
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  db().execute("UPDATE trellis_unit SET owner = 999");
  append(11, 20);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  append(21, 30);
  const RequestAnswer answer = lane->request(call("none"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_NE(answer.error.find("taken"), std::string::npos) << answer.error;
  EXPECT_EQ(committed(), at(10));
  EXPECT_EQ(handled(), 10);
  EXPECT_EQ(number("SELECT owner FROM trellis_unit"), 999);
  lane.reset();
  lanes_.at("fake")->stop(std::chrono::steady_clock::now() + 1s);
}

TEST_P(LaneEventsTest, PositionsPassOverWhatNobodyWants) {
  Plan plan;
  plan.types = {"GUILD_UPDATE"};
  auto lane = start(plan);
  append(1, 500);
  ASSERT_TRUE(handled_to(*lane, 500));
  EXPECT_TRUE(committed_to(500)) << "an idle lane commits its position all the same";
}

TEST_P(LaneEventsTest, WhatIsReadBackIsWhatWasStaged) {
  Plan plan;
  plan.commit_every_us = 10'000;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    const std::uint32_t seq = Position{event.position}.seq();
    // In the store, on its way there, or staged just now: it sees all of them.
    tl_status status = TL_OK;
    const std::int64_t before = fake.counted(turn, 1, &status);
    if (seq == 1)
      EXPECT_EQ(status, TL_NOT_FOUND);
    else
      EXPECT_EQ(before, seq - 1) << seq;
    fake.count(turn, 1);
    EXPECT_EQ(fake.counted(turn, 1), seq);
    tl_str value{};
    const tl_status had = fake.work->kv_get(turn, abi("last"), &value);
    if (seq == 1)
      EXPECT_EQ(had, TL_NOT_FOUND);
    else
      EXPECT_EQ(std::string(value.p, value.n), std::to_string(seq - 1));
    fake.work->kv_set(turn, abi("last"), abi(std::to_string(seq)), 0);
    fake.saw(turn, event.position);
    return TL_OK;
  };
  start(plan);
  append(1, 300);
  ASSERT_TRUE(committed_to(300));
  EXPECT_EQ(count_of(1), 300);
}

TEST_P(LaneEventsTest, KeysInOrderStagedOrNot) {
  Plan plan;
  std::vector<std::string> walked;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    const auto set = [&](const char* key, const char* value) {
      fake.work->kv_set(turn, abi(key), value ? abi(value) : tl_str{nullptr, 0}, 0);
    };
    if (Position{event.position}.seq() == 1) {
      for (const char* key : {"a/1", "a/3", "a/5", "b/1", "a/Z", "a/\xc3\xa4"}) set(key, "stored");
      return TL_OK;
    }
    set("a/3", nullptr);
    set("a/2", "staged");
    set("a/5", "staged");
    set("a", "before");
    set("a/9", "expired");
    fake.work->kv_set(turn, abi("a/9"), tl_str{nullptr, 0}, 0);
    std::string after;
    for (;;) {
      tl_str key{}, value{};
      if (fake.work->kv_next(turn, abi("a/"), abi(after), &key, &value) < 0) break;
      after.assign(key.p, key.n);
      walked.push_back(after + "=" + std::string(value.p, value.n));
    }
    return fake.saw(turn, event.position);
  };
  start(plan);
  append(1, 1);
  ASSERT_TRUE(committed_to(1));
  append(2, 2);
  ASSERT_TRUE(committed_to(2));
  EXPECT_EQ(walked,
            (std::vector<std::string>{"a/1=stored", "a/2=staged", "a/5=staged", "a/Z=stored", "a/\xc3\xa4=stored"}));
}

TEST_P(LaneEventsTest, ExpiredKeysAreDeletedInPassing) {
  Plan plan;
  const auto clock = std::make_shared<std::atomic<std::int64_t>>(clock_us());  // the lane outlives this function
  now_us = [clock] { return clock->load(); };
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    const std::uint32_t seq = Position{event.position}.seq();
    if (seq == 1)
      for (int i = 0; i < 1500; ++i)
        fake.work->kv_set(turn, abi("short" + std::to_string(i)), abi("1"), clock_us() + 30'000'000);
    if (seq == 1) fake.work->kv_set(turn, abi("long"), abi("1"), clock_us() + 3'600'000'000);
    if (seq == 1) fake.work->kv_set(turn, abi("for ever"), abi("1"), 0);
    return fake.saw(turn, event.position);
  };
  start(plan);
  const auto keys = [&] { return number("SELECT count(*) FROM trellis_kv"); };
  append(1, 1);
  ASSERT_TRUE(committed_to(1));
  EXPECT_EQ(keys(), 1502);
  append(2, 2);
  ASSERT_TRUE(committed_to(2));
  EXPECT_EQ(keys(), 1502) << "not yet";
  *clock += 61'000'000;
  append(3, 3);
  ASSERT_TRUE(committed_to(3));
  EXPECT_EQ(keys(), 502) << "so many at a time";
  append(4, 4);
  ASSERT_TRUE(committed_to(4));
  EXPECT_EQ(rows("SELECT key FROM trellis_kv ORDER BY key"), "text for ever; text long");
}

TEST_P(LaneEventsTest, AnEventCannotWait) {
  Plan plan;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    EXPECT_EQ(fake.wait->sleep(turn, 1), TL_REFUSED);
    EXPECT_EQ(fake.wait->commit(turn), TL_REFUSED);
    tl_id rows = 0;
    EXPECT_EQ(fake.rows->query(turn, abi("SELECT 1"), nullptr, 0, &rows), TL_REFUSED);
    // Another thread, and a turn that is over, have no right to act.
    std::thread([&] { EXPECT_EQ(fake.count(turn, 1), TL_REFUSED); }).join();
    EXPECT_EQ(fake.count(turn - 1, 1), TL_REFUSED);
    return fake.saw(turn, event.position);
  };
  start(plan);
  append(1, 3);
  ASSERT_TRUE(committed_to(3));
  EXPECT_EQ(count_of(1), 0);
}

TEST_P(LaneEventsTest, AnExceptionThatGetsOutIsAFailure) {
  Plan plan;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    if (Position{event.position}.seq() == 2) throw std::runtime_error("out");
    return fake.saw(turn, event.position);
  };
  start(plan);
  append(1, 3);
  ASSERT_TRUE(committed_to(3));
  EXPECT_EQ(handled(), 2);
  EXPECT_EQ(dead(), 1);
}

TEST_P(LaneEventsTest, CutConnectionsCostNothing) {
  if (!postgresql()) GTEST_SKIP() << "there is no connection to cut in SQLite";
  Plan plan;
  plan.commit_every_us = 10'000;
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    fake.count(turn, 1);
    const tl_value name = integer(2);
    if (Position{event.position}.seq() % 7 == 0)
      return fake.work->sql(
          turn, abi("INSERT INTO counts (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = counts.n + 1"),
          &name, 1, nullptr);
    return fake.counted(turn, 1) < 0 ? TL_FAILED : TL_OK;
  };
  start(plan);
  for (std::uint32_t round = 0; round < 20; ++round) {
    append(round * 100 + 1, round * 100 + 100);
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * round));
    cut_connections();
  }
  ASSERT_TRUE(committed_to(2000)) << lanes_.at("fake")->status().why;
  EXPECT_EQ(handled() + dead(), 2000);
  EXPECT_EQ(dead(), 0) << rows("SELECT error FROM trellis_dead");
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), 2000);
  EXPECT_EQ(count_of(2), 2000 / 7);
}

TRELLIS_ON_BOTH(LaneEventsTest);

}  // namespace
}  // namespace trellis::host
