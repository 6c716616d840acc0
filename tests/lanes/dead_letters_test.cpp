// Dead letters: kept whole, tried again by hand, one unit each.
#include "lanes/dead_letters.hpp"

#include <future>

#include "lane_fixture.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class DeadLettersTest : public LaneTest {
 protected:
  /// Events whose number is in `bad` fail; others are counted.
  Plan::OnEvent failing() {
    return [this](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
      ++fake.member;
      replays_ += (event.flags & TL_EVENT_REPLAY) != 0;
      fake.saw(turn, event.position);
      fake.count(turn, 1);
      const std::uint32_t seq = Position{event.position}.seq();
      std::lock_guard lock(mutex_);
      if (!bad_.contains(seq)) return TL_OK;
      return fake.fail(turn, "bad luck with " + std::to_string(seq));
    };
  }
  void heal(std::set<std::uint32_t> bad = {}) {
    std::lock_guard lock(mutex_);
    bad_ = std::move(bad);
  }
  /// The lane after it put aside what is bad among 1..last.
  std::shared_ptr<Lane> after(Plan& plan, std::set<std::uint32_t> bad, std::uint32_t last) {
    heal(std::move(bad));
    plan.on_event = failing();
    auto lane = start(plan);
    append(1, last);
    EXPECT_TRUE(committed_to(last));
    EXPECT_TRUE(handled_to(*lane, last));
    return lane;
  }
  static Clock::time_point soon() { return Clock::now() + 60s; }
  static auto all() {
    return [](const DeadLetter&) { return true; };
  }

  std::mutex mutex_;
  std::set<std::uint32_t> bad_;
  std::atomic<int> replays_ = 0;
};

TEST_P(DeadLettersTest, AreKeptWhole) {
  Plan plan;
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event&) { return fake.fail(turn, "no"); };
  auto lane = start(plan);
  Record record;
  record.position = Position::of(7, 1);
  record.type = event_type("MESSAGE_CREATE");
  record.flags = kRecordBot;
  record.guild = ~std::uint64_t{0} - 1, record.channel = 2, record.user = 3, record.id = 4;
  record.happened_us = 1'700'000'000'000'001, record.received_us = 1'700'000'000'000'002;
  record.data = R"({"content":"x"})";
  ASSERT_TRUE(journal_->append(record));
  ASSERT_FALSE(journal_->flush());
  ASSERT_TRUE(committed_to(1));
  const auto letters = lane->dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].name(), "0:7:1");
  EXPECT_EQ(letters[0].generation, 1u);
  EXPECT_EQ(letters[0].error, "no");
  EXPECT_EQ(letters[0].tries, 0);
  const auto whole = read_dead_letter(db(), letters[0]);
  ASSERT_TRUE(whole);
  const Record again = record_of(*whole);
  EXPECT_EQ(again.position, record.position);
  EXPECT_EQ(again.type, record.type);
  EXPECT_EQ(again.flags, record.flags);
  EXPECT_EQ(again.guild, record.guild);
  EXPECT_EQ(again.channel, record.channel);
  EXPECT_EQ(again.user, record.user);
  EXPECT_EQ(again.id, record.id);
  EXPECT_EQ(again.happened_us, record.happened_us);
  EXPECT_EQ(again.received_us, record.received_us);
  EXPECT_EQ(again.data, record.data);
}

TEST_P(DeadLettersTest, ATableOfBeforeGetsItsColumns) {
  db().begin(Durability::Sync);
  db().run_script(
      "CREATE TABLE trellis_dead (kind TEXT NOT NULL, shard BIGINT NOT NULL, shards BIGINT NOT NULL, position BIGINT "
      "NOT NULL, type TEXT NOT NULL, error TEXT NOT NULL, data TEXT NOT NULL, died_us BIGINT NOT NULL, PRIMARY KEY "
      "(kind, shard, shards, position, type));"
      "INSERT INTO trellis_dead VALUES ('event', 0, 1, 30064771077, 'MESSAGE_CREATE', 'old', '{\"n\":5}', 12)");
  db().commit();
  Plan plan;
  auto lane = after(plan, {2}, 10);
  const auto letters = lane->dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].name(), "0:7:5");
  EXPECT_EQ(letters[0].generation, 0u);
  EXPECT_EQ(lane->status().dead_letters, 2u);
}

/// Whoever asks while it stops hears so, and does not wait until its own time is over.
TEST_P(DeadLettersTest, ALaneThatStopsLeavesNobodyWaiting) {
  Plan plan;
  auto lane = after(plan, {}, 1);
  DeadLetter unknown;
  unknown.kind = "event";
  unknown.position = Position::of(7, 1000);
  std::vector<std::future<std::string>> answers;
  std::atomic<int> asked = 0;
  for (int i = 0; i < 4; ++i)
    answers.push_back(std::async(std::launch::async, [&] {
      for (;;) {
        const RequestAnswer answer = lane->retry_dead_letter(unknown, Clock::now() + 1h);
        ++asked;
        if (answer.status != TL_NOT_FOUND) return answer.error;
      }
    }));
  while (asked < 20) std::this_thread::sleep_for(1ms);
  lane->stop(soon());
  for (auto& answer : answers) EXPECT_NE(answer.get(), "");
}

