#include "lanes/unit_writer.hpp"

#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr std::chrono::seconds kSyncEvery{1};
constexpr std::chrono::milliseconds kRetryFirst{50}, kRetryMax{2000}, kLastAnswer{500};
// How long others wait for a store that refuses, and for one that does not answer.
constexpr std::chrono::seconds kAwayPatience{2}, kSilentPatience{10};
constexpr std::chrono::milliseconds kLookAgain{50};
constexpr std::uint64_t kKeysPerUnit = 1000;

std::int64_t clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string taken_over(std::uint64_t owner) {
  return fmt::format("another host or generation has taken this plugin's data over (owner {:x})", owner);
}

void raise(std::vector<StoredPosition>& positions, const StoredPosition& to) {
  for (StoredPosition& position : positions)
    if (position.stream == to.stream) {
      const std::uint32_t caught_up = std::max(position.caught_up, to.caught_up);
      if (to.position >= position.position) position = to;
      position.caught_up = caught_up;
      return;
    }
  positions.push_back(to);
}

}  // namespace

UnitWriter::UnitWriter(std::string plugin, Namespace& ns, bool postgresql, Post post)
    : plugin_(std::move(plugin)), namespace_(ns), postgresql_(postgresql), post_(std::move(post)) {}

UnitWriter::~UnitWriter() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !running_; });
}

std::vector<StoredPosition> UnitWriter::claim(std::uint64_t owner, const std::vector<std::uint64_t>& ours) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !running_; });
    sealed_.clear();
  }
  if (connection_ && connection_->in_transaction()) connection_->rollback();
  if (!connection_ || !connection_->alive()) connection_ = namespace_.connect();
  connection_->begin(Durability::Sync);
  std::vector<StoredPosition> positions;
  try {
    create_host_tables(*connection_, postgresql_);
    const UnitRow row = read_unit_row(*connection_, postgresql_);
    if (!ours.empty() && std::find(ours.begin(), ours.end(), row.owner) == ours.end()) {
      connection_->rollback();
      fail(Failure::Owner, taken_over(row.owner));
      throw StoreError(StoreError::Kind::Other, "", taken_over(row.owner));
    }
    unit_ = row.unit;
    claim_unit_row(*connection_, owner);
    positions = read_positions(*connection_);
    connection_->commit();
  } catch (...) {
    connection_->rollback();
    throw;
  }
  owner_ = owner;
  std::lock_guard lock(mutex_);
  settle_as_failed(settled_ticket_ + 1, "the lane went back to what is committed");
  status_.failure = Failure::None;
  status_.error.clear();
  status_.store_away = false;
  status_.owner = owner;
  status_.unit = unit_;
  status_.events_waiting = status_.rows_waiting = 0;
  committed_ = durable_ = positions;
  return positions;
}

UnitWriter::Ticket UnitWriter::seal(std::unique_ptr<Unit> unit) {
  unit->keep();
  std::lock_guard lock(mutex_);
  const Ticket ticket = ++last_ticket_;
  if (closed_) return ticket;  // wait() says that it failed
  if (status_.failure != Failure::None) {
    settle_as_failed(ticket, status_.error);
    return ticket;
  }
  status_.events_waiting += unit->events;
  status_.rows_waiting += unit->rows();
  sealed_.push_back(std::move(unit));
  if (!running_) {
    running_ = true;
    write_began_ = Clock::now();
    post_([this] { run(); });
  }
  return ticket;
}

void UnitWriter::run() {
  for (;;) {
    Unit* unit = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (sealed_.empty() || closed_ || status_.failure != Failure::None) {
        running_ = false;
        changed_.notify_all();
        return;
      }
      unit = sealed_.front().get();
      write_began_ = Clock::now();
    }
    write(*unit);
  }
}

