// Requests of a lane: handlers that may wait, on the caller's thread, with units of their own.
#include <boost/json/serialize.hpp>

#include "lanes/args.hpp"
#include "lanes/json_nodes.hpp"
#include "lanes/lane.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{250};  // while a request waits for the baton

SteadyClock::time_point until_of(std::int64_t deadline_us, std::int64_t now_us) {
  if (deadline_us == 0) return SteadyClock::time_point::max();
  return SteadyClock::now() + std::chrono::microseconds(std::max<std::int64_t>(deadline_us - now_us, 0));
}

/// Nobody waits for a job or a start.
UnitWriter::Patience patience_of(std::uint32_t entry_kind) {
  return entry_kind == TL_JOB || entry_kind == TL_START ? UnitWriter::Patience::Endless : UnitWriter::Patience::Some;
}

CrashKind crash_kind(std::uint32_t entry_kind) {
  switch (entry_kind) {
    case TL_METHOD:
      return CrashKind::Method;
    case TL_JOB:
      return CrashKind::Job;
    case TL_START:
      return CrashKind::Start;
    default:
      return CrashKind::Request;
  }
}

std::string_view word_for(std::uint32_t entry_kind) {
  constexpr std::string_view kWords[] = {"request", "start", "command", "component", "suggestion",
                                         "form",    "route", "method",  "job"};
  return kWords[entry_kind < std::size(kWords) ? entry_kind : 0];
}

}  // namespace

