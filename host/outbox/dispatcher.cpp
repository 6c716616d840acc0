#include "outbox/dispatcher.hpp"

#include <array>
#include <random>

#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kLookAgainUs = kSecondUs, kNoTargetUs = 60 * kSecondUs, kCountEveryUs = 5 * kSecondUs;
constexpr std::int64_t kForgetAfterUs = 3600 * kSecondUs;

/// Half of it to all of it: those that failed together do not come back together.
std::int64_t with_jitter(std::int64_t us) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return us / 2 + std::uniform_int_distribution<std::int64_t>(0, us - us / 2)(random);
}

}  // namespace

Dispatcher::Dispatcher(std::string plugin, std::shared_ptr<const OutboxOptions> options,
                       std::shared_ptr<const OutboxMeters> meters, std::function<void()> on_wake)
    : plugin_(std::move(plugin)),
      options_(std::move(options)),
      meters_(std::move(meters)),
      on_wake_(std::move(on_wake)) {}

void Dispatcher::run(std::uint64_t owner) {
  {
    std::lock_guard lock(mutex_);
    owner_ = owner;
    status_.runs = true;
  }
  look_again();
}

void Dispatcher::stand() {
  std::lock_guard lock(mutex_);
  owner_ = 0;
  status_.runs = false;
  wake_us_ = kNever;
}

void Dispatcher::look_again() {
  {
    std::lock_guard lock(mutex_);
    new_rows_ = uncounted_ = true;
  }
  look();
}

void Dispatcher::forget_refusals(const std::string& queue) {
  std::lock_guard lock(mutex_);
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return;
  found->second.breaker.succeeded();
  found->second.wake_us = 0;
}

std::int64_t Dispatcher::wake_us() const {
  std::lock_guard lock(mutex_);
  return wake_us_;
}

bool Dispatcher::idle() const {
  std::lock_guard lock(mutex_);
  return under_way_.empty() && !posted_;
}

Dispatcher::Status Dispatcher::status() const {
  std::lock_guard lock(mutex_);
  Status status = status_;
  for (const auto& [id, row] : under_way_) status.under_way.push_back(id);
  for (const auto& [name, queue] : queues_)
    if (queue.breaker.open_until_us() != 0)
      status.open.push_back({name, queue.breaker.open_until_us(), queue.breaker.refusals()});
  return status;
}

void Dispatcher::look() {
  {
    std::lock_guard lock(mutex_);
    again_ = true;
    if (posted_) return;
    posted_ = true;
  }
  options_->post([self = shared_from_this()] { self->steps(); });
}

void Dispatcher::steps() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (!again_) {
        posted_ = false;
        break;
      }
      again_ = false;
    }
    step();
  }
  on_wake_();
}

void Dispatcher::step() {
  std::vector<Finished> finished;
  std::uint64_t owner = 0;
  {
    std::lock_guard lock(mutex_);
    finished.swap(finished_);
    owner = owner_;
  }
  const std::int64_t now = options_->now_us();
  std::int64_t wake = kNever;
  std::string trouble;
  try {
    connect();
    record(finished);
    if (owner != 0 && namespace_owner(*connection_) != owner) {
      // A new generation that has not started yet, or another host.
      trouble = "the plugin's data belongs to another generation or host at the moment";
      wake = now + kLookAgainUs;
    } else if (owner != 0) {
      recover(now);
      find_queues(now);
      deliver(take_up(now));
    }
    count(now);
  } catch (const StoreError& error) {
    trouble = std::string("the store is away: ") + error.what();
    wake = now + kLookAgainUs;
    connection_.reset();
  } catch (const std::exception& error) {
    trouble = std::string("its table cannot be read: ") + error.what();
    wake = now + kNoTargetUs;
    connection_.reset();
  }
  std::lock_guard lock(mutex_);
  finished_.insert(finished_.begin(), std::make_move_iterator(finished.begin()),
                   std::make_move_iterator(finished.end()));
  if (!trouble.empty() && !connection_ && status_.trouble.empty())
    log_warn("plugin " + plugin_, "its outbox waits", {{"because", trouble}});
  status_.trouble = std::move(trouble);
  if (owner_ != 0)
    for (const auto& [name, queue] : queues_)
      if (!queue.busy && queue.wake_us > now) wake = std::min(wake, queue.wake_us);
  if (uncounted_) wake = std::min(wake, std::max(counted_us_ + kCountEveryUs, now + kLookAgainUs));
  wake_us_ = wake;
}

