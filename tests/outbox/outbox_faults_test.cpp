// The host dies, the store goes away, the plugin is replaced: every effect arrives, in order, and repeats can be told.
#include "outbox_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class OutboxFaultsTest : public OutboxTest {
 protected:
  static Plan::OnEvent sending(const std::string& verb = "KEYED") {
    return [verb](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
      fake.saw(turn, event.position);
      return send(fake, turn, {.verb = verb, .body = seq_of(event)});
    };
  }

  /// Every number 1..last arrived, in order but for repeats, and a number has one key in all its tries.
  void expect_all(int last) {
    std::map<std::string, std::set<std::string>> keys;
    std::vector<std::string> first_tries;
    for (const auto& one : target_.tries())
      if (keys[one.body].insert(one.key).second && keys[one.body].size() == 1) first_tries.push_back(one.body);
    EXPECT_EQ(first_tries, numbers(1, last));
    for (const auto& [body, of_body] : keys) EXPECT_EQ(of_body.size(), 1u) << body;
  }
};

TEST_P(OutboxFaultsTest, KilledBetweenCommitAndDelivery) {
  Plan plan;
  plan.on_event = sending();
  start(plan);  // no outbox yet: as if it had not come to it
  append(1, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(target_.count(), 0u);
  crash();
  open_outbox();
  append(21, 30);
  start(plan);
  ASSERT_TRUE(eventually([&] { return target_.count() == 30; }));
  ASSERT_TRUE(nothing_waits());
  expect_all(30);
  EXPECT_EQ(target_.count(), 30u);
}

TEST_P(OutboxFaultsTest, KilledBetweenDeliveryAndItsMark) {
  Plan plan;
  plan.on_event = sending();
  for (int life = 1; life <= 5; ++life) {
    open_outbox();
    target_.hold("a");
    const std::size_t before = target_.count();
    start(plan);
    append(static_cast<std::uint32_t>(life * 10 - 9), static_cast<std::uint32_t>(life * 10));
    ASSERT_TRUE(eventually([&] { return target_.count() > before; })) << "the other side has it now";
    crash();
  }
  open_outbox();
  start(plan);
  ASSERT_TRUE(committed_to(50));
  ASSERT_TRUE(nothing_waits());
  expect_all(50);
  EXPECT_EQ(target_.count(), 55u) << "five were done twice, under their keys";
}

TEST_P(OutboxFaultsTest, WhatCannotBeRepeatedIsNotRepeatedAfterAKill) {
  Plan plan;
  plan.on_event = sending("PLAIN");
  open_outbox();
  target_.hold("a");
  start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return target_.count() == 1 && in_table(1) == 1; }));
  crash();
  open_outbox();
  start(plan);
  ASSERT_TRUE(eventually([&] { return in_table(0) + in_table(1) == 0 && in_table(2) == 1; }));
  EXPECT_EQ(target_.bodies("a"), numbers(1, 3));
  EXPECT_NE(error_of_dead().find("it may have been done"), std::string::npos);
}

TEST_P(OutboxFaultsTest, TheOtherSideIsDownForAWhile) {
  std::atomic<bool> down = true;
  std::atomic<int> tries = 0;
  target_.answer([&](const OutboxRow& row) {
    if (!down) return Outcome::done();
    return ++tries % 2 ? Outcome::retry("connection refused") : Outcome::unknown("cut: " + row.id);
  });
  open_outbox();
  Plan plan;
  plan.on_event = sending();
  start(plan);
  append(1, 50);
  ASSERT_TRUE(eventually([&] { return tries >= 5; }));
  append(51, 100);
  ASSERT_TRUE(eventually([&] { return tries >= 7; }));
  down = false;
  ASSERT_TRUE(committed_to(100));
  advance(60s);
  ASSERT_TRUE(nothing_waits());
  expect_all(100);
}

