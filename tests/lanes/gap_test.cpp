// What a plugin misses of its stream, told once: gaps, and the end of a session's backfill.
#include <boost/json/serialize.hpp>

#include "lane_fixture.hpp"
#include "lanes/gaps.hpp"

namespace trellis::host {
namespace {

/// As a handler sees it: its name and where it stands, and for a gap from where and why.
struct Told {
  std::string name;
  Position position;
  std::string cause, from, to;
  std::vector<std::string> types;
  bool replayed = false;
  bool operator==(const Told&) const = default;
};

class GapTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    plan.types = {"MESSAGE_CREATE", "TRELLIS_GAP", "TRELLIS_CAUGHT_UP"};
    plan.on_event = [this](Fake& fake, tl_turn turn, const tl_event& event) { return handle(fake, turn, event); };
  }
  void TearDown() override {
    stop_all();  // before the plan goes
    LaneTest::TearDown();
  }

  tl_status handle(Fake& fake, tl_turn turn, const tl_event& event) {
    const std::string name(event_name(event.type));
    if (name == "MESSAGE_CREATE") {
      if (fails && fails(name)) return fake.fail(turn, "no");
      return fake.saw(turn, event.position);
    }
    Told seen{.name = name, .position = {event.position}, .replayed = (event.flags & TL_EVENT_REPLAY) != 0};
    if (name == "TRELLIS_GAP") {
      const auto json = boost::json::parse({event.raw.p, event.raw.n});
      seen.cause = json.at("cause").as_string();
      seen.from = json.at("from_position").as_string();
      seen.to = json.at("to_position").as_string();
      if (const auto* types = json.as_object().if_contains("types"))
        for (const auto& type : types->as_array()) seen.types.emplace_back(type.as_string());
      EXPECT_LE(json.at("from").as_string(), json.at("to").as_string());
      EXPECT_EQ(json.at("to").as_string().back(), 'Z');
    }
    {
      std::lock_guard lock(mutex);
      told.push_back(seen);
    }
    if (fails && fails(name)) return fake.fail(turn, "no");
    return fake.count(turn, name == "TRELLIS_GAP" ? 1 : 2);
  }
  std::vector<Told> all_told() {
    std::lock_guard lock(mutex);
    return told;
  }

  void note(RecordKind kind, std::string_view data = {}, Position position = {}) {
    Record record{.position = position, .kind = kind, .received_us = clock_us(), .data = data};
    ASSERT_TRUE(journal_->append(record));
    ASSERT_FALSE(journal_->flush());
  }
  void session(std::uint32_t epoch) { note(RecordKind::Session, R"({"session_id":"s"})", Position::of(epoch, 0)); }
  void filter(std::string_view names) { note(RecordKind::Filter, names); }
  void skip(std::uint32_t seq, std::uint32_t epoch = 7) { note(RecordKind::Skip, {}, Position::of(epoch, seq)); }
  void caught_up() { note(RecordKind::CaughtUp); }

  /// What is in the store, oldest first.
  std::vector<Gap> stored() { return read_gaps(db()); }
  bool stored_gaps(std::size_t count) {
    return eventually([&] { return stored().size() >= count; });
  }
  void switch_it_off() {
    db().begin(Durability::Sync);
    switch_off(db());
    db().commit();
  }
  /// The journal begins anew, as when its folder was deleted.
  void lose_the_journal() {
    journal_.reset();
    std::filesystem::remove_all(journal_folder_);
    open_journal();
  }

  Plan plan;
  std::function<bool(const std::string& name)> fails;
  std::mutex mutex;
  std::vector<Told> told;
};

Told gap(std::string cause, Position from, Position to, std::vector<std::string> types = {}) {
  return {"TRELLIS_GAP", to, std::move(cause), from.text(), to.text(), std::move(types)};
}
Told guilds_there(Position at) { return {"TRELLIS_CAUGHT_UP", at}; }

TEST_P(GapTest, AnotherSession) {
  start(plan);
  session(7);
  append(1, 10);
  session(8);
  append(1, 5, 8);
  ASSERT_TRUE(committed_to(5, 8));
  EXPECT_EQ(all_told(), std::vector{gap("session", Position::of(7, 10), Position::of(8, 0))})
      << "the first session of a new plugin is no gap";
  EXPECT_EQ(handled(), 15);
  const auto gaps = stored();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].cause, GapCause::Session);
  EXPECT_EQ(gaps[0].from, Position::of(7, 10));
  EXPECT_EQ(gaps[0].to, Position::of(8, 0));
  EXPECT_GT(gaps[0].from_us, 0);
  EXPECT_GE(gaps[0].to_us, gaps[0].from_us);
  const auto status = lanes_["fake"]->status();
  ASSERT_EQ(status.gaps.size(), 1u);
  EXPECT_EQ(status.gaps[0].text(), gaps[0].text());
}

