#include "gateway/identify_permits.hpp"

#include "log/log.hpp"

namespace trellis::host {

namespace {
using Clock = std::chrono::steady_clock;
}  // namespace

IdentifyPermits::IdentifyPermits(boost::asio::any_io_executor executor, IdentifyOptions options, Ask ask,
                                 const std::optional<IdentifyLimits>& known)
    : options_(options),
      ask_discord_(std::move(ask)),
      queue_(options.queue),
      timer_(std::move(executor)),
      asked_at_(Clock::now()),
      heard_at_(asked_at_),
      retry_(options.first_retry),
      known_(known.has_value()) {
  if (known) queue_.set_limits(*known);
  publish(heard_at_);
  if (!known) asked_at_ -= options_.look_again;
}

void IdentifyPermits::ask(std::uint32_t shard, IdentifyQueue::Go go) {
  if (stopped_) return;
  const bool first = queue_.waiting() == 0;
  queue_.ask(shard, std::move(go));
  // Counts and keys can have changed since, by other programs with this token too.
  if (known_ && first && Clock::now() - heard_at_ >= options_.stale) return refresh();
  look();
}

void IdentifyPermits::look_again() {
  if (!stopped_ && Clock::now() - asked_at_ >= options_.look_again) refresh();
}

void IdentifyPermits::stop() {
  stopped_ = true;
  timer_.cancel();
}

void IdentifyPermits::refresh() {
  if (asking_ || !ask_discord_) return;
  asking_ = true;
  ask_discord_([weak = weak_from_this()](std::optional<IdentifyLimits> limits) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->asking_ = false;
    self->asked_at_ = Clock::now();
    if (limits) {
      self->heard_at_ = self->asked_at_;
      self->queue_.set_limits(*limits);
      self->known_ = true;
    } else if (self->known_) {
      if (self->queue_.waiting() > 0)
        log_warn("discord", "GET /gateway/bot was not answered; IDENTIFYs go on by what it said last");
    } else {
      return self->ask_later();
    }
    self->look();
  });
}

/// Which is said where somebody waits for it: a host that resumes its sessions needs no answer.
void IdentifyPermits::ask_later() {
  publish(asked_at_);
  if (queue_.waiting() > 0)
    log_warn("discord", "GET /gateway/bot is not answered; shards without a session wait for it",
             {{"waiting", queue_.waiting()}, {"again_in_s", static_cast<double>(retry_.count()) / 1000}});
  timer_.expires_after(retry_);
  retry_ = std::min(retry_ * 2, options_.last_retry);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error && !self->stopped_) self->refresh();
  });
}

void IdentifyPermits::look() {
  const auto now = Clock::now();
  if (!known_) publish(now);
  if (!known_ || asking_ || looking_ || stopped_) return;
  looking_ = true;  // who may go can ask again from within
  auto next = queue_.run(now);
  looking_ = false;
  publish(now);
  const bool exhausted = queue_.waiting() > 0 && queue_.exhausted(now);
  if (exhausted && !said_ && ask_discord_ && now - asked_at_ >= options_.recheck) return refresh();
  if (exhausted && !said_) {
    log_error(
        "discord",
        fmt::format("only {} of the day's {} IDENTIFYs are left, and those are kept (discord.identify_reserve): "
                    "using all of them up would reset the bot's token. Shards without a session wait until "
                    "Discord gives new ones; find out what makes new sessions so often.",
                    queue_.limits().remaining, queue_.limits().total),
        {{"waiting", queue_.waiting()},
         {"until_then_s", std::chrono::duration_cast<std::chrono::seconds>(queue_.limits().resets_at - now).count()}});
  } else if (said_ && !exhausted) {
    log_info("discord", "there are IDENTIFYs again", {{"identifies_left", queue_.limits().remaining}});
  }
  said_ = exhausted;
  if (!next) return;
  if (exhausted) next = std::min(*next, now + options_.ask_again);
  timer_.expires_at(*next);
  timer_.async_wait([weak = weak_from_this(), exhausted](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->stopped_) return;
    if (exhausted && self->ask_discord_) return self->refresh();
    self->look();
  });
}

void IdentifyPermits::publish(IdentifyQueue::Time now) {
  std::lock_guard lock(mutex_);
  const IdentifyLimits& limits = queue_.limits();
  stats_.known = known_;
  stats_.total = limits.total;
  stats_.remaining = limits.remaining;
  stats_.reserve = queue_.reserve();
  stats_.max_concurrency = limits.max_concurrency;
  stats_.waiting = queue_.waiting();
  stats_.exhausted = queue_.exhausted(now);
  resets_at_ = limits.resets_at;
}

IdentifyPermits::Stats IdentifyPermits::stats() const {
  std::lock_guard lock(mutex_);
  Stats stats = stats_;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(resets_at_ - Clock::now()).count();
  stats.resets_in_s = std::max<std::int64_t>(left, 0);
  if (left <= 0) {  // the queue itself finds out when somebody asks
    stats.remaining = stats.total;
    stats.exhausted = false;
  }
  return stats;
}

}  // namespace trellis::host
