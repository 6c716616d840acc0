// What we call ourselves towards Discord.
#pragma once
#include <string_view>

namespace trellis::host {

/// [any thread] "DiscordBot (address, version)", the form that Discord asks for. Lives for ever.
std::string_view user_agent();

}  // namespace trellis::host