TEST_P(DeadLettersTest, ARetryHandlesTheEventInAUnitOfItsOwn) {
  Plan plan;
  auto lane = after(plan, {3, 5}, 10);
  EXPECT_EQ(dead(), 2);
  EXPECT_EQ(handled(), 8);
  EXPECT_EQ(lane->status().dead_letters, 2u);
  heal();
  const int created = plan.created, replays = replays_;
  const auto letters = lane->dead_letters();
  const RequestAnswer answer = lane->retry_dead_letter(letters[0], soon());
  EXPECT_EQ(answer.status, TL_OK) << answer.error;
  EXPECT_EQ(dead(), 1);
  EXPECT_EQ(handled(), 9) << "in the store when it returns";
  EXPECT_EQ(count_of(1), 9);
  EXPECT_EQ(replays_, replays + 1) << "marked as a replay";
  EXPECT_EQ(lane->status().dead_letters, 1u);
  EXPECT_EQ(plan.created, created) << "the instance goes on";
  EXPECT_EQ(committed(), at(10)) << "positions do not move";
  const RequestAnswer again = lane->retry_dead_letter(letters[0], soon());
  EXPECT_EQ(again.status, TL_NOT_FOUND);
  EXPECT_NE(again.error.find("0:7:3"), std::string::npos) << again.error;
  append(11, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(handled(), 19);
  EXPECT_EQ(doubled(), 0);
}

TEST_P(DeadLettersTest, OneThatFailsAgainStaysWithTheNewError) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  const DeadLetter letter = lane->dead_letters().at(0);
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.saw(turn, event.position);
    fake.count(turn, 1);
    return Position{event.position}.seq() == 3 ? fake.fail(turn, "still not") : TL_OK;
  };
  const int created = plan.created;
  for (int tries = 1; tries <= 2; ++tries) {
    const RequestAnswer answer = lane->retry_dead_letter(letter, soon());
    EXPECT_EQ(answer.status, TL_FAILED);
    EXPECT_EQ(answer.error, "still not");
    const DeadLetter now = lane->dead_letters().at(0);
    EXPECT_EQ(now.error, "still not");
    EXPECT_EQ(now.tries, tries);
    EXPECT_EQ(now.died_us, letter.died_us);
    EXPECT_GE(now.tried_us, now.died_us);
    EXPECT_EQ(plan.created, created + tries) << "its members have seen the event";
  }
  EXPECT_EQ(handled(), 9);
  EXPECT_EQ(count_of(1), 9);
  EXPECT_EQ(lane->status().dead_letters, 1u);
  append(11, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(handled(), 19);
  EXPECT_EQ(doubled(), 0);
}

// Its own effects go, and nothing of the events before it.
TEST_P(DeadLettersTest, RowsThatAreRefusedFailTheRetryAlone) {
  Plan plan;
  plan.commit_every_us = 3'600'000'000;
  heal({2});
  plan.on_event = failing();
  auto lane = start(plan);
  append(1, 3);
  ASSERT_TRUE(eventually([&] { return lane->status().dead_letters == 1; }));
  ASSERT_TRUE(handled_to(*lane, 3));
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    fake.count(turn, 1);
    return fake.saw(turn, event.position, Position{event.position}.seq() == 2 ? 5000 : 1);
  };
  append(4, 9);
  ASSERT_TRUE(handled_to(*lane, 9));
  const RequestAnswer answer = lane->retry_dead_letter(lane->dead_letters().at(0), soon());
  EXPECT_EQ(answer.status, TL_FAILED);
  EXPECT_NE(answer.error.find("seen"), std::string::npos) << answer.error;
  EXPECT_EQ(handled(), 8) << "those before were committed first";
  EXPECT_EQ(count_of(1), 8);
  EXPECT_EQ(dead(), 1);
  EXPECT_EQ(lane->dead_letters().at(0).tries, 1);
  EXPECT_EQ(lane->status().state, "running");
}

TEST_P(DeadLettersTest, SqlInARetryIsTakenBackWhenItFails) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  std::atomic<bool> broken = true;
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    if (fake.work->sql(turn, abi("INSERT INTO counts VALUES (77, 1)"), nullptr, 0, nullptr) < 0) return TL_FAILED;
    return broken ? fake.fail(turn, "after SQL") : fake.saw(turn, event.position);
  };
  EXPECT_EQ(lane->retry_dead_letter(lane->dead_letters().at(0), soon()).error, "after SQL");
  EXPECT_EQ(count_of(77), 0);
  EXPECT_EQ(dead(), 1);
  broken = false;
  EXPECT_EQ(lane->retry_dead_letter(lane->dead_letters().at(0), soon()).status, TL_OK);
  EXPECT_EQ(count_of(77), 1);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(handled(), 10);
}