TEST_P(GapTest, AnotherSessionWhileItWasStopped) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  append(11, 12);
  session(8);
  append(1, 5, 8);
  start(plan);
  ASSERT_TRUE(committed_to(5, 8));
  EXPECT_EQ(all_told(), std::vector{gap("session", Position::of(7, 12), Position::of(8, 0))});
  EXPECT_EQ(handled(), 17);
  stop();
  start(plan);
  append(6, 7, 8);
  ASSERT_TRUE(committed_to(7, 8));
  EXPECT_EQ(all_told().size(), 1u) << "told once";
}

TEST_P(GapTest, SessionsWithoutAnythingBetween) {
  session(7);
  start(plan);
  append(1, 1);
  session(8);
  session(9);
  append(1, 1, 9);
  ASSERT_TRUE(committed_to(1, 9));
  EXPECT_EQ(all_told(), (std::vector{gap("session", Position::of(7, 1), Position::of(8, 0)),
                                     gap("session", Position::of(8, 0), Position::of(9, 0))}));
}

/// Its journal is gone, and the session goes on elsewhere in the stream.
TEST_P(GapTest, LostRecords) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  lose_the_journal();
  const std::string data = R"({"session_id":"s"})";
  journal_->go_on_from({.position = Position::of(7, 0), .kind = RecordKind::Session, .data = data},
                       Position::of(7, 40));
  start(plan);
  append(41, 50);
  ASSERT_TRUE(committed_to(50));
  EXPECT_EQ(all_told(), std::vector{gap("lost", Position::of(7, 10), Position::of(7, 40))});
  EXPECT_EQ(handled(), 20);
  EXPECT_EQ(doubled(), 0);
}

TEST_P(GapTest, OneThatIsAheadOfTheLogMissesNothing) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  lose_the_journal();
  const std::string data = R"({"session_id":"s"})";
  journal_->go_on_from({.position = Position::of(7, 0), .kind = RecordKind::Session, .data = data}, Position::of(7, 4));
  start(plan);
  append(5, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(all_told(), std::vector<Told>{});
  EXPECT_EQ(handled(), 20);
  EXPECT_EQ(doubled(), 0);
}

/// It was started, and had committed nothing of the first session when the journal was lost.
TEST_P(GapTest, OneThatStandsBeforeTheFirstSessionMissesNothing) {
  start(plan);
  stop();
  lose_the_journal();
  const std::string data = R"({"session_id":"s"})";
  journal_->go_on_from({.position = Position::of(7, 0), .kind = RecordKind::Session, .data = data}, Position::of(7, 1));
  start(plan);
  append(2, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(all_told(), std::vector<Told>{});
  EXPECT_EQ(handled(), 19);
}

/// The session died with the journal: from where it stands to the new one.
TEST_P(GapTest, LostWithItsSession) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  lose_the_journal();
  start(plan);
  session(8);
  append(1, 3, 8);
  ASSERT_TRUE(committed_to(3, 8));
  EXPECT_EQ(all_told(), std::vector{gap("session", Position::of(7, 10), Position::of(8, 0))});
}

TEST_P(GapTest, SegmentsThatWereReleasedUnread) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  for (std::uint32_t seq = 11; journal_->stats().segments < 4; seq += 100) append(seq, seq + 99);
  const std::uint32_t last = journal_->tail().seq();
  journal_->release(journal_->tail());
  const Position before{journal_->stats().oldest.value - 1};
  start(plan);
  ASSERT_TRUE(committed_to(last));
  EXPECT_EQ(all_told(), std::vector{gap("lost", Position::of(7, 10), before)});
  EXPECT_EQ(handled(), 10 + static_cast<std::int64_t>(last) - static_cast<std::int64_t>(before.seq()));
}

// ---- types that were not collected ----

TEST_P(GapTest, ATypeThatWasNotCollected) {
  plan.types.push_back("THREAD_CREATE");
  start(plan);
  session(7);
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(1, 10);
  filter(R"(["MESSAGE_CREATE"])");
  append(11, 15);
  skip(18);
  ASSERT_TRUE(stored_gaps(1)) << "known while it is open";
  EXPECT_TRUE(stored()[0].open());
  EXPECT_EQ(stored()[0].from, Position::of(7, 10));
  EXPECT_TRUE(all_told().empty());
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(19, 20);
  ASSERT_TRUE(committed_to(20));
  EXPECT_EQ(all_told(), std::vector{gap("filter", Position::of(7, 10), Position::of(7, 18), {"THREAD_CREATE"})});
  EXPECT_EQ(handled(), 17);
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_FALSE(stored()[0].open());
}

