// All plugins of a host: load, unload, reload, roll back, and what they need together.
#pragma once
#include <boost/json/array.hpp>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "lanes/lane.hpp"
#include "plugins/builds.hpp"
#include "plugins/declared.hpp"
#include "plugins/library.hpp"
#include "plugins/probation.hpp"

namespace trellis::host {

struct ManagerOptions {
  std::filesystem::path plugins_folder;      // where <id>.so is looked for
  std::filesystem::path generations_folder;  // private copies of this run
  std::filesystem::path builds_folder;       // files that proved themselves, kept over restarts
  std::chrono::microseconds grace = std::chrono::seconds(2);
  std::chrono::microseconds probation = std::chrono::seconds(60);  // 0: none
  bool probe = false;  // load each library in a child of this program first, which must be `trellis`
};

/// An enabled plugin that is not loaded because another one is not.
struct LeftOut {
  std::string needs;  // that one
  std::string why;    // "it needs bank >= 1.2, which is in quarantine"
};

struct ReloadOptions {
  std::optional<PluginConfig> config;  // none: as it was loaded
  bool dry_run = false;                // everything up to the replacement, and nothing of it stays
  bool force =
      false;  // also a build that was rolled back, one library more over the cap, a handler that does not return
  bool stop_first =
      false;  // migrations that do more than add: the old code stops before they run, and cannot come back
};

struct ReloadReport {
  std::uint64_t old_generation = 0, generation = 0;
  std::string old_build, build, old_version, version;
  bool old_unmapped = false;
  std::int64_t pause_us = 0;            // how long its events stood still
  std::vector<std::string> migrations;  // applied; of a dry run: to be applied
  std::vector<std::string> warnings;    // about the file
  DeadRetries dead_letters;             // of a rollback: those of the generation that was taken back, tried again
};

struct PluginStatus {
  std::string id, version, build, file;
  std::int64_t loaded_us = 0;
  std::vector<std::string> not_served;        // declared, and not served by this host yet
  std::string last_refusal;                   // why the last reload was refused
  std::string last_rollback;                  // why the last generation was taken back, and when
  std::string fallback;                       // why it runs another build than the installed one; empty: it does not
  std::vector<std::string> needs, needed_by;  // plugins
  std::vector<Zombie> zombies;
  BuildRecord builds;
  std::optional<std::chrono::milliseconds> probation_left;
  Lane::Status lane;
};

/// [any thread; one change of the plugins at a time]
class PluginManager {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  /// More closed libraries of one plugin than this that stay mapped, and it is not reloaded any more.
  static constexpr std::size_t kZombiesMax = 8;

  PluginManager(ManagerOptions, Store&, LaneContext&, const PluginServices&);
  /// stop_all() first.
  ~PluginManager();

  /// The last run of the host was ended by a crash in this build: if it was on probation, it has failed. Before load().
  void crashed(const std::string& plugin, const std::string& build, const std::string& how);
  /// Loads and starts one plugin. Throws PluginError or StoreError; nothing of it runs then.
  void load(const PluginConfig&);
  /// At a start: several, each after those that it needs. In the place of one whose installed file cannot be used, the
  /// kept build that proved itself is loaded, which says so. `absent`: those that are enabled or needed and do not
  /// start, and how to say so: "is in quarantine". What needs one of them is left out, too, with an error in the log;
  /// it is returned with the reason. Throws as load() for the first that cannot be loaded, for a cycle, and for what is
  /// needed and not there.
  std::map<std::string, LeftOut> load(const std::vector<PluginConfig>&, std::map<std::string, std::string> absent = {});
  /// Streams whose events all plugins get, those loaded later too.
  void attach(Journal&, Lane::StreamTurn turn = {});
  /// Streams of an earlier number of shards are done with: no lane reads them any more, nor is attached to them. Throws
  /// PluginError when a lane does not let go of them.
  void keep_only(const std::vector<Stream>&);
  /// Stops and unmaps; false when it was not loaded. Throws PluginError when others need it, unless `force`. `before`
  /// is called when nothing refuses it, and may throw: then nothing was changed.
  bool unload(const std::string& id, Deadline deadline, bool force = false, const std::function<void()>& before = {});
  /// No change of the plugins begins any more: it throws PluginError.
  void refuse_changes() { stopping_ = true; }
  /// Those that need others first, after the change that is under way. `clean` becomes false when something has not
  /// ended by then.
  void stop_all(Deadline deadline, bool& clean);

