#include "lanes/lane.hpp"

#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr std::size_t kEventsPerBatch = 512, kEventsPerStream = 128;
constexpr std::size_t kUnitEventsMax = 20'000, kUnitRowsMax = 50'000, kUnitBytesMax = 32 << 20;
constexpr std::chrono::milliseconds kBatchWhileRequestsWait{1};
constexpr std::chrono::seconds kIdlePositionsEvery{10};
constexpr std::int64_t kCommitEveryUs = 1'000'000, kExpireKeysEveryUs = 60'000'000;

}  // namespace

Lane::Lane(std::string plugin, std::unique_ptr<Namespace> ns, LaneContext& context)
    : plugin_(std::move(plugin)),
      namespace_(std::move(ns)),
      context_(context),
      writer_(plugin_, *namespace_, context.postgresql, context.post_write),
      watch_(plugin_),
      event_turn_(std::make_unique<Turn>(*this, nullptr, false)),
      unit_(std::make_unique<Unit>()) {
  writer_.on_commit([this](const Unit& unit) {
    const auto changes = unit.job_changes();
    if (!changes.empty() && context_.on_job_changes) context_.on_job_changes(*this, changes);
    dead_letters_ += unit.dead_letters_more();
    if (unit.sends() && context_.on_effects) context_.on_effects(*this);
  });
  writer_.before_commit(context_.before_commit);
  writer_.on_settled([this] { bell_.ring(); });
  if (context_.watchdog) context_.watchdog->add(watch_);
}

Lane::~Lane() {
  if (context_.watchdog) context_.watchdog->remove(watch_);
  for (StreamState& stream : streams_)
    if (stream.journal) stream.journal->remove_listener(&bell_);
}

void Lane::run() {
  for (;;) {
    const std::uint64_t seen = bell_.rings();
    if (!baton_.acquire_for_events()) return;
    run_tasks();
    if (stopping_) {
      drop_instance();
      publish_status("stopped");
      baton_.release();
      {
        std::lock_guard lock(tasks_mutex_);  // whoever asks for something now need not wait for it
        tasks_ended_ = true;
        tasks_changed_.notify_all();
      }
      std::lock_guard lock(requests_mutex_);
      ended_ = true;
      requests_changed_.notify_all();
      return;
    }
    switch (writer_.failure()) {
      case UnitWriter::Failure::None:
        if (!instance_ && factory_ && writer_.waiting() == 0 && may_try_again()) go_back("trying again");
        break;
      case UnitWriter::Failure::Owner:
        if (instance_) {
          log_error("plugin " + plugin_, "stopped: " + writer_.status().error);
          drop_instance();
          unit_ = std::make_unique<Unit>();
          paused_why_ = writer_.status().error;
          paused_us_ = context_.now_us();
        }
        retry_at_ = Clock::time_point::max();
        break;
      case UnitWriter::Failure::Replay:
        if (instance_ || may_try_again()) go_back(writer_.status().error);
        break;
      case UnitWriter::Failure::Data:
        if (instance_ && (condemned_ || take_apart())) {
          go_back(writer_.status().error);
          break;
        }
        [[fallthrough]];
      case UnitWriter::Failure::Schema:
        if (instance_)
          pause("its rows could not be written: " + writer_.status().error);
        else if (may_try_again())
          go_back("trying again");
        break;
    }
    const bool more = instance_ && batch();
    if (time_to_seal(more) && writer_.waiting() == 0) {
      if (!unit_->has_effects()) note_positions();
      seal_events();
    }
    const bool wait_for_writer = full() && writer_.waiting() > 0;
    const auto wake = next_wake();
    publish_status(instance_ ? "running" : waits_for_store_ ? "waiting" : factory_ ? "paused" : "starting");
    const bool ask = !instance_ && waits_for_store_;
    baton_.release();
    // One unit is being written and the next is full: the journal keeps what comes, memory stays flat.
    if (wait_for_writer) writer_.wait_below(0, Clock::now() + std::chrono::milliseconds(100));
    if (!more && !wait_for_writer) bell_.wait(seen, wake);
    if (ask) ask_store();
  }
}

bool Lane::batch() {
  const auto began = Clock::now();
  std::size_t handled = 0;
  bool more = false;
  const std::size_t first = first_stream_++;  // each stream comes first once
  std::uint32_t turn = StreamTurn::kLast;
  for (const StreamState& stream : streams_)
    if (!stream.ended) turn = std::min(turn, stream.reads_in);
  for (std::size_t n = 0; n < streams_.size(); ++n) {
    const std::size_t index = (first + n) % streams_.size();
    StreamState& stream = streams_[index];
    if (stream.ended || stream.reads_in != turn) continue;
    if (!enter(stream, index)) return true;
    for (std::size_t of_stream = 0;; ++of_stream) {
      if (!stream.next) stream.next = stream.reader->next();
      if (turn_is_over(stream)) return true;
      if (!stream.next) break;
      if (of_stream == kEventsPerStream) {
        more = true;
        break;
      }
      if (handled == kEventsPerBatch || full() ||
          (handled > 0 && baton_.request_waits() && Clock::now() - began >= kBatchWhileRequestsWait))
        return true;
      ++handled;
      if (!take(stream, index, *stream.next)) return true;
      stream.next = nullptr;
    }
  }
  return more;
}

