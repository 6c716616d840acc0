// What the manager keeps of a plugin, shared by the files that make it up.
#pragma once
#include "plugins/manager.hpp"

namespace trellis::host {

struct PluginManager::Plugin {
  PluginConfig config;

  mutable std::mutex mutex;  // of what follows
  std::shared_ptr<Lane> lane;
  std::shared_ptr<Library> library;
  std::shared_ptr<const Document> settings;
  std::uint64_t generation = 1;
  std::int64_t loaded_us = 0;
  Declared declared;
  std::string last_refusal, last_rollback, fallback;
  std::optional<Probation> probation;

  std::shared_ptr<Lane> running() const {
    std::lock_guard lock(mutex);
    return lane;
  }
};

struct PluginManager::Candidate {
  std::shared_ptr<Library> library;
  std::shared_ptr<const Document> settings;
  Lane::Factory factory;
  std::shared_ptr<Instance> first;
  Declared declared;

  const PluginFile& file() const { return library->file(); }
  /// What the manager keeps of it once it runs.
  void move_into(Plugin& plugin, std::uint64_t generation, std::int64_t now_us) {
    std::lock_guard lock(plugin.mutex);
    plugin.library = library;
    plugin.settings = settings;
    plugin.generation = generation;
    plugin.loaded_us = now_us;
    plugin.declared = declared;
    plugin.last_refusal.clear();
  }
};

inline std::string short_build(const std::string& build) { return build.substr(0, 12); }

}  // namespace trellis::host
