#include "plugins/manager.hpp"

#include <fmt/ranges.h>

#include "gateway/intents.hpp"
#include "log/log.hpp"
#include "plugins/manager_impl.hpp"

namespace trellis::host {

namespace {
constexpr std::chrono::milliseconds kLookAgain{10};
/// What a plugin has to stop in when the time of all is over.
constexpr std::chrono::milliseconds kMoment{300};
}  // namespace

PluginManager::PluginManager(ManagerOptions options, Store& store, LaneContext& context, const PluginServices& services)
    : options_(std::move(options)),
      store_(store),
      context_(context),
      services_(services),
      builds_(options_.builds_folder) {
  // Copies that a killed host left behind.
  std::error_code ignored;
  std::filesystem::remove_all(options_.generations_folder, ignored);
  watcher_ = std::thread([this] { watch_probations(); });
}

PluginManager::~PluginManager() { end_watch(); }

void PluginManager::crashed(const std::string& plugin, const std::string& build, const std::string& how) {
  const BuildRecord record = builds_.record(plugin);
  // The blame record may have kept only the beginning of a long build id.
  if (record.trial.empty() || build.empty() || !record.trial.starts_with(build) || record.good.empty()) return;
  log_error("plugin " + plugin, "its build crashed the host while it was on probation, and is rolled back",
            {{"build", short_build(record.trial)}, {"to", short_build(record.good)}});
  builds_.rolled_back(plugin, record.trial, "it crashed the host: " + how, context_.now_us(), record.good);
}

namespace {

PluginError refused(const PluginConfig& config, const std::string& why) {
  return PluginError(fmt::format("{}: plugin {}: {}", config.where, config.id, why));
}

/// Why neither what is installed can run nor the kept build.
std::string neither(const std::string& installed, const std::string& kept) {
  if (installed.empty() || installed == kept) return kept;
  return fmt::format("{}; and the build that proved itself cannot run instead: {}", installed, kept);
}

/// What a start with another build cannot change.
bool is_the_stores(const StoreError& error) {
  return error.kind() == StoreError::Kind::Away || error.kind() == StoreError::Kind::Other || error.connection_lost();
}

}  // namespace

std::unique_lock<std::mutex> PluginManager::begin_change() {
  std::unique_lock changing(changing_);
  if (stopping_) throw PluginError("the host is stopping; its plugins stay as they are");
  return changing;
}

void PluginManager::load(const PluginConfig& config) {
  const auto changing = begin_change();
  if (loaded(config.id)) throw PluginError("plugin " + config.id + " is loaded already");
  try {
    load_one(config, source_at_start(config));
  } catch (const PluginError& error) {
    throw refused(config, error.what());
  }
}

std::map<std::string, LeftOut> PluginManager::load(const std::vector<PluginConfig>& list,
                                                   std::map<std::string, std::string> absent) {
  const auto changing = begin_change();
  struct Start {
    const PluginConfig* config = nullptr;
    Source source;
    std::string why;  // what is installed is no good for it
  };
  DependencyGraph graph = this->graph();
  std::map<std::string, Start> starts;
  const auto take = [&](Start start) {
    const PluginFile file = read_plugin_file(start.source.file);
    graph[start.config->id] = {file.version, file.needs};
    starts[start.config->id] = std::move(start);
  };
  const auto take_kept_or_refuse = [&](const PluginConfig& config, const std::string& why) {
    std::optional<Source> kept = kept_instead(config, why);
    if (!kept) throw refused(config, why);
    try {
      take({&config, std::move(*kept), why});
    } catch (const PluginError& error) {
      throw refused(config, neither(why, error.what()));
    }
  };
  for (const PluginConfig& config : list) {
    try {
      take({&config, source_at_start(config), ""});
    } catch (const PluginError& error) {
      take_kept_or_refuse(config, error.what());
    }
  }
  std::map<std::string, LeftOut> left_out;
  while (!starts.empty()) {
    if (const std::string circle = cycle(graph); !circle.empty())
      throw PluginError("plugins need each other in a circle, so none of them can be first: " + circle);
    std::vector<std::string> wish;
    for (const PluginConfig& config : list)
      if (starts.contains(config.id)) wish.push_back(config.id);
    const std::string id = in_order(graph, wish).front();
    const Start start = starts.at(id);
    starts.erase(id);
    const auto& needs = graph.at(id).needs;
    const auto missing =
        std::ranges::find_if(needs, [&](const Dependency& need) { return absent.contains(need.plugin); });
    if (missing != needs.end()) {
      LeftOut& out = left_out[id];
      out = {missing->plugin, fmt::format("it needs {}, which {}", missing->text(), absent.at(missing->plugin))};
      absent[id] = "is not loaded: " + out.why;
      log_error("plugin " + id, "not loaded: " + out.why);
      continue;
    }
    try {
      load_one(*start.config, start.source);
    } catch (const PluginError& error) {
      if (!start.source.kept.empty()) throw refused(*start.config, neither(start.why, error.what()));
      take_kept_or_refuse(*start.config, error.what());  // it may need others, which come first then
    }
  }
  return left_out;
}

/// Throws PluginError, without saying which plugin, or StoreError.
void PluginManager::load_one(const PluginConfig& config, const Source& source) {
  auto plugin = std::make_shared<Plugin>();
  plugin->config = config;
  plugin->fallback = source.fallback;
  MigrationReport migrations;
  try {
    Candidate candidate = source.kept.empty()
                              ? prepare(config.id, source.file, config.settings, 1)
                              : prepare_kept(config.id, source.kept, config.settings, 1, source.kept_settings);
    check_beside_others(config.id, candidate);
    migrate_plugin(config.id, candidate.file(), {}, &migrations);
    if (!candidate.declared.not_served.empty())
      log_warn("plugin " + config.id, "declares what this host does not serve yet",
               {{"entries", fmt::format("{}", fmt::join(candidate.declared.not_served, ", "))}});
    plugin->lane = std::make_shared<Lane>(config.id, store_.open(config.id), context_);
    const std::int64_t began_us = context_.now_us();
    plugin->lane->start(std::move(candidate.first), candidate.factory, plugin->generation);
    candidate.move_into(*plugin, plugin->generation, began_us);
  } catch (const std::exception& error) {
    if (!migrations.not_additive.empty()) builds_.no_way_back(config.id, migrations.not_additive.front());
    if (const auto* store = dynamic_cast<const StoreError*>(&error); store && is_the_stores(*store)) throw;
    throw PluginError(error.what());
  }
  {
    std::lock_guard lock(mutex_);
    plugins_[config.id] = plugin;
    order_.push_back(config.id);
  }
  if (on_needs_changed_) on_needs_changed_();
  try {
    attach_all(*plugin->lane);
  } catch (...) {
    unload_one(config.id, std::chrono::steady_clock::now() + options_.grace);
    throw;
  }
  const PluginFile& file = plugin->library->file();
  for (const std::string& warning : file.fitness.warnings) log_warn("plugin " + config.id, "its library " + warning);
  if (!source.fallback.empty()) log_error("plugin " + config.id, source.fallback);
  log_info("plugin " + config.id, "loaded",
           {{"version", file.version}, {"build", short_build(file.build_id)}, {"generation", plugin->generation}});
  begin_probation(*plugin, migrations.not_additive);
}

void PluginManager::attach(Journal& journal, Lane::StreamTurn turn) {
  std::vector<std::shared_ptr<Plugin>> plugins;
  {
    std::lock_guard lock(mutex_);
    journals_.push_back({&journal, turn});
    for (const auto& [id, plugin] : plugins_) plugins.push_back(plugin);
  }
  for (const auto& plugin : plugins) plugin->running()->attach(journal, turn);
}

void PluginManager::attach_all(Lane& lane) const {
  std::vector<Attached> journals;
  std::optional<std::vector<Stream>> only;
  {
    std::lock_guard lock(mutex_);
    journals = journals_;
    only = only_;
  }
  for (const Attached& attached : journals) lane.attach(*attached.journal, attached.turn);
  if (only) lane.keep_only(*only);
}

void PluginManager::keep_only(const std::vector<Stream>& streams) {
  const auto changing = begin_change();
  std::vector<std::shared_ptr<Plugin>> plugins;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : plugins_) plugins.push_back(plugin);
  }
  for (const auto& plugin : plugins) plugin->running()->keep_only(streams);
  std::lock_guard lock(mutex_);
  only_ = streams;
  std::erase_if(journals_, [&](const Attached& attached) {
    return std::find(streams.begin(), streams.end(), attached.journal->stream()) == streams.end();
  });
  for (Attached& attached : journals_) attached.turn = {};
}