void UnitWriter::write(Unit& unit) {
  std::chrono::milliseconds backoff = kRetryFirst;
  bool doubtful = false;  // a COMMIT was under way when the connection broke
  bool in_store = false, lazily = false;
  for (;;) {
    try {
      if (!connection_ || !connection_->alive()) {
        connection_.reset();
        connection_ = namespace_.connect();
        doubtful = true;
      }
      if (doubtful) {
        in_store = lazily = in_doubt(unit);  // perhaps not lazily, but who knows which attempt it was
        std::lock_guard lock(mutex_);
        if (status_.failure != Failure::None) return;
        doubtful = false;
      }
      if (!in_store) {
        if (before_commit_) before_commit_();
        // Else the compare-and-set found another number: either our own earlier attempt, or somebody else.
        in_store = commit_once(unit);
        lazily = unit.begun_lazily;
        doubtful = !in_store;
      }
      if (in_store && unit.needs_sync && lazily) doubtful = !harden();
      if (!doubtful) break;
    } catch (const StoreError& error) {
      if (connection_) connection_->rollback();
      if (error.connection_lost()) {
        connection_.reset();
        doubtful = true;
      }
      {
        std::lock_guard lock(mutex_);
        ++status_.errors;
      }
      store_failed(error);
      if (error.kind() != StoreError::Kind::Away) return fail(failure_of(unit, error), error.what());
      // With a lost connection it may be in all the same; in_doubt() finds out.
      if (unit.in_transaction && !in_store && !error.connection_lost()) return fail(Failure::Replay, error.what());
      if (!pause(backoff)) return;
      backoff = std::min(backoff * 2, kRetryMax);
    } catch (const std::exception& error) {
      if (connection_) connection_->rollback();
      return fail(Failure::Schema, error.what());
    }
  }
  ++unit_;
  if (on_commit_) on_commit_(unit);
  std::unique_ptr<Unit> done;
  store_answered();
  {
    std::lock_guard lock(mutex_);
    status_.unit = unit_;
    ++status_.commits;
    status_.last_commit_us = clock_us();
    status_.events_waiting -= unit.events;
    for (const StoredPosition& to : unit.positions())
      if (to.position.value) raise(committed_, to);
    for (const Stream stream : unit.forgotten())
      std::erase_if(committed_, [&](const StoredPosition& at) { return at.stream == stream; });
    if (unit.needs_sync) {
      ++status_.sync_commits;
      durable_ = committed_;
    }
    status_.rows_waiting -= std::min<std::uint64_t>(status_.rows_waiting, unit.rows());
    done = std::move(sealed_.front());
    sealed_.pop_front();
    ++settled_ticket_;
    if (sealed_.empty()) status_.rows_waiting = 0;
  }
  changed_.notify_all();
  if (on_settled_) on_settled_();
}

bool UnitWriter::commit_once(Unit& unit) {
  if (unit.in_transaction && !connection_->in_transaction()) return false;  // its transaction was cut meanwhile
  if (!unit.in_transaction) {
    const auto now = Clock::now();
    // One commit a second outlives a power loss, and only those let the journal go.
    if (now - last_sync_ >= kSyncEvery) unit.needs_sync = true;
    connection_->begin(unit.needs_sync ? Durability::Sync : Durability::Lazy);
    if (!raise_unit(*connection_, owner_, unit_)) {
      connection_->rollback();
      return false;
    }
  }
  unit.write_effects(*connection_, postgresql_);
  std::uint64_t expired = 0;
  if (unit.expire_keys_us) expired = delete_expired_keys(*connection_, unit.expire_keys_us, kKeysPerUnit);
  for (const StoredPosition& to : unit.positions())
    if (to.position.value) write_position(*connection_, to);
  for (const Stream stream : unit.forgotten()) forget_position(*connection_, stream);
  connection_->commit();
  if (unit.needs_sync && !unit.begun_lazily) last_sync_ = Clock::now();
  if (unit.expire_keys_us) {
    std::lock_guard lock(mutex_);
    status_.keys_left = expired == kKeysPerUnit;
  }
  return true;
}

/// It has turned out that it must not get lost when its transaction was open: a commit that waits for the disk takes
/// along what was committed before. False: the row is not as this lane left it.
bool UnitWriter::harden() {
  connection_->begin(Durability::Sync);
  const UnitRow row = read_unit_row(*connection_, postgresql_);
  if (row.owner != owner_ || row.unit != unit_ + 1) {
    connection_->rollback();
    return false;
  }
  claim_unit_row(*connection_, owner_);  // what changes nothing need not wait
  connection_->commit();
  last_sync_ = Clock::now();
  return true;
}