TEST_P(OutboxFaultsTest, ReplacedUnderLoad) {
  open_outbox();
  std::vector<std::unique_ptr<Plan>> plans;
  const auto plan = [&]() -> Plan& {
    auto& made = *plans.emplace_back(std::make_unique<Plan>());
    made.on_event = sending();
    return made;
  };
  auto lane = start(plan());
  std::uint32_t seq = 0;
  for (std::uint64_t generation = 2; generation <= 8; ++generation) {
    append(seq + 1, seq + 50);
    seq += 50;
    Plan& next = plan();
    lane->replace(make(next), factory(next), generation, 1s);
  }
  lane.reset();
  ASSERT_TRUE(committed_to(seq));
  ASSERT_TRUE(nothing_waits());
  expect_all(static_cast<int>(seq));
  EXPECT_EQ(target_.count(), seq) << "the outbox is the host's: a reload repeats nothing";
  stop();
}

TEST_P(OutboxFaultsTest, AnotherOwnersEffectsAreLeftAlone) {
  open_outbox();
  Plan plan;
  plan.on_event = sending();
  start(plan);
  append(1, 1);
  ASSERT_TRUE(eventually([&] { return target_.count() == 1; }));
  ASSERT_TRUE(nothing_waits());
  const std::int64_t ours = number("SELECT owner FROM trellis_unit");
  db().execute("UPDATE trellis_unit SET owner = 999999");
  db().execute(
      "INSERT INTO trellis_outbox (id, unit, n, origin, queue, system, verb, target, headers, files, body, "
      "attachments, "
      "delivery_id, repeatable, created_us, not_before_us, give_up_after_us, expires_us, timeout_us) "
      "VALUES ('x', 1, 0, '', 'a', 'test', 'KEYED', 'a', '[]', '[]', '', '', '', 1, 0, 0, 1, $1, 0)",
      std::vector<tl_value>{integer(now() + 3'600'000'000)});
  outbox()->look_again();
  ASSERT_TRUE(eventually([&] { return !outbox()->list("fake", {}, 0).dispatcher.trouble.empty(); }));
  EXPECT_EQ(target_.count(), 1u);
  db().execute("UPDATE trellis_unit SET owner = " + std::to_string(ours));
  outbox()->look_again();
  ASSERT_TRUE(eventually([&] { return target_.count() == 2; }));
  stop();
}

TRELLIS_ON_BOTH(OutboxFaultsTest);

class OutboxStoreTest : public OutboxFaultsTest {};

TEST_P(OutboxStoreTest, ConnectionsAreCutAgainAndAgain) {
  open_outbox();
  target_.answer([](const OutboxRow&) {
    std::this_thread::sleep_for(1ms);
    return Outcome::done();
  });
  Plan plan;
  plan.on_event = sending();
  start(plan);
  for (std::uint32_t round = 0; round < 10; ++round) {
    append(round * 30 + 1, round * 30 + 30);
    ASSERT_TRUE(eventually([&] { return target_.count() > round * 25; }));
    cut_connections();
  }
  ASSERT_TRUE(committed_to(300));
  ASSERT_TRUE(nothing_waits());
  expect_all(300);
}

TEST_P(OutboxStoreTest, WhatCannotBeRepeatedSurvivesACutOrIsPutAside) {
  open_outbox();
  Plan plan;
  plan.on_event = sending("PLAIN");
  start(plan);
  for (std::uint32_t round = 0; round < 10; ++round) {
    append(round * 30 + 1, round * 30 + 30);
    ASSERT_TRUE(eventually([&] { return target_.count() > round * 25; }));
    cut_connections();
  }
  ASSERT_TRUE(committed_to(300));
  ASSERT_TRUE(nothing_waits());
  expect_all(300);
  EXPECT_EQ(target_.count(), 300u) << "none was done twice";
  EXPECT_EQ(in_table(2), 0);
}

TRELLIS_ON(OutboxStoreTest, "postgresql");

}  // namespace
}  // namespace trellis::host