bool PluginManager::unload(const std::string& id, Deadline deadline, bool force, const std::function<void()>& before) {
  const auto changing = begin_change();
  if (!loaded(id)) {
    if (before) before();
    return false;
  }
  const auto others = dependants(graph(), id);
  if (!others.empty() && !force)
    throw PluginError(fmt::format("plugin {} is needed by {}; unload that first, or say --force: its calls fail then",
                                  id, fmt::join(others, ", ")));
  if (before) before();
  return unload_one(id, deadline);
}

bool PluginManager::unload_one(const std::string& id, Deadline deadline) {
  const auto plugin = find(id);
  if (!plugin) return false;
  if (on_unload_) on_unload_(id);
  if (!plugin->running()->stop(deadline, options_.grace)) abandoned_ = true;
  if (on_unload_) on_unload_(id);  // it may have started anew in between
  {
    std::lock_guard lock(mutex_);
    plugins_.erase(id);
    std::erase(order_, id);
  }
  log_info("plugin " + id, "unloaded");
  if (on_needs_changed_) on_needs_changed_();
  return true;
}

void PluginManager::stop_all(Deadline deadline, bool& clean) {
  refuse_changes();
  end_watch();
  std::unique_lock changing(changing_, std::try_to_lock);
  while (!changing.owns_lock() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLookAgain);
    changing.try_lock();
  }
  if (!changing.owns_lock()) {
    clean = false;
    log_error("host", "a plugin is still being loaded, reloaded or unloaded; that is given up, with what is staged");
    return;
  }
  if (abandoned_) clean = false;
  auto order = in_order(graph(), ids());
  std::ranges::reverse(order);
  for (const std::string& id : order)
    // One that used up the time of all leaves the others a moment: they need no more.
    if (const auto plugin = find(id))
      clean = plugin->running()->stop(std::max(deadline, std::chrono::steady_clock::now() + kMoment)) && clean;
}

