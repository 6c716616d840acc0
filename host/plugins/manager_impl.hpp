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
  std::vector<std::string> not_served;
  std::vector<Claim> claims;
  GatewayNeeds needs;
  boost::json::array commands;
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
  std::vector<Claim> claims;
  GatewayNeeds needs;
  boost::json::array commands;
  std::vector<std::string> not_served;

  const PluginFile& file() const { return library->file(); }
  /// What the manager keeps of it once it runs.
  void move_into(Plugin& plugin, std::uint64_t generation, std::int64_t now_us) {
    std::lock_guard lock(plugin.mutex);
    plugin.library = library;
    plugin.settings = settings;
    plugin.generation = generation;
    plugin.loaded_us = now_us;
    plugin.not_served = not_served;
    plugin.claims = claims;
    plugin.needs = needs;
    plugin.commands = commands;
    plugin.last_refusal.clear();
  }
};

inline std::string short_build(const std::string& build) { return build.substr(0, 12); }

}  // namespace trellis::host
