// What people ask of the bot, from the gateway to the handler and back: commands, suggestions, buttons, selects, forms.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "discord/rest_request.hpp"
#include "interactions/admission.hpp"
#include "lanes/lane.hpp"
#include "metrics/metrics.hpp"

namespace trellis::host {

struct InteractionsOptions {
  boost::asio::any_io_executor io;
  std::function<void(RestRequest, std::function<void(RestAnswer)>)> send;
  /// The plugin's lane; null: it is not loaded.
  std::function<std::shared_ptr<Lane>(const std::string& plugin)> lane;
  std::function<std::int64_t()> now_us;  // the wall clock
  Metrics* metrics = nullptr;            // may be null
  std::size_t threads = 8;               // requests of people at a time; half of them for one plugin
};

class Interactions {
 public:
  explicit Interactions(InteractionsOptions);
  /// stop() first.
  ~Interactions();
  Interactions(const Interactions&) = delete;
  Interactions& operator=(const Interactions&) = delete;

  /// [io thread] An INTERACTION_CREATE that is in the log: its "d". `behind`: it may have waited somewhere for long.
  void receive(std::string_view data, std::int64_t received_us, bool behind);

  // ---- [any thread] ----
  /// An instance runs: what it declared replaces what the one before did.
  void plugin_started(Lane&);
  /// It is unloaded: what it declared is nobody's, or another plugin's.
  void plugin_stopped(const std::string& plugin);
  void set_owners(Owners);

  struct Status {
    std::uint64_t received = 0, answered = 0, deferred = 0, late = 0;
    std::size_t open = 0;  // not answered for good yet
  };
  Status status() const;

  // ---- the end. [any thread but the io thread] ----
  /// Waits until nothing is open. False: something was, at `until`.
  bool drain(std::chrono::steady_clock::time_point until);
  /// No handler is begun any more. `clean`: all lanes have ended, so no thread stays in one.
  void stop(bool clean);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
