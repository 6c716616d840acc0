// The parts of a host, shared by what assembles them and what answers `trellis ctl`.
#pragma once
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "admin/control_socket.hpp"
#include "cache/cache.hpp"
#include "commands/registrar.hpp"
#include "crash/history.hpp"
#include "crash/page.hpp"
#include "discord/gateway_info.hpp"
#include "discord/rest_client.hpp"
#include "endings.hpp"
#include "gateway/identify_permits.hpp"
#include "gateway/shard.hpp"
#include "host.hpp"
#include "interactions/interactions.hpp"
#include "journal/journal.hpp"
#include "metrics/metrics.hpp"
#include "outbox/discord_target.hpp"
#include "outbox/outbox.hpp"
#include "plugins/enabled.hpp"
#include "plugins/manager.hpp"
#include "plugins/segment_release.hpp"
#include "refill/cold_guilds.hpp"
#include "schedule/scheduler.hpp"
#include "state/host_namespace.hpp"
#include "state/state_folder.hpp"

namespace trellis::host {

struct Host::Impl {
  Impl(Config, CommandLine, std::vector<PluginConfig>);

  // host.cpp: life
  int run();
  void start();           // throws what the exit code is made of
  void keep_disk();       // a thread
  void keep_snapshots();  // a thread
  void keep_store();      // a thread
  void release_segments();
  std::vector<Journal*> journals() const;
  void open_outbox();
  bool guilds_known() const;

  // host_stop.cpp
  void ask_to_stop(int exit_code, std::string why);
  bool stop_asked() const;
  bool wait_for_stop(std::chrono::milliseconds);  // true: stop
  void shut_down();
  void leave_disk();
  void release_store(Endings&);
  [[noreturn]] void give_up(Endings&);
  void guard_the_stop();          // a thread
  int unclean_exit_code() const;  // of a stop that gives something up

  // host_gateway.cpp
  void needs_changed();
  bool connect_gateway();  // false: stopped meanwhile
  void open_line(Stream, std::uint32_t shards, std::uint64_t budget, std::uint64_t max_lag);
  bool go_on_from_store(Journal&);
  void say_which_intents_are_missing() const;
  std::string begin_anew();

  // host_gateway_address.cpp
  bool ask_for_gateway();                       // false: stopped meanwhile
  void keep_gateway(const GatewayInfo&) const;  // for the next start
  void open_identify_permits(std::uint32_t shards);
  void heard_of_gateway(const GatewayInfo&);                // [io thread]
  void closed_for_good(int code, const std::string& text);  // [io thread]
  std::string why_not_anew(std::size_t shards) const;       // empty: they may all begin new sessions

  // host_interactions.cpp: what people ask of the bot
  void open_interactions();
  void ask_for_application();  // [io thread]
  void know_application(std::string id);
  std::string application_id(std::stop_token);  // waits for it a while; empty: it is not known

  // host_resharding.cpp
  void open_old_streams(const ShardRange&);
  Lane::StreamTurn turn_of(Journal&) const;  // of a stream that runs now
  void attach_streams();
  void let_go_of_old_streams();  // once every plugin has read them

  // host_gateway_status.cpp
  ControlAnswer control_gateway(bool json);
  void measure_gateway();

  // host_gateway_commands.cpp
  std::function<void()> call_gateway(const OutboxRow&, std::function<void(OutsideAnswer)> done);

  // host_cache.cpp
  void refill_cold_guilds();
  void measure_cache();

  // host_crash.cpp
  void note_last_crash();
  std::string kept_out(const PluginConfig&) const;  // "is in quarantine", "is left out by --safe"; empty: it may start

  // host_metrics.cpp
  void measure_lanes();
  std::map<Stream, Position> tails() const;  // of the journals

  // host_commands.cpp: commands of plugins at Discord, and `trellis ctl commands`
  void open_registrar();
  ControlAnswer control_commands(const std::vector<std::string>& words);

  // host_control_switch.cpp: `trellis ctl plugin load|unload|enable|disable|release`
  ControlAnswer control_load(const std::string& plugin);
  ControlAnswer control_unload(const std::string& plugin, bool force);
  ControlAnswer control_enable(const std::string& plugin, bool forget);
  ControlAnswer control_disable(const std::string& plugin, bool forget, bool force);
  ControlAnswer control_release(const std::string& plugin);
  std::string switch_on(const PluginConfig&, const std::function<void()>& store_it);
  std::string load_left_out();
  /// Enabled, and not loaded because of what they need; the reason. [any thread]
  std::map<std::string, LeftOut> those_left_out() const;