std::shared_ptr<PluginManager::Plugin> PluginManager::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = plugins_.find(id);
  return found == plugins_.end() ? nullptr : found->second;
}

std::shared_ptr<Lane> PluginManager::lane(const std::string& id) const {
  const auto plugin = find(id);
  return plugin ? plugin->running() : nullptr;
}

DependencyGraph PluginManager::graph() const {
  DependencyGraph graph;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) {
    std::lock_guard plugin_lock(plugin->mutex);
    graph[id] = {plugin->library->file().version, plugin->library->file().needs};
  }
  return graph;
}

std::vector<std::string> PluginManager::ids() const {
  std::lock_guard lock(mutex_);
  return order_;
}

bool PluginManager::loaded(const std::string& id) const { return find(id) != nullptr; }

std::vector<PluginStatus> PluginManager::status() const {
  std::vector<PluginStatus> list;
  const DependencyGraph graph = this->graph();
  const auto zombies = Library::zombies();
  for (const std::string& id : ids()) {
    const auto plugin = find(id);
    if (!plugin) continue;
    PluginStatus status;
    status.id = id;
    std::shared_ptr<Lane> lane;
    {
      std::lock_guard lock(plugin->mutex);
      status.version = plugin->library->file().version;
      status.build = plugin->library->file().build_id;
      // Named even when it has been taken away meanwhile.
      const auto& path = plugin->config.path;
      status.file = (path.empty() ? options_.plugins_folder / (id + ".so") : path).string();
      status.loaded_us = plugin->loaded_us;
      status.not_served = plugin->declared.not_served;
      status.last_refusal = plugin->last_refusal;
      status.last_rollback = plugin->last_rollback;
      status.fallback = plugin->fallback;
      for (const Dependency& need : plugin->library->file().needs) status.needs.push_back(need.text());
      if (plugin->probation)
        status.probation_left = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(
                                             plugin->probation->until - std::chrono::steady_clock::now()),
                                         std::chrono::milliseconds(0));
      lane = plugin->lane;
    }
    status.needed_by = dependants(graph, id);
    std::ranges::copy_if(zombies, std::back_inserter(status.zombies),
                         [&](const Zombie& zombie) { return zombie.plugin == id; });
    status.builds = builds_.record(id);
    status.lane = lane->status();
    list.push_back(std::move(status));
  }
  return list;
}

GatewayNeeds PluginManager::needs() const {
  GatewayNeeds all;
  all.intents = kIntentGuilds;
  for (const auto& [id, needs] : needs_of_each()) all.add(needs);
  return all;
}

std::map<std::string, GatewayNeeds> PluginManager::needs_of_each() const {
  std::map<std::string, GatewayNeeds> each;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) {
    std::lock_guard plugin_lock(plugin->mutex);
    each[id] = plugin->declared.needs;
  }
  return each;
}

void PluginManager::on_unload(std::function<void(const std::string&)> unload) { on_unload_ = std::move(unload); }
std::map<std::string, boost::json::array> PluginManager::commands_of_each() const {
  std::map<std::string, boost::json::array> all;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) {
    std::lock_guard plugin_lock(plugin->mutex);
    all[id] = plugin->declared.commands;
  }
  return all;
}

void PluginManager::on_needs_changed(std::function<void()> changed) { on_needs_changed_ = std::move(changed); }

RequestAnswer PluginManager::call(const std::string& id, const RequestCall& call) {
  const auto target = lane(id);
  if (!target)
    return {TL_NOT_FOUND, fmt::format("plugin {} is not loaded; loaded are: {}", id, fmt::join(ids(), ", "))};
  return target->request(call);
}

std::vector<EntrySpec> PluginManager::methods(const std::string& id) const {
  const auto target = lane(id);
  return target ? target->methods() : std::vector<EntrySpec>();
}

std::uint32_t PluginManager::highest_epoch() const {
  std::uint32_t highest = 0;
  for (const std::string& id : ids())
    if (const auto target = lane(id))
      for (const StoredPosition& stored : target->committed_positions())
        highest = std::max(highest, stored.position.epoch());
  return highest;
}

}  // namespace trellis::host
