#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "abi/tables.hpp"
#include "admin/command_line.hpp"
#include "admin/supervisor.hpp"
#include "commands/declarations.hpp"
#include "discord/rest_metrics.hpp"
#include "discord/user_agent.hpp"
#include "gateway/intents.hpp"
#include "host_impl.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRenewEvery{5}, kSnapshotEvery{30}, kReleaseEvery{1};

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return fmt::format("{} (process {})", name, ::getpid());
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return number;
}

}  // namespace

std::int64_t wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Host::Host(Config config, CommandLine command_line, std::vector<PluginConfig> plugins)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(command_line), std::move(plugins))) {}
Host::~Host() = default;
int Host::run() { return impl_->run(); }

Host::Impl::Impl(Config given, CommandLine options, std::vector<PluginConfig> plugins)
    : config(std::move(given)),
      command_line(std::move(options)),
      plugin_configs(std::move(plugins)),
      started_us(wall_clock_us()) {}

int Host::Impl::run() {
  io_work.emplace(io.get_executor());
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  std::function<void(const boost::system::error_code&, int)> on_signal = [&](const boost::system::error_code& error,
                                                                             int number) {
    if (error) return;
    if (stop_asked()) {  // the operator has no patience left; everything that was committed is safe
      std::_Exit(unclean_exit_code());
    }
    ask_to_stop(kExitOk, number == SIGINT ? "interrupted" : "asked to end");
    signals.async_wait(on_signal);
  };
  signals.async_wait(on_signal);
  io_thread = std::thread([this] { io.run(); });
  std::thread stop_guard([this] { guard_the_stop(); });
  try {
    start();
    if (connect_gateway()) {
      registrar->start();
      wait_for_stop(std::chrono::milliseconds::max());
    }
  } catch (const Occupied& error) {
    ask_to_stop(kExitOccupied, error.what());
  } catch (const StoreError& error) {
    ask_to_stop(kExitStore, fmt::format("the store {} cannot be used: {}",
                                        store ? store->printable_url() : config.store.url, error.what()));
  } catch (const PluginError& error) {
    ask_to_stop(kExitPlugin, error.what());
  } catch (const DiscordError& error) {
    ask_to_stop(kExitDiscord, error.what());
  } catch (const std::exception& error) {
    ask_to_stop(kExitFailed, error.what());
  }
  if (exit_code == kExitOk)
    log_info("host", "stopping", {{"because", stop_reason}});
  else
    std::cerr << "trellis: " << stop_reason << std::endl;
  shut_down();
  io_work.reset();
  io.stop();
  io_thread.join();
  {
    std::lock_guard lock(stop_mutex);
    ended = true;
  }
  stop_changed.notify_all();
  stop_guard.join();
  return exit_code;
}

