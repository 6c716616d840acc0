// A unit of work: what handlers staged and nobody has seen yet. It is committed as a whole, together with the positions
// of the events it came from.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/position.hpp"
#include "lanes/dead_letters.hpp"
#include "lanes/gaps.hpp"
#include "lanes/host_tables.hpp"
#include "outbox/outbox_row.hpp"
#include "store/store.hpp"

namespace trellis::host {

/// [one thread at a time: whoever holds the plugin's baton, then the writer]
class Unit {
 public:
  Unit();
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  // ---- rows, merged by the columns' rules ----

  /// One value per column. Appends when the table has no key.
  void put(const std::shared_ptr<const BoundTable>&, const tl_value* row);
  /// As edited: only columns in `changed` are written to a row that is there; sum columns carry the difference.
  void set(const std::shared_ptr<const BoundTable>&, const tl_value* row, std::uint64_t changed);
  void erase(const std::shared_ptr<const BoundTable>&, const tl_value* key);

  enum class Staged { Nothing, Erased, Replaced, Merged };
  struct Found {
    Staged how = Staged::Nothing;
    const tl_value* row = nullptr;  // one per column; lives until the unit changes
    std::uint64_t changed = 0;
  };
  /// What is staged for a key. Replaced: the row is whole, whatever the store has. Merged: lay it over the store's row
  /// with overlay().
  Found find(const BoundTable&, const tl_value* key) const;
  /// Lays staged values over a row of the store, by the rules by which the store merges.
  static void overlay(const TableShape&, tl_value* base, const tl_value* staged, std::uint64_t changed);

  // ---- keys, jobs, dead letters ----

  struct KeyValue {
    std::optional<std::string> value;  // absent: erased
    std::int64_t expires_us = 0;       // 0: never
  };
  void kv_set(std::string_view key, KeyValue);
  const std::map<std::string, KeyValue, std::less<>>& kv() const { return kv_; }

  struct JobChange {
    enum class Kind {
      Start,     // a started run: text = args, at = due; one that is there stays
      Stop,      // a started run is taken back
      Save,      // progress of a run: text; of a scheduled one: at = when it was due
      Finish,    // a started run is over
      Fail,      // a started run failed: text = error, at = when it is tried again
      Schedule,  // a scheduled run is over: at = when it was due
      Begin,     // a schedule begins: at; one that has been recorded stays
    };
    Kind kind;
    std::string job, key, text;
    std::int64_t at_us = 0;
  };
  void change_job(JobChange);
  /// All of them, also those that clear_effects() has written already.
  std::vector<JobChange> job_changes() const;
  void add_dead_letter(DeadLetter);
  /// It was tried again: done, or failed with letter.error. Cannot be undone.
  void retried_dead_letter(DeadLetter, bool done);
  /// By how many there are more of them in the store after the commit.
  std::int64_t dead_letters_more() const { return dead_more_; }
  void note_gap(Gap);  // stays when handlers are undone
  /// The plugin has no place in this stream any more, and no gap of it is without an end.
  void forget_stream(Stream);
  const std::vector<Stream>& forgotten() const { return forgotten_; }

  // ---- the outbox ----

  /// An effect on the outside, whole. The commit waits for the disk then: nothing that was delivered may be lost.
  void send(OutboxRow);
  /// Effects were staged, also ones that clear_effects() has written already.
  bool sends() const { return outbox_written_ + outbox_.size() > 0; }

  // ---- undo: a handler's own effects, when it fails ----

  std::size_t mark() const { return undo_.size(); }
  void undo_to(std::size_t mark);
  /// What was staged so far stays: forgets how to undo it.
  void keep() {
    undo_.clear();
    undo_values_.clear();
    undo_keys_.clear();
  }

  // ---- positions ----

