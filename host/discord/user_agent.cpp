#include "discord/user_agent.hpp"

namespace trellis::host {

std::string_view user_agent() { return "DiscordBot (https://trellis.example, " TRELLIS_VERSION ")"; }

}  // namespace trellis::host
