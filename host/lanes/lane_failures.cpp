// What fails in a lane: handlers, rows, the store. Nothing is skipped; going back is a new instance at the committed
// position.
#include "journal/event_types.hpp"
#include "lanes/lane.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {
constexpr std::chrono::milliseconds kRetryFirst{1000}, kRetryMax{60'000}, kLookAgain{100};
}  // namespace

/// What precedes is sealed, its own effects are undone, it is tried once more on a new instance, then it goes to the
/// dead letters.
void Lane::event_failed(StreamState& stream, std::size_t index, const Record& record) {
  const std::string error = event_turn_->error.empty() ? "the handler failed without a text" : event_turn_->error;
  const std::string name(event_name(record.type));
  if (writer_.failure() != UnitWriter::Failure::None) return;  // not its fault; run() goes back
  if (host_fault()) return;
  const bool second = is_suspect(stream, record);
  {
    std::lock_guard lock(status_mutex_);
    ++status_.failures;
  }
  log(second ? Level::Error : Level::Warn, "plugin " + plugin_,
      second ? "a handler failed again on the same event; it goes to the dead letters"
             : "a handler failed; the event is tried once more on a new instance",
      {{"event", name}, {"position", record.position.text()}, {"shard", stream.stream.id}, {"error", error}});
  if (unit_->in_transaction) {
    // Its SQL is mixed with that of earlier events in one transaction: all of it is replayed.
    writer_.abandon_transaction();
    unit_ = std::make_unique<Unit>();
  } else {
    seal_events();
    if (!settle_or_wait()) return;
  }
  if (second) {
    if (dead_in_a_row_ >= 2 && error == dead_error_) {
      // Not the event's fault, it seems. Nothing is skipped: the lane stands before it and tries again from time to
      // time.
      pause("three events in a row failed with: " + error);
      return;
    }
    if (!to_dead_letters(stream, index, record, error)) return;
  } else {
    suspect_ = {stream.stream, record.position};
  }
  go_back(error);
}

bool Lane::to_dead_letters(StreamState& stream, std::size_t index, const Record& record, std::string error) {
  unit_->add_dead_letter(dead_event(stream.stream, record, error, generation_));
  pass(stream, index, record);
  unit_->needs_sync = true;
  seal_events();
  if (!settle_or_wait()) return false;
  stream.handled = record.position;
  suspect_.reset();
  condemned_.reset();
  dead_in_a_row_ = error == dead_error_ ? dead_in_a_row_ + 1 : 1;
  dead_error_ = std::move(error);
  return true;
}

/// Rows of some event were refused: from here to where the lane is each event has a unit of its own. False: that was
/// done already, and nothing came of it.
bool Lane::take_apart() {
  auto committed = writer_.committed();
  const auto same = [](const StoredPosition& a, const StoredPosition& b) {
    return a.stream == b.stream && a.position == b.position;
  };
  const bool again = !apart_until_.empty() &&
                     std::equal(committed.begin(), committed.end(), apart_from_.begin(), apart_from_.end(), same);
  apart_from_ = std::move(committed);
  apart_until_.clear();
  if (again) return false;
  for (const StreamState& stream : streams_)
    apart_until_.push_back({stream.stream, std::max(stream.handled, stream.delivered)});
  return true;
}

bool Lane::apart(const StreamState& stream, const Record& record) const {
  for (const StoredPosition& until : apart_until_)
    if (until.stream == stream.stream) return record.position <= until.position;
  return false;
}

bool Lane::is_suspect(const StreamState& stream, const Record& record) const {
  return suspect_ && suspect_->stream == stream.stream && suspect_->position == record.position;
}

const CrashedEvent* Lane::crashed_on(const StreamState& stream, const Record& record) const {
  for (const CrashedEvent& event : crashed_events_)
    if (event.position == record.position && event.stream == stream.stream) return &event;
  return nullptr;
}

void Lane::go_back(std::string_view why) {
  {
    std::lock_guard lock(status_mutex_);
    ++status_.went_back;
  }
  log_debug("plugin " + plugin_, "going back to the committed position with a new instance",
            {{"because", std::string(why)}});
  drop_instance();
  writer_.abandon_transaction();
  unit_ = std::make_unique<Unit>();
  if (ending_) {
    retry_at_ = Clock::time_point::max();
    return;
  }
  try {
    writer_.claim(owner_, owners_);
    begin_instance(factory_());
  } catch (const StoreError& error) {
    error.kind() == StoreError::Kind::Away ? wait_for_store(error.what()) : pause(error.what());
  } catch (const std::exception& error) {
    pause(error.what());
  }
}

/// The lane stands; it tries again from time to time.
void Lane::pause(std::string why) {
  // Grows while one pause follows the other.
  if (Clock::now() - std::min(retry_at_, Clock::now()) > 2 * kRetryMax) retry_delay_ = {};
  retry_delay_ = std::clamp(retry_delay_ * 2, kRetryFirst, kRetryMax);
  retry_at_ = Clock::now() + retry_delay_;
  waits_for_store_ = false;
  log_error("plugin " + plugin_, "paused; its events wait in the journal",
            {{"because", why}, {"again_in_s", retry_delay_.count() / 1000}});
  stand(std::move(why));
}

/// The lane stands until the store answers. What is sealed is written when it is back; the rest comes again.
void Lane::wait_for_store(const std::string& why) {
  retry_at_ = Clock::now() + kRetryFirst;
  if (!waits_for_store_)
    log_warn("plugin " + plugin_, "it waits for the store; its events wait in the journal", {{"because", why}});
  waits_for_store_ = true;
  store_answers_ = false;
  stand("the store is away: " + why);
}

/// What it staged is forgotten and comes again when it goes on.
void Lane::stand(std::string why) {
  paused_why_ = std::move(why);
  if (paused_us_ == 0) paused_us_ = context_.now_us();
  drop_instance();
  writer_.abandon_transaction();
  unit_ = std::make_unique<Unit>();
}

/// The handler of the turn failed for want of something that the host owes it. True: the lane stands.
bool Lane::host_fault() {
  switch (event_turn_->host_fault) {
    case Turn::HostFault::None:
      return false;
    case Turn::HostFault::StoreAway:
      wait_for_store(event_turn_->error);
      return true;
    case Turn::HostFault::NoMemory:
      pause("there was no memory for an event");
      return true;
  }
  return false;
}

bool Lane::settle_or_wait() {
  if (writer_.settle()) return true;
  if (writer_.failure() == UnitWriter::Failure::None && writer_.store_gone())
    wait_for_store(writer_.status().store_error);
  return false;
}

bool Lane::may_try_again() const { return waits_for_store_ ? store_answers_ : Clock::now() >= retry_at_; }

/// Without the baton: a database that does not answer holds up nobody else.
void Lane::ask_store() {
  if (Clock::now() < retry_at_) return;
  if (writer_.waiting() > 0) {  // the writer asks it
    retry_at_ = Clock::now() + kLookAgain;
    return;
  }
  try {
    give_back(namespace_->connect(true));
    store_answers_ = true;
  } catch (const StoreError&) {
    retry_at_ = Clock::now() + kRetryFirst;
  }
}

}  // namespace trellis::host
