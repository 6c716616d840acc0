// What a plugin declared of commands, components and forms, against Discord's limits: what Discord would refuse later
// is said when the plugin is loaded.
#pragma once
#include <string>
#include <vector>

#include "lanes/ledger.hpp"

namespace trellis::host {

/// Sentences that name the command and the option; empty: all is well.
std::vector<std::string> check_declarations(const std::string& plugin, const Ledger&);

}  // namespace trellis::host
