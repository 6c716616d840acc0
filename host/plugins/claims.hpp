// Names that only one plugin of a host can have.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "lanes/ledger.hpp"

namespace trellis::host {

struct Claim {
  std::string what;                // "the command /level", "the route GET /counts/{}"
  std::string name;                // as declared
  std::uint32_t command_type = 0;  // TL_COMMAND_SLASH …; 0: no command
};

/// What a ledger claims of the whole host. Throws PluginError when it claims something twice: two declarations of its
/// own that cannot both be served.
std::vector<Claim> claims_of(const Ledger&);

/// Every claim that another plugin has already, in words that name both; empty: none.
std::vector<std::string> clashes(const std::string& plugin, const std::vector<Claim>&,
                                 const std::map<std::string, std::vector<Claim>>& others);

/// More commands of a type than Discord takes of all plugins together: in words; empty: none.
std::vector<std::string> too_many_commands(const std::string& plugin, const std::vector<Claim>&,
                                           const std::map<std::string, std::vector<Claim>>& others);

}  // namespace trellis::host