  // host_control.cpp, host_control_plugin.cpp: `trellis ctl`
  ControlAnswer control(const std::vector<std::string>& words);
  ControlAnswer control_status(bool json);
  ControlAnswer control_plugin(const std::vector<std::string>& words);
  ControlAnswer control_plugin_list();
  ControlAnswer control_plugin_status(const std::string& name, bool json);
  ControlAnswer control_call(const std::vector<std::string>& words);
  // host_control_dead.cpp: `trellis ctl dead`
  ControlAnswer control_dead(const std::vector<std::string>& words);
  ControlAnswer show_dead(const std::string& plugin, const DeadLetter&);
  ControlAnswer retry_dead(const std::string& plugin, const std::vector<DeadLetter>&, bool all);
  ControlAnswer drop_dead(const std::string& plugin, const std::vector<DeadLetter>&);
  // host_control_outbox.cpp: `trellis ctl outbox`
  ControlAnswer control_outbox(const std::vector<std::string>& words);
  ControlAnswer list_outbox(const std::vector<std::string>& plugins, std::optional<OutboxRow::State>, bool json);
  ControlAnswer show_effect(const std::string& plugin, const std::string& id);
  PluginConfig configured(
      const std::string& plugin) const;  // read again from plugins.conf; throws ConfigError, PluginError
  std::optional<PluginConfig> find_configured(const std::string& plugin, std::vector<std::string>* names = {}) const;

  const Config config;
  const CommandLine command_line;
  const std::vector<PluginConfig> plugin_configs;
  const std::int64_t started_us;

  std::optional<StateFolder> state;
  std::unique_ptr<Store> store;
  std::unique_ptr<HostNamespace> host_namespace;
  std::unique_ptr<CrashPage> crash_page;  // null: there is none
  std::unique_ptr<CrashHistory> crashes;
  Metrics metrics;
  Cache cache;

  // Threads outlive what posts to them; they are joined by shut_down().
  boost::asio::thread_pool writers{4}, requests{8};
  boost::asio::io_context io{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> io_work;
  std::thread io_thread, disk_keeper, snapshot_keeper, store_keeper;
  std::unique_ptr<RestClient> rest;
  std::unique_ptr<DiscordTarget> discord_target;
  std::unique_ptr<Outbox> outbox;
  std::unique_ptr<Interactions> interactions;
  std::unique_ptr<boost::asio::steady_timer> application_timer;  // [io thread]

  std::unique_ptr<Watchdog> watchdog;
  LaneContext lanes{cache, false, {}, {}, {}, {}, {}, {}};
  PluginServices services;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<PluginManager> manager;
  std::unique_ptr<EnabledPlugins> enabled;
  mutable std::mutex left_out_mutex;
  std::map<std::string, LeftOut> left_out;  // with left_out_mutex
  std::unique_ptr<CommandRegistrar> registrar;
  std::shared_ptr<void> lane_metrics, cache_metrics, gateway_metrics;
  std::unique_ptr<ColdGuilds> cold_guilds;  // null: none is
  std::unique_ptr<ControlServer> control_server;

  GatewayFilter filter;
  struct Line {  // one stream
    std::unique_ptr<Journal> journal;
    std::unique_ptr<SegmentRelease> release;
    std::unique_ptr<Shard> shard;
    Compression compression = Compression::None;
  };
  mutable std::mutex lines_mutex;
  std::vector<Line> lines;
  std::vector<std::unique_ptr<Journal>> old_journals;  // of an earlier number of shards; with lines_mutex
  bool other_streams = false;          // all lines are open, and plugins may still have places in others; the same
  std::optional<GatewayInfo> gateway;  // as this run began with it; the address with lines_mutex
  std::optional<IdentifyLimits> gateway_limits;  // of the answer at the start; nothing: there was none
  std::uint32_t shards_recommended = 0;          // by a later answer; with lines_mutex
  std::shared_ptr<IdentifyPermits> identify_permits;
  bool begin_all_anew = false;
  std::atomic<std::uint32_t> epoch_floor = 0;
  std::atomic<std::uint64_t> owners = 0;
  std::mutex application_mutex;
  std::condition_variable_any application_known;
  std::string known_application;  // its id

  mutable std::mutex stop_mutex;
  std::condition_variable stop_changed;
  bool stopping = false, ended = false;
  std::chrono::steady_clock::time_point stop_by{};  // once it is stopping
  int exit_code = 0;
  std::string stop_reason;
};

std::int64_t wall_clock_us();
const char* name_of(ShardState);

/// How far a lane's handlers are behind what was appended: in dispatches, and since when the last one that it passed
/// was received (0 also when that is not known).
struct Lag {
  std::uint64_t events = 0;
  double seconds = 0;
};
Lag lag_of(const Lane::StreamStatus&, Position tail, std::int64_t now_us);

}  // namespace trellis::host
