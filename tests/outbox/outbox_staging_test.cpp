// Effects while they are staged: what is refused, what is undone, what their ids come from.
#include "outbox/outbox_ids.hpp"
#include "outbox_fixture.hpp"

namespace trellis::host {
namespace {

class OutboxStagingTest : public OutboxTest {};

TEST_P(OutboxStagingTest, WhatCannotBeDeliveredIsRefusedInWords) {
  open_outbox();
  std::vector<std::pair<tl_status, std::string>> answers;
  Plan plan;
  plan.methods["m"] = [&](Fake& fake, tl_turn turn, const tl_request&) {
    const auto try_to = [&](const Sent& sent) {
      const tl_status status = send(fake, turn, sent);
      answers.emplace_back(status, status < 0 ? error_of_turn(fake, turn) : "");
    };
    try_to({.system = "pigeons"});
    try_to({.flags = 0});
    try_to({.verb = "NEVER"});
    try_to({.target = std::string("a\0b", 3)});
    try_to({.body = std::string((25 << 20) + 1, 'x')});
    return TL_OK;
  };
  auto lane = start(plan);
  ASSERT_EQ(lane->request(call("m")).status, TL_OK);
  ASSERT_EQ(answers.size(), 5u);
  EXPECT_EQ(answers[0].first, TL_UNAVAILABLE);
  EXPECT_EQ(answers[0].second, "this host does not deliver to \"pigeons\"; nothing was sent. It delivers to: test");
  EXPECT_EQ(answers[1].first, TL_INVALID);
  EXPECT_EQ(answers[2], std::pair(static_cast<tl_status>(TL_INVALID), std::string("this can never be done")));
  EXPECT_EQ(answers[3].first, TL_INVALID);
  EXPECT_NE(answers[3].second.find("the target of what is sent is not UTF-8 text"), std::string::npos);
  EXPECT_EQ(answers[4].first, TL_TOO_LARGE);
  EXPECT_EQ(number("SELECT count(*) FROM trellis_outbox"), 0);
}

TEST_P(OutboxStagingTest, AHostWithoutTargetsSaysSo) {
  context_.accept_effect = nullptr;
  Plan plan;
  std::string error;
  plan.methods["m"] = [&](Fake& fake, tl_turn turn, const tl_request&) {
    EXPECT_EQ(send(fake, turn, {}), TL_UNAVAILABLE);
    error = error_of_turn(fake, turn);
    return TL_OK;
  };
  EXPECT_EQ(start(plan)->request(call("m")).status, TL_OK);
  EXPECT_NE(error.find("does not deliver to \"test\""), std::string::npos) << error;
}

TEST_P(OutboxStagingTest, GoesAndComesWithTheRowsOfItsHandler) {
  Plan plan;
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    if (const tl_status status = send(fake, turn, {.body = seq_of(event)}); status < 0) return status;
    return seq_of(event) == "5" ? fake.fail(turn, "no") : TL_OK;
  };
  plan.methods["fails"] = [](Fake& fake, tl_turn turn, const tl_request&) {
    send(fake, turn, {.body = "of a request"});
    return fake.fail(turn, "no");
  };
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(lane->request(call("fails")).status, TL_FAILED);
  EXPECT_EQ(handled(), 9);
  EXPECT_EQ(dead(), 1);
  EXPECT_EQ(in_table(0), 9);
  EXPECT_EQ(number("SELECT count(*) FROM trellis_outbox WHERE body = '5'"), 0);
}

// Two lives of the host: the first loses what it staged. Ids depend on nothing but plugin, position and number.
TEST_P(OutboxStagingTest, AReplayOfAnEventMakesTheSameIds) {
  const auto twice = [](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    send(fake, turn, {.body = "first"});
    return send(fake, turn, {.body = "second"});
  };
  Plan lost;
  lost.commit_every_us = 3'600'000'000;
  lost.on_event = twice;
  auto lane = start(lost);
  append(1, 3);
  ASSERT_TRUE(handled_to(*lane, 3));
  lane->abandon();
  lane.reset();
  lanes_.clear();
  ASSERT_EQ(number("SELECT count(*) FROM trellis_outbox"), 0);
  Plan plan;
  plan.on_event = twice;
  start(plan);
  ASSERT_TRUE(committed_to(3));
  std::string expected;
  for (std::uint32_t seq = 1; seq <= 3; ++seq) {
    auto origin = EffectOrigin::of_event("MESSAGE_CREATE", Stream{}, Position::of(7, seq));
    for (const char* body : {"first", "second"}) {
      OutboxRow row;
      origin.name(row, "fake");
      expected += (expected.empty() ? "" : "; ") + ("text " + row.id) + ", blob " +
                  std::to_string(std::string_view(body).size()) + ", text MESSAGE_CREATE 7:" + std::to_string(seq) +
                  " of shard 0/1";
    }
  }
  EXPECT_EQ(rows("SELECT id, body, origin FROM trellis_outbox ORDER BY unit, n"), expected);
}

// A job's run that is repeated from where it saved itself.
TEST_P(OutboxStagingTest, ARepeatedRunOfAJobMakesTheSameIds) {
  open_outbox();
  std::atomic<int> runs = 0;
  Plan plan;
  plan.jobs["sweep"] = {[&](Fake& fake, tl_turn turn, const tl_request&) -> tl_status {
    ++runs;
    send(fake, turn, {.target = "first", .body = "same in each run"});
    if (fake.wait->commit(turn) < 0) return TL_FAILED;
    send(fake, turn, {.target = "second", .body = "run " + std::to_string(runs)});
    fake.work->save(turn, abi("{ \"done\": 1 }"));
    if (fake.wait->commit(turn) < 0) return TL_FAILED;
    send(fake, turn, {.target = "after the save", .body = "x"});
    return fake.wait->commit(turn);
  }};
  auto lane = start(plan);
  RequestCall run;
  run.kind = TL_JOB;
  run.name = "sweep";
  run.key = "guild/1";
  run.due_us = 1000;
  const auto run_it = [&] {
    ASSERT_EQ(lane->request(run).status, TL_OK);
    ASSERT_TRUE(nothing_waits());
  };
  run_it();
  run_it();
  run.progress = boost::json::parse("{\"done\":1}");
  run_it();
  run.due_us = 2000;
  run_it();
  std::map<std::string, std::vector<std::string>> ids;
  for (const auto& one : target_.tries()) ids[one.target].push_back(one.id);
  ASSERT_EQ(ids["first"].size(), 4u);
  EXPECT_EQ(ids["first"][0], ids["first"][1]);
  EXPECT_NE(ids["first"][1], ids["first"][2]) << "from another progress it is another effect";
  EXPECT_NE(ids["first"][2], ids["first"][3]) << "as for another run";
  ASSERT_EQ(ids["second"].size(), 4u);
  EXPECT_NE(ids["second"][0], ids["second"][1]) << "what says something else is something else";
  ASSERT_EQ(ids["after the save"].size(), 4u);
  EXPECT_EQ(ids["after the save"][0], ids["after the save"][1]);
}

TEST_P(OutboxStagingTest, WhatWaitsAlreadyIsNotStagedTwiceByARepeatedRun) {
  open_outbox();
  target_.hold("a");
  Plan plan;
  plan.jobs["sweep"] = {[&](Fake& fake, tl_turn turn, const tl_request&) { return send(fake, turn, {.body = "x"}); }};
  auto lane = start(plan);
  RequestCall run;
  run.kind = TL_JOB;
  run.name = "sweep";
  run.due_us = 1000;
  ASSERT_EQ(lane->request(run).status, TL_OK);
  ASSERT_EQ(lane->request(run).status, TL_OK);
  EXPECT_EQ(number("SELECT count(*) FROM trellis_outbox"), 1);
  target_.release();
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.count(), 1u);
}

