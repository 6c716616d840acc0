#include "plugins/manager.hpp"

#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"
#include "plugins/probe.hpp"

namespace trellis::host {

struct PluginManager::Plugin {
  PluginConfig config;
  std::shared_ptr<Lane> lane;
  std::mutex changing;  // one load, reload or unload at a time

  mutable std::mutex mutex;  // of what follows
  std::shared_ptr<Library> library;
  std::shared_ptr<const Document> settings;
  std::uint64_t generation = 1;
  std::int64_t loaded_us = 0;
  std::vector<std::string> not_served;
  std::string last_refusal;
  GatewayNeeds needs;
};

namespace {

GatewayNeeds needs_of(const Ledger& ledger, const std::string& plugin) {
  GatewayNeeds needs;
  for (const Subscription& subscription : ledger.subscriptions) {
    needs.types.insert(subscription.type);
    needs.intents |= intents_for(subscription.type_name, !(subscription.flags & TL_GUILDS_ONLY));
    if (subscription.type_name == "VOICE_STATE_UPDATE") needs.voice_states = true;
  }
  for (const std::string& what : ledger.needs) {
    if (what.starts_with("intent:")) {
      const std::uint64_t bit = intent_named(what.substr(7));
      if (bit == 0)
        log_warn("plugin " + plugin, "asks for an intent that Discord does not have", {{"intent", what.substr(7)}});
      needs.intents |= bit;
    } else if (what == "cache:voice_states") {
      needs.voice_states = true;
    } else if (what == "cache:member_counts") {
      needs.intents |= kIntentGuildMembers;
    }
  }
  if (needs.voice_states) needs.intents |= kIntentGuildVoiceStates;
  needs.member_counts = (needs.intents & kIntentGuildMembers) != 0;
  return needs;
}

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

PluginManager::PluginManager(ManagerOptions options, Store& store, LaneContext& context, const PluginServices& services)
    : options_(std::move(options)), store_(store), context_(context), services_(services) {
  // Copies that a killed host left behind.
  std::error_code ignored;
  std::filesystem::remove_all(options_.generations_folder, ignored);
}

PluginManager::~PluginManager() = default;

std::filesystem::path PluginManager::installed_file(const PluginConfig& config) const {
  if (!config.path.empty()) return config.path;
  const auto file = options_.plugins_folder / (config.id + ".so");
  if (!std::filesystem::exists(file))
    throw PluginError(fmt::format("{}: plugin {}: there is no {}; install it there or give its path", config.where,
                                  config.id, file.string()));
  return file;
}

std::shared_ptr<Library> PluginManager::load_library(const std::filesystem::path& installed,
                                                     const Document& settings) const {
  const std::vector<std::string> has{store_.is_postgresql() ? "postgresql" : "sqlite"};
  return std::make_shared<Library>(installed, options_.generations_folder, [&](const PluginFile& copy) {
    if (options_.probe) probe_plugin(copy.path, settings, has);
  });
}

Lane::Factory PluginManager::factory_of(std::shared_ptr<Library> library, std::shared_ptr<const Document> settings,
                                        std::uint64_t generation) const {
  const PluginFile& file = library->file();
  auto identity = std::make_shared<const CrashIdentity>(file.id, generation, file.build_id, file.path);
  return [this, library = std::move(library), settings = std::move(settings), identity = std::move(identity)] {
    const InPlugin inside(identity.get(), CrashKind::Setup, "");
    auto instance = std::make_shared<Instance>(library->file().id, library, library->file().files, settings, services_);
    instance->crash_identity = identity;
    instance->set_up(library->entry());
    return instance;
  };
}

void PluginManager::migrate_plugin(const std::string& id, const PluginFile& file) {
  const auto ns = store_.open(id);
  const auto connection = ns->connect();
  const MigrationReport report = migrate(*connection, store_.is_postgresql(), file.files);
  for (const std::string& name : report.applied) log_info("plugin " + id, "migration applied", {{"file", name}});
  for (const std::string& name : report.unknown)
    log_info("plugin " + id, "the database has a migration of a newer version", {{"file", name}});
}

void PluginManager::note_not_served(Plugin& plugin, const Ledger& ledger) const {
  static constexpr const char* kKinds[] = {"", "", "command", "component", "autocomplete", "form", "route", "", ""};
  std::vector<std::string> list;
  for (const EntrySpec& entry : ledger.entries)
    if (entry.kind < std::size(kKinds) && kKinds[entry.kind][0] != 0)
      list.push_back(fmt::format("{} {}", kKinds[entry.kind], entry.name));
  if (!list.empty())
    log_warn("plugin " + plugin.config.id, "declares what this host does not serve yet",
             {{"entries", fmt::format("{}", fmt::join(list, ", "))}});
  std::lock_guard lock(plugin.mutex);
  plugin.not_served = std::move(list);
}

void PluginManager::load(const PluginConfig& config) {
  std::lock_guard loading(loading_);
  if (loaded(config.id)) throw PluginError("plugin " + config.id + " is loaded already");
  const auto file = installed_file(config);
  std::shared_ptr<Library> library;
  try {
    library = load_library(file, *config.settings);
  } catch (const PluginError& error) {
    throw PluginError(fmt::format("{}: plugin {}: {}", config.where, config.id, error.what()));
  }
  if (library->file().id != config.id)
    throw PluginError(fmt::format("{}: {} is the plugin \"{}\", not \"{}\"; name the table [{}] or give another path",
                                  config.where, file.string(), library->file().id, config.id, library->file().id));
  auto plugin = std::make_shared<Plugin>();
  plugin->config = config;
  plugin->library = library;
  plugin->settings = config.settings;
  plugin->loaded_us = context_.now_us();
  try {
    Lane::Factory factory = factory_of(library, config.settings, plugin->generation);
    std::shared_ptr<Instance> first = factory();
    migrate_plugin(config.id, library->file());
    plugin->needs = needs_of(first->ledger, config.id);
    note_not_served(*plugin, first->ledger);
    plugin->lane = std::make_shared<Lane>(config.id, store_.open(config.id), context_);
    plugin->lane->start(std::move(first), std::move(factory), plugin->generation);
  } catch (const StoreError&) {
    throw;
  } catch (const std::exception& error) {
    throw PluginError(fmt::format("plugin {}: {}", config.id, error.what()));
  }
  std::vector<Journal*> journals;
  {
    std::lock_guard lock(mutex_);
    plugins_[config.id] = plugin;
    order_.push_back(config.id);
    journals = journals_;
  }
  try {
    for (Journal* journal : journals) plugin->lane->attach(*journal);
  } catch (...) {
    unload(config.id, std::chrono::steady_clock::now() + options_.grace);
    throw;
  }
  log_info("plugin " + config.id, "loaded",
           {{"version", library->file().version},
            {"build", library->file().build_id.substr(0, 12)},
            {"file", file.string()}});
  if (on_needs_changed_) on_needs_changed_();
}

void PluginManager::attach(Journal& journal) {
  std::vector<std::shared_ptr<Plugin>> plugins;
  {
    std::lock_guard lock(mutex_);
    journals_.push_back(&journal);
    for (const auto& [id, plugin] : plugins_) plugins.push_back(plugin);
  }
  for (const auto& plugin : plugins) plugin->lane->attach(journal);
}

bool PluginManager::unload(const std::string& id, std::chrono::steady_clock::time_point deadline) {
  const auto plugin = find(id);
  if (!plugin) return false;
  std::lock_guard changing(plugin->changing);
  if (!plugin->lane->stop(deadline)) abandoned_ = true;
  {
    std::lock_guard lock(mutex_);
    plugins_.erase(id);
    std::erase(order_, id);
  }
  log_info("plugin " + id, "unloaded");
  if (on_needs_changed_) on_needs_changed_();
  return true;
}

void PluginManager::stop_all(std::chrono::steady_clock::time_point deadline, bool& clean) {
  std::vector<std::string> order;
  {
    std::lock_guard lock(mutex_);
    order.assign(order_.rbegin(), order_.rend());
  }
  if (abandoned_) clean = false;
  for (const std::string& id : order)
    if (const auto plugin = find(id)) clean = plugin->lane->stop(deadline) && clean;
}

PluginManager::ReloadReport PluginManager::reload(const std::string& id, std::shared_ptr<const Document> settings) {
  const auto plugin = find(id);
  if (!plugin) throw PluginError(fmt::format("plugin {} is not loaded; loaded are: {}", id, fmt::join(ids(), ", ")));
  std::lock_guard changing(plugin->changing);
  ReloadReport report;
  std::filesystem::path old_copy;
  std::weak_ptr<Library> old_library;
  {
    std::lock_guard lock(plugin->mutex);
    report.old_generation = plugin->generation;
    report.old_build = plugin->library->file().build_id;
    report.old_version = plugin->library->file().version;
    old_copy = plugin->library->file().path;
    old_library = plugin->library;
    if (!settings) settings = plugin->settings;
  }
  try {
    const auto file = installed_file(plugin->config);
    auto library = load_library(file, *settings);
    if (library->file().id != id)
      throw PluginError(fmt::format("{} is the plugin \"{}\" now", file.string(), library->file().id));
    Lane::Factory factory = factory_of(library, settings, report.old_generation + 1);
    std::shared_ptr<Instance> next = factory();
    migrate_plugin(id, library->file());
    const GatewayNeeds needs = needs_of(next->ledger, id);
    note_not_served(*plugin, next->ledger);
    report.generation = report.old_generation + 1;
    const std::int64_t began = steady_us();
    plugin->lane->replace(std::move(next), std::move(factory), report.generation, options_.grace);
    report.pause_us = steady_us() - began;
    report.build = library->file().build_id;
    report.version = library->file().version;
    std::lock_guard lock(plugin->mutex);
    plugin->generation = report.generation;
    plugin->library = std::move(library);
    plugin->settings = std::move(settings);
    plugin->needs = needs;
    plugin->loaded_us = context_.now_us();
    plugin->last_refusal.clear();
  } catch (const std::exception& error) {
    std::lock_guard lock(plugin->mutex);
    plugin->last_refusal = error.what();
    log_error("plugin " + id, "reload refused; what ran before goes on", {{"because", error.what()}});
    throw PluginError(fmt::format("plugin {} was not reloaded, what ran before goes on: {}", id, error.what()));
  }
  report.old_unmapped = old_library.expired() && !is_mapped(old_copy);
  log_info("plugin " + id, "reloaded",
           {{"generation", report.generation},
            {"old_build", report.old_build.substr(0, 12)},
            {"build", report.build.substr(0, 12)},
            {"pause_us", report.pause_us},
            {"old_unmapped", report.old_unmapped}});
  if (on_needs_changed_) on_needs_changed_();
  return report;
}

std::shared_ptr<PluginManager::Plugin> PluginManager::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = plugins_.find(id);
  return found == plugins_.end() ? nullptr : found->second;
}

std::shared_ptr<Lane> PluginManager::lane(const std::string& id) const {
  const auto plugin = find(id);
  return plugin ? plugin->lane : nullptr;
}

std::vector<std::string> PluginManager::ids() const {
  std::lock_guard lock(mutex_);
  return order_;
}

bool PluginManager::loaded(const std::string& id) const { return find(id) != nullptr; }

std::vector<PluginManager::PluginStatus> PluginManager::status() const {
  std::vector<PluginStatus> list;
  for (const std::string& id : ids()) {
    const auto plugin = find(id);
    if (!plugin) continue;
    PluginStatus status;
    status.id = id;
    {
      std::lock_guard lock(plugin->mutex);
      status.version = plugin->library->file().version;
      status.build = plugin->library->file().build_id;
      // Named even when it has been taken away meanwhile.
      const auto& path = plugin->config.path;
      status.file = (path.empty() ? options_.plugins_folder / (id + ".so") : path).string();
      status.loaded_us = plugin->loaded_us;
      status.not_served = plugin->not_served;
      status.last_refusal = plugin->last_refusal;
    }
    status.lane = plugin->lane->status();
    list.push_back(std::move(status));
  }
  return list;
}

GatewayNeeds PluginManager::needs() const {
  GatewayNeeds all;
  all.intents = kIntentGuilds;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) {
    std::lock_guard plugin_lock(plugin->mutex);
    all.types.insert(plugin->needs.types.begin(), plugin->needs.types.end());
    all.intents |= plugin->needs.intents;
    all.voice_states = all.voice_states || plugin->needs.voice_states;
    all.member_counts = all.member_counts || plugin->needs.member_counts;
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

Position PluginManager::passed_by_all(Stream stream, bool durable) const {
  Position lowest{~std::uint64_t{0}};
  for (const std::string& id : ids()) {
    const auto target = lane(id);
    if (!target) continue;
    Position position;
    for (const StoredPosition& stored : durable ? target->durable_positions() : target->committed_positions())
      if (stored.stream == stream) position = stored.position;
    lowest = std::min(lowest, position);
  }
  return lowest;
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
