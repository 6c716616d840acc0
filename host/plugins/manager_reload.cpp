// New code for a running plugin, and the way back.
#include <boost/json/serialize.hpp>

#include "log/log.hpp"
#include "plugins/manager_impl.hpp"

namespace trellis::host {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLockTries = 5;
constexpr std::chrono::milliseconds kLookEvery{200};

bool same_settings(const std::shared_ptr<const Document>& a, const std::shared_ptr<const Document>& b) {
  return a && b && a->root == b->root;
}

}  // namespace

ReloadReport PluginManager::reload(const std::string& id, const ReloadOptions& options) {
  const auto changing = begin_change();
  const auto plugin = find(id);
  if (!plugin) throw PluginError(fmt::format("plugin {} is not loaded; loaded are: {}", id, fmt::join(ids(), ", ")));
  const PluginConfig config = options.config ? *options.config : plugin->config;
  const auto settings = options.config ? options.config->settings : plugin->settings;
  ReloadReport report;
  try {
    const auto file = installed_file(config);
    const auto zombies = Library::zombies();
    const auto count = std::ranges::count_if(zombies, [&](const Zombie& zombie) { return zombie.plugin == id; });
    if (static_cast<std::size_t>(count) >= kZombiesMax && !options.force)
      throw PluginError(
          fmt::format("{} libraries of it stay mapped although they were closed ({}); restart the host, or "
                      "say --force for one more",
                      count, zombies.back().why));
    Candidate candidate = prepare(id, file, settings, plugin->generation + 1);
    report.build = candidate.file().build_id;
    report.version = candidate.file().version;
    report.warnings = candidate.file().fitness.warnings;
    const BuildRecord record = builds_.record(id);
    if (const auto* back = record.was_rolled_back(report.build); back && !options.force)
      throw PluginError(fmt::format("build {} was rolled back before ({}); install another build, or say --force",
                                    short_build(report.build), back->why));
    check_beside_others(id, candidate);
    MigrationReport migrations = migrate_plugin(id, candidate.file(), {.dry_run = true});
    if (!migrations.not_additive.empty() && !options.stop_first)
      throw PluginError(fmt::format(
          "{}\nThe running code would have to go on with this if the new one failed. `trellis ctl plugin reload {} "
          "--stop-first` stops it before, and it cannot come back",
          fmt::join(migrations.not_additive, "\n"), id));
    report.migrations = migrations.applied;
    report.old_generation = plugin->generation;
    report.old_build = plugin->library->file().build_id;
    report.old_version = plugin->library->file().version;
    report.generation = report.old_generation + 1;
    if (options.dry_run) return report;
    if (!options.stop_first) migrate_plugin(id, candidate.file(), {.additive_only = true, .lock_tries = kLockTries});
    replace(*plugin, std::move(candidate), report, options.stop_first, options.force ? options_.grace : Lane::kPatience,
            options.force);
    if (options.force) builds_.forgive(id, report.build);
    {
      std::lock_guard lock(plugin->mutex);
      plugin->config = config;
      plugin->fallback.clear();
      plugin->last_rollback.clear();
    }
    begin_probation(*plugin, migrations.not_additive);
  } catch (const std::exception& error) {
    if (options.dry_run) throw PluginError(fmt::format("plugin {} would not be reloaded: {}", id, error.what()));
    std::lock_guard lock(plugin->mutex);
    plugin->last_refusal = error.what();
    if (report.generation != 0 && plugin->generation == report.generation) {
      log_error("plugin " + id, "reloaded, and the new code does not start", {{"because", error.what()}});
      throw PluginError(fmt::format("plugin {} was reloaded, and is paused: {}", id, error.what()));
    }
    log_error("plugin " + id, "reload refused; what ran before goes on", {{"because", error.what()}});
    throw PluginError(fmt::format("plugin {} was not reloaded, what ran before goes on: {}", id, error.what()));
  }
  log_info("plugin " + id, "reloaded",
           {{"generation", report.generation},
            {"old_build", short_build(report.old_build)},
            {"build", short_build(report.build)},
            {"pause_us", report.pause_us},
            {"old_unmapped", report.old_unmapped}});
  if (on_needs_changed_) on_needs_changed_();
  return report;
}