RequestAnswer Lane::request(const RequestCall& call) {
  constexpr int kDepthMax = 8;
  constexpr std::size_t kUnitsWaitingMax = 32;
  if (call.depth > kDepthMax)
    return {TL_REFUSED,
            fmt::format("plugins call each other more than {} levels deep; the last one is {}", kDepthMax, plugin_)};
  const auto until = until_of(call.deadline_us, context_.now_us());
  if (writer_.status().store_away && writer_.waiting() >= kUnitsWaitingMax)  // memory stays flat
    return {TL_UNAVAILABLE, "the store is away, and plugin " + plugin_ + " has much that waits for it"};
  const TurnPause pause;  // the caller may be a handler of another plugin
  for (;;) {
    const auto slice = std::min(until, Clock::now() + kLookAgain);
    if (!baton_.acquire_for_request(slice)) {
      if (Clock::now() < slice) return {TL_UNAVAILABLE, "plugin " + plugin_ + " is stopping"};
      if (writer_.store_gone())
        return {TL_UNAVAILABLE,
                "plugin " + plugin_ + " waits for the store, which is away: " + writer_.status().store_error};
      if (watch_.wedged()) return {TL_UNAVAILABLE, "plugin " + plugin_ + " stands: " + watch_.text()};
      if (Clock::now() >= until) return {TL_TIMEOUT, "plugin " + plugin_ + " was busy until the deadline"};
      continue;
    }
    const auto failure = writer_.failure();
    if (!instance_ || ending_ || failure == UnitWriter::Failure::None || failure == UnitWriter::Failure::Owner) break;
    // The lane is about to go back; what ran before that could not be committed.
    baton_.release();
    bell_.ring();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::shared_ptr<Instance> instance = instance_;
  if (!instance) {
    const std::string why = paused_why_;
    const bool waiting = waits_for_store_;
    baton_.release();
    return {TL_UNAVAILABLE, fmt::format("plugin {} {}: {}", plugin_, waiting ? "waits" : "is paused", why)};
  }
  std::optional<EntrySpec> suggestion;
  if (call.kind == TL_SUGGEST) suggestion = instance->ledger.suggestion(call.name, call.param);
  const EntrySpec* entry = suggestion ? &*suggestion : instance->ledger.find(call.kind, call.name, call.command_type);
  if (!entry) {
    std::vector<std::string> names;
    for (const EntrySpec& other : instance->ledger.entries)
      if (other.kind == call.kind) names.push_back(other.name);
    instance.reset();
    baton_.release();
    return {TL_NOT_FOUND, fmt::format("plugin {} has no {} \"{}\"; it has: {}", plugin_, word_for(call.kind), call.name,
                                      names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")))};
  }
  {
    std::lock_guard lock(requests_mutex_);
    ++requests_running_;
  }
  UnitWriter::Ticket ticket = 0;
  RequestAnswer answer = run_request(instance, *entry, call, ticket);
  instance.reset();  // while the baton is held: it may be the last one
  baton_.release();
  const bool ran = answer.ran;
  if (ticket) {
    std::string why;
    // A job that is done is not run again because of that: it waits until its end is in the store.
    const bool job = call.kind == TL_JOB;
    switch (writer_.wait(ticket, job ? SteadyClock::time_point::max() : until, &why, patience_of(call.kind))) {
      case UnitWriter::Outcome::Committed:
        break;
      case UnitWriter::Outcome::Timeout:
        answer = {TL_UNAVAILABLE, "the store is away; whether this was done is open until it is back"};
        break;
      case UnitWriter::Outcome::Failed:
        answer = {TL_CONFLICT, "this was not done, its rows could not be written: " + why};
        break;
    }
  }
  answer.ran = ran;
  {
    std::lock_guard lock(requests_mutex_);
    --requests_running_;
  }
  requests_changed_.notify_all();
  {
    std::lock_guard lock(status_mutex_);
    ++status_.requests;
  }
  return answer;
}

RequestAnswer Lane::run_request(const std::shared_ptr<Instance>& instance, const EntrySpec& entry,
                                const RequestCall& call, UnitWriter::Ticket& ticket) {
  if (call.admit)
    if (std::string why = call.admit(entry); !why.empty()) return {TL_DENIED, std::move(why), true};
  boost::json::object checked;
  if (entry.kind == TL_SUGGEST) {
    checked = valid_args(entry.params, call.args, call.param);
  } else if (entry.kind == TL_JOB) {
    if (call.args.is_object()) checked = call.args.get_object();
  } else if (std::string why = check_args(entry.params, call.args, checked); !why.empty()) {
    return {TL_INVALID, std::move(why), true};
  }
  const boost::json::value args = std::move(checked);
  Turn turn(*this, instance.get(), true);
  turn.id = Turn::next_id();
  turn.now_us = context_.now_us();
  turn.deadline_us = call.deadline_us;
  turn.depth = call.depth;
  turn.kind = entry.kind;
  turn.name = entry.name;
  turn.key = call.key;
  turn.cancelled = call.cancelled;
  turn.asker = call.asker.get();
  if (entry.kind == TL_JOB) turn.job = entry.name;
  turn.origin = entry.kind == TL_JOB
                    ? EffectOrigin::of_job(entry.name, call.key, call.due_us, boost::json::serialize(call.progress))
                    : EffectOrigin::of_request(word_for(entry.kind), entry.name);
  if (call.scheduled) turn.scheduled_us = call.due_us;
  tl_request request{};
  request.size = sizeof request;
  request.kind = entry.kind;
  request.deadline_us = call.deadline_us;
  request.guild = call.guild;
  request.channel = call.channel;
  request.user = call.user;
  request.permissions = call.permissions;
  request.args = node_of(args);
  if (call.raw) request.raw = node_of(*call.raw);
  request.body = {call.body.data(), call.body.size()};
  request.progress = node_of(call.progress);
  request.key = {call.key.data(), call.key.size()};
  request.due_us = call.due_us;
  const TurnScope scope(turn);
  const bool run = entry.kind == TL_JOB;
  const InPlugin inside(instance->crash_identity.get(), crash_kind(entry.kind),
                        run && !call.key.empty() ? entry.name + "/" + call.key : entry.name,
                        Position{run ? static_cast<std::uint64_t>(call.due_us) : 0});
  tl_status status = TL_OK;
  watch_.begin_request(entry.kind, entry.name);
  try {
    status = entry.handle(entry.self, turn.id, &request);
  } catch (...) {
    status = turn.fail(TL_FAILED, "the handler let an exception out, which must not happen");
  }
  watch_.end();
  if (status >= 0 && turn.lost) status = turn.failed < 0 ? turn.failed : TL_UNAVAILABLE;
  // While it waited the lane went back: whatever an instance that is given up stages is refused.
  if (status >= 0 && instance != instance_) status = turn.fail(TL_CANCELLED, "the plugin was started anew meanwhile");
  if (status >= 0 && call.at_end) call.at_end(turn.unit());
  RequestAnswer answer = std::move(turn.answer);
  if (status < 0) {
    answer = {status, turn.error.empty() ? "the handler failed without a text" : turn.error, turn.error_for_user};
    if (turn.own_unit && turn.own_unit->in_transaction && !turn.lost) writer_.abandon_transaction();
  } else if (turn.own_unit && turn.own_unit->has_effects()) {
    ticket = writer_.seal(std::move(turn.own_unit));
  }
  answer.ran = true;
  turn.end();
  return answer;
}

tl_status Lane::yield(Turn& turn, bool all, const std::function<tl_status()>& wait) {
  if (!turn.may_wait)
    return turn.fail(TL_REFUSED, "an event handler cannot wait; start a job, or use send() for what may happen later");
  if (turn.is_cancelled()) return turn.fail(TL_CANCELLED, "the plugin is being stopped, or this run was cancelled");
  if (turn.lost) return turn.fail(TL_UNAVAILABLE, "what was staged before is lost; this cannot go on");
  turn.end_step();
  UnitWriter::Ticket ticket = 0;
  if (turn.own_unit && turn.own_unit->has_effects()) ticket = writer_.seal(std::move(turn.own_unit));
  turn.own_unit.reset();
  if (all) {
    seal_events();
    ticket = writer_.last_sealed();
  }
  tl_status status = TL_OK;
  std::string error;
  {
    const TurnPause pause;
    watch_.end();
    baton_.release();
    const auto until = until_of(turn.deadline_us, context_.now_us());
    if (ticket) {
      std::string why;
      switch (writer_.wait(ticket, until, &why, patience_of(turn.kind))) {
        case UnitWriter::Outcome::Committed:
          break;
        case UnitWriter::Outcome::Timeout:
          status = TL_UNAVAILABLE;
          error = "the store is away: what was staged is not committed yet";
          break;
        case UnitWriter::Outcome::Failed:
          status = TL_CONFLICT;
          error = "what was staged could not be written: " + why;
          break;
      }
    }
    if (status >= 0 && context_.on_step) context_.on_step(turn);
    if (status >= 0) {
      try {
        status = wait();
      } catch (const StoreError& failure) {
        status = failure.kind() == StoreError::Kind::Away   ? TL_UNAVAILABLE
                 : failure.kind() == StoreError::Kind::Data ? TL_INVALID
                                                            : TL_FAILED;
        error = failure.what();
      } catch (...) {  // it would take the handler's thread along without the baton
        status = TL_FAILED;
        error = "what ran while it waited let an exception out";
      }
    }
    if (!baton_.acquire_again()) return turn.fail(TL_CANCELLED, "the plugin is being stopped");
  }
  watch_.begin_request(turn.kind, turn.name);
  turn.now_us = context_.now_us();
  if (turn.is_cancelled()) return turn.fail(TL_CANCELLED, "the plugin is being stopped, or this run was cancelled");
  if (!error.empty()) return turn.fail(status, error);
  return status;
}

bool Lane::sleep(const Turn& turn, std::int64_t us) {
  if (context_.sleep) return context_.sleep(turn, us);
  std::unique_lock lock(requests_mutex_);
  return !requests_changed_.wait_for(lock, std::chrono::microseconds(us), [&] { return turn.is_cancelled(); });
}

bool Lane::wait_until(const Turn& turn, const std::function<bool()>& so) {
  std::unique_lock lock(requests_mutex_);
  requests_changed_.wait(lock, [&] { return so() || turn.is_cancelled(); });
  return so();
}

tl_pending Lane::pending(const Turn& turn) const {
  const auto writer = writer_.status();
  return {sizeof(tl_pending), 0, unit_->events + writer.events_waiting,
          unit_->rows() + writer.rows_waiting + (turn.own_unit ? turn.own_unit->rows() : 0)};
}

RequestAnswer Lane::stage(const std::function<void(Unit&)>& change) {
  if (!baton_.acquire_for_request()) return {TL_UNAVAILABLE, "plugin " + plugin_ + " is stopping"};
  seal_events();
  auto unit = std::make_unique<Unit>();
  unit->needs_sync = true;
  change(*unit);
  const UnitWriter::Ticket ticket = writer_.seal(std::move(unit));
  baton_.release();
  std::string why;
  if (writer_.wait(ticket, SteadyClock::time_point::max(), &why) == UnitWriter::Outcome::Committed) return {};
  return {TL_CONFLICT, "the change could not be written: " + why};
}

void Lane::wake_waits() {
  std::lock_guard lock(requests_mutex_);
  requests_changed_.notify_all();
}

std::unique_ptr<Connection> Lane::take_reader() const {
  {
    std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      auto reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  return namespace_->connect(true);
}

void Lane::with_reader(const std::function<void(std::unique_ptr<Connection>&)>& read) const {
  try {
    auto reader = take_reader();
    return read(reader);
  } catch (const StoreError& error) {
    if (!error.connection_lost()) throw;
  }
  {
    std::lock_guard lock(readers_mutex_);
    readers_.clear();  // the others were cut with it
  }
  auto reader = namespace_->connect(true);
  read(reader);
}

void Lane::give_back(std::unique_ptr<Connection> reader) const {
  constexpr std::size_t kKept = 4;
  if (!reader || !reader->alive()) return;
  std::lock_guard lock(readers_mutex_);
  if (readers_.size() < kKept) readers_.push_back(std::move(reader));
}

Connection* Lane::connection(Turn& turn, bool in_transaction) {
  constexpr std::chrono::milliseconds kAgain{100};
  if (turn.host_fault == Turn::HostFault::StoreAway ||
      turn.lost) {  // its transaction is gone: nothing may run outside of it
    turn.fail(TL_UNAVAILABLE, "the store is away, or failed before");
    return nullptr;
  }
  const auto until = until_of(turn.may_wait ? turn.deadline_us : 0, context_.now_us());
  for (;;) {
    try {
      if (Connection* connection = in_transaction ? writer_.transaction(turn.unit()) : writer_.connection(until))
        return connection;
      if (!turn.may_wait) turn.host_fault = Turn::HostFault::StoreAway;
      const auto status = writer_.status();
      turn.fail(TL_UNAVAILABLE, !status.error.empty()  ? status.error
                                : writer_.store_gone() ? "the store is away: " + status.store_error
                                                       : "the plugin is stopping");
      return nullptr;
    } catch (const StoreError& error) {
      Unit* unit = turn.may_wait ? turn.own_unit.get() : unit_.get();
      const bool begun = unit && unit->in_transaction;
      if (begun) writer_.abandon_transaction();
      if (error.kind() != StoreError::Kind::Away || begun || ending_ || Clock::now() + kAgain >= until ||
          writer_.store_gone()) {
        if (turn.may_wait) {  // it fails alone
          turn.lost = begun;
          const bool conflict = error.sqlstate().starts_with("23");
          turn.fail(error.kind() != StoreError::Kind::Data ? TL_UNAVAILABLE
                    : conflict                             ? TL_CONFLICT
                                                           : TL_INVALID,
                    error.what());
          return nullptr;
        }
        turn.host_fault = Turn::HostFault::StoreAway;
        turn.fail(TL_UNAVAILABLE, error.what());
        if (error.kind() != StoreError::Kind::Away) writer_.fail_events(error);
        return nullptr;
      }
      std::this_thread::sleep_for(kAgain);
    }
  }
}

Lane::Status Lane::status() const {
  Status status;
  {
    std::lock_guard lock(status_mutex_);
    status = status_;
  }
  status.dead_letters = static_cast<std::uint64_t>(std::max<std::int64_t>(dead_letters_, 0));
  status.writer = writer_.status();
  status.times = watch_.times().snapshot();
  if (watch_.wedged()) {
    status.state = "wedged";
    status.why = watch_.text();
    status.since_us = watch_.wedged_since_us();
  }
  const auto committed = writer_.committed();
  for (StreamStatus& stream : status.streams)
    for (const StoredPosition& position : committed)
      if (position.stream == stream.stream) stream.committed = position.position;
  return status;
}

Lane::JobState Lane::job_state() const {
  JobState state;
  const auto list = jobs();
  with_reader([&](std::unique_ptr<Connection>& reader) {
    state = {};
    state.runs = read_runs(*reader);
    for (const EntrySpec& job : list)
      if (const auto last = read_last_due(*reader, job.name)) state.last_due[job.name] = *last;
    give_back(std::move(reader));
  });
  return state;
}

std::vector<EntrySpec> Lane::jobs() const {
  std::lock_guard lock(instance_mutex_);
  std::vector<EntrySpec> list;
  if (instance_)
    for (const EntrySpec& entry : instance_->ledger.entries)
      if (entry.kind == TL_JOB) list.push_back(entry);
  return list;
}

std::vector<EntrySpec> Lane::entries() const {
  std::lock_guard lock(instance_mutex_);
  return instance_ ? instance_->ledger.entries : std::vector<EntrySpec>();
}

std::vector<EntrySpec> Lane::methods() const {
  std::lock_guard lock(instance_mutex_);
  std::vector<EntrySpec> list;
  if (instance_)
    for (const EntrySpec& entry : instance_->ledger.entries)
      if (entry.kind == TL_METHOD) list.push_back(entry);
  return list;
}

}  // namespace trellis::host