void Host::Impl::start() {
  state.emplace(config.state.dir);
  store = open_store(config.store.url);
  host_namespace = std::make_unique<HostNamespace>(*store, state->host_id());
  host_namespace->claim(host_name(), command_line.take_over);
  epoch_floor = host_namespace->highest_epoch();
  note_last_crash();

  RestOptions discord;
  discord.api = config.discord.api;
  discord.token = config.discord.token;
  discord.ca_file = config.discord.ca_file.string();
  discord.limits.per_second = config.discord.rest_per_second;
  discord.limits.webhook_posts_per_minute = config.discord.webhook_posts_per_minute;
  if (!config.discord.user_agent_url.empty()) set_user_agent_url(config.discord.user_agent_url);
  rest = std::make_unique<RestClient>(io.get_executor(), std::move(discord), rest_metrics(metrics));

  lanes.postgresql = store->is_postgresql();
  lanes.post_write = [this](std::function<void()> run) { boost::asio::post(writers, std::move(run)); };
  lanes.now_us = wall_clock_us;
  lanes.new_owner = [] { return random_number() >> 1; };  // fits a BIGINT
  lanes.call_plugin = [this](const std::string& plugin, const RequestCall& call) {
    return manager->call(plugin, call);
  };
  lanes.on_started = [this](Lane& lane) {
    scheduler->plugin_started(lane);
    outbox->plugin_started(lane.plugin(), lane.writer().status().owner);
    interactions->plugin_started(lane);
  };
  lanes.on_job_changes = [this](Lane& lane, const std::vector<Unit::JobChange>& changes) {
    scheduler->runs_changed(lane, changes);
  };
  open_outbox();
  open_interactions();
  watchdog = std::make_unique<Watchdog>(config.handler.soft_limit, config.handler.hard_limit);
  lanes.watchdog = watchdog.get();
  lanes.before_commit = [this] {
    try {
      host_namespace->store_sessions();
    } catch (const StoreError& error) {  // whatever it is, the plugin's rows are not its reason
      throw StoreError(StoreError::Kind::Away, error.sqlstate(), error.what());
    }
  };
  lanes.crashed_events = [this](const std::string& plugin) { return crashes->events(plugin); };
  services.find_table = find_abi_table;
  services.now_us = wall_clock_us;
  services.check_schedule = Scheduler::check;
  services.check_declarations = check_declarations;
  services.has = [this](std::string_view what) { return what == (store->is_postgresql() ? "postgresql" : "sqlite"); };
  services.metric = [this](const MetricSpec& spec) {
    return metrics.family(static_cast<Metrics::Kind>(spec.kind), spec.name, spec.help, spec.labels);
  };
  services.count = [this](std::uint64_t metric, double value, std::vector<std::string> labels) {
    const std::vector<std::string_view> views(labels.begin(), labels.end());
    metrics.set(metric, value, views);
  };
  SchedulerOptions jobs;
  jobs.now_us = wall_clock_us;
  jobs.post = [this](std::function<void()> run) { boost::asio::post(requests, std::move(run)); };
  jobs.guilds_known = [this] { return guilds_known(); };
  jobs.crashed_runs = [this](const std::string& plugin) { return crashes->runs(plugin); };
  scheduler = std::make_unique<Scheduler>(std::move(jobs));
  cache.on_whole([this](Stream) { scheduler->look_again(); });

  ManagerOptions options;
  options.plugins_folder = plugin_folder(config);
  options.generations_folder = state->generations();
  options.builds_folder = state->builds();
  options.grace = config.reload.grace;
  options.probation = config.reload.probation;
  options.probe = true;
  manager = std::make_unique<PluginManager>(options, *store, lanes, services);
  measure_lanes();
  measure_cache();
  measure_gateway();
  manager->on_unload([this](const std::string& plugin) {
    scheduler->plugin_stopped(plugin);
    interactions->plugin_stopped(plugin);
  });
  if (crash_page && crash_page->last())
    manager->crashed(crash_page->last()->plugin, crash_page->last()->build, crash_page->last()->what());
  enabled = std::make_unique<EnabledPlugins>(*store, *host_namespace, *manager);
  open_registrar();
  control_server =
      std::make_unique<ControlServer>(state->socket(), [this](const auto& words) { return control(words); });

  std::map<std::string, bool> overrides;
  for (const auto& override : host_namespace->overrides()) {
    overrides[override.plugin] = override.enabled;
    if (!override.enabled)
      log_warn("host",
               "a plugin is switched off by an earlier `trellis ctl plugin disable`; `enable --forget` clears that",
               {{"plugin", override.plugin}});
  }
  std::vector<PluginConfig> starting;
  std::vector<std::string> switched_on;
  std::map<std::string, std::string> absent;
  for (const PluginConfig& plugin : plugin_configs) {
    const auto found = overrides.find(plugin.id);
    if (found != overrides.end() && !found->second) {
      absent[plugin.id] = "was disabled by an operator";
      continue;
    }
    switched_on.push_back(plugin.id);
    if (const std::string why = kept_out(plugin); why.empty())
      starting.push_back(plugin);
    else
      absent[plugin.id] = why;
  }
  enabled->begin(switched_on);
  {
    auto needing = manager->load(starting, absent);
    std::lock_guard lock(left_out_mutex);
    left_out = std::move(needing);
  }
  if (plugin_configs.empty()) log_warn("host", "no plugin is enabled; enable one in plugins.conf");
  manager->on_needs_changed([this] { needs_changed(); });
  needs_changed();
  log_info("host", "started",
           {{"store", store->printable_url()},
            {"state", state->path().string()},
            {"intents", fmt::format("{}", fmt::join(intent_names(filter.intents), " "))}});
  tell_supervisor();
  disk_keeper = std::thread([this] { keep_disk(); });
  snapshot_keeper = std::thread([this] { keep_snapshots(); });
  store_keeper = std::thread([this] { keep_store(); });
}

