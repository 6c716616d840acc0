// What belongs to no plugin, in the store's namespace "trellis": which host owns the database, gateway sessions, what
// the operator switched on and off.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crash/judge.hpp"
#include "journal/journal.hpp"
#include "store/store.hpp"

namespace trellis::host {

/// [any thread; one call at a time inside]
class HostNamespace {
 public:
  /// Creates the tables, or brings those of an earlier build to the present form. Throws StoreError.
  HostNamespace(Store&, std::string host_id);
  ~HostNamespace();

  /// Takes the host row, which says until when (by the database's clock) its owner is alive. Throws Occupied while
  /// another host's time lies in the future, unless `take_over`. A restart of the same host takes it at once.
  void claim(const std::string& name, bool take_over);
  /// To be called every 5 s. False: another host has taken it.
  bool renew();
  void release() noexcept;

  /// [never waits] A session has begun. It is stored with the next store_sessions(), which has to come before anything
  /// is stored that belongs to it.
  void note_session(Stream, const Session&);
  /// Stores what was noted, unless another host has taken the host row; costs nothing when that is done. Throws
  /// StoreError.
  void store_sessions();
  std::optional<Session> session(Stream);
  /// Of streams that are no more; the newest session stays, for its epoch.
  void forget_sessions(const std::vector<Stream>&);
  /// The highest epoch of any session.
  std::uint32_t highest_epoch();

  /// What an enabled plugin needs of the gateway, known also while it cannot be loaded.
  struct Enabled {
    std::string plugin;
    std::vector<std::string> types;  // dispatch names
    std::uint64_t intents = 0;
    bool voice_states = false, member_counts = false, members = false, presences = false;  // for the cache
    std::string commands;  // what it declares of commands, as JSON; empty: not known
    bool operator==(const Enabled&) const = default;
  };
  std::vector<Enabled> enabled();
  void set_enabled(const Enabled&);
  void forget_enabled(const std::string& plugin);

  /// Where commands were registered with Discord, and how many: by server, "" for all servers. 0 forgets it.
  std::map<std::string, std::int64_t> command_places();
  void set_command_place(const std::string& server, std::int64_t commands);

  struct Override {
    std::string plugin;
    bool enabled = false;
    std::int64_t since_us = 0;
  };
  std::vector<Override> overrides();
  void set_override(const std::string& plugin, bool enabled);
  void forget_override(const std::string& plugin);

  std::vector<StoredCrash> crashes();
  /// Of this place; puts the plugin into quarantine too when `why_quarantine` is not empty.
  void save_crash(const StoredCrash&, const std::string& why_quarantine);
  /// Those before this time, unless their plugin is in quarantine.
  void forget_crashes(std::int64_t before_us);
  struct Quarantine {
    std::string plugin, why;
    std::int64_t since_us = 0;
  };
  std::vector<Quarantine> quarantines();
  /// Its crashes do not count towards the next quarantine. False: it was not in one.
  bool release(const std::string& plugin);
  void put_back(const Quarantine&);

 private:
  Connection& connection();
  template <class F>
  auto with_connection(F&& run);

  std::mutex mutex_;
  const bool postgresql_;
  const std::string host_id_;
  std::unique_ptr<Namespace> namespace_;
  std::unique_ptr<Connection> connection_;
  std::mutex storing_, noted_mutex_;
  std::map<Stream, Session> noted_;          // not in the store yet
  std::atomic<bool> sessions_wait_ = false;  // noted_ is not empty
};

}  // namespace trellis::host
