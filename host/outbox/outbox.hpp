// The outbox: effects of all plugins on the outside, delivered after the commit that brought them.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/dispatcher.hpp"

namespace trellis::host {

/// Something an operator asked for that cannot be done: a sentence.
class OutboxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// [any thread]
class Outbox {
 public:
  explicit Outbox(OutboxOptions);
  /// stop() first; else it ends as a crash would.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Looks at an effect that a plugin stages, and fills in what the plugin left open. Negative: `why`.
  tl_status accept(OutboxRow&, std::string& why) const;

  /// The plugin's namespace belongs to this owner now: what waits there is delivered.
  void plugin_started(const std::string& plugin, std::uint64_t owner);
  /// Its effects stay where they are.
  void plugin_stopped(const std::string& plugin);
  /// Effects of the plugin were committed.
  void effects_committed(const std::string& plugin);
  /// The clock was moved by hand.
  void look_again();

  /// Takes up nothing new, and waits for what is under way. False: at the deadline something still was; it is delivered
  /// again, or given up as perhaps done, by the next host.
  bool stop(std::chrono::steady_clock::time_point deadline);

  // ---- for operators. Throw StoreError; OutboxError with a sentence. ----

  struct Listing {
    std::vector<OutboxCount> counts;
    std::vector<OutboxRow> rows;  // in order, without bodies and files
    Dispatcher::Status dispatcher;
  };
  Listing list(const std::string& plugin, std::optional<OutboxRow::State> state, std::size_t limit) const;
  /// By its id, or the beginning of it.
  OutboxRow show(const std::string& plugin, const std::string& id) const;
  /// A dead effect waits again, behind everything else. Returns how it is called.
  std::string retry(const std::string& plugin, const std::string& id);
  std::size_t retry_all(const std::string& plugin);
  /// An effect that is not under way is forgotten.
  std::string drop(const std::string& plugin, const std::string& id);
  /// All dead ones.
  std::size_t drop_all(const std::string& plugin);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