void Host::Impl::open_outbox() {
  discord_target = std::make_unique<DiscordTarget>(
      [this](RestRequest request, std::function<void(RestAnswer)> done) {
        rest->send(std::move(request), std::move(done));
      },
      DiscordExpiry{config.outbox.messages_give_up_after.count(), config.outbox.give_up_after.count()});
  OutboxOptions options;
  options.targets = {{"discord", discord_target.get()}};
  options.open = [this](const std::string& plugin) { return store->open(plugin); };
  options.post = [this](std::function<void()> run) { boost::asio::post(writers, std::move(run)); };
  options.now_us = wall_clock_us;
  options.metrics = &metrics;
  outbox = std::make_unique<Outbox>(std::move(options));
  lanes.accept_effect = [this](OutboxRow& row, std::string& why) { return outbox->accept(row, why); };
  lanes.call_outside = [this](const OutboxRow& operation,
                              std::function<void(OutsideAnswer)> done) -> std::function<void()> {
    if (operation.system == "gateway") return call_gateway(operation, std::move(done));
    if (operation.system != "discord") {
      done({TL_UNAVAILABLE, fmt::format("this host does not talk to \"{}\" yet", operation.system), 0, ""});
      return {};
    }
    const RestClient::Id id =
        rest->send(DiscordTarget::call_of(operation, fmt::format("{:x}", random_number())),
                   [done = std::move(done)](RestAnswer answer) {
                     done({answer.status, std::move(answer.error), answer.http, std::move(answer.body)});
                   });
    return [this, id] { rest->cancel(id); };
  };
  lanes.on_effects = [this](Lane& lane) { outbox->effects_committed(lane.plugin()); };
  lanes.on_stopped = [this](Lane& lane) { outbox->plugin_stopped(lane.plugin()); };
}

std::vector<Journal*> Host::Impl::journals() const {
  std::vector<Journal*> all;
  std::lock_guard lock(lines_mutex);
  for (const Line& line : lines) all.push_back(line.journal.get());
  return all;
}

/// Syncs the journals. It never waits for the store, so a power failure costs no more while that is away.
void Host::Impl::keep_disk() {
  const auto sync_every = std::chrono::duration_cast<std::chrono::milliseconds>(config.journal.sync);
  while (!wait_for_stop(sync_every)) {
    for (Journal* journal : journals())
      if (const auto error = journal->sync())
        log_error("journal", "cannot be synced to the disk", {{"error", error.message()}});
  }
}

/// Apart from the journals: a large cache takes its time, and what is not synced meanwhile may be lost.
void Host::Impl::keep_snapshots() {
  while (!wait_for_stop(kSnapshotEvery)) {
    for (Journal* journal : journals()) {
      if (stop_asked()) return;  // they are written once more at the end
      try {
        cache.save(journal->stream(), state->cache());
      } catch (const std::exception& error) {
        log_error("cache", "the snapshot cannot be written", {{"error", error.what()}});
      }
    }
  }
}

/// What goes to the store regularly, or is asked of it.
void Host::Impl::keep_store() {
  auto renew = Clock::now() + kRenewEvery;
  while (!wait_for_stop(kReleaseEvery)) {
    try {
      host_namespace->store_sessions();
    } catch (const StoreError&) {
      // Before the next commit of any plugin it is tried again, and said there.
    }
    release_segments();
    let_go_of_old_streams();
    if (Clock::now() < renew) continue;
    renew = Clock::now() + kRenewEvery;
    try {
      if (!host_namespace->renew())
        ask_to_stop(kExitOccupied, "another host has taken the database over; this one stops");
    } catch (const StoreError& error) {
      log_warn("store", "the host row cannot be renewed", {{"error", error.what()}});
    }
  }
}

void Host::Impl::release_segments() {
  std::vector<std::pair<Journal*, SegmentRelease*>> releases;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) releases.emplace_back(line.journal.get(), line.release.get());
  }
  enabled->look_again();
  for (const auto& [journal, segments] : releases) {
    std::vector<Standing> standings;
    if (!enabled->standings(journal->stream(), standings)) continue;
    segments->release(standings);
    cache.forget_gone(journal->stream(), segments->passed());
  }
}

bool Host::Impl::guilds_known() const {
  std::lock_guard lock(lines_mutex);
  return !lines.empty() && std::all_of(lines.begin(), lines.end(),
                                       [this](const Line& line) { return cache.whole(line.journal->stream()); });
}

}  // namespace trellis::host