/// After a lost connection or a failed compare-and-set: is the unit in? The row's lock waits for an older connection
/// that is still at work.
bool UnitWriter::in_doubt(Unit& unit) {
  connection_->begin(Durability::Lazy);
  const UnitRow row = read_unit_row(*connection_, postgresql_);
  connection_->rollback();
  if (row.owner != owner_) {
    fail(Failure::Owner, taken_over(row.owner));
    return false;
  }
  if (row.unit == unit_ + 1) return true;
  if (row.unit == unit_ && !unit.in_transaction) return false;
  fail(Failure::Replay, fmt::format("the store stands at unit {}, this lane at {}", row.unit, unit_));
  return false;
}

void UnitWriter::fail(Failure failure, std::string error) {
  if (connection_ && connection_->in_transaction()) connection_->rollback();
  {
    std::lock_guard lock(mutex_);
    status_.failure = failure;
    status_.error = std::move(error);
    settle_as_failed(settled_ticket_ + 1, status_.error);
    sealed_.clear();
    status_.events_waiting = status_.rows_waiting = 0;
  }
  changed_.notify_all();
  if (on_settled_) on_settled_();
}

/// A request that fails for its data fails alone: the lane only goes back to what is committed.
UnitWriter::Failure UnitWriter::failure_of(const Unit& unit, const StoreError& error) {
  if (unit.events == 0 && unit.positions().empty()) return Failure::Replay;
  return error.kind() == StoreError::Kind::Data ? Failure::Data : Failure::Schema;
}

void UnitWriter::fail_events(const StoreError& error) {
  fail(error.kind() == StoreError::Kind::Data ? Failure::Data : Failure::Schema, error.what());
}

void UnitWriter::settle_as_failed(Ticket first, const std::string& error) {
  constexpr std::size_t kRemembered = 64;
  if (first > last_ticket_) return;
  failed_tickets_.push_back({first, last_ticket_, error});
  if (failed_tickets_.size() > kRemembered) failed_tickets_.pop_front();
  settled_ticket_ = last_ticket_;
}

bool UnitWriter::pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, duration, [&] { return closed_; });
  return !closed_;
}

/// How the store answers, whoever asked it.
void UnitWriter::store_failed(const StoreError& error) {
  std::lock_guard lock(mutex_);
  const bool away = error.kind() == StoreError::Kind::Away;
  if (away && !status_.store_away) {
    away_since_ = Clock::now();
    log_warn("plugin " + plugin_, "the store is away; what is staged waits and is written when it is back",
             {{"error", error.what()}});
  }
  status_.store_away = away;
  status_.store_error = error.what();
}

void UnitWriter::store_answered() {
  std::lock_guard lock(mutex_);
  if (status_.store_away) log_info("plugin " + plugin_, "the store is back");
  status_.store_away = false;
}

bool UnitWriter::gone() const {
  const auto now = Clock::now();
  return (status_.store_away && now - away_since_ >= kAwayPatience) ||
         (running_ && !sealed_.empty() && now - write_began_ >= kSilentPatience);
}

bool UnitWriter::store_gone() const {
  std::lock_guard lock(mutex_);
  return gone();
}

template <class Ready>
bool UnitWriter::wait_some(std::unique_lock<std::mutex>& lock, Clock::time_point until, Ready ready) {
  while (!ready()) {
    const auto now = Clock::now();
    if (now >= until || gone()) return false;
    changed_.wait_until(lock, std::min(until, now + kLookAgain));
  }
  return true;
}

bool UnitWriter::settle() {
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return sealed_.empty() || closed_ || status_.failure != Failure::None; };
  return wait_some(lock, Clock::time_point::max(), settled) && sealed_.empty() && !closed_ &&
         status_.failure == Failure::None;
}

Connection* UnitWriter::connection(Clock::time_point until) {
  {
    std::unique_lock lock(mutex_);
    const auto settled = [&] { return (sealed_.empty() && !running_) || closed_ || status_.failure != Failure::None; };
    if (!wait_some(lock, until, settled) || closed_ || status_.failure != Failure::None) return nullptr;
  }
  if (!connection_ || !connection_->alive()) {
    connection_.reset();
    try {
      connection_ = namespace_.connect();
    } catch (const StoreError& error) {
      store_failed(error);
      throw;
    }
    store_answered();
  }
  return connection_.get();
}

