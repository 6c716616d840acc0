// A library that is to run: loaded and set up, checked against the other plugins, its migrations.
#include <fmt/ranges.h>

#include "log/log.hpp"
#include "plugins/manager_impl.hpp"
#include "plugins/probe.hpp"

namespace trellis::host {

namespace {

Lane::Factory factory_of(std::shared_ptr<Library> library, std::shared_ptr<const Document> settings,
                         const PluginServices& services, std::uint64_t generation) {
  const PluginFile& file = library->file();
  auto identity = std::make_shared<const CrashIdentity>(file.id, generation, file.build_id, file.path);
  return [&services, library = std::move(library), settings = std::move(settings), identity = std::move(identity)] {
    const InPlugin inside(identity.get(), CrashKind::Setup, "");
    auto instance = std::make_shared<Instance>(library->file().id, library, library->file().files, settings, services);
    instance->crash_identity = identity;
    instance->set_up(library->entry());
    return instance;
  };
}

}  // namespace

std::filesystem::path PluginManager::installed_file(const PluginConfig& config) const {
  if (!config.path.empty()) return config.path;
  const auto file = options_.plugins_folder / (config.id + ".so");
  if (!std::filesystem::exists(file))
    throw PluginError(fmt::format("there is no {}; install it there or give its path", file.string()));
  return file;
}

PluginManager::Candidate PluginManager::prepare(const std::string& id, const std::filesystem::path& file,
                                                std::shared_ptr<const Document> settings,
                                                std::uint64_t generation) const {
  const std::vector<std::string> has{store_.is_postgresql() ? "postgresql" : "sqlite"};
  Candidate candidate;
  candidate.library = std::make_shared<Library>(file, options_.generations_folder, [&](const PluginFile& copy) {
    if (copy.id != id)
      throw PluginError(fmt::format("{} is the plugin \"{}\", not \"{}\"; name the table [{}] or give another path",
                                    file.string(), copy.id, id, copy.id));
    if (options_.probe) probe_plugin(copy.path, *settings, has);
  });
  candidate.settings = std::move(settings);
  candidate.factory = factory_of(candidate.library, candidate.settings, services_, generation);
  candidate.first = candidate.factory();
  candidate.declared = declared_by(candidate.first->ledger, id);
  return candidate;
}

/// The kept build, with `first` as its settings or, when it does not take those and may, with the ones it ran with.
PluginManager::Candidate PluginManager::prepare_kept(const std::string& id, const std::string& build,
                                                     std::shared_ptr<const Document> first, std::uint64_t generation,
                                                     bool kept_settings) const {
  const auto file = builds_.file(id, build);
  const auto kept = builds_.settings(id, build);
  const auto load = [&](std::shared_ptr<const Document> settings) {
    Candidate candidate = prepare(id, file, std::move(settings), generation);
    if (candidate.file().build_id != build)
      throw PluginError(fmt::format("{} is damaged: it is build {}", file.string(), candidate.file().build_id));
    return candidate;
  };
  if (!first) first = kept;
  if (!first) throw PluginError("the settings that build " + short_build(build) + " ran with are not known any more");
  try {
    return load(first);
  } catch (const PluginError& error) {
    if (!kept_settings || !kept || kept == first) throw;
    log_warn("plugin " + id, "the build from before does not take the present settings; it gets those it ran with",
             {{"because", error.what()}});
    return load(kept);
  }
}

/// What is installed; when that was rolled back before, what ran instead.
PluginManager::Source PluginManager::source_at_start(const PluginConfig& config) const {
  Source source{.file = installed_file(config)};
  const BuildRecord record = builds_.record(config.id);
  if (record.rolled_back.empty() || record.good.empty()) return source;
  const auto good = builds_.file(config.id, record.good);
  const auto* back = record.was_rolled_back(read_plugin_file(source.file).build_id);
  if (!back || !std::filesystem::exists(good)) return source;
  return {.file = good,
          .kept = record.good,
          .fallback = fmt::format(
              "the installed build {} was rolled back ({}); build {} runs instead. Install another build, or "
              "say `trellis ctl plugin reload {} --force`",
              short_build(back->build), back->why, short_build(record.good), config.id),
          .kept_settings = true};
}

/// The build that proved itself, for a start that what is installed is no good for; none: there is no such build. When
/// the two are the same build, only its file can be at fault, or its settings, and those are the operator's to correct.
std::optional<PluginManager::Source> PluginManager::kept_instead(const PluginConfig& config,
                                                                 const std::string& why) const {
  const BuildRecord record = builds_.record(config.id);
  if (record.good.empty()) return std::nullopt;
  Source source{.file = builds_.file(config.id, record.good), .kept = record.good};
  if (!std::filesystem::exists(source.file)) return std::nullopt;
  try {
    source.kept_settings = read_plugin_file(installed_file(config)).build_id != record.good;
  } catch (const PluginError&) {
    source.kept_settings = true;
  }
  source.fallback = fmt::format(
      "what is installed cannot be used ({}); build {}, which proved itself, runs instead. Install another build, and "
      "say `trellis ctl plugin reload {}`",
      why, short_build(record.good), config.id);
  return source;
}

/// Whether it can run beside the plugins that are loaded; throws PluginError when not.
void PluginManager::check_beside_others(const std::string& id, const Candidate& candidate) const {
  std::vector<std::string> wrong;
  DependencyGraph graph = this->graph();
  graph[id] = {candidate.file().version, candidate.file().needs};
  if (std::string why = unmet(graph, id); !why.empty()) wrong.push_back(std::move(why));
  for (const std::string& other : dependants(graph, id))
    if (std::string why = unmet(graph, other); other != id && !why.empty()) wrong.push_back(std::move(why));
  if (const std::string circle = cycle(graph); !circle.empty())
    wrong.push_back("plugins need each other in a circle: " + circle);
  std::map<std::string, std::vector<Claim>> others;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [other, plugin] : plugins_) {
      std::lock_guard plugin_lock(plugin->mutex);
      others[other] = plugin->declared.claims;
    }
  }
  for (std::string& clash : clashes(id, candidate.declared.claims, others)) wrong.push_back(std::move(clash));
  for (std::string& too_many : too_many_commands(id, candidate.declared.claims, others))
    wrong.push_back(std::move(too_many));
  if (!wrong.empty()) throw PluginError(fmt::format("{}", fmt::join(wrong, "\n")));
}

MigrationReport PluginManager::migrate_plugin(const std::string& id, const PluginFile& file,
                                              const MigrationOptions& options, MigrationReport* report) const {
  const auto ns = store_.open(id);
  const auto connection = ns->connect();
  const MigrationReport done = migrate(*connection, store_.is_postgresql(), file.files, options, report);
  const MigrationReport& result = report ? *report : done;
  if (options.dry_run) return result;
  for (const std::string& name : result.applied) log_info("plugin " + id, "migration applied", {{"file", name}});
  for (const std::string& name : result.unknown)
    log_info("plugin " + id, "the database has a migration of a newer version", {{"file", name}});
  return result;
}

}  // namespace trellis::host