bool Lane::handle(StreamState& stream, std::size_t index, const Record& record) {
  if (record.kind == RecordKind::Dispatch && record.type < instance_->by_type.size() &&
      !instance_->by_type[record.type].empty()) {
    const bool suspect = is_suspect(stream, record);
    const CrashedEvent* crashed = crashed_on(stream, record);
    const bool own_unit = apart(stream, record) || crashed;
    if (suspect || own_unit) {  // alone, so that nothing else goes down with it
      seal_events();
      if (!settle_or_wait()) return false;
    }
    if (condemned_ && condemned_->first.stream == stream.stream && condemned_->first.position == record.position)
      return to_dead_letters(stream, index, record, condemned_->second);
    if (crashed && crashed->dead) return to_dead_letters(stream, index, record, crashed->text);
    const bool failed = call_handlers(stream, record) < 0;
    bool in_store = true;
    if (!failed) {
      unit_->keep();
      ++unit_->events;
      ++events_;
      if (own_unit) {
        pass(stream, index, record);
        seal_events();
        in_store = settle_or_wait();
      }
    }
    if (own_unit && writer_.failure() == UnitWriter::Failure::Data) {
      condemned_ = {{stream.stream, record.position}, writer_.status().error};
      log_error("plugin " + plugin_, "the database refused the rows of an event; it goes to the dead letters",
                {{"event", std::string(event_name(record.type))},
                 {"position", record.position.text()},
                 {"shard", stream.stream.id},
                 {"error", condemned_->second}});
      return false;
    }
    if (failed) {
      event_failed(stream, index, record);
      return false;
    }
    if (!in_store) return false;
    if (suspect) suspect_.reset();
    dead_in_a_row_ = 0;
  }
  pass(stream, index, record);
  stream.handled = record.position;
  return true;
}

tl_status Lane::call_handlers(StreamState& stream, const Record& record) {
  Turn& turn = *event_turn_;
  turn.next_event(record, stream.stream);
  const bool of_discord = record.type != gap_type() && record.type != caught_up_type();
  const bool again = of_discord ? record.position <= stream.delivered : is_suspect(stream, record);
  tl_event event{sizeof(tl_event),
                 record.type,
                 record.position.value,
                 record.guild,
                 record.channel,
                 record.user,
                 record.id,
                 record.happened_us ? record.happened_us : record.received_us,
                 record.received_us,
                 stream.stream.id,
                 record.flags | (again ? std::uint32_t{TL_EVENT_REPLAY} : 0u),
                 {record.data.data(), record.data.size()}};
  stream.delivered = std::max(stream.delivered, record.position);
  const TurnScope scope(turn);
  const InPlugin inside(instance_->crash_identity.get(), stream.stream, record.position, record.type);
  const std::size_t mark = unit_->mark();
  tl_status status = TL_OK;
  watch_.begin_event(record.type, stream.stream, record.position);
  for (const Subscription* subscription : instance_->by_type[record.type]) {
    if (!takes(*subscription, record)) continue;
    try {
      status = subscription->handle(subscription->self, turn.id, &event);
    } catch (...) {
      status = turn.fail(TL_FAILED, "the handler let an exception out, which must not happen");
    }
    turn.end_step();
    if (status < 0 || turn.host_fault != Turn::HostFault::None) {
      status = status < 0 ? status : TL_UNAVAILABLE;
      break;
    }
  }
  watch_.end();
  if (status < 0 && !unit_->in_transaction) unit_->undo_to(mark);
  turn.end();
  return status;
}

bool Lane::takes(const Subscription& subscription, const Record& record) {
  if (subscription.type_name.starts_with("TRELLIS_")) return true;  // of no guild, and for everybody
  if ((subscription.flags & TL_GUILDS_ONLY) && record.guild == 0) return false;
  if ((subscription.flags & TL_NO_BOTS) && (record.flags & kRecordBot)) return false;
  if (!subscription.guilds.empty() &&
      !std::binary_search(subscription.guilds.begin(), subscription.guilds.end(), record.guild))
    return false;
  return subscription.channels.empty() ||
         std::binary_search(subscription.channels.begin(), subscription.channels.end(), record.channel);
}

bool Lane::full() const {
  return unit_->events >= kUnitEventsMax || unit_->rows() >= kUnitRowsMax || unit_->bytes() >= kUnitBytesMax;
}

bool Lane::time_to_seal(bool more) const {
  const bool moved = !unit_->positions().empty();
  if (!unit_->has_effects())
    return Clock::now() - last_seal_ >= kIdlePositionsEvery && (moved || writer_.durable_lags());
  if (full()) return true;
  if (unit_->in_transaction && !more) return true;  // an open transaction holds locks
  const std::int64_t every =
      instance_ && instance_->ledger.commit_every_us ? instance_->ledger.commit_every_us : kCommitEveryUs;
  return Clock::now() - last_seal_ >=
         std::chrono::microseconds(unit_->in_transaction ? std::min(every, kCommitEveryUs) : every);
}

