#include "journal/journal.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "journal_fixture.hpp"

namespace trellis::host {
namespace {
using namespace journal_testing;
namespace fs = std::filesystem;

TEST_F(JournalTest, AllFieldsComeBack) {
  auto journal = open();
  const std::string data = R"({"id":"1","content":"héllo"})";
  Record full = dispatch(Position::of(5, 1), data);
  full.flags = kRecordBot | kRecordMalformed;
  ASSERT_TRUE(journal->append(session(5, R"({"session_id":"s","resume_url":"wss://r"})")));
  ASSERT_TRUE(journal->append(filter(R"(["MESSAGE_CREATE"])")));
  ASSERT_TRUE(journal->append(full));
  ASSERT_TRUE(journal->append(skip(Position::of(5, 900))));
  ASSERT_TRUE(journal->append(dispatch(Position::of(5, 901), "", "GUILD_DELETE")));
  EXPECT_EQ(journal->last(), Position::of(5, 901));
  EXPECT_EQ(journal->tail(), Position{});
  EXPECT_GT(journal->batched(), 0u);
  EXPECT_TRUE(read_all(*journal).empty()) << "nothing is visible before the flush";
  ASSERT_FALSE(journal->flush());
  EXPECT_EQ(journal->batched(), 0u);
  EXPECT_EQ(journal->tail(), Position::of(5, 901));

  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_TRUE(same(all[0].record, session(5, R"({"session_id":"s","resume_url":"wss://r"})")));
  EXPECT_EQ(all[1].record.kind, RecordKind::Filter);
  EXPECT_EQ(all[1].record.position, Position::of(5, 0));
  EXPECT_EQ(all[1].data, R"(["MESSAGE_CREATE"])");
  EXPECT_TRUE(same(all[2].record, full));
  EXPECT_TRUE(same(all[3].record, skip(Position::of(5, 900))));
  EXPECT_EQ(event_name(all[4].record.type), "GUILD_DELETE");
  EXPECT_EQ(all[4].data, "");
  EXPECT_EQ(journal->stats().records_appended, 5u);
  EXPECT_EQ(journal->stats().tail_received_us, dispatch(Position::of(5, 901), "").received_us);
}

TEST_F(JournalTest, FilesAreForTheirOwnerOnly) {
  auto journal = open();
  fill(*journal, 1, 1, 1);
  struct stat info{};
  ASSERT_EQ(stat(options_.folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  const auto files = segment_files(options_.folder);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename(), "0000000100000001.log");
  ASSERT_EQ(stat(files[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), options_.segment_bytes);
  EXPECT_GE(static_cast<std::uint64_t>(info.st_blocks) * 512, options_.segment_bytes) << "its room is taken";
}

TEST_F(JournalTest, RepeatsAreDropped) {
  auto journal = open();
  fill(*journal, 3, 1, 10);
  EXPECT_FALSE(journal->append(dispatch(Position::of(3, 10), "{}")));
  EXPECT_FALSE(journal->append(dispatch(Position::of(3, 4), "{}")));
  EXPECT_FALSE(journal->append(skip(Position::of(3, 10))));
  EXPECT_FALSE(journal->append(dispatch(Position::of(2, 999), "{}")));
  EXPECT_FALSE(journal->append(session(3, "{}")));
  EXPECT_EQ(journal->stats().repeats_dropped, 5u);
  EXPECT_EQ(journal->batched(), 0u);
  ASSERT_FALSE(journal->flush());
  expect_filled(read_all(*journal), 3, 1, 10);
}

TEST_F(JournalTest, ReadsAfterAnyPosition) {
  auto journal = open();
  fill(*journal, 2, 1, 1'000);
  ASSERT_GT(journal->stats().segments, 3u);
  for (std::uint32_t after : {0u, 1u, 17u, 150u, 500u, 998u, 999u}) {
    expect_filled(read_all(*journal, Position::of(2, after)), 2, after + 1, 1'000);
  }
  EXPECT_TRUE(read_all(*journal, Position::of(2, 1'000)).empty());
  // A consumer that is ahead of the log (it lost its tail) gets what is new to it, once that comes.
  auto reader = journal->read_after(Position::of(2, 1'005));
  EXPECT_EQ(reader->next(), nullptr);
  EXPECT_EQ(reader->position(), Position::of(2, 1'005));
  fill(*journal, 2, 1'001, 1'010);
  const Record* record = reader->next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->position, Position::of(2, 1'006));
  EXPECT_EQ(reader->predecessor(), Position::of(2, 1'005));
}

TEST_F(JournalTest, ACaughtUpRecordStandsWhereTheOneBeforeStands) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(session(2, "{}")));
    EXPECT_EQ(journal->caught_up(), 0u);
    fill(*journal, 2, 1, 3);
    ASSERT_TRUE(journal->append({.kind = RecordKind::CaughtUp}));
    EXPECT_EQ(journal->caught_up(), 2u);
    fill(*journal, 2, 4, 600);
    ASSERT_GT(journal->stats().segments, 2u);
    journal->release(Position::of(2, 600));
    const auto after = read_all(*journal, Position::of(2, 599));
    ASSERT_EQ(after.size(), 1u) << "the copy in the last segment is not shown";
  }
  auto journal = open();
  EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u);
  EXPECT_EQ(journal->caught_up(), 2u) << "its segment is gone";
  ASSERT_TRUE(journal->append({.kind = RecordKind::CaughtUp}));
  ASSERT_FALSE(journal->flush());
  const auto again = read_all(*journal, Position::of(2, 600));
  ASSERT_EQ(again.size(), 1u) << "it is behind whoever stands at the record before";
  EXPECT_EQ(again[0].record.kind, RecordKind::CaughtUp);
  EXPECT_EQ(again[0].record.position, Position::of(2, 600));
}

TEST_F(JournalTest, GoesOnFromWhereALostOneStood) {
  const Record known = session(2, R"({"session_id":"s","resume_url":"wss://r","intents":513})");
  {
    auto journal = open();
    journal->go_on_from(known, Position::of(2, 100));
    EXPECT_EQ(journal->last(), Position::of(2, 100));
    EXPECT_EQ(journal->tail(), Position::of(2, 100));
    EXPECT_FALSE(journal->append(dispatch(Position::of(2, 100), "{}")));
    fill(*journal, 2, 101, 110);
  }
  auto journal = open();
  EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u);
  ASSERT_TRUE(journal->session());
  EXPECT_EQ(journal->session()->epoch, 2u);
  EXPECT_EQ(journal->session()->session_id, "s");
  EXPECT_EQ(journal->session()->intents, 513u);
  EXPECT_EQ(journal->last(), Position::of(2, 110));
  expect_filled(read_all(*journal, Position::of(2, 100)), 2, 101, 110);
  auto behind = journal->read_after(Position::of(2, 40));
  ASSERT_TRUE(behind->next());
  EXPECT_EQ(behind->predecessor(), Position::of(2, 100)) << "shows what is missing";
  auto in_front = journal->read_after(Position::of(2, 105));
  ASSERT_TRUE(in_front->next());
  EXPECT_EQ(in_front->predecessor(), Position::of(2, 105));
}

TEST_F(JournalTest, GoesOnWhereAnotherOneHasGoneBeyondIt) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(session(2, R"({"session_id":"old"})")));
    fill(*journal, 2, 1, 20);
    journal->go_on_from(session(5, R"({"session_id":"new"})"), Position::of(5, 1'000));
    fill(*journal, 5, 1'001, 1'010);
  }
  auto journal = open();
  EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u);
  EXPECT_EQ(journal->session()->session_id, "new");
  auto reader = journal->read_after(Position::of(2, 10));
  for (std::uint32_t seq = 11; seq <= 20; ++seq) {
    ASSERT_TRUE(reader->next());
    EXPECT_EQ(reader->position(), Position::of(2, seq)) << "what it had can still be read";
    EXPECT_LE(reader->predecessor(), Position::of(2, seq - 1));
  }
  ASSERT_TRUE(reader->next());
  EXPECT_EQ(reader->position(), Position::of(5, 1'001));
  EXPECT_EQ(reader->predecessor(), Position::of(5, 1'000));
}

TEST_F(JournalTest, ReaderKnowsWhatStoodBefore) {
  auto journal = open();
  ASSERT_TRUE(journal->append(session(2, "{}")));
  fill(*journal, 2, 1, 600);
  auto reader = journal->read_after({});
  Position before;
  while (const Record* record = reader->next()) {
    ASSERT_EQ(reader->predecessor(), before);
    ASSERT_EQ(reader->position(), record->position);
    before = record->position;
  }
  EXPECT_EQ(before, Position::of(2, 600));
  journal->release(Position::of(2, 600));
  auto late = journal->read_after(Position::of(2, 3));
  ASSERT_TRUE(late->next());
  EXPECT_GT(late->predecessor(), Position::of(2, 3)) << "shows that records are missing";
  EXPECT_EQ(late->predecessor().seq() + 1, late->position().seq());
}

TEST_F(JournalTest, PaddingAfterDataCanBeRead) {
  auto journal = open();
  fill(*journal, 1, 1, 700);
  auto reader = journal->read_after({});
  std::size_t sum = 0, records = 0;
  while (const Record* record = reader->next()) {
    for (int i = 0; i < 64; ++i) sum += static_cast<unsigned char>(record->data.data()[record->data.size() + i]);
    ++records;
  }
  EXPECT_EQ(records, 700u);
  EXPECT_GT(sum, 0u);
}

TEST_F(JournalTest, GoesOnAfterReopen) {
  {
    fill(*open(), 4, 1, 500);
  }
  {
    auto journal = open();
    EXPECT_EQ(journal->last(), Position::of(4, 500));
    EXPECT_EQ(journal->tail(), Position::of(4, 500));
    EXPECT_EQ(journal->stats().bytes_cut_at_recovery, 0u);
    EXPECT_EQ(journal->stats().tail_received_us, dispatch(Position::of(4, 500), "").received_us);
    EXPECT_FALSE(journal->append(dispatch(Position::of(4, 500), "{}")));
    fill(*journal, 4, 501, 900);
  }
  auto journal = open();
  expect_filled(read_all(*journal), 4, 1, 900);
  EXPECT_EQ(journal->stats().oldest, Position::of(4, 1));
}

TEST_F(JournalTest, UnknownNamesSurvive) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(dispatch(Position::of(1, 1), "{}", "INVENTED_TOMORROW")));
    ASSERT_TRUE(journal->append(dispatch(Position::of(1, 2), "{}", "MESSAGE_CREATE")));
    Record none = dispatch(Position::of(1, 3), "{}");
    none.type = 0;
    ASSERT_TRUE(journal->append(none));
    none.type = 77'777;
    none.position = Position::of(1, 4);
    ASSERT_TRUE(journal->append(none));
    ASSERT_FALSE(journal->flush());
  }
  auto journal = open();
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 5), "{}", "INVENTED_TOMORROW")));
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 6), "{}", "INVENTED_LATER")));
  ASSERT_FALSE(journal->flush());
  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 6u);
  const char* names[] = {"INVENTED_TOMORROW", "MESSAGE_CREATE",    "TRELLIS_OTHER",
                         "TRELLIS_OTHER",     "INVENTED_TOMORROW", "INVENTED_LATER"};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(event_name(all[i].record.type), names[i]);
}

TEST_F(JournalTest, Sessions) {
  {
    auto journal = open();
    EXPECT_FALSE(journal->session());
    ASSERT_TRUE(journal->append(session(7, R"({"session_id":"abc","resume_url":"wss://a\/b"})")));
    ASSERT_TRUE(journal->session());
    fill(*journal, 7, 1, 400);
    EXPECT_FALSE(journal->append(session(6, R"({"session_id":"old","resume_url":"x"})")));
  }
  {
    auto journal = open();
    journal->release(Position::of(7, 400));  // the record itself is gone; a copy stands in every segment
    EXPECT_EQ(journal->stats().segments, 1u);
  }
  {
    auto journal = open();
    const auto session7 = journal->session();
    ASSERT_TRUE(session7);
    EXPECT_EQ(session7->epoch, 7u);
    EXPECT_EQ(session7->session_id, "abc");
    EXPECT_EQ(session7->resume_url, "wss://a/b");
    ASSERT_TRUE(journal->append(session(9, R"({"session_id":"def","resume_url":"wss://d"})")));
    EXPECT_EQ(journal->last(), Position::of(9, 0));
    fill(*journal, 9, 1, 3);
    EXPECT_FALSE(journal->append(dispatch(Position::of(7, 401), "{}")));
  }
  auto journal = open();
  ASSERT_TRUE(journal->session());
  EXPECT_EQ(journal->session()->epoch, 9u);
  EXPECT_EQ(journal->session()->session_id, "def");
  ASSERT_TRUE(journal->append(session(10, "not json")));
  EXPECT_FALSE(journal->session()) << "nothing to resume with";
}

TEST_F(JournalTest, FiltersAreSeenWhereTheyStandAndInForceEverywhere) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append(filter(R"(["A"])")));
    fill(*journal, 1, 1, 400);
    ASSERT_TRUE(journal->append(filter(R"(["A","B"])")));
    fill(*journal, 1, 401, 800);
  }
  auto journal = open();
  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 802u);
  EXPECT_EQ(all[0].data, R"(["A"])");
  EXPECT_EQ(all[401].data, R"(["A","B"])");
  EXPECT_EQ(all[401].record.position, Position::of(1, 400));
  // Who stands at 400 has not passed the filter that follows it; who stands at 401 has.
  EXPECT_EQ(read_all(*journal, Position::of(1, 400)).size(), 401u);
  EXPECT_EQ(read_all(*journal, Position::of(1, 401)).size(), 399u);
  for (std::uint32_t after : {1u, 399u, 400u, 401u, 700u}) {
    auto reader = journal->read_after(Position::of(1, after));
    ASSERT_TRUE(reader->next());
    EXPECT_EQ(reader->filter(), after < 400 ? R"(["A"])" : R"(["A","B"])") << after;
  }
}

TEST_F(JournalTest, ARecordLargerThanASegment) {
  const std::string large = text_for(Position::of(1, 51), 1 << 20);
  {
    auto journal = open();
    fill(*journal, 1, 1, 50);
    ASSERT_TRUE(journal->append(dispatch(Position::of(1, 51), large, kNames[51 % 3])));
    for (std::uint32_t seq = 52; seq <= 100; ++seq) {
      const Position at = Position::of(1, seq);
      ASSERT_TRUE(journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3])));
    }
    ASSERT_FALSE(journal->flush()) << "one flush over three segments";
    EXPECT_EQ(journal->stats().segments, 3u);
  }
  for (int round = 0; round < 2; ++round) {
    auto journal = open();
    const auto all = read_all(*journal);
    ASSERT_EQ(all.size(), 100u);
    EXPECT_EQ(all[50].data, large);
    EXPECT_EQ(all[99].data, text_for(Position::of(1, 100), 300));
  }
}

TEST_F(JournalTest, ReleaseDeletesWhatEverybodyHasPassed) {
  auto journal = open();
  fill(*journal, 1, 1, 1'000);
  const auto before = journal->stats();
  ASSERT_GT(before.segments, 4u);
  EXPECT_EQ(segment_files(options_.folder).size(), before.segments);
  auto standing = journal->read_after({});
  ASSERT_TRUE(standing->next());

  journal->release(Position{});
  EXPECT_EQ(journal->stats().segments, before.segments);
  journal->release(Position::of(1, 500));
  const auto after = journal->stats();
  EXPECT_LT(after.segments, before.segments);
  EXPECT_LE(after.oldest, Position::of(1, 501));
  EXPECT_EQ(segment_files(options_.folder).size(), after.segments);
  EXPECT_LE(spare_files(options_.folder).size(), 2u);
  EXPECT_EQ(after.bytes, after.segments * options_.segment_bytes);
  expect_filled(read_all(*journal, Position::of(1, 500)), 1, 501, 1'000);
  EXPECT_EQ(read_all(*journal).front().record.position, after.oldest) << "what is gone: begins at the oldest";

  journal->release(Position::of(9, 9));
  EXPECT_EQ(journal->stats().segments, 1u) << "never the last";
  // Its segment is deleted; what it had mapped goes on, then it continues with what there is, and can tell.
  std::uint32_t seq = 1;
  bool jumped = false;
  while (const Record* record = standing->next()) {
    ASSERT_EQ(record->data, text_for(record->position, 300));
    if (record->position.seq() != seq + 1) {
      jumped = true;
      EXPECT_GT(standing->predecessor(), Position::of(1, seq));
    }
    seq = record->position.seq();
  }
  EXPECT_TRUE(jumped);
  EXPECT_EQ(seq, 1'000u);
}

TEST_F(JournalTest, YoungSegmentsAreKept) {
  options_.keep_us = 3'600'000'000;
  {
    fill(*open(), 1, 1, 500);
  }
  auto journal = open();
  fill(*journal, 1, 501, 1'000);
  const auto segments = journal->stats().segments;
  journal->release(Position::of(9, 0));
  EXPECT_EQ(journal->stats().segments, segments);
}

TEST_F(JournalTest, BudgetIsAnErrorCodeAndTheBatchIsKept) {
  options_.budget_bytes = 3 * options_.segment_bytes;
  auto journal = open();
  std::error_code error;
  std::uint32_t seq = 0;
  while (!error && seq < 10'000) {
    const Position at = Position::of(1, ++seq);
    ASSERT_TRUE(journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3])));
    if (seq % 10 == 0) error = journal->flush();
  }
  ASSERT_EQ(error, std::errc::no_space_on_device);
  EXPECT_GT(journal->batched(), 0u);
  EXPECT_EQ(journal->stats().bytes, options_.budget_bytes);
  EXPECT_EQ(journal->flush(), std::errc::no_space_on_device);
  const Position seen = journal->tail();
  EXPECT_LT(seen, journal->last());
  for (int i = 0; i < 500; ++i) {  // the batch may go on growing meanwhile
    const Position at = Position::of(1, ++seq);
    ASSERT_TRUE(journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3])));
  }
  auto reader = journal->read_after(seen);
  EXPECT_EQ(reader->next(), nullptr);
  std::uint32_t expected = seen.seq();
  for (int i = 0; i < 10; ++i) {
    error = journal->flush();
    while (const Record* record = reader->next()) {
      ASSERT_EQ(record->position.seq(), ++expected);
      ASSERT_EQ(record->data, text_for(record->position, 300));
    }
    if (!error) break;
    journal->release(journal->tail());
  }
  ASSERT_FALSE(error);
  EXPECT_EQ(expected, seq);
}

/// Files cannot grow beyond some bytes while it lives: as on a full disk, and with a signal for who does not expect it.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(JournalTest, FullDiskIsAnErrorCodeAndNoSignal) {
  auto journal = open();
  fill(*journal, 1, 1, 20);
  {
    const FileLimit limit(16 << 10);
    std::uint32_t seq = 21;
    for (; seq <= 400; ++seq) {
      const Position at = Position::of(1, seq);
      ASSERT_TRUE(journal->append(dispatch(at, text_for(at, 300), kNames[seq % 3])));
    }
    EXPECT_TRUE(journal->flush());
    EXPECT_GT(journal->batched(), 0u);
    EXPECT_EQ(journal->tail(), Position::of(1, 20));
    EXPECT_TRUE(journal->flush());
  }
  ASSERT_FALSE(journal->flush());
  expect_filled(read_all(*journal), 1, 1, 400);
  journal.reset();
  expect_filled(read_all(*open()), 1, 1, 400);
}

TEST_F(JournalTest, NoRoomForANewSegment) {
  auto journal = open();
  const FileLimit* limit = new FileLimit(16 << 10);
  ASSERT_TRUE(journal->append(dispatch(Position::of(1, 1), text_for(Position::of(1, 1), 300), kNames[1])));
  EXPECT_TRUE(journal->flush());
  EXPECT_TRUE(segment_files(options_.folder).empty()) << "nothing half-made stays behind";
  delete limit;
  ASSERT_FALSE(journal->flush());
  expect_filled(read_all(*journal), 1, 1, 1);
}

TEST_F(JournalTest, SyncPreparesTheNextSegment) {
  auto journal = open();
  EXPECT_FALSE(journal->sync());
  fill(*journal, 1, 1, 150);
  EXPECT_FALSE(journal->sync());
  EXPECT_EQ(spare_files(options_.folder).size(), 1u);
  fill(*journal, 1, 151, 400);
  EXPECT_FALSE(journal->sync());
  EXPECT_FALSE(journal->sync());
  expect_filled(read_all(*journal), 1, 1, 400);
  journal.reset();
  EXPECT_TRUE(spare_files(options_.folder).empty());
  std::ofstream(options_.folder / "spare-3.tmp") << "left over from a crash";
  journal = open();
  EXPECT_TRUE(spare_files(options_.folder).empty());
  expect_filled(read_all(*journal), 1, 1, 400);
}

TEST_F(JournalTest, ListenersRing) {
  auto journal = open();
  Doorbell bell;
  journal->add_listener(&bell);
  const auto before = bell.rings();
  EXPECT_FALSE(journal->flush());
  EXPECT_EQ(bell.rings(), before) << "nothing new";
  fill(*journal, 1, 1, 1);
  EXPECT_EQ(bell.rings(), before + 1);
  journal->remove_listener(&bell);
  fill(*journal, 1, 2, 2);
  EXPECT_EQ(bell.rings(), before + 1);
}

TEST_F(JournalTest, ReaderOutlivesTheJournal) {
  auto journal = open();
  fill(*journal, 1, 1, 500);
  auto reader = journal->read_after({});
  ASSERT_TRUE(reader->next());
  journal.reset();
  std::size_t more = 0;
  while (reader->next()) ++more;
  EXPECT_EQ(more, 499u);
}

}  // namespace
}  // namespace trellis::host
