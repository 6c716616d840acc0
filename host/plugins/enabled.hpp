// The enabled plugins, loaded or not: what they need of the gateway, and where they stand. One that is in quarantine or
// was unloaded for a while misses nothing for it: its events go on being collected and kept.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "commands/command_set.hpp"
#include "plugins/manager.hpp"
#include "state/host_namespace.hpp"

namespace trellis::host {

/// Where an enabled plugin stands in a stream.
struct Standing {
  std::string plugin;
  StoredPosition committed;
  Position durable;  // what outlives a power loss too
};

/// [any thread]
class EnabledPlugins {
 public:
  EnabledPlugins(Store&, HostNamespace&, const PluginManager&);

  /// At start, before any is loaded: these are enabled. Those that were and are not any more are switched off: a gap
  /// begins where they stand. Throws StoreError.
  void begin(const std::vector<std::string>& enabled);
  /// A loaded plugin is enabled, and needs what it says now. Never throws: what could not be stored is stored when it
  /// is called again.
  void look_again();
  /// After it was unloaded. Nothing is collected or kept for it any more, and a gap begins where it stands. Throws
  /// StoreError; it is still enabled then.
  void switch_off(const std::string& plugin);

  GatewayNeeds needs() const;
  std::vector<std::string> ids() const;
  /// What all of them declare of commands, those that are not loaded as they did when they last were.
  CommandWish commands() const;
  /// Of every enabled plugin that has a place in this stream. False: of one that is not loaded that cannot be read now.
  bool standings(Stream, std::vector<Standing>&) const;

 private:
  struct Plugin {
    HostNamespace::Enabled remembered;
    bool stored = false;
    std::optional<std::vector<StoredPosition>> stands = {};  // while it is not loaded; none: not read yet
  };
  void begin_gap(const std::string& plugin);

  Store& store_;
  HostNamespace& host_;
  const PluginManager& manager_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Plugin> plugins_;
};

}  // namespace trellis::host
