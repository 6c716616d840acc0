// Delivering: order, retries, expiry, refusals, what operators do about it.
#include "outbox_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class OutboxDeliveryTest : public OutboxTest {
 protected:
  /// Events send their number to the target that `route` names.
  static Plan::OnEvent sending(std::function<Sent(int)> what) {
    return [what](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
      fake.saw(turn, event.position);
      Sent sent = what(std::stoi(seq_of(event)));
      if (sent.body.empty()) sent.body = seq_of(event);
      return send(fake, turn, sent);
    };
  }
};

TEST_P(OutboxDeliveryTest, InOrderWithinAQueueAndEachOnce) {
  open_outbox();
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.target = "q" + std::to_string(n % 4)}; });
  start(plan);
  append(1, 400);
  ASSERT_TRUE(eventually([&] { return target_.count() == 400; }));
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.count(), 400u);
  for (int queue = 0; queue < 4; ++queue)
    EXPECT_EQ(target_.bodies("q" + std::to_string(queue)), numbers(queue ? queue : 4, 400, 4));
  EXPECT_EQ(target_.most_of_a_queue(), 1);
}

TEST_P(OutboxDeliveryTest, WholeWithHeadersFilesAndAnyBytes) {
  open_outbox();
  Plan plan;
  const std::string bytes("\0\xff\x80 a", 5);
  plan.methods["m"] = [&](Fake& fake, tl_turn turn, const tl_request&) {
    tl_operation operation{};
    operation.size = sizeof operation;
    operation.flags = TL_OPERATION_EFFECT | TL_OPERATION_REPEATABLE;
    operation.system = abi("test");
    operation.verb = abi("POST");
    operation.target = abi("a");
    operation.body = abi(bytes);
    operation.delivery_id = abi("my own key");
    const tl_field headers[] = {{abi("x-one"), text("grün")}, {abi("x-two"), integer(2)}};
    operation.headers = headers;
    operation.header_count = 2;
    const tl_file files[] = {{abi("a.txt"), abi("text/plain"), abi("")}, {abi("b.bin"), abi("x/y"), abi(bytes)}};
    operation.files = files;
    operation.file_count = 2;
    operation.timeout_us = 5;
    return fake.work->send(turn, &operation);
  };
  ASSERT_EQ(start(plan)->request(call("m")).status, TL_OK);
  ASSERT_TRUE(eventually([&] { return target_.count() == 1; }));
  const OutboxRow row = target_.last();
  EXPECT_EQ(row.plugin, "fake");
  EXPECT_EQ(row.body, bytes);
  EXPECT_EQ(row.key(), "my own key");
  EXPECT_EQ(row.id.size(), 24u);
  EXPECT_EQ(row.timeout_us, 5);
  EXPECT_TRUE(row.repeatable);
  EXPECT_EQ(row.headers, (std::vector<std::pair<std::string, std::string>>{{"x-one", "grün"}, {"x-two", "2"}}));
  ASSERT_EQ(row.files.size(), 2u);
  EXPECT_EQ(row.files[0].name + row.files[0].type + row.files[0].bytes, "a.txttext/plain");
  EXPECT_EQ(row.files[1].bytes, bytes);
}

TEST_P(OutboxDeliveryTest, AnOrderKeyMakesAQueueOfSeveralTargets) {
  open_outbox();
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.target = "q" + std::to_string(n % 3), .order_key = "one"}; });
  start(plan);
  append(1, 60);
  ASSERT_TRUE(eventually([&] { return target_.count() == 60; }));
  std::vector<std::string> bodies;
  for (const auto& one : target_.tries()) bodies.push_back(one.body);
  EXPECT_EQ(bodies, numbers(1, 60));
}

TEST_P(OutboxDeliveryTest, AQueueThatHangsDelaysOnlyItself) {
  open_outbox();
  target_.hold("slow");
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.target = n % 2 ? "slow" : "fast"}; });
  start(plan);
  append(1, 100);
  ASSERT_TRUE(eventually([&] { return target_.bodies("fast").size() == 50; }));
  EXPECT_EQ(target_.bodies("slow"), numbers(1, 1));
  target_.release();
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("slow"), numbers(1, 99, 2));
}

