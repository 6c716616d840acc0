// A row of the fault suite: a stream with a fixed seed, a fault that is caused some number of times, and the account of
// what became of the events. The README beside the end-to-end tests says how to read the table.
//
//   TEST_P(StoreFaults, KillNine) {
//     start_stream();
//     start_host();
//     for (int i = 0; i < times(3, 20); ++i) {
//       let_pass(2000);
//       kill_host();
//       caused();
//       start_host();
//     }
//     finish();
//   }
#pragma once
#include <random>

#include "scenarios.hpp"

namespace trellis::e2e {

/// What became of the events of one plugin that records them (tests/sdk/plugins/recorder.cpp).
struct Account {
  std::int64_t sent = 0;
  std::int64_t lost = 0;              // sent, handled by nobody, and covered by no Gap
  std::int64_t missed = 0;            // sent, not handled, and covered by a Gap
  std::int64_t doubled = 0;           // handled again, once for each time too many
  std::int64_t misordered = 0;        // handled after one with a higher position
  std::int64_t longest_pause_us = 0;  // between two events handled one after the other
  std::int64_t dead = 0;              // given up: in the dead letters, and not handled
};

/// A TRELLIS_GAP that a recording plugin was given.
struct ToldGap {
  std::int64_t from = 0, to = 0;
  std::string cause;
  std::int64_t times = 0;
};

class FaultRow : public Bench {
 protected:
  explicit FaultRow(std::string_view store = "sqlite") : Bench(store) {}
  void SetUp() override;

 public:
  /// Whether the full counts are asked for (TRELLIS_FAULTS=full), and the number of times for either form.
  static bool full();
  static int times(int in_short, int in_full) { return full() ? in_full : in_short; }
  /// The seed of the stream and of `random`: always the same, or TRELLIS_FAULT_SEED.
  static std::uint64_t seed();
  /// For what a row does at random: the same sequence with the same seed.
  std::mt19937_64& random() { return random_; }

  /// The dispatches that are compared: messages, changed and deleted ones.
  static const std::vector<std::string>& types();

  /// A simulator that sends until finish() stops it, and only what the plugins ask for: 4,000 messages a second if
  /// `more`, further flags of trellis-sim, does not say otherwise.
  Simulator& start_stream(std::vector<std::string> more = {});
  /// Flags for a simulator and settings for a host with so many shards, all of which may begin at once.
  static std::vector<std::string> sharded_stream(int shards);
  static std::vector<std::string> sharded_host(int shards);
  /// The sum of what the status says of each shard.
  std::int64_t of_shards(const char* key) const;
  /// Waits until so many more messages have been sent.
  void let_pass(std::int64_t messages);
  /// recorder, message_counter, and the plugin "troubled": recorder once more, with these settings and the licence to
  /// give events up. Its account is asserted too; its dead letters are noted.
  void with_troubled(const std::string& settings, const std::filesystem::path& file = test_plugin("troubled"));
  void caused(int times = 1) { caused_ += times; }
  /// So many dead letters of the troubled plugin were tried again, which comes after everything else.
  void tried_again(std::int64_t events) { tried_again_ += events; }
  /// Text for the end of the row's line.
  void note(const std::string& text) { note_ += (note_.empty() ? "" : "; ") + text; }
  /// Waits until recorder has committed something of the present session, so that the account can tell it from the
  /// next.
  void let_session_begin();
  /// A session of the only shard ended, after its last dispatch had this sequence number, and cannot be resumed. In the
  /// order in which they end.
  void session_ended(std::int64_t last_sequence) { ended_.push_back(last_sequence); }

  /// Stops the stream, waits until recorder and message_counter have everything, stops the host, compares what they
  /// have with what was sent, and prints the row's line. The test fails if anything is lost, doubled or misordered.
  void finish();

  /// What a recording plugin has made of the events so far. Call it when nothing moves.
  Account account(const std::string& plugin = "recorder");
  /// Between two events that a recording plugin handled one after the other.
  std::int64_t longest_pause_us(const std::string& plugin = "recorder");

 private:
  std::int64_t sent();
  /// Events that the plugin has handled or given up, as often as it did so.
  std::int64_t done(const std::string& plugin);
  std::vector<ToldGap> told_gaps(const std::string& plugin);
  /// Each was told once, covers nothing that was handled, and there are some only where a session ended.
  void expect_exact_gaps(const std::string& plugin);
  void expect_flawless(const Account&, const std::string& plugin) const;
  /// How many events sessions took with them: from where the plugin's gaps begin up to the session's last.
  std::int64_t missed(const std::string& plugin);
  void print(const Account&) const;

  std::mt19937_64 random_{seed()};
  bool troubled_ = false;
  std::int64_t tried_again_ = 0;
  int caused_ = 0;
  std::string note_;
  std::vector<std::int64_t> ended_;
};

/// A row on both stores.
class StoreFaultRow : public FaultRow, public testing::WithParamInterface<const char*> {
 protected:
  StoreFaultRow() : FaultRow(GetParam()) {}
};

}  // namespace trellis::e2e
