// The disk under the host: power fails, it is full, the end of the journal is damaged.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <thread>
#include <utility>

#include "fault_row.hpp"
#include "faulty_disk.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class DiskFaults : public StoreFaultRow {
 protected:
  /// The host's state and its SQLite files are on a disk that can be troubled.
  void SetUp() override {
    StoreFaultRow::SetUp();
    disk_.emplace(folder() / "notes", std::vector{folder() / "state", folder() / "store"},
                  std::vector{folder() / "state" / "generations"});
    host_environment(disk_->environment());
  }

  FaultyDisk& disk() { return *disk_; }

  void lose_power() {
    kill_host();
    const FaultyDisk::Loss loss = disk().lose_power(random()());
    caused();
    sum_.writes += loss.writes;
    sum_.lost += loss.lost;
    sum_.torn += loss.torn;
    sum_.names_lost += loss.names_lost;
  }
  void note_losses() {
    EXPECT_GT(sum_.lost, 0) << "nothing was lost on the disk";
    note(fmt::format("{} of {} open writes lost ({} torn), {} names", sum_.lost, sum_.writes, sum_.torn,
                     sum_.names_lost));
  }

  /// What the host will find is a database (SQLite: recovery has cut off what was half written).
  void expect_whole_databases() {
    if (postgresql() || !fs::exists(folder() / "store")) return;
    for (const auto& file : fs::directory_iterator(folder() / "store")) {
      if (file.path().extension() != ".sqlite") continue;
      const std::string space = file.path().stem().string();
      EXPECT_EQ(store().value(space, "PRAGMA integrity_check"), "ok") << space;
    }
  }

  fs::path newest_segment() const {
    std::vector<fs::path> segments;
    for (const auto& file : fs::directory_iterator(state() / "journal" / "0-of-1"))
      if (file.path().extension() == ".log") segments.push_back(file.path());
    if (segments.empty()) throw std::runtime_error("the journal has no segment");
    return *std::max_element(segments.begin(), segments.end());
  }

  /// What is in the journal now is on the disk when this returns, whatever comes then.
  void let_journal_sync() {
    const fs::path segment = newest_segment();
    std::uint64_t notes = disk().open_notes(segment);
    wait_until("the journal is synced", [&] {
      const std::uint64_t before = std::exchange(notes, disk().open_notes(segment));
      return notes == 0 || notes < before;
    });
  }

  /// Cuts, zeroes or flips something in the last quarter of the records of the newest segment.
  void damage_journal() {
    const fs::path newest = newest_segment();
    const std::string bytes = read_file(newest);
    const std::size_t end = bytes.find_last_not_of('\0') + 1;
    ASSERT_GT(end, 64u) << newest << " has no records";
    const std::size_t reach = std::min<std::size_t>(end / 4, 64 << 10);
    const std::size_t at = end - 1 - random()() % reach;
    const int fd = ::open(newest.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    switch (random()() % 4) {
      case 0:
        EXPECT_EQ(::ftruncate(fd, static_cast<off_t>(at)), 0);
        break;
      case 1: {
        const std::string zeroes(end - at, 0);
        EXPECT_EQ(::pwrite(fd, zeroes.data(), zeroes.size(), static_cast<off_t>(at)),
                  static_cast<ssize_t>(zeroes.size()));
        break;
      }
      default: {
        const char flipped = static_cast<char>(bytes[at] ^ (1 << random()() % 8));
        EXPECT_EQ(::pwrite(fd, &flipped, 1, static_cast<off_t>(at)), 1);
      }
    }
    ::close(fd);
    caused();
  }

  void lose_power_again_and_again(int shards);

  /// The disk is full, and there is room again.
  void fill_the_disk(const std::vector<std::string>& more) {
    Simulator& sim = start_stream({"--heartbeat-interval", "2000"});
    const auto heartbeats = [&] { return sim.get("/_sim/sessions").at(0).at("heartbeats").to_number<std::int64_t>(); };
    start_host(more);
    wait_for_host();
    for (int i = 0; i < times(1, 5); ++i) {
      let_pass(1000);
      disk().set_room(0);
      caused();
      wait_until("reading pauses", [&] { return shard().at("paused").as_bool(); }, [&] { return ctl({"status"}).out; });
      const auto before = heartbeats();
      wait_until("heartbeats go on", [&] { return heartbeats() >= before + times(2, 5); });
      EXPECT_TRUE(shard().at("paused").as_bool());
      EXPECT_EQ(shard().at("state"), "ready");
      disk().set_room(std::nullopt);
      wait_until(
          "reading goes on", [&] { return !shard().at("paused").as_bool(); }, [&] { return ctl({"status"}).out; });
    }
    let_pass(1000);
    EXPECT_EQ(shard().at("reconnects").as_int64(), 0) << "the session was not kept";
    EXPECT_EQ(shard().at("identifies").as_int64(), 1);
    finish();
    expect_whole_databases();
  }

 private:
  std::optional<FaultyDisk> disk_;
  FaultyDisk::Loss sum_;
};
TRELLIS_ON_BOTH_STORES(DiskFaults);

