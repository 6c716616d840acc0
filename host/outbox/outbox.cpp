#include "outbox/outbox.hpp"

#include <condition_variable>
#include <thread>

namespace trellis::host {

namespace {

constexpr std::int64_t kLongestWaitUs = 60'000'000;
constexpr std::size_t kAllMax = 1'000'000;

}  // namespace

OutboxMeters::OutboxMeters(Metrics* given) : metrics(given) {
  if (!metrics) return;
  const std::vector<std::string> labels{"plugin", "system"};
  using Kind = Metrics::Kind;
  waiting = metrics->family(Kind::Gauge, "trellis_outbox_waiting", "Effects that wait to be delivered.", labels);
  oldest = metrics->family(Kind::Gauge, "trellis_outbox_oldest_seconds", "Age of the oldest that waits.", labels);
  dead = metrics->family(Kind::Gauge, "trellis_outbox_dead", "Effects that were given up and are kept.", labels);
  delivered = metrics->family(Kind::Counter, "trellis_outbox_delivered_total", "Effects delivered.", labels);
  failed = metrics->family(Kind::Counter, "trellis_outbox_failed_total", "Effects given up.", labels);
  put_off = metrics->family(Kind::Counter, "trellis_outbox_put_off_total", "Tries that are repeated later.", labels);
}

void OutboxMeters::add(Metrics::Handle family, const std::string& plugin, const std::string& system,
                       double value) const {
  const std::string_view labels[] = {plugin, system};
  if (metrics) metrics->add(family, value, labels);
}

void OutboxMeters::set(Metrics::Handle family, const std::string& plugin, const std::string& system,
                       double value) const {
  const std::string_view labels[] = {plugin, system};
  if (metrics) metrics->set(family, value, labels);
}

struct Outbox::Impl {
  explicit Impl(OutboxOptions given)
      : options(std::make_shared<const OutboxOptions>(std::move(given))),
        meters(std::make_shared<const OutboxMeters>(options->metrics)) {}

  std::shared_ptr<Dispatcher> find(const std::string& plugin) const {
    std::lock_guard lock(mutex);
    const auto found = dispatchers.find(plugin);
    return found == dispatchers.end() ? nullptr : found->second;
  }

  std::vector<std::shared_ptr<Dispatcher>> all() const {
    std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Dispatcher>> list;
    for (const auto& [plugin, dispatcher] : dispatchers) list.push_back(dispatcher);
    return list;
  }

  void loop() {
    for (;;) {
      std::uint64_t seen = 0;
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        seen = changes;
      }
      const std::int64_t now = options->now_us();
      std::int64_t wait = kLongestWaitUs;
      for (const auto& dispatcher : all()) {
        const std::int64_t wake = dispatcher->wake_us();
        if (wake <= now)
          dispatcher->look();  // it says when it wants to be looked at next
        else
          wait = std::min(wait, wake - now);
      }
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::microseconds(wait), [&] { return stopping || changes != seen; });
    }
  }

  /// Runs what an operator asked for on a connection of its own.
  template <class F>
  auto with(const std::string& plugin, F&& run) const {
    const auto ns = options->open(plugin);
    const auto connection = ns->connect();
    return run(*connection);
  }

  /// A plugin that never ran has no table.
  template <class T, class F>
  T read(const std::string& plugin, F&& run) const {
    try {
      return with(plugin, run);
    } catch (const StoreError& error) {
      if (error.sqlstate() == "42P01") return T{};
      throw;
    }
  }

  OutboxRow one(Connection& connection, const std::string& plugin, const std::string& id) const {
    auto found = find_effects(connection, id);
    if (id.empty() || found.empty())
      throw OutboxError(
          fmt::format("the outbox of {} has no effect {}; it may have been delivered meanwhile", plugin, id));
    if (found.size() > 1) throw OutboxError(fmt::format("the outbox of {} has several effects {}...", plugin, id));
    found.front().plugin = plugin;
    return std::move(found.front());
  }

  bool under_way(const std::string& plugin, const std::string& id) const {
    const auto dispatcher = find(plugin);
    if (!dispatcher) return false;
    const auto ids = dispatcher->status().under_way;
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  }

  void revived(const std::string& plugin, const std::vector<std::string>& queues) const {
    const auto dispatcher = find(plugin);
    if (!dispatcher) return;
    for (const std::string& queue : queues) dispatcher->forget_refusals(queue);
    dispatcher->look_again();
  }

  const std::shared_ptr<const OutboxOptions> options;
  const std::shared_ptr<const OutboxMeters> meters;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::shared_ptr<Dispatcher>> dispatchers;
  std::uint64_t changes = 0;
  bool stopping = false;
  std::thread thread;
};

Outbox::Outbox(OutboxOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  if (impl_->options->own_thread) impl_->thread = std::thread([impl = impl_.get()] { impl->loop(); });
}

Outbox::~Outbox() { stop(std::chrono::steady_clock::now()); }