  /// `handled_us`: when what stands there was received.
  void advance(std::size_t stream_index, Stream stream, Position to, std::int64_t handled_us) {
    if (positions_.size() <= stream_index) positions_.resize(stream_index + 1);
    StoredPosition& at = positions_[stream_index];
    at = {stream, to, handled_us, at.caught_up};
  }
  /// The plugin was told that the guilds of this session are there. [after advance()]
  void caught_up(std::size_t stream_index, std::uint32_t epoch) { positions_[stream_index].caught_up = epoch; }
  /// By stream index; position {0}: not moved.
  const std::vector<StoredPosition>& positions() const { return positions_; }

  bool has_effects() const {
    return rows_ > 0 || !kv_.empty() || !jobs_.empty() || !dead_.empty() || !dead_retries_.empty() || !gaps_.empty() ||
           !forgotten_.empty() || !outbox_.empty() || in_transaction;
  }
  std::size_t rows() const { return rows_; }
  std::size_t bytes() const { return bytes_; }  // of staged rows and texts, roughly

  /// Writes all effects in the connection's open transaction.
  void write_effects(Connection&, bool postgresql) const;
  /// After write_effects() inside a transaction that goes on: they are in there now.
  void clear_effects();

  std::uint64_t events = 0;         // handled events in it
  std::int64_t expire_keys_us = 0;  // keys that expired until then are deleted with it; 0: none
  bool needs_sync = false;          // effects of requests, jobs or the outbox
  bool begun_lazily = false;        // and that transaction does not wait for the disk
  bool in_transaction =
      false;  // SQL ran: a part is in the connection's open transaction, so the unit can only be replayed

 private:
  struct RowState {
    Staged how = Staged::Nothing;
    std::uint64_t changed = 0;
    tl_value* key = nullptr;
    tl_value* values = nullptr;  // null when Erased
  };
  struct KeyRef {
    const tl_value* values;
    std::size_t count;
  };
  struct KeyHash {
    std::size_t operator()(const KeyRef&) const;
  };
  struct KeyEqual {
    bool operator()(const KeyRef&, const KeyRef&) const;
  };
  struct TableStage {
    std::shared_ptr<const BoundTable> table;
    std::vector<std::size_t> key_columns;
    bool key_is_prefix = true;
    boost::unordered_flat_map<KeyRef, RowState*, KeyHash, KeyEqual> by_key;
    std::vector<RowState*> rows;  // in the order they were first staged
  };
  struct Undo {
    enum class Kind { RowAdded, RowChanged, Key, Job, DeadLetter, Effect } kind;
    TableStage* stage = nullptr;
    RowState* row = nullptr;
    RowState before;
    std::size_t values = 0;  // index into undo_values_ or undo_keys_
  };

  TableStage& stage_of(const std::shared_ptr<const BoundTable>&);
  RowState& row_for(TableStage&, const tl_value* key);
  void remember(TableStage&, RowState&);
  void fill(RowState&, const TableShape&, const tl_value* row);
  tl_value keep_value(const tl_value&);
  tl_value* allocate(std::size_t count);
  const tl_value* key_of(const TableStage&, const tl_value* row);

  std::unique_ptr<std::pmr::monotonic_buffer_resource> memory_;
  std::vector<std::unique_ptr<TableStage>> tables_;
  std::map<std::string, KeyValue, std::less<>> kv_;
  std::vector<JobChange> jobs_, written_jobs_;
  std::vector<DeadLetter> dead_;
  std::vector<std::pair<DeadLetter, bool>> dead_retries_;
  std::int64_t dead_more_ = 0;
  std::vector<Gap> gaps_;
  std::vector<OutboxRow> outbox_;
  std::size_t outbox_written_ = 0;
  std::vector<StoredPosition> positions_;
  std::vector<Stream> forgotten_;
  std::vector<Undo> undo_;
  std::vector<tl_value> undo_values_;
  std::vector<std::pair<std::string, std::optional<KeyValue>>> undo_keys_;
  std::vector<tl_value> key_scratch_;
  std::size_t rows_ = 0, bytes_ = 0;
};

}  // namespace trellis::host