TEST_P(OutboxDeliveryTest, TriedAgainUntilItIsDoneAndTheOthersWait) {
  open_outbox();
  std::atomic<int> left = 4;
  target_.answer([&](const OutboxRow& row) {
    EXPECT_EQ(row.attempts, 4 - left.load() < 4 && left > 0 ? 4 - left : row.body == "1" ? 4 : 0);
    return left > 0 && left-- > 0 ? Outcome::retry("not now") : Outcome::done();
  });
  Plan plan;
  plan.on_event = sending([](int) { return Sent{}; });
  start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return target_.count() == 7; }));
  EXPECT_EQ(target_.bodies("a"), (std::vector<std::string>{"1", "1", "1", "1", "1", "2", "3"}));
  const auto tries = target_.tries();
  EXPECT_EQ(tries[0].key, tries[4].key);
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(outbox()->list("fake", {}, 10).dispatcher.put_off, 4u);
}

TEST_P(OutboxDeliveryTest, WaitsAsLongAsItIsToldTo) {
  open_outbox();
  std::atomic<bool> told = false;
  target_.answer(
      [&](const OutboxRow&) { return told.exchange(true) ? Outcome::done() : Outcome::retry("later", 3'600'000'000); });
  Plan plan;
  plan.on_event = sending([](int) { return Sent{.give_up_after_us = 7'200'000'000}; });
  start(plan);
  append(1, 1);
  ASSERT_TRUE(eventually([&] { return number("SELECT attempts FROM trellis_outbox") == 1; }));
  EXPECT_GT(number("SELECT retry_us FROM trellis_outbox"), now() + 3'000'000'000);
  advance(3000s);
  advance(601s);
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.count(), 2u);
}

TEST_P(OutboxDeliveryTest, ExpiresIntoTheDeadLetters) {
  open_outbox();
  target_.answer([](const OutboxRow&) { return Outcome::retry("nobody is there"); });
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.give_up_after_us = n == 1 ? 60'000'000 : 7'200'000'000}; });
  start(plan);
  append(1, 2);
  ASSERT_TRUE(eventually([&] { return target_.count() > 1; }));
  EXPECT_EQ(in_table(2), 0);
  advance(61s);
  ASSERT_TRUE(dead_are(1));
  EXPECT_EQ(error_of_dead(), "it expired before it could be delivered; the last try: nobody is there");
  target_.answer(nullptr);
  ASSERT_TRUE(eventually([&] { return in_table(0) == 0; }));
  EXPECT_EQ(target_.bodies("a").back(), "2") << "the queue has moved on";
}

TEST_P(OutboxDeliveryTest, WhatIsForLaterHoldsNothingUp) {
  open_outbox();
  Plan plan;
  plan.on_event = sending([&](int n) { return Sent{.not_before_us = n == 1 ? now() + 3'600'000'000 : 0}; });
  start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return target_.count() == 2; }));
  EXPECT_EQ(target_.bodies("a"), numbers(2, 3));
  ASSERT_TRUE(eventually([&] { return in_table(0) == 1; }));
  advance(3601s);
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("a").back(), "1");
}

TEST_P(OutboxDeliveryTest, ARefusalAtTheHeadLetsTheQueueMoveOn) {
  open_outbox();
  target_.answer([](const OutboxRow& row) { return row.body == "1" ? Outcome::refused("no right") : Outcome::done(); });
  Plan plan;
  plan.on_event = sending([](int) { return Sent{}; });
  start(plan);
  append(1, 5);
  ASSERT_TRUE(eventually([&] { return target_.count() == 5; }));
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(in_table(2), 1);
  EXPECT_EQ(error_of_dead(), "no right");
}

TEST_P(OutboxDeliveryTest, ThreeRefusalsInARowOpenTheBreakerOfTheirQueueAlone) {
  open_outbox();
  std::atomic<bool> refuses = true;
  target_.answer([&](const OutboxRow& row) {
    return refuses && row.target == "a" ? Outcome::refused("no right") : Outcome::done();
  });
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.target = n > 10 ? "b" : "a"}; });
  start(plan);
  append(1, 15);
  ASSERT_TRUE(eventually([&] { return target_.bodies("b").size() == 5; }));
  ASSERT_TRUE(dead_are(3));
  auto open = outbox()->list("fake", {}, 100).dispatcher.open;
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].queue, "a");
  EXPECT_EQ(open[0].refusals, 3);
  EXPECT_EQ(target_.bodies("a"), numbers(1, 3)) << "the others wait";
  advance(61s);  // half-open: one is tried
  ASSERT_TRUE(dead_are(4));
  EXPECT_GT(outbox()->list("fake", {}, 0).dispatcher.open.at(0).until_us, now() + 60'000'000)
      << "and longer than before";
  refuses = false;
  advance(121s);
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("a"), numbers(1, 10));
  EXPECT_EQ(in_table(2), 4);
  EXPECT_TRUE(outbox()->list("fake", {}, 0).dispatcher.open.empty());
}

