// Discord's complaints about a bulk overwrite, in the words of whoever declared the commands.
#pragma once
#include <string>
#include <vector>

#include "commands/command_set.hpp"

namespace trellis::host {

/// "plugin quests: /quest, option add, option size, description: Must be 100 or fewer in length." One for each error in
/// the answer's body, which may be anything; empty: it has none that can be placed.
std::vector<std::string> placed_errors(const std::string& answer, const CommandSet&);

}  // namespace trellis::host