/// Puts the candidate in the place of what runs; the rest of the report is filled in.
void PluginManager::replace(Plugin& plugin, Candidate candidate, ReloadReport& report, bool stop_first,
                            std::chrono::microseconds patience, bool may_abandon) {
  const std::string& id = plugin.config.id;
  const std::filesystem::path old_copy = plugin.library->file().path;
  const std::weak_ptr<Library> old_library = plugin.library;
  const auto lane = plugin.running();
  const auto began = Clock::now();
  const std::int64_t began_us = context_.now_us();  // before the first event of the new code
  Lane::Between between;
  if (stop_first)
    between = [&](bool& old_may_return) {
      MigrationReport done;
      const auto judge = [&] {
        if (done.not_additive.empty()) return;
        old_may_return = false;
        builds_.no_way_back(id, done.not_additive.front());
      };
      try {
        migrate_plugin(id, candidate.file(), {.lock_tries = kLockTries}, &done);
      } catch (...) {
        judge();
        throw;
      }
      judge();
    };
  try {
    report.pause_us = lane->replace(std::move(candidate.first), candidate.factory, report.generation, options_.grace,
                                    between, patience)
                          .count();
  } catch (const LaneBusy& error) {
    if (!may_abandon)
      throw PluginError(fmt::format("{}; --force gives it up and starts the new code beside it", error.what()));
    abandon_and_start(plugin, candidate, report.generation);
    report.pause_us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count();
  } catch (...) {
    if (lane->status().generation == report.generation) candidate.move_into(plugin, report.generation, began_us);
    throw;
  }
  candidate.move_into(plugin, report.generation, began_us);
  if (!candidate.declared.not_served.empty())
    log_warn("plugin " + id, "declares what this host does not serve yet",
             {{"entries", fmt::format("{}", fmt::join(candidate.declared.not_served, ", "))}});
  report.old_unmapped = old_library.expired() && !is_mapped(old_copy);
}

/// A handler does not return: its lane is given up with everything that it holds, for ever, and another one takes the
/// plugin over at the committed position. Whatever the old one still stages is refused.
void PluginManager::abandon_and_start(Plugin& plugin, Candidate& candidate, std::uint64_t generation) {
  const std::string& id = plugin.config.id;
  log_error("plugin " + id,
            "a handler does not return; its generation is given up, and stays in memory until the host ends");
  if (!plugin.running()->stop(Clock::now() + options_.grace)) abandoned_ = true;
  auto lane = std::make_shared<Lane>(id, store_.open(id), context_);
  try {
    lane->start(candidate.factory(), candidate.factory, generation);
    attach_all(*lane);
  } catch (const std::exception& error) {
    lane->stop(Clock::now() + options_.grace);
    std::lock_guard lock(mutex_);
    plugins_.erase(id);
    std::erase(order_, id);
    throw PluginError(
        fmt::format("its old code hangs and was given up, and the new one does not start, so it is not "
                    "loaded any more: {}",
                    error.what()));
  }
  std::lock_guard lock(plugin.mutex);
  plugin.lane = std::move(lane);
}

ReloadReport PluginManager::rollback(const std::string& id, const std::string& why) {
  const auto changing = begin_change();
  const auto plugin = find(id);
  if (!plugin) throw PluginError(fmt::format("plugin {} is not loaded; loaded are: {}", id, fmt::join(ids(), ", ")));
  return rollback_one(*plugin, why);
}

ReloadReport PluginManager::rollback_one(Plugin& plugin, const std::string& why) {
  const std::string& id = plugin.config.id;
  const BuildRecord record = builds_.record(id);
  ReloadReport report;
  report.old_generation = plugin.generation;
  report.old_build = plugin.library->file().build_id;
  report.old_version = plugin.library->file().version;
  report.generation = report.old_generation + 1;
  // On probation with the code from before: it is about new settings.
  const std::string target = report.old_build != record.good || plugin.probation ? record.good : record.previous;
  if (target.empty())
    throw PluginError(
        record.no_way_back.empty()
            ? fmt::format("plugin {} has no earlier build that proved itself", id)
            : fmt::format("plugin {} cannot go back: the schema was changed since ({})", id, record.no_way_back));
  const std::int64_t since_us = plugin.loaded_us;
  try {
    Candidate candidate = prepare_kept(id, target, nullptr, report.generation);
    report.build = candidate.file().build_id;
    report.version = candidate.file().version;
    check_beside_others(id, candidate);
    replace(plugin, std::move(candidate), report, false, Lane::kPatience, true);
  } catch (const std::exception& error) {
    throw PluginError(fmt::format("plugin {} was not rolled back: {}", id, error.what()));
  }
  builds_.rolled_back(id, report.old_build, why, context_.now_us(), target);
  {
    std::lock_guard lock(plugin.mutex);
    plugin.probation.reset();
    plugin.last_rollback =
        fmt::format("generation {} (build {}): {}", report.old_generation, short_build(report.old_build), why);
    if (report.old_build != target)
      plugin.fallback = fmt::format(
          "the installed build {} was rolled back; `trellis ctl plugin reload {} --force` tries "
          "it again",
          short_build(report.old_build), id);
  }
  log_error("plugin " + id, "rolled back to the code that proved itself before; rows that the other one wrote stay",
            {{"generation", report.generation},
             {"from_build", short_build(report.old_build)},
             {"build", short_build(report.build)},
             {"because", why}});
  report.dead_letters = offer_dead_letters(plugin, report.old_generation, since_us);
  if (on_needs_changed_) on_needs_changed_();
  return report;
}