/// At any moment. Discord sends again what the journal forgot.
void DiskFaults::lose_power_again_and_again(int shards) {
  auto small = sharded_host(shards);
  small.insert(small.end(), {"--set", "journal.segment=1 MiB"});
  start_stream(sharded_stream(shards));
  start_host(small);
  wait_for_host();
  let_pass(2000);  // the sessions are safe
  for (int i = 0; i < times(3, 20); ++i) {
    if (i % 3 == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random()() % 500));
    } else {
      let_pass(static_cast<std::int64_t>(random()() % 4000));
    }
    lose_power();
    if (i % 2 == 0) expect_whole_databases();
    start_host(small);
  }
  wait_for_host();
  EXPECT_EQ(of_shards("identifies"), 0) << "a session was lost";
  note_losses();
  finish();
  expect_whole_databases();
}
TEST_P(DiskFaults, PowerLoss) { lose_power_again_and_again(1); }
TEST_P(DiskFaults, PowerLossThreeShards) { lose_power_again_and_again(3); }

/// Before anything was sent: whatever is half made is made anew.
TEST_P(DiskFaults, PowerLossAtStart) {
  Simulator& sim = start_stream();
  sim.fault("pause");
  for (int i = 0; i < times(5, 20); ++i) {
    start_host();
    std::this_thread::sleep_for(std::chrono::milliseconds(random()() % 800));
    lose_power();
    if (i % 2 == 0) expect_whole_databases();
  }
  start_host();
  wait_for_host();
  sim.fault("resume_sending");
  let_pass(1000);
  note_losses();
  finish();
  expect_whole_databases();
}

/// The machine comes back after the session has expired: what was not synced is missed, and nothing else.
TEST_P(DiskFaults, PowerLossAndSessionLost) {
  Simulator& sim = start_stream();
  start_host();
  wait_for_host();
  std::vector<std::int64_t> synced;  // positions that may not be missed
  for (int i = 0; i < times(3, 5); ++i) {
    let_session_begin();
    const auto tail = shard().at("tail");
    synced.push_back(tail.at("epoch").to_number<std::int64_t>() << 32 | tail.at("seq").to_number<std::int64_t>());
    let_journal_sync();
    let_pass(static_cast<std::int64_t>(random()() % 2000));
    lose_power();
    session_ended(sim.sequence());
    sim.fault("expire_session");
    start_host();
    wait_for_host();
    EXPECT_EQ(shard().at("identifies").as_int64(), 1);
  }
  note_losses();
  let_pass(500);
  finish();
  expect_whole_databases();
  for (const std::int64_t position : synced)
    EXPECT_GE(
        store().number("recorder", fmt::format("SELECT max(position) FROM recorded WHERE position / 4294967296 = {}",
                                               position >> 32)),
        position)
        << "what was synced was missed";
}

/// The host is killed and its journal damaged at the end, as a disk without checksums does it.
TEST_P(DiskFaults, TornJournal) {
  const std::vector<std::string> large{"--set", "journal.segment=64 MiB"};
  start_stream();
  start_host(large);
  wait_for_host();
  let_pass(500);
  for (int i = 0; i < times(5, 100); ++i) {
    let_pass(100 + static_cast<std::int64_t>(random()() % 400));
    kill_host();
    damage_journal();
    start_host(large);
  }
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").as_int64(), 0) << "the session was lost";
  finish();
}

/// The same, and the session is lost as well.
TEST_P(DiskFaults, TornJournalAndSessionLost) {
  const std::vector<std::string> large{"--set", "journal.segment=64 MiB"};
  Simulator& sim = start_stream();
  start_host(large);
  wait_for_host();
  for (int i = 0; i < times(2, 20); ++i) {
    let_session_begin();
    let_pass(static_cast<std::int64_t>(random()() % 4000));
    kill_host();
    damage_journal();
    session_ended(sim.sequence());
    sim.fault("expire_session");
    start_host(large);
    wait_for_host();
  }
  let_pass(500);
  finish();
}

/// Less room is left than the journal's reserve.
TEST_P(DiskFaults, DiskNearlyFull) { fill_the_disk({}); }

/// Nothing is left: what needs room fails.
TEST_P(DiskFaults, DiskFull) {
  fill_the_disk({"--set", "journal.reserve=0", "--set", "journal.segment=1 MiB"});
  EXPECT_GT(disk().refused(), 0);
}

class LongDiskFaults : public DiskFaults {};
TRELLIS_ON_BOTH_STORES(LongDiskFaults);

/// A snapshot of the cache takes as long as it likes: the journal goes on being synced, so that the power costs no more
/// than ever when it fails then.
TEST_P(LongDiskFaults, ASnapshotThatTakesLong) {
  disk().hold_syncs_of(".snapshot.tmp");
  Simulator& sim = start_stream({"--rate", "1000"});
  start_host();
  wait_for_host();
  let_session_begin();
  wait_until("a snapshot is being written", [&] { return disk().held() == 1; }, [&] { return host().err(); });
  std::int64_t synced = 0;
  for (int i = 0; i < 5; ++i) {
    let_pass(500);
    const auto tail = shard().at("tail");
    synced = tail.at("epoch").to_number<std::int64_t>() << 32 | tail.at("seq").to_number<std::int64_t>();
    let_journal_sync();
  }
  EXPECT_EQ(disk().held(), 1) << "it has ended meanwhile";
  lose_power();
  disk().go_on();
  session_ended(sim.sequence());
  sim.fault("expire_session");
  start_host();
  wait_for_host();
  let_pass(500);
  finish();
  EXPECT_GE(
      store().number("recorder",
                     fmt::format("SELECT max(position) FROM recorded WHERE position / 4294967296 = {}", synced >> 32)),
      synced)
      << "what was synced was missed";
}

}  // namespace
}  // namespace trellis::e2e