TEST_P(GapTest, AFilterThatChangesBeforeAnythingComesCostsNothing) {
  plan.types.push_back("THREAD_CREATE");
  session(7);
  filter(R"(["MESSAGE_CREATE"])");
  start(plan);
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  EXPECT_TRUE(all_told().empty());
  EXPECT_TRUE(stored().empty());
}

/// A filter record stands where the event before it stands: after a restart there it is read again.
TEST_P(GapTest, AFilterGapIsToldOnceAlsoWhenItsRecordIsReadAgain) {
  plan.types.push_back("THREAD_CREATE");
  session(7);
  filter(R"(["MESSAGE_CREATE"])");
  start(plan);
  append(1, 5);
  ASSERT_TRUE(committed_to(5));
  stop();
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  for (int i = 0; i < 3; ++i) {
    start(plan);
    ASSERT_TRUE(eventually([&] { return count_of(1) == 1; }));
    stop();
  }
  EXPECT_EQ(all_told(), std::vector{gap("filter", Position::of(7, 0), Position::of(7, 5), {"THREAD_CREATE"})});
}

/// Where it began is kept over a restart in the midst of it.
TEST_P(GapTest, AnOpenGapKeepsItsBeginning) {
  plan.types.push_back("THREAD_CREATE");
  session(7);
  filter(R"(["MESSAGE_CREATE"])");
  start(plan);
  append(1, 5);
  ASSERT_TRUE(committed_to(5));
  stop();
  start(plan);
  append(6, 9);
  ASSERT_TRUE(committed_to(9));
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(10, 10);
  ASSERT_TRUE(committed_to(10));
  EXPECT_EQ(all_told(), std::vector{gap("filter", Position::of(7, 0), Position::of(7, 9), {"THREAD_CREATE"})});
}

TEST_P(GapTest, AGenerationThatGainsATypeMissesItUntilItIsCollected) {
  session(7);
  filter(R"(["MESSAGE_CREATE"])");
  auto lane = start(plan);
  append(1, 5);
  ASSERT_TRUE(committed_to(5));
  Plan next;
  next.types = {"MESSAGE_CREATE", "THREAD_CREATE", "TRELLIS_GAP"};
  next.on_event = plan.on_event;
  lane->replace(make(next), factory(next), 2, std::chrono::seconds(2));
  append(6, 8);
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(9, 9, 7, "THREAD_CREATE");
  ASSERT_TRUE(committed_to(9));
  lane.reset();
  stop();
  EXPECT_EQ(all_told().at(0), gap("filter", Position::of(7, 5), Position::of(7, 8), {"THREAD_CREATE"}));
  EXPECT_EQ(all_told().at(1).name, "THREAD_CREATE");
}

// ---- switched off ----

TEST_P(GapTest, SwitchedOffAndOnAgain) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  switch_it_off();
  switch_it_off();
  append(11, 30);
  start(plan);
  ASSERT_TRUE(eventually([&] { return committed() == at(30); }));
  EXPECT_EQ(all_told(), std::vector{gap("disabled", Position::of(7, 10), Position::of(7, 30))})
      << "at once, not with the next event";
  append(31, 40);
  ASSERT_TRUE(committed_to(40));
  EXPECT_EQ(handled(), 20) << "it begins again at the tail";
  stop();
  append(41, 45);
  start(plan);
  ASSERT_TRUE(committed_to(45));
  EXPECT_EQ(all_told().size(), 1u);
  EXPECT_EQ(handled(), 25);
}

TEST_P(GapTest, SwitchedOffWhileNothingCame) {
  session(7);
  start(plan);
  append(1, 10);
  ASSERT_TRUE(committed_to(10));
  stop();
  switch_it_off();
  start(plan);
  append(11, 12);
  ASSERT_TRUE(committed_to(12));
  EXPECT_TRUE(all_told().empty());
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(handled(), 12);
}

/// It is killed before the gap is committed: the gap comes again, and is as long as the time it was off.
TEST_P(GapTest, AKillBeforeItIsToldCostsNothing) {
  plan.commit_every_us = 3'600'000'000;
  session(7);
  auto lane = start(plan);
  append(1, 10);
  ASSERT_TRUE(handled_to(*lane, 10));
  lane.reset();
  stop();
  switch_it_off();
  append(11, 30);
  lane = start(plan);
  ASSERT_TRUE(eventually([&] { return all_told().size() == 1; }));
  lane->abandon();
  lane.reset();
  lanes_.clear();
  plan.commit_every_us = 20'000;
  start(plan);
  append(31, 40);
  ASSERT_TRUE(committed_to(40));
  ASSERT_EQ(count_of(1), 1) << "the effects of one";
  EXPECT_EQ(all_told().back().from, Position::of(7, 10).text());
  EXPECT_EQ(stored().size(), 1u);
}

// ---- the end of the backfill ----