void Dispatcher::connect() {
  if (!namespace_) namespace_ = options_->open(plugin_);
  if (!connection_ || !connection_->alive()) connection_ = namespace_->connect();
}

/// What came back since the last step. Its marks need not wait for the disk: whatever is delivered once more after a
/// power loss was marked as under way on the disk, or is known by its key.
void Dispatcher::record(std::vector<Finished>& finished) {
  if (!in_doubt_.empty()) {
    in_transaction(*connection_, Durability::Lazy, [&] {
      for (const std::string& id : in_doubt_) unmark_under_way(*connection_, id);
    });
    in_doubt_.clear();
  }
  if (finished.empty()) return;
  const std::int64_t now = options_->now_us();
  std::vector<Verdict> verdicts;
  for (const Finished& one : finished) verdicts.push_back(judge(one, now));
  in_transaction(*connection_, Durability::Lazy, [&] {
    for (std::size_t i = 0; i < finished.size(); ++i) {
      const OutboxRow& row = *finished[i].row;
      switch (verdicts[i].kind) {
        case Verdict::Kind::Delivered:
          remove_effect(*connection_, row.id);
          break;
        case Verdict::Kind::PutOff:
          put_off(*connection_, row.id, row.attempts + 1, verdicts[i].retry_us, verdicts[i].why);
          break;
        case Verdict::Kind::Dead:
          bury(*connection_, row.id, row.attempts + 1, now, verdicts[i].why);
          break;
      }
    }
  });
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < finished.size(); ++i) {
    const OutboxRow& row = *finished[i].row;
    const Verdict& verdict = verdicts[i];
    Queue& queue = queues_[row.queue];
    queue.busy = false;
    queue.wake_us = verdict.retry_us;
    queue.only_time = false;
    queue.used_us = now;
    if (finished[i].outcome.kind == Outcome::Kind::Done) queue.breaker.succeeded();
    if (finished[i].outcome.kind == Outcome::Kind::Refused) queue.breaker.refused(now);
    under_way_.erase(row.id);
    uncounted_ = true;
    switch (verdict.kind) {
      case Verdict::Kind::Delivered:
        ++status_.delivered;
        meters_->add(meters_->delivered, plugin_, row.system);
        break;
      case Verdict::Kind::PutOff:
        ++status_.put_off;
        meters_->add(meters_->put_off, plugin_, row.system);
        break;
      case Verdict::Kind::Dead:
        ++status_.failed;
        meters_->add(meters_->failed, plugin_, row.system);
        break;
    }
    if (verdict.kind == Verdict::Kind::Dead)
      log_warn("plugin " + plugin_, "an effect was given up; `trellis ctl outbox` shows it and tries it again",
               {{"id", row.id}, {"what", row.shown()}, {"from", row.origin}, {"because", verdict.why}});
    else
      log_debug("plugin " + plugin_, verdict.retry_us ? "an effect is put off" : "an effect is delivered",
                {{"id", row.id}, {"what", row.shown()}, {"because", verdict.why}});
  }
  finished.clear();
}