Lane::Clock::time_point Lane::next_wake() const {
  const auto now = Clock::now();
  if (!instance_) return std::clamp(retry_at_, now + std::chrono::milliseconds(10), now + kIdlePositionsEvery);
  if (writer_.waiting() > 0) return now + kIdlePositionsEvery;  // the commit rings
  if (unit_->has_effects()) {
    const std::int64_t every = instance_->ledger.commit_every_us ? instance_->ledger.commit_every_us : kCommitEveryUs;
    return last_seal_ + std::chrono::microseconds(every);
  }
  return unit_->positions().empty() ? now + kIdlePositionsEvery : last_seal_ + kIdlePositionsEvery;
}

/// An idle lane's positions are made durable, so that the journal behind them can go.
void Lane::note_positions() {
  unit_->needs_sync = true;
  for (const StoredPosition& at : writer_.committed())
    for (std::size_t i = 0; i < streams_.size(); ++i)
      if (streams_[i].journal && streams_[i].stream == at.stream &&
          (unit_->positions().size() <= i || !unit_->positions()[i].position.value))
        unit_->advance(i, at.stream, at.position, at.handled_us);
}

void Lane::seal_events() {
  if (!unit_->has_effects() && unit_->positions().empty()) return;
  const std::int64_t now = context_.now_us();
  if (now - keys_expired_us_ >= kExpireKeysEveryUs || now < keys_expired_us_ || writer_.status().keys_left)
    keys_expired_us_ = unit_->expire_keys_us = now;
  writer_.seal(std::move(unit_));
  unit_ = std::make_unique<Unit>();
  last_seal_ = Clock::now();
}

bool Lane::settle(Clock::time_point until) { return writer_.wait_below(0, until); }

void Lane::drop_instance() {
  if (!instance_) return;
  instance_->cancelled = true;
  std::shared_ptr<Instance> last;
  {
    std::lock_guard lock(instance_mutex_);
    last = std::move(instance_);
  }
  requests_changed_.notify_all();
  event_turn_->instance = nullptr;
}  // destroyed here, holding the baton, unless a request still runs in it; then by the request

void Lane::begin_instance(std::shared_ptr<Instance> instance) {
  instance->lane = this;
  Connection* connection = writer_.connection();
  if (!connection) throw StoreError(StoreError::Kind::Away, "", "the store is not ready: " + writer_.status().error);
  instance->bind(*connection);
  dead_letters_ = count_dead_letters(*connection);
  reopen_readers(*instance, *connection);
  event_turn_->instance = instance.get();
  {
    std::lock_guard lock(instance_mutex_);
    instance_ = instance;
  }
  paused_why_.clear();
  paused_us_ = 0;
  waits_for_store_ = false;
  // on_start comes before anything else of the instance, requests included.
  baton_.hold_requests();
  std::string failed;
  for (const EntrySpec& entry : instance->ledger.entries) {
    if (entry.kind != TL_START) continue;
    RequestCall call;
    call.kind = TL_START;
    UnitWriter::Ticket ticket = 0;
    const RequestAnswer answer = run_request(instance, entry, call, ticket);
    if (answer.status < 0) {
      failed = "it failed to start: " + answer.error;
    } else if (ticket && writer_.wait(ticket, Clock::time_point::max(), &failed) != UnitWriter::Outcome::Committed) {
      failed = "it failed to start: " + failed;
    }
    if (!failed.empty()) break;
  }
  baton_.admit_requests();
  if (!failed.empty()) {
    instance.reset();
    drop_instance();
    throw PluginError(failed);
  }
  if (context_.on_started) context_.on_started(*this);
}

void Lane::run_tasks() {
  std::vector<std::shared_ptr<Task>> tasks;
  {
    std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
    std::erase_if(tasks, [](const auto& task) { return task->dropped; });
    for (const auto& task : tasks) task->begun = true;
  }
  for (const auto& task : tasks) {
    std::exception_ptr error;
    try {
      task->run();
    } catch (...) {
      error = std::current_exception();
    }
    std::lock_guard lock(tasks_mutex_);
    task->error = std::move(error);
    task->finished = true;
    tasks_changed_.notify_all();
  }
}

void Lane::publish_status(const char* state) {
  std::lock_guard lock(status_mutex_);
  status_.state = state;
  status_.why = instance_ ? "" : paused_why_;
  status_.since_us = paused_us_;
  status_.retry_us = 0;
  if (!instance_ && !waits_for_store_ && retry_at_ != Clock::time_point::max())
    status_.retry_us =
        context_.now_us() + std::chrono::duration_cast<std::chrono::microseconds>(retry_at_ - Clock::now()).count();
  status_.generation = generation_;
  status_.events = events_;
  status_.streams.clear();
  for (const StreamState& stream : streams_)
    if (stream.journal) status_.streams.push_back({stream.stream, stream.handled, {}, stream.handled_us});
}

}  // namespace trellis::host
