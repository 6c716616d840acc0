// Who may use what: servers only, owners, permissions, and so many times at most.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "interactions/interaction.hpp"
#include "lanes/ledger.hpp"

namespace trellis::host {

/// [any thread] Uses of commands in a sliding window, per user or server. In memory: a restart forgets them.
class UsageLimits {
 public:
  using Clock = std::chrono::steady_clock;

  /// Counts a use. Else: how long until the next one may be.
  std::optional<Clock::duration> take(const std::string& plugin, const EntrySpec&, const Interaction&,
                                      Clock::time_point now);
  /// Whose windows are kept.
  std::size_t kept() const;

 private:
  struct Key {
    std::string plugin, entry;
    std::uint64_t who;
    auto operator<=>(const Key&) const = default;
  };
  struct Window {
    std::deque<Clock::time_point> uses;
    Clock::time_point empty_at;
  };
  mutable std::mutex mutex_;
  std::map<Key, Window> windows_;
  Clock::time_point next_sweep_{};
};

/// None: not known yet.
using Owners = std::optional<std::set<std::uint64_t>>;

/// "" or a sentence for whoever asked. `limits` counts a use when everything else allows it.
std::string refusal(const std::string& plugin, const EntrySpec&, const Interaction&, const Owners&, UsageLimits& limits,
                    UsageLimits::Clock::time_point now);

}  // namespace trellis::host