TEST_P(OutboxDeliveryTest, RefusalsAreRememberedWhenTheQueueRunsEmpty) {
  open_outbox();
  target_.answer([](const OutboxRow&) { return Outcome::refused("no right"); });
  Plan plan;
  plan.on_event = sending([](int) { return Sent{}; });
  start(plan);
  for (std::uint32_t seq = 1; seq <= 3; ++seq) {
    append(seq, seq);
    ASSERT_TRUE(dead_are(seq));
  }
  append(4, 4);
  ASSERT_TRUE(committed_to(4));
  ASSERT_TRUE(eventually([&] { return !outbox()->list("fake", {}, 0).dispatcher.open.empty(); }));
  EXPECT_EQ(in_table(0), 1);
  EXPECT_EQ(target_.count(), 3u);
}

TEST_P(OutboxDeliveryTest, AnUnknownOutcomeIsRepeatedOnlyWhereThatDoesNoHarm) {
  open_outbox();
  std::set<std::string> seen;
  target_.answer([&](const OutboxRow& row) {
    return seen.insert(row.body).second ? Outcome::unknown("the line was cut") : Outcome::done();
  });
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.verb = n == 2 ? "PLAIN" : "KEYED"}; });
  start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return target_.count() == 5; }));
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("a"), (std::vector<std::string>{"1", "1", "2", "3", "3"}));
  EXPECT_EQ(in_table(2), 1);
  EXPECT_EQ(error_of_dead(),
            "the line was cut; it may have been done, and doing it again could do it twice: look there before a retry");
}

TEST_P(OutboxDeliveryTest, ARetriedDeadLetterGoesLastAndARepeatHasItsKey) {
  open_outbox();
  std::atomic<bool> refuses = true;
  target_.answer(
      [&](const OutboxRow& row) { return refuses && row.body == "1" ? Outcome::refused("no") : Outcome::done(); });
  Plan plan;
  plan.on_event = sending([](int) { return Sent{}; });
  start(plan);
  append(1, 1);
  ASSERT_TRUE(dead_are(1));
  const std::string id = outbox()->list("fake", OutboxRow::State::Dead, 10).rows.at(0).id;
  target_.hold("a");
  append(2, 5);
  ASSERT_TRUE(eventually([&] { return target_.count() == 2 && in_table(0) == 4; }));
  refuses = false;
  EXPECT_EQ(outbox()->retry("fake", id.substr(0, 10)), id);
  target_.release();
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("a"), (std::vector<std::string>{"1", "2", "3", "4", "5", "1"}));
  EXPECT_EQ(target_.tries().front().key, target_.tries().back().key);
  EXPECT_EQ(in_table(2), 0);
  EXPECT_THROW(outbox()->retry("fake", id), OutboxError);
}

