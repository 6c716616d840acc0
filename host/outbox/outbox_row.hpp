// An effect on the outside that waits in the store: staged with the rows of its unit, delivered after the commit. Here
// is the row, its table in the plugin's namespace, and every statement on it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/own_tables.hpp"
#include "store/store.hpp"

namespace trellis::host {

struct OutboxRow {
  enum class State : std::int64_t {
    Waiting = 0,
    UnderWay =
        1,    // being delivered, and a repeat could do it twice: whoever finds it so does not know whether it is done
    Dead = 2  // given up; an operator may try it again
  };

  std::string plugin;  // whose namespace it is in; not in the table
  std::string id;      // 24 characters, see outbox_ids.hpp
  std::string origin;  // the event, run or request it was staged by, for people
  std::string queue;   // effects of one queue are delivered one after the other, in the order of their commits
  std::string system, verb, target, body;
  std::vector<std::pair<std::string, std::string>> headers;
  struct File {
    std::string name, type, bytes;
  };
  std::vector<File> files;
  std::string delivery_id;  // the author's own key for it; may be empty
  bool repeatable = false;  // doing it twice is as good as once, or the target knows a repeat by its key
  std::int64_t created_us = 0, not_before_us = 0, give_up_after_us = 0, expires_us = 0;
  std::int64_t timeout_us = 0;  // of one try; 0: the target's

  State state = State::Waiting;
  std::int64_t attempts = 0;
  std::int64_t retry_us = 0;  // not before; 0: never tried
  std::int64_t died_us = 0;
  std::string error;  // of the last try

  /// By which a target knows a repeat.
  const std::string& key() const { return delivery_id.empty() ? id : delivery_id; }
  /// Of everything that is kept, roughly.
  std::size_t bytes() const;
  /// "POST /channels/1/messages": tokens of webhooks and interactions are hidden.
  std::string shown() const;
};

OwnTable outbox_table(bool postgresql);
/// To be made once that is there.
extern const char* const kOutboxIndex;

/// Writes staged effects in the open transaction, which has raised the plugin's unit number: that and `first` + n are
/// their order. An id that is there stays as it is: the same effect again.
void insert_effects(Connection&, std::span<const OutboxRow>, std::size_t first);

// ---- what waits ----

std::vector<std::string> waiting_queues(Connection&);
/// The first of a queue whose time has come, whole; absent: none.
std::optional<OutboxRow> first_waiting(Connection&, const std::string& queue, std::int64_t now_us);
/// When the next of a queue may be delivered, by its not_before_us; absent: nothing waits.
std::optional<std::int64_t> next_waiting(Connection&, const std::string& queue);

// ---- what becomes of it: each in the open transaction, or one by itself ----

/// Runs a change in a transaction of its own.
void in_transaction(Connection&, Durability, const std::function<void()>& change);

/// Under way from now on; false: it is not waiting any more.
bool mark_under_way(Connection&, const std::string& id);
/// Waiting again, because it was not even tried.
void unmark_under_way(Connection&, const std::string& id);
void remove_effect(Connection&, const std::string& id);
void put_off(Connection&, const std::string& id, std::int64_t attempts, std::int64_t retry_us, std::string_view error);
void bury(Connection&, const std::string& id, std::int64_t attempts, std::int64_t now_us, std::string_view error);
/// Everything of the queue whose time is over is dead; how many.
std::uint64_t bury_expired(Connection&, const std::string& queue, std::int64_t now_us);
/// A dead one waits again, behind everything that was committed so far, with its time beginning anew. False: it is not
/// dead.
bool revive(Connection&, const std::string& id, std::int64_t now_us);

// ---- looking ----

struct OutboxCount {
  std::string system;
  OutboxRow::State state = OutboxRow::State::Waiting;
  std::uint64_t count = 0;
  std::int64_t oldest_us = 0;  // created
};
std::vector<OutboxCount> count_effects(Connection&);
/// In order, no more than `limit`; without headers, bodies and files unless `whole`.
std::vector<OutboxRow> list_effects(Connection&, std::optional<OutboxRow::State>, std::size_t limit,
                                    bool whole = false);
/// Those whose id begins so, whole; no more than two.
std::vector<OutboxRow> find_effects(Connection&, std::string_view id_prefix);

/// Who may write in the plugin's namespace now; see UnitRow.
std::uint64_t namespace_owner(Connection&);

}  // namespace trellis::host
