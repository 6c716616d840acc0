// What we call ourselves towards Discord.
#pragma once
#include <string_view>

namespace trellis::host {

/// [before anything else here] Where people find out about this bot: an address without blanks and parentheses. Not
/// called: the project's.
void set_user_agent_url(std::string_view url);

/// [any thread] "DiscordBot (address, version)", the form that Discord asks for. Lives for ever.
std::string_view user_agent();

}  // namespace trellis::host