Dispatcher::Verdict Dispatcher::judge(const Finished& finished, std::int64_t now) const {
  const auto& [row, outcome] = finished;
  switch (outcome.kind) {
    case Outcome::Kind::Done:
      return {Verdict::Kind::Delivered, 0, {}};
    case Outcome::Kind::Refused:
      return {Verdict::Kind::Dead, 0, outcome.why};
    case Outcome::Kind::Unknown:
      if (row->repeatable) break;
      return {Verdict::Kind::Dead, 0,
              outcome.why + "; it may have been done, and doing it again could do it twice: look there before a retry"};
    case Outcome::Kind::Retry:
      break;
  }
  const auto doublings = std::min<std::int64_t>(row->attempts, 20);
  const std::int64_t backoff = with_jitter(std::min(options_->first_retry_us << doublings, options_->longest_retry_us));
  // Not later than when it expires: then it is given up.
  return {Verdict::Kind::PutOff, std::min(now + std::max(backoff, outcome.after_us), row->expires_us), outcome.why};
}

/// What an earlier host had under way when it ended.
void Dispatcher::recover(std::int64_t now) {
  if (recovered_) return;
  const auto rows = list_effects(*connection_, OutboxRow::State::UnderWay, 100'000);
  in_transaction(*connection_, Durability::Lazy, [&] {
    for (const OutboxRow& row : rows)
      bury(*connection_, row.id, row.attempts + 1, now,
           "the host ended while it was under way; it may have been done, and doing it again could do it twice: look "
           "there before a retry");
  });
  recovered_ = true;
  for (const OutboxRow& row : rows) {
    log_warn("plugin " + plugin_, "an effect was under way when the host ended; it is given up, as it may be done",
             {{"id", row.id}, {"what", row.shown()}, {"from", row.origin}});
    dead_letters(1, row.system);
  }
}

void Dispatcher::dead_letters(std::uint64_t count, const std::string& system) {
  meters_->add(meters_->failed, plugin_, system, static_cast<double>(count));
  std::lock_guard lock(mutex_);
  status_.failed += count;
  uncounted_ = true;
}

void Dispatcher::find_queues(std::int64_t now) {
  {
    std::lock_guard lock(mutex_);
    if (!new_rows_) return;
    new_rows_ = false;
  }
  std::vector<std::string> names;
  try {
    names = waiting_queues(*connection_);
  } catch (...) {
    std::lock_guard lock(mutex_);
    new_rows_ = true;
    throw;
  }
  std::lock_guard lock(mutex_);
  for (const std::string& name : names) {
    Queue& queue = queues_[name];
    if (queue.only_time) queue.wake_us = 0;
  }
  std::erase_if(queues_, [&](const auto& entry) {
    const Queue& queue = entry.second;
    return !queue.busy && queue.wake_us == kNever && queue.used_us + kForgetAfterUs < now;
  });
}

/// The first of every queue that is free, in rounds over the queues.
std::vector<Dispatcher::RowPtr> Dispatcher::take_up(std::int64_t now) {
  std::vector<std::string> free;
  std::size_t room = 0;
  {
    std::lock_guard lock(mutex_);
    room = options_->parallel - std::min(under_way_.size(), options_->parallel);
    if (room == 0) return {};
    for (const auto& [name, queue] : queues_)
      if (!queue.busy && queue.wake_us <= now) free.push_back(name);
  }
  std::rotate(free.begin(), std::upper_bound(free.begin(), free.end(), last_queue_), free.end());
  std::vector<RowPtr> rows;
  for (const std::string& name : free) {
    if (rows.size() == room) break;
    last_queue_ = name;
    if (RowPtr row = take(name, now)) rows.push_back(std::move(row));
  }
  mark(rows);
  return rows;
}

Dispatcher::RowPtr Dispatcher::take(const std::string& queue, std::int64_t now) {
  std::int64_t open_until = 0;
  {
    std::lock_guard lock(mutex_);
    open_until = queues_[queue].breaker.open_until_us();
  }
  if (open_until > now) return wait_for(queue, open_until), nullptr;
  auto row = first_waiting(*connection_, queue, now);
  if (row && row->expires_us <= now) {
    const std::uint64_t count = bury_expired(*connection_, queue, now);
    log_warn("plugin " + plugin_, "effects expired before they could be delivered; `trellis ctl outbox` shows them",
             {{"count", count}, {"queue", queue}, {"first", row->id}, {"because", row->error}});
    dead_letters(count, row->system);
    row = first_waiting(*connection_, queue, now);
  }
  if (!row) return wait_for(queue, next_waiting(*connection_, queue).value_or(kNever), true), nullptr;
  if (row->retry_us > now) return wait_for(queue, std::min(row->retry_us, row->expires_us)), nullptr;
  if (!options_->targets.contains(row->system)) {  // it did when this was staged
    log_warn("plugin " + plugin_, "an effect waits for a system that this host does not serve any more",
             {{"id", row->id}, {"system", row->system}});
    return wait_for(queue, std::min(now + kNoTargetUs, row->expires_us)), nullptr;
  }
  row->plugin = plugin_;
  return std::make_shared<const OutboxRow>(std::move(*row));
}

void Dispatcher::wait_for(const std::string& name, std::int64_t wake_us, bool only_time) {
  std::lock_guard lock(mutex_);
  Queue& queue = queues_[name];
  queue.wake_us = wake_us;
  queue.only_time = only_time;
  if (wake_us == kNever && queue.breaker.refusals() == 0) queues_.erase(name);
}

/// What could be done twice is marked on the disk before it is tried: whoever finds the mark knows that it may be done.
void Dispatcher::mark(std::vector<RowPtr>& rows) {
  for (const RowPtr& row : rows)
    if (!row->repeatable) in_doubt_.push_back(row->id);
  if (!in_doubt_.empty())
    in_transaction(*connection_, Durability::Sync, [&] {
      std::erase_if(rows,
                    [&](const RowPtr& row) { return !row->repeatable && !mark_under_way(*connection_, row->id); });
    });
  in_doubt_.clear();
  std::lock_guard lock(mutex_);
  for (const RowPtr& row : rows) {
    queues_[row->queue].busy = true;
    under_way_[row->id] = row;
  }
}

void Dispatcher::deliver(const std::vector<RowPtr>& rows) {
  for (const RowPtr& row : rows) {
    const auto done = [weak = weak_from_this(), row](Outcome outcome) {
      const auto self = weak.lock();
      if (!self) return;
      {
        std::lock_guard lock(self->mutex_);
        self->finished_.push_back({row, std::move(outcome)});
      }
      self->look();
    };
    try {
      options_->targets.at(row->system)->deliver(*row, done);
    } catch (const std::exception& error) {
      done(Outcome::unknown(error.what()));
    }
  }
}

void Dispatcher::count(std::int64_t now) {
  {
    std::lock_guard lock(mutex_);
    if (!uncounted_ || now < counted_us_ + kCountEveryUs) return;
    uncounted_ = false;
  }
  counted_us_ = now;
  if (!meters_->metrics) return;
  std::map<std::string, std::array<double, 3>> systems;  // waiting, age of the oldest, dead
  for (const std::string& system : counted_systems_) systems[system] = {};
  for (const OutboxCount& count : count_effects(*connection_)) {
    auto& [waiting, oldest, dead] = systems[count.system];
    if (count.state == OutboxRow::State::Dead) {
      dead += static_cast<double>(count.count);
    } else {
      waiting += static_cast<double>(count.count);
      oldest = std::max(oldest, static_cast<double>(now - count.oldest_us) / kSecondUs);
    }
    counted_systems_.insert(count.system);
  }
  for (const auto& [system, values] : systems) {
    meters_->set(meters_->waiting, plugin_, system, values[0]);
    meters_->set(meters_->oldest, plugin_, system, values[1]);
    meters_->set(meters_->dead, plugin_, system, values[2]);
  }
}

}  // namespace trellis::host