tl_status Outbox::accept(OutboxRow& row, std::string& why) const {
  const auto target = impl_->options->targets.find(row.system);
  if (target == impl_->options->targets.end()) {
    std::vector<std::string> systems;
    for (const auto& [system, other] : impl_->options->targets) systems.push_back(system);
    why = fmt::format("this host does not deliver to \"{}\"; nothing was sent. It delivers to: {}", row.system,
                      systems.empty() ? "nothing" : fmt::format("{}", fmt::join(systems, ", ")));
    return TL_UNAVAILABLE;
  }
  why = target->second->accept(row);
  if (!why.empty()) return TL_INVALID;
  row.expires_us = std::max(row.created_us, row.not_before_us) + row.give_up_after_us;
  return TL_OK;
}

void Outbox::plugin_started(const std::string& plugin, std::uint64_t owner) {
  std::shared_ptr<Dispatcher> dispatcher;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    auto& known = impl_->dispatchers[plugin];
    if (!known)
      known = std::make_shared<Dispatcher>(plugin, impl_->options, impl_->meters, [weak = std::weak_ptr<Impl>(impl_)] {
        const auto impl = weak.lock();
        if (!impl) return;
        {
          std::lock_guard lock(impl->mutex);
          ++impl->changes;
        }
        impl->changed.notify_all();
      });
    dispatcher = known;
  }
  dispatcher->run(owner);
}

void Outbox::plugin_stopped(const std::string& plugin) {
  if (const auto dispatcher = impl_->find(plugin)) dispatcher->stand();
}

void Outbox::effects_committed(const std::string& plugin) {
  if (const auto dispatcher = impl_->find(plugin)) dispatcher->look_again();
}

void Outbox::look_again() {
  for (const auto& dispatcher : impl_->all()) dispatcher->look_again();
}

bool Outbox::stop(std::chrono::steady_clock::time_point deadline) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  const auto dispatchers = impl_->all();
  for (const auto& dispatcher : dispatchers) dispatcher->stand();
  std::unique_lock lock(impl_->mutex);
  bool clean = true;
  for (const auto& dispatcher : dispatchers)
    clean = impl_->changed.wait_until(lock, deadline, [&] { return dispatcher->idle(); }) && clean;
  impl_->dispatchers.clear();
  return clean;
}

Outbox::Listing Outbox::list(const std::string& plugin, std::optional<OutboxRow::State> state,
                             std::size_t limit) const {
  auto listing = impl_->read<Listing>(plugin, [&](Connection& connection) {
    Listing found;
    found.counts = count_effects(connection);
    found.rows = list_effects(connection, state, limit);
    return found;
  });
  for (OutboxRow& row : listing.rows) row.plugin = plugin;
  if (const auto dispatcher = impl_->find(plugin)) listing.dispatcher = dispatcher->status();
  return listing;
}

OutboxRow Outbox::show(const std::string& plugin, const std::string& id) const {
  return impl_->with(plugin, [&](Connection& connection) { return impl_->one(connection, plugin, id); });
}

std::string Outbox::retry(const std::string& plugin, const std::string& id) {
  const OutboxRow row = impl_->with(plugin, [&](Connection& connection) {
    OutboxRow found = impl_->one(connection, plugin, id);
    if (!revive(connection, found.id, impl_->options->now_us()))
      throw OutboxError(fmt::format("{} is not dead: it waits already, or is under way", found.id));
    return found;
  });
  impl_->revived(plugin, {row.queue});
  return row.id;
}

std::size_t Outbox::retry_all(const std::string& plugin) {
  std::vector<std::string> queues;
  const std::size_t count = impl_->with(plugin, [&](Connection& connection) {
    std::size_t revived = 0;
    in_transaction(connection, Durability::Sync, [&] {
      for (const OutboxRow& row : list_effects(connection, OutboxRow::State::Dead, kAllMax)) {
        revived += revive(connection, row.id, impl_->options->now_us());
        queues.push_back(row.queue);
      }
    });
    return revived;
  });
  impl_->revived(plugin, queues);
  return count;
}

std::string Outbox::drop(const std::string& plugin, const std::string& id) {
  const std::string dropped = impl_->with(plugin, [&](Connection& connection) {
    const OutboxRow row = impl_->one(connection, plugin, id);
    if (row.state == OutboxRow::State::UnderWay || impl_->under_way(plugin, row.id))
      throw OutboxError(fmt::format("{} is being delivered", row.id));
    remove_effect(connection, row.id);
    return row.id;
  });
  impl_->revived(plugin, {});
  return dropped;
}

std::size_t Outbox::drop_all(const std::string& plugin) {
  const std::size_t count = impl_->read<std::size_t>(plugin, [&](Connection& connection) {
    std::size_t dropped = 0;
    in_transaction(connection, Durability::Sync, [&] {
      for (const OutboxRow& row : list_effects(connection, OutboxRow::State::Dead, kAllMax)) {
        remove_effect(connection, row.id);
        ++dropped;
      }
    });
    return dropped;
  });
  impl_->revived(plugin, {});
  return count;
}

}  // namespace trellis::host
