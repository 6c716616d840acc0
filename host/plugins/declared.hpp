// What a plugin that was set up asks of the host and of Discord.
#pragma once
#include <boost/json/array.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "lanes/ledger.hpp"
#include "plugins/claims.hpp"

namespace trellis::host {

/// What the gateway has to bring for all plugins together.
struct GatewayNeeds {
  std::set<std::uint32_t> types;  // event_type()
  std::uint64_t intents = 0;
  bool voice_states = false, member_counts = false, members = false, presences = false;
  void add(const GatewayNeeds&);
};

struct Declared {
  std::vector<Claim> claims;
  GatewayNeeds needs;
  boost::json::array commands;          // see commands_of()
  std::vector<std::string> not_served;  // "route GET /counts": not served by this host yet
};

/// Throws PluginError for what no host would serve, whichever plugins run beside it.
Declared declared_by(const Ledger&, const std::string& plugin);

}  // namespace trellis::host
