// All plugins of a host: load, unload, reload, enable, disable, and what they need together.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "lanes/lane.hpp"
#include "plugins/library.hpp"

namespace trellis::host {

struct ManagerOptions {
  std::filesystem::path plugins_folder;      // where <id>.so is looked for
  std::filesystem::path generations_folder;  // private copies
  std::chrono::microseconds grace = std::chrono::seconds(2);
  bool probe = false;  // load each library in a child of this program first, which must be `trellis`
};

/// What the gateway has to bring for all plugins together.
struct GatewayNeeds {
  std::set<std::uint32_t> types;  // event_type()
  std::uint64_t intents = 0;
  bool voice_states = false, member_counts = false;
};

/// [any thread; one change of a plugin at a time]
class PluginManager {
 public:
  PluginManager(ManagerOptions, Store&, LaneContext&, const PluginServices&);
  ~PluginManager();

  /// Loads and starts one plugin. Throws PluginError or StoreError; nothing of it runs then.
  void load(const PluginConfig&);
  /// Streams whose events all plugins get, those loaded later too.
  void attach(Journal&);
  /// Stops and unmaps; false when it was not loaded.
  bool unload(const std::string& id, std::chrono::steady_clock::time_point deadline);
  void stop_all(std::chrono::steady_clock::time_point deadline, bool& clean);

  struct ReloadReport {
    std::uint64_t old_generation = 0, generation = 0;
    std::string old_build, build, old_version, version;
    bool old_unmapped = false;
    std::int64_t pause_us = 0;  // how long its events stood still
  };
  /// Replaces the code of a running plugin by what is installed now, with `settings` (null: those it has). Throws
  /// PluginError; the old code goes on then.
  ReloadReport reload(const std::string& id, std::shared_ptr<const Document> settings);

  struct PluginStatus {
    std::string id, version, build, file;
    std::int64_t loaded_us = 0;
    std::vector<std::string> not_served;  // declared, and not served by this host yet
    std::string last_refusal;             // why the last reload was refused
    Lane::Status lane;
  };
  std::vector<PluginStatus> status() const;
  std::vector<std::string> ids() const;
  bool loaded(const std::string& id) const;

  GatewayNeeds needs() const;
  /// Called after a load, reload or unload changed needs().
  void on_needs_changed(std::function<void()>);

  RequestAnswer call(const std::string& plugin, const RequestCall&);
  std::vector<EntrySpec> methods(const std::string& plugin) const;
  std::shared_ptr<Lane> lane(const std::string& id) const;
  /// The lowest position of the stream that every loaded plugin has passed: durably in the store, or merely committed.
  Position passed_by_all(Stream, bool durable) const;
  /// The highest epoch in any position.
  std::uint32_t highest_epoch() const;

 private:
  struct Plugin;
  std::shared_ptr<Plugin> find(const std::string& id) const;
  std::filesystem::path installed_file(const PluginConfig&) const;
  std::shared_ptr<Library> load_library(const std::filesystem::path& installed, const Document& settings) const;
  Lane::Factory factory_of(std::shared_ptr<Library>, std::shared_ptr<const Document>, std::uint64_t generation) const;
  void migrate_plugin(const std::string& id, const PluginFile&);
  void note_not_served(Plugin&, const Ledger&) const;

  const ManagerOptions options_;
  Store& store_;
  LaneContext& context_;
  const PluginServices& services_;
  std::function<void()> on_needs_changed_;

  std::atomic<bool> abandoned_ = false;  // an unloaded plugin did not end: its threads go on
  std::mutex loading_;                   // one load at a time
  mutable std::mutex mutex_;             // of the lists
  std::map<std::string, std::shared_ptr<Plugin>> plugins_;
  std::vector<std::string> order_;
  std::vector<Journal*> journals_;
};

}  // namespace trellis::host