/// What a generation that was taken back could not handle, its predecessor may.
DeadRetries PluginManager::offer_dead_letters(Plugin& plugin, std::uint64_t generation, std::int64_t since_us) const {
  try {
    const DeadRetries tried =
        plugin.running()->retry_dead_letters(generation, since_us, Clock::now() + Lane::kPatience);
    if (tried.done + tried.failed + tried.left > 0)
      log_info("plugin " + plugin.config.id, "the dead letters of the generation that was taken back were tried again",
               {{"done", tried.done}, {"failed", tried.failed}, {"left", tried.left}, {"last_error", tried.error}});
    return tried;
  } catch (const StoreError& error) {
    log_warn("plugin " + plugin.config.id,
             "the dead letters of the generation that was taken back stay: the store is away",
             {{"because", error.what()}});
    return {};
  }
}

// ---- probation ----

/// A generation has started. Code that proved itself before, with the settings it did so with, need not do so again.
void PluginManager::begin_probation(Plugin& plugin, const std::vector<std::string>& not_additive) {
  const std::string& id = plugin.config.id;
  const PluginFile& file = plugin.library->file();
  if (!not_additive.empty()) builds_.no_way_back(id, not_additive.front());
  const BuildRecord record = builds_.record(id);
  const bool proved = record.good == file.build_id && same_settings(builds_.settings(id, record.good), plugin.settings);
  std::lock_guard lock(plugin.mutex);
  plugin.probation.reset();
  if (proved || options_.probation.count() == 0) {
    builds_.passed(id, file.build_id, file.path, *plugin.settings);
    return;
  }
  builds_.on_trial(id, file.build_id);
  const Lane::Status status = plugin.lane->status();
  plugin.probation = Probation{plugin.generation, context_.now_us(), Clock::now() + options_.probation, status.failures,
                               status.dead_letters};
  std::lock_guard watch(watch_mutex_);
  watch_again_ = true;
  watch_changed_.notify_all();
}

void PluginManager::watch_probations() {
  std::unique_lock lock(watch_mutex_);
  bool any = false;
  for (;;) {
    const auto woken = [&] { return watch_again_ || watch_ends_; };
    if (any)
      watch_changed_.wait_for(lock, kLookEvery, woken);
    else
      watch_changed_.wait(lock, woken);
    if (watch_ends_) return;
    watch_again_ = false;
    lock.unlock();
    any = false;
    for (const std::string& id : ids())
      if (const auto plugin = find(id)) {
        const auto on_probation = [&] {
          std::lock_guard plugin_lock(plugin->mutex);
          return plugin->probation.has_value();
        };
        if (on_probation()) judge(plugin);
        any = any || on_probation();
      }
    lock.lock();
  }
}

void PluginManager::end_watch() {
  {
    std::lock_guard lock(watch_mutex_);
    watch_ends_ = true;
    watch_changed_.notify_all();
  }
  if (watcher_.joinable()) watcher_.join();
}

void PluginManager::judge(const std::shared_ptr<Plugin>& plugin) {
  std::unique_lock changing(changing_, std::try_to_lock);
  if (!changing || find(plugin->config.id) != plugin) return;  // somebody is at it
  const std::string& id = plugin->config.id;
  std::optional<Probation> probation;
  {
    std::lock_guard lock(plugin->mutex);
    probation = plugin->probation;
  }
  if (!probation) return;
  const std::string why = failed_probation(*probation, plugin->running()->status());
  if (why.empty()) {
    if (Clock::now() < probation->until) return;
    const PluginFile& file = plugin->library->file();
    builds_.passed(id, file.build_id, file.path, *plugin->settings);
    log_info("plugin " + id, "its probation is over; this build is the one to go back to from now on",
             {{"generation", plugin->generation}, {"build", short_build(file.build_id)}});
    std::lock_guard lock(plugin->mutex);
    plugin->probation.reset();
    return;
  }
  try {
    store_.open(id)->connect(true);
  } catch (const StoreError&) {
    return;  // it could not be read now where the code from before has to go on
  }
  try {
    rollback_one(*plugin, "on probation, " + why);
  } catch (const std::exception& error) {
    log_error("plugin " + id, "its new code fails, and the code from before cannot take over",
              {{"fails", why}, {"because", error.what()}});
    std::lock_guard lock(plugin->mutex);
    plugin->last_rollback = fmt::format("not possible: {} (on probation, {})", error.what(), why);
    plugin->probation.reset();
  }
}

}  // namespace trellis::host
