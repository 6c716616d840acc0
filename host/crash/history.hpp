// Crashes of earlier runs, and what follows from them. Kept in the host's namespace of the store.
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crash/crashed_event.hpp"
#include "crash/judge.hpp"
#include "state/host_namespace.hpp"

namespace trellis::host {

/// [any thread]
class CrashHistory {
 public:
  /// Throws StoreError.
  explicit CrashHistory(HostNamespace& store) : store_(store), quarantines_(store.quarantines()) {}

  /// How the last run ended: logged, judged and stored. The same report twice counts once. Throws StoreError.
  void take_in(const CrashReport&);
  /// What the plugin's lane must know before it handles events. Throws StoreError.
  std::vector<CrashedEvent> events(const std::string& plugin) const;
  /// What the scheduler must know before it runs the plugin's jobs. Throws StoreError.
  std::vector<CrashedRun> runs(const std::string& plugin) const;
  /// Also while the store is away, as quarantines().
  std::optional<HostNamespace::Quarantine> quarantine(const std::string& plugin) const;
  std::vector<HostNamespace::Quarantine> quarantines() const;
  /// False: it was not in quarantine. Throws StoreError.
  bool release(const std::string& plugin);
  /// What was released could not be loaded, and is where it was. Throws StoreError.
  void put_back(const HostNamespace::Quarantine&);

 private:
  HostNamespace& store_;
  mutable std::mutex mutex_;
  std::vector<HostNamespace::Quarantine> quarantines_;
};

/// "quarantined since ...: why; `trellis ctl plugin release NAME` lets it back in"
std::string quarantine_text(const HostNamespace::Quarantine&);

}  // namespace trellis::host