TEST_P(OutboxStagingTest, EveryRunOfARequestHasIdsOfItsOwn) {
  open_outbox();
  Plan plan;
  plan.methods["m"] = [](Fake& fake, tl_turn turn, const tl_request&) { return send(fake, turn, {.body = "x"}); };
  auto lane = start(plan);
  ASSERT_EQ(lane->request(call("m")).status, TL_OK);
  ASSERT_EQ(lane->request(call("m")).status, TL_OK);
  ASSERT_TRUE(eventually([&] { return target_.count() == 2; }));
  EXPECT_NE(target_.tries()[0].id, target_.tries()[1].id);
  EXPECT_EQ(target_.last().origin, "method m");
}

// What was delivered must not be forgotten by a power loss.
TEST_P(OutboxStagingTest, ACommitWithEffectsWaitsForTheDisk) {
  Unit unit;
  EXPECT_FALSE(unit.needs_sync);
  unit.send({});
  EXPECT_TRUE(unit.needs_sync);
  Plan plan;
  std::atomic<bool> sql = false;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    // The transaction is open before anything is sent in it.
    if (sql && fake.work->sql(turn, abi("SELECT 1"), nullptr, 0, nullptr) < 0) return TL_FAILED;
    fake.saw(turn, event.position);
    return send(fake, turn, {.body = seq_of(event)});
  };
  auto lane = start(plan);
  for (std::uint32_t seq = 1; seq <= 20; ++seq) {
    sql = seq > 10;
    append(seq, seq);
    ASSERT_TRUE(committed_to(seq));
    ASSERT_TRUE(eventually([&] { return lane->committed_positions()[0].position.seq() == seq; }));
    EXPECT_EQ(lane->durable_positions()[0].position.seq(), seq);
  }
  EXPECT_EQ(in_table(0), 20);
}

TRELLIS_ON_BOTH(OutboxStagingTest);

}  // namespace
}  // namespace trellis::host
