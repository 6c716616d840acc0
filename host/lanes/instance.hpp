// One instance of a plugin: what its library made, what it declared, and what its handles mean. Dropped and made anew
// whenever the lane goes back.
#pragma once
#include <trellis/abi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "config/document.hpp"
#include "crash/page.hpp"
#include "lanes/ledger.hpp"
#include "store/migrations.hpp"
#include "store/store.hpp"

namespace trellis::host {

class Instance;
class Lane;

/// Why a plugin cannot be loaded or started: one sentence, or several lines of complaints.
class PluginError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Its declarations are wrong, whatever its settings.
class DeclarationError : public PluginError {
 public:
  using PluginError::PluginError;
};

/// What plugins may use of the process besides their own lane. [any thread]
struct PluginServices {
  std::function<const void*(std::string_view)> find_table;  // the ABI's tables by name; null: none
  std::function<std::int64_t()> now_us;                     // the wall clock
  std::function<std::string(const std::string& schedule, const std::string& zone)>
      check_schedule;                                      // "" or what is wrong
  std::function<bool(std::string_view what)> has;          // "sqlite", "postgresql", "redis"
  std::function<std::uint64_t(const MetricSpec&)> metric;  // throws std::runtime_error
  std::function<void(std::uint64_t metric, double, std::vector<std::string> labels)> count;
  /// What is wrong with its commands, components and forms, in sentences. May be empty: nothing is checked.
  std::function<std::vector<std::string>(const std::string& plugin, const Ledger&)> check_declarations = {};
};

}  // namespace trellis::host

/// The ABI's opaque handle of an instance.
struct tl_host {
  trellis::host::Instance* instance = nullptr;
};

namespace trellis::host {

class Instance {
 public:
  /// `library` stays mapped, and `files` stay, as long as this lives.
  Instance(std::string plugin, std::shared_ptr<const void> library, const std::vector<EmbeddedFile>& files,
           std::shared_ptr<const Document> settings, const PluginServices& services);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// Runs the entry function: the plugin's Setup. Throws PluginError with every complaint.
  void set_up(tl_status (*entry)(const tl_entry_args*, tl_plugin*, char*, std::uint64_t));

  /// Checks the declared tables against the real ones. Throws StoreError.
  void bind(Connection&);

  // ---- handles: the instance's number and an index, so that one of an older instance means nothing ----
  tl_id handle_of(std::size_t index) const { return serial << 20 | (index + 1); }
  /// The index, or `count` when the handle is not of this instance.
  std::size_t index_of(tl_id handle, std::size_t count) const {
    const std::size_t index = static_cast<std::size_t>(handle & 0xfffff) - 1;
    return handle >> 20 == serial && index < count ? index : count;
  }

  const std::string plugin;
  const std::uint64_t serial;
  tl_host host{this};
  const PluginServices& services;
  const std::vector<EmbeddedFile>& files;
  const std::shared_ptr<const Document> settings;
  Ledger ledger;
  std::vector<std::shared_ptr<const BoundTable>> tables;
  std::vector<std::uint64_t> metrics;                     // ids of the process's metrics
  std::vector<std::vector<const Subscription*>> by_type;  // by event_type()
  std::atomic<bool> cancelled = false;                    // its waits end with TL_CANCELLED
  Lane* lane = nullptr;
  std::shared_ptr<const CrashIdentity> crash_identity;  // may be null

  // ---- during set_up() ----
  std::thread::id setup_thread;  // none afterwards: every [setup] function refuses then
  std::vector<std::string> complaints;
  bool misdeclared = false;  // some are about what no settings can change
  struct NodeReads {
    std::set<std::string, std::less<>> keys;
    std::uint32_t unread = TL_UNREAD_REFUSE;
  };
  std::map<std::uint64_t, NodeReads> reads;  // by JSON node
  void complain_at(std::uint64_t node, std::string_view key, std::string_view why);

 private:
  void check_unread();
  std::shared_ptr<const void> library_;
  tl_plugin plugin_{};
};

}  // namespace trellis::host