TEST_P(OutboxDeliveryTest, AnOperatorSeesAndDropsWhatWaits) {
  open_outbox();
  target_.answer([](const OutboxRow& row) { return row.target == "dead" ? Outcome::refused("no") : Outcome::done(); });
  target_.hold("held");
  Plan plan;
  plan.on_event = sending([](int n) { return Sent{.target = n < 4 ? "held" : "dead"}; });
  start(plan);
  append(1, 5);
  ASSERT_TRUE(dead_are(2));
  ASSERT_TRUE(eventually([&] { return target_.bodies("held").size() == 1; }));
  const auto listing = outbox()->list("fake", {}, 100);
  EXPECT_TRUE(listing.dispatcher.runs);
  EXPECT_EQ(listing.dispatcher.trouble, "");
  ASSERT_EQ(listing.rows.size(), 5u);
  ASSERT_EQ(listing.dispatcher.under_way.size(), 1u);
  EXPECT_EQ(listing.rows[0].id, listing.dispatcher.under_way[0]);
  ASSERT_EQ(listing.counts.size(), 2u);
  EXPECT_EQ(listing.counts[0].count, 3u);
  EXPECT_EQ(listing.counts[1].count, 2u);
  EXPECT_EQ(outbox()->list("fake", OutboxRow::State::Dead, 100).rows.size(), 2u);
  EXPECT_EQ(outbox()->show("fake", listing.rows[1].id).body, "2");
  EXPECT_THROW(outbox()->show("fake", "nothing"), OutboxError);
  EXPECT_THROW(outbox()->drop("fake", listing.rows[0].id), OutboxError) << "it is under way";
  EXPECT_EQ(outbox()->drop("fake", listing.rows[1].id), listing.rows[1].id);
  EXPECT_EQ(outbox()->drop_all("fake"), 2u);
  target_.release();
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("held"), (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(outbox()->retry_all("fake"), 0u);
}

TEST_P(OutboxDeliveryTest, AStoppedPluginsEffectsStand) {
  open_outbox();
  target_.hold("a");
  Plan plan;
  plan.on_event = sending([](int) { return Sent{}; });
  start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return target_.count() == 1 && in_table(0) == 3; }));
  stop();
  EXPECT_FALSE(outbox()->list("fake", {}, 0).dispatcher.runs);
  target_.release();
  ASSERT_TRUE(eventually([&] { return in_table(0) == 2; })) << "what was under way is marked";
  advance(1s);
  start(plan);
  ASSERT_TRUE(nothing_waits());
  EXPECT_EQ(target_.bodies("a"), numbers(1, 3));
}

TEST_P(OutboxDeliveryTest, CountsForTheMetrics) {
  Metrics metrics;
  OutboxOptions given = options();
  given.metrics = &metrics;
  set_outbox(std::make_shared<Outbox>(given));
  target_.answer([](const OutboxRow& row) { return row.body == "1" ? Outcome::refused("no") : Outcome::done(); });
  Plan plan;
  plan.on_event = sending([&](int n) {
    return Sent{.give_up_after_us = 36'000'000'000'000, .not_before_us = n == 3 ? now() + 18'000'000'000 : 0};
  });
  start(plan);
  append(1, 3);
  const auto says = [&](const std::string& line) {
    return eventually([&] {
      advance(6s);
      return metrics.to_text().find(line) != std::string::npos;
    });
  };
  EXPECT_TRUE(says("trellis_outbox_delivered_total{plugin=\"fake\",system=\"test\"} 1\n")) << metrics.to_text();
  EXPECT_TRUE(says("trellis_outbox_failed_total{plugin=\"fake\",system=\"test\"} 1\n")) << metrics.to_text();
  EXPECT_TRUE(says("trellis_outbox_waiting{plugin=\"fake\",system=\"test\"} 1\n")) << metrics.to_text();
  EXPECT_TRUE(says("trellis_outbox_dead{plugin=\"fake\",system=\"test\"} 1\n")) << metrics.to_text();
  stop();
  close_outbox();
}

TRELLIS_ON_BOTH(OutboxDeliveryTest);

}  // namespace
}  // namespace trellis::host