TEST_P(GapTest, CaughtUpOnceForEachSession) {
  start(plan);
  session(7);
  append(1, 3);
  caught_up();
  append(4, 5);
  session(8);
  append(1, 2, 8);
  caught_up();
  append(3, 3, 8);
  ASSERT_TRUE(committed_to(3, 8));
  EXPECT_EQ(all_told(),
            (std::vector{guilds_there(Position::of(7, 3)), gap("session", Position::of(7, 5), Position::of(8, 0)),
                         guilds_there(Position::of(8, 2))}));
  EXPECT_EQ(handled(), 8);
}

TEST_P(GapTest, CaughtUpIsToldOnceAlsoWhenItsRecordIsReadAgain) {
  start(plan);
  session(7);
  append(1, 3);
  ASSERT_TRUE(committed_to(3));
  stop();
  caught_up();
  for (int i = 0; i < 3; ++i) {
    start(plan);
    ASSERT_TRUE(eventually([&] { return count_of(2) == 1; }));
    stop();
  }
  EXPECT_EQ(all_told().size(), 1u);
  start(plan);
  caught_up();  // as after a restart that did not know of the first
  append(4, 4);
  ASSERT_TRUE(committed_to(4));
  EXPECT_EQ(all_told().size(), 1u);
}

// ---- handlers that fail, and plugins that do not listen ----

TEST_P(GapTest, AHandlerThatFailsOnceIsTriedAgain) {
  int tries = 0;
  fails = [&](const std::string& name) { return name == "TRELLIS_GAP" && ++tries == 1; };
  session(7);
  start(plan);
  append(1, 10);
  session(8);
  append(1, 5, 8);
  ASSERT_TRUE(committed_to(5, 8));
  ASSERT_EQ(all_told().size(), 2u);
  EXPECT_FALSE(all_told()[0].replayed);
  EXPECT_TRUE(all_told()[1].replayed);
  EXPECT_EQ(count_of(1), 1);
  EXPECT_EQ(handled(), 15);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(dead(), 0);
  EXPECT_EQ(stored().size(), 1u);
}

TEST_P(GapTest, AHandlerThatAlwaysFailsEndsInTheDeadLetters) {
  plan.types.push_back("THREAD_CREATE");
  fails = [](const std::string& name) { return name != "MESSAGE_CREATE"; };
  session(7);
  filter(R"(["MESSAGE_CREATE"])");
  start(plan);
  append(1, 10);
  filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
  append(11, 15);
  ASSERT_TRUE(committed_to(15));
  EXPECT_EQ(all_told().size(), 2u);
  EXPECT_EQ(rows("SELECT kind, position, type, error FROM trellis_dead"),
            "text event, int " + std::to_string(at(10)) + ", text TRELLIS_GAP, text no");
  EXPECT_EQ(handled(), 15);
  EXPECT_EQ(doubled(), 0);
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_FALSE(stored()[0].open()) << "it was told, whatever came of it";
}

TEST_P(GapTest, KnownAlsoWhenThePluginDoesNotListen) {
  plan.types = {"MESSAGE_CREATE"};
  session(7);
  start(plan);
  append(1, 10);
  session(8);
  caught_up();
  append(1, 5, 8);
  ASSERT_TRUE(committed_to(5, 8));
  EXPECT_TRUE(all_told().empty());
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_EQ(stored()[0].cause, GapCause::Session);
  EXPECT_EQ(handled(), 15);
}

/// Killed again and again at any moment: every gap has its effects once.
TEST_P(GapTest, EffectsOnceOverKills) {
  plan.types.push_back("THREAD_CREATE");
  auto lane = start(plan);
  int sessions = 0, filters = 0;
  for (std::uint32_t epoch = 7; epoch < 27; ++epoch) {
    session(epoch);
    ++sessions;
    filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
    append(1, 20, epoch);
    caught_up();
    filter(R"(["MESSAGE_CREATE"])");
    append(21, 25, epoch);
    filter(R"(["MESSAGE_CREATE","THREAD_CREATE"])");
    ++filters;
    append(26, 30, epoch);
    if (epoch % 2) std::this_thread::sleep_for(std::chrono::milliseconds(epoch));
    lane->abandon();
    lanes_.clear();
    lane = start(plan);
  }
  ASSERT_TRUE(committed_to(30, 26));
  EXPECT_EQ(handled(), 20 * 30);
  EXPECT_EQ(doubled(), 0);
  EXPECT_EQ(count_of(1), sessions - 1 + filters);
  EXPECT_EQ(count_of(2), sessions);
  EXPECT_EQ(number("SELECT count(*) FROM trellis_gaps WHERE to_position <> from_position"), sessions - 1 + filters);
}

TRELLIS_ON_BOTH(GapTest);

}  // namespace
}  // namespace trellis::host