Connection* UnitWriter::transaction(Unit& unit) {
  if (unit.in_transaction && (!connection_ || !connection_->alive() || !connection_->in_transaction()))
    throw StoreError(StoreError::Kind::Away, "08006", "the connection was cut while SQL of the unit was running", true);
  Connection* connection = unit.in_transaction ? connection_.get() : this->connection();
  if (!connection) return nullptr;
  if (!unit.in_transaction) {
    if (Clock::now() - last_sync_ >= kSyncEvery) unit.needs_sync = true;
    unit.begun_lazily = !unit.needs_sync;
    try {
      connection->begin(unit.needs_sync ? Durability::Sync : Durability::Lazy);
      if (!raise_unit(*connection, owner_, unit_)) {
        connection->rollback();
        fail(Failure::Replay, "the plugin's unit number is not where this lane left it");
        return nullptr;
      }
    } catch (const StoreError&) {
      connection->rollback();
      throw;
    }
    unit.in_transaction = true;
  }
  unit.write_effects(*connection, postgresql_);
  unit.clear_effects();
  return connection;
}

void UnitWriter::abandon_transaction() {
  if (connection_ && connection_->in_transaction()) connection_->rollback();
}

UnitWriter::Outcome UnitWriter::wait(Ticket ticket, Clock::time_point until, std::string* error, Patience patience) {
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return settled_ticket_ >= ticket || closed_; };
  if (patience == Patience::Some) {
    if (!wait_some(lock, until, settled)) return Outcome::Timeout;
  } else if (until == Clock::time_point::max())
    changed_.wait(lock, settled);
  else if (!changed_.wait_until(lock, until, settled))
    return Outcome::Timeout;
  const auto failed = [&](const std::string& why) {
    if (error) *error = why;
    return Outcome::Failed;
  };
  if (settled_ticket_ < ticket) return failed("the plugin is stopping");
  for (const Failed& range : failed_tickets_)
    if (range.first <= ticket && ticket <= range.last) return failed(range.error);
  return Outcome::Committed;
}

bool UnitWriter::wait_below(std::size_t count, Clock::time_point until) {
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return sealed_.size() <= count || closed_ || status_.failure != Failure::None; };
  if (until == Clock::time_point::max())
    changed_.wait(lock, settled);
  else
    changed_.wait_until(lock, until, settled);
  return sealed_.size() <= count && !closed_ && status_.failure == Failure::None;
}

std::size_t UnitWriter::waiting() const {
  std::lock_guard lock(mutex_);
  return sealed_.size();
}

UnitWriter::Ticket UnitWriter::last_sealed() const {
  std::lock_guard lock(mutex_);
  return last_ticket_;
}

UnitWriter::Status UnitWriter::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

UnitWriter::Failure UnitWriter::failure() const {
  std::lock_guard lock(mutex_);
  return status_.failure;
}

std::vector<StoredPosition> UnitWriter::committed() const {
  std::lock_guard lock(mutex_);
  return committed_;
}

std::vector<StoredPosition> UnitWriter::durable() const {
  std::lock_guard lock(mutex_);
  return durable_;
}

bool UnitWriter::durable_lags() const {
  std::lock_guard lock(mutex_);
  const auto same = [](const StoredPosition& a, const StoredPosition& b) {
    return a.stream == b.stream && a.position == b.position;
  };
  return !std::equal(committed_.begin(), committed_.end(), durable_.begin(), durable_.end(), same);
}

void UnitWriter::on_commit(std::function<void(const Unit&)> callback) { on_commit_ = std::move(callback); }
void UnitWriter::before_commit(std::function<void()> callback) { before_commit_ = std::move(callback); }
void UnitWriter::on_settled(std::function<void()> callback) { on_settled_ = std::move(callback); }

bool UnitWriter::close(Clock::time_point until) {
  const bool all = wait_below(0, until);
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  // What is under way is asked for a moment longer: a store that has stopped answering is not waited for.
  const bool idle = changed_.wait_until(lock, std::max(until, Clock::now() + kLastAnswer), [&] { return !running_; });
  return all && idle;
}

bool UnitWriter::idle() const {
  std::lock_guard lock(mutex_);
  return !running_;
}

}  // namespace trellis::host