  /// Replaces the code of a running plugin by what is installed now. Throws PluginError; the old code goes on then.
  ReloadReport reload(const std::string& id, const ReloadOptions& = {});
  /// Replaces it by the kept build that proved itself before. Throws PluginError, and nothing was changed.
  ReloadReport rollback(const std::string& id, const std::string& why);

  std::vector<PluginStatus> status() const;
  std::vector<std::string> ids() const;
  bool loaded(const std::string& id) const;

  GatewayNeeds needs() const;
  /// Of each loaded plugin.
  std::map<std::string, GatewayNeeds> needs_of_each() const;
  /// What each of them declares of commands: see commands_of().
  std::map<std::string, boost::json::array> commands_of_each() const;
  /// Called when a load, reload or unload may have changed needs() or the commands; at a load before the plugin takes
  /// its place in the streams: it begins where its types are collected.
  void on_needs_changed(std::function<void()>);
  /// Called before a plugin is unloaded, and after.
  void on_unload(std::function<void(const std::string& plugin)>);

  RequestAnswer call(const std::string& plugin, const RequestCall&);
  std::vector<EntrySpec> methods(const std::string& plugin) const;
  std::shared_ptr<Lane> lane(const std::string& id) const;
  /// The highest epoch in any position.
  std::uint32_t highest_epoch() const;

 private:
  struct Plugin;
  struct Candidate;  // loaded and set up, and not running
  /// Where the code of a plugin that is to be loaded comes from.
  struct Source {
    std::filesystem::path file;
    std::string kept;            // the kept build; empty: it is the installed file
    std::string fallback;        // why it is the kept one
    bool kept_settings = false;  // it may have those that it ran with, when it does not take the present ones
  };
  std::shared_ptr<Plugin> find(const std::string& id) const;
  DependencyGraph graph() const;

  // manager.cpp
  std::unique_lock<std::mutex> begin_change();
  void load_one(const PluginConfig&, const Source&);
  bool unload_one(const std::string& id, Deadline deadline);

  // candidate.cpp
  std::filesystem::path installed_file(const PluginConfig&) const;
  Candidate prepare(const std::string& id, const std::filesystem::path& file, std::shared_ptr<const Document> settings,
                    std::uint64_t generation) const;
  Candidate prepare_kept(const std::string& id, const std::string& build, std::shared_ptr<const Document> first,
                         std::uint64_t generation, bool kept_settings = true) const;
  Source source_at_start(const PluginConfig&) const;
  std::optional<Source> kept_instead(const PluginConfig&, const std::string& why) const;
  void check_beside_others(const std::string& id, const Candidate&) const;
  MigrationReport migrate_plugin(const std::string& id, const PluginFile&, const MigrationOptions&,
                                 MigrationReport* report = nullptr) const;

  // manager_reload.cpp
  void replace(Plugin&, Candidate, ReloadReport&, bool stop_first, std::chrono::microseconds patience,
               bool may_abandon);
  DeadRetries offer_dead_letters(Plugin&, std::uint64_t generation, std::int64_t since_us) const;
  void abandon_and_start(Plugin&, Candidate&, std::uint64_t generation);
  ReloadReport rollback_one(Plugin&, const std::string& why);
  void begin_probation(Plugin&, const std::vector<std::string>& not_additive);
  void watch_probations();
  void end_watch();
  void judge(const std::shared_ptr<Plugin>&);

  const ManagerOptions options_;
  Store& store_;
  LaneContext& context_;
  const PluginServices& services_;
  Builds builds_;
  std::function<void()> on_needs_changed_;
  std::function<void(const std::string&)> on_unload_;

  std::atomic<bool> abandoned_ = false;  // a plugin did not end: its threads go on
  std::atomic<bool> stopping_ = false;
  std::mutex changing_;       // one load, reload, rollback or unload at a time
  mutable std::mutex mutex_;  // of the lists
  std::map<std::string, std::shared_ptr<Plugin>> plugins_;
  std::vector<std::string> order_;
  struct Attached {
    Journal* journal;
    Lane::StreamTurn turn;
  };
  void attach_all(Lane&) const;
  std::vector<Attached> journals_;
  std::optional<std::vector<Stream>> only_;  // once there are no others

  std::mutex watch_mutex_;
  std::condition_variable watch_changed_;
  bool watch_again_ = false, watch_ends_ = false;
  std::thread watcher_;  // of probations
};

}  // namespace trellis::host