TEST_P(DeadLettersTest, OnlyWhatThePluginHandles) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  Plan next;
  next.types = {"MESSAGE_DELETE"};
  lane->replace(make(next), factory(next), 2, 0s);
  const RequestAnswer answer = lane->retry_dead_letter(lane->dead_letters().at(0), soon());
  EXPECT_EQ(answer.status, TL_REFUSED);
  EXPECT_EQ(answer.error, "plugin fake does not handle MESSAGE_CREATE any more");
  EXPECT_EQ(dead(), 1);
  EXPECT_EQ(lane->dead_letters().at(0).tries, 0);
}

// A generation that was given up: what it could not handle is offered to the code that runs now.
TEST_P(DeadLettersTest, OfAGenerationSinceATime) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  Plan worse;
  heal({12, 14, 15});
  worse.on_event = failing();
  lane->replace(make(worse), factory(worse), 2, 0s);
  const std::int64_t since = clock_us();
  append(11, 20);
  ASSERT_TRUE(committed_to(20));
  ASSERT_EQ(dead(), 4);
  heal({15});
  Plan back;
  back.on_event = failing();
  lane->replace(make(back), factory(back), 3, 0s);
  EXPECT_EQ(lane->retry_dead_letters(2, clock_us() + 1'000'000, soon()).done, 0u);
  const DeadRetries report = lane->retry_dead_letters(2, since, soon());
  EXPECT_EQ(report.done, 2u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.left, 0u);
  EXPECT_EQ(report.error, "bad luck with 15");
  EXPECT_EQ(rows("SELECT position, generation FROM trellis_dead ORDER BY position"),
            "int " + std::to_string(at(3)) + ", int 1; int " + std::to_string(at(15)) + ", int 3");
  EXPECT_EQ(handled(), 18);
  EXPECT_EQ(doubled(), 0);
  lane.reset();
  stop();
}

TEST_P(DeadLettersTest, AllOfThemAndNotInVain) {
  Plan plan;
  auto lane = after(plan, {2, 4, 6, 8, 10}, 20);
  ASSERT_EQ(dead(), 5);
  heal({2, 8});
  DeadRetries report = lane->retry_dead_letters(all(), soon());
  EXPECT_EQ(report.done, 3u);
  EXPECT_EQ(report.failed, 2u);
  EXPECT_EQ(dead(), 2);
  heal({31, 32, 33, 34});
  append(21, 40);
  ASSERT_TRUE(committed_to(40));
  ASSERT_TRUE(handled_to(*lane, 40));
  ASSERT_EQ(dead(), 6);
  plan.on_event = [](Fake& fake, tl_turn turn, const tl_event&) { return fake.fail(turn, "all the same"); };
  report = lane->retry_dead_letters(all(), soon());
  EXPECT_EQ(report.done, 0u);
  EXPECT_EQ(report.failed, 3u) << "the same error three times in a row";
  EXPECT_EQ(report.left, 3u);
  EXPECT_EQ(report.error, "all the same");
}

TEST_P(DeadLettersTest, NeverBesideAnotherHandlerAndNotForEver) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  const DeadLetter letter = lane->dead_letters().at(0);
  heal();
  std::promise<void> inside, leave;
  plan.methods.clear();
  plan.on_event = [&](Fake& fake, tl_turn turn, const tl_event& event) -> tl_status {
    if (Position{event.position}.seq() == 11) {
      inside.set_value();
      leave.get_future().wait();
    }
    return fake.saw(turn, event.position);
  };
  append(11, 11);
  inside.get_future().wait();
  const RequestAnswer answer = lane->retry_dead_letter(letter, Clock::now() + 20ms);
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_NE(answer.error.find("has not returned"), std::string::npos) << answer.error;
  auto patient = std::async(std::launch::async, [&] { return lane->retry_dead_letter(letter, soon()); });
  leave.set_value();
  EXPECT_EQ(patient.get().status, TL_OK);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(Fake::inside_max, 1);
  EXPECT_EQ(handled(), 11);
}

TEST_P(DeadLettersTest, WhilePausedTheyAreReadAndNotTried) {
  Plan plan;
  auto lane = after(plan, {3}, 10);
  db().execute("ALTER TABLE seen RENAME TO away");
  append(11, 11);
  ASSERT_TRUE(eventually([&] { return lane->status().state == "paused"; }));
  const auto letters = lane->dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  const RequestAnswer answer = lane->retry_dead_letter(letters[0], soon());
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_NE(answer.error.find("paused"), std::string::npos) << answer.error;
  EXPECT_EQ(lane->retry_dead_letters(all(), soon()).left, 1u);
  EXPECT_TRUE(delete_dead_letter(db(), letters[0]));
  EXPECT_FALSE(delete_dead_letter(db(), letters[0]));
  lane->recount_dead_letters();
  EXPECT_EQ(lane->status().dead_letters, 0u);
  db().execute("ALTER TABLE away RENAME TO seen");
}

TRELLIS_ON_BOTH(DeadLettersTest);

}  // namespace
}  // namespace trellis::host
