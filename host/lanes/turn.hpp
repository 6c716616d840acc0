// A turn: one handler's right to act. It is what a tl_turn means, on the thread it was given to, until the handler
// returns.
#pragma once
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/cache.hpp"
#include "journal/journal.hpp"
#include "lanes/instance.hpp"
#include "lanes/unit.hpp"
#include "outbox/outbox_ids.hpp"

namespace trellis::host {

class Asker;
class Lane;

/// What a request's handler answered with.
struct RequestAnswer {
  tl_status status = TL_OK;
  std::string error = {};     // a sentence, when status < 0
  bool for_the_user = false;  // the error is meant for whoever asked
  std::uint32_t http_status = 0;
  std::string type = {}, body = {};
  std::vector<OutboxRow::File> files = {};
  bool ran = false;  // the handler was called
};

/// Rows of a statement, with the reader connection that streams them.
struct OpenRows {
  std::unique_ptr<Connection> reader;  // null: the rows are in memory
  std::unique_ptr<Cursor> cursor;
};

class Turn {
 public:
  Turn(Lane& lane, Instance* instance, bool may_wait) : lane(lane), instance(instance), may_wait(may_wait) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// The turn that may act on this thread now, when `id` is it; null: stale, or another thread's.
  static Turn* find(tl_turn id);
  /// A number no other turn has or had.
  static tl_turn next_id();

  /// What this turn stages into: the lane's unit of events, or the request's own.
  Unit& unit();

  /// Its waits end with TL_CANCELLED: the instance is being stopped, or this request was cancelled.
  bool is_cancelled() const { return instance->cancelled || (cancelled && *cancelled); }

  /// Remembers the text for core->error() and answers with the status.
  tl_status fail(tl_status status, std::string_view text, bool for_the_user = false);

  /// The turn of events is used again for the next one.
  void next_event(const Record&, Stream);

  /// The event's document; null: malformed.
  const boost::json::value* event_document();
  std::uint64_t random();

  /// What was looked up goes: the step is over.
  void end_step();
  void end();

  tl_turn id = 0;
  Lane& lane;
  Instance* instance;
  const bool may_wait;

  // an event
  const Record* record = nullptr;
  Stream stream;

  // a request
  std::uint32_t kind = 0;  // TL_START ...
  std::string name;        // of the entry
  std::unique_ptr<Unit> own_unit;
  std::int64_t deadline_us = 0;
  int depth = 0;  // of service calls
  std::string job, key;
  std::int64_t scheduled_us = 0;                 // of a run by schedule: when it was due
  std::shared_ptr<std::atomic<bool>> cancelled;  // this request alone; may be null
  Asker* asker = nullptr;                        // null: nobody can be talked to
  RequestAnswer answer;

  EffectOrigin origin;  // of what it sends; an event's: when it sends something
  std::int64_t now_us = 0;
  std::string error;
  tl_status failed = TL_OK;
  bool error_for_user = false;
  bool lost = false;  // a request's: its unit was taken back, so it cannot succeed any more
  enum class HostFault { None, StoreAway, NoMemory };
  HostFault host_fault = HostFault::None;  // an event's: why it failed, when that is not the handler's fault

  std::vector<std::unique_ptr<OpenRows>> rows;    // until closed, or the handler returns
  std::deque<std::string> texts;                  // of the step
  std::deque<std::vector<tl_value>> values;       // of the step
  std::vector<std::shared_ptr<const void>> pins;  // cache versions of the step
  std::vector<GuildPtr> guilds;                   // while next_guild() walks them

 private:
  alignas(std::max_align_t) unsigned char json_buffer_[8192];
  std::optional<boost::json::monotonic_resource> json_memory_;
  std::optional<boost::json::value> document_;
  bool document_tried_ = false;
  std::uint64_t random_state_ = 0;
  bool random_seeded_ = false;
};

/// Makes a turn the one that may act on this thread, for a scope.
class TurnScope {
 public:
  explicit TurnScope(Turn& turn);
  ~TurnScope();
  TurnScope(const TurnScope&) = delete;
  TurnScope& operator=(const TurnScope&) = delete;

 private:
  Turn* outer_;
};
/// No turn may act on this thread, for a scope (while a service call runs another plugin, or plugin code runs outside).
class TurnPause {
 public:
  TurnPause();
  ~TurnPause();

 private:
  Turn* outer_;
};

/// The turn acting on this thread, for log lines; may be null.
Turn* current_turn();

}  // namespace trellis::host
