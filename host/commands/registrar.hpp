// Registers the commands of all plugins with Discord: reads what is registered, and writes only when it is different.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "commands/command_set.hpp"
#include "discord/rest_request.hpp"
#include "metrics/metrics.hpp"

namespace trellis::host {

struct RegistrarOptions {
  std::function<RestAnswer(RestRequest, std::stop_token)> call;
  /// The application's id; waits a while for it. Empty: Discord has not said it yet.
  std::function<std::string(std::stop_token)> application;
  std::function<CommandWish()> wish;
  /// Where this host registered commands, and how many: by server, "" for all servers. Both may throw StoreError.
  std::function<std::map<std::string, std::int64_t>()> places;
  std::function<void(const std::string& server, std::int64_t commands)> set_place;
  std::string server;     // the development guild; empty: all servers
  bool automatic = true;  // false: only when asked
  Metrics* metrics = nullptr;
  /// After a change of the plugins; between tries.
  std::chrono::milliseconds debounce{2'000}, first_retry{5'000}, last_retry{600'000};
  /// After the daily limit of new commands.
  std::chrono::milliseconds after_daily_limit{3'600'000};
};

struct SyncReport {
  enum class Outcome {
    Unchanged,  // what is registered is what is wanted
    Written,    // or would be: of a dry run
    LeftAlone,  // no plugin has commands, and this host never registered any
    Failed
  } outcome = Outcome::Failed;
  std::vector<CommandChange> changes;
  std::vector<std::string> left_servers;  // whose commands of an earlier development guild were (or would be) removed
  std::vector<std::string> problems;      // commands that could not be taken in
  std::vector<std::string> errors;        // Failed
  bool again = false;                     // Failed: it may succeed later
  std::chrono::milliseconds not_before{0};

  bool ok() const { return outcome != Outcome::Failed; }
};

class CommandRegistrar {
 public:
  explicit CommandRegistrar(RegistrarOptions);
  /// stop().
  ~CommandRegistrar();

  /// From now on, once at first.
  void start();
  void stop();
  /// [any thread] The plugins have changed: soon looked at, several changes together.
  void changed();
  /// [any thread; blocks] Now; a dry run writes nothing.
  SyncReport sync(bool dry_run = false);

  /// [any thread] What the enabled plugins want here, as sync() would register it.
  CommandSet wanted() const;
  /// [any thread] How the last look at it went, in a sentence; empty: there was none yet.
  std::string last() const;
  /// "in all servers", "in server 123"
  std::string where() const;

 private:
  SyncReport look(bool dry_run, std::stop_token);
  bool application(SyncReport&, std::stop_token);
  std::string target(const std::string& server) const;
  void leave_other_places(SyncReport&, bool dry_run, const std::map<std::string, std::int64_t>& places,
                          std::stop_token);
  void failed(SyncReport&, const RestAnswer&, const std::string& what) const;
  void note(const SyncReport&);
  void run(std::stop_token);

  const RegistrarOptions options_;
  Metrics::Handle looks_ = 0, registered_ = 0;
  std::mutex syncing_;  // one at a time
  std::string application_id_;

  mutable std::mutex mutex_;
  std::condition_variable_any due_changed_;
  std::optional<std::chrono::steady_clock::time_point> due_;
  std::uint64_t changes_ = 0;
  std::string last_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace trellis::host
