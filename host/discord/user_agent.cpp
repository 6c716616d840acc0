#include "discord/user_agent.hpp"

#include <string>

namespace trellis::host {

namespace {

std::string made_of(std::string_view url) {
  return "DiscordBot (" + std::string(url) + ", " TRELLIS_VERSION ") Trellis";
}

std::string& text() {
  static auto& made = *new std::string(made_of(TRELLIS_HOMEPAGE));
  return made;
}

}  // namespace

void set_user_agent_url(std::string_view url) { text() = made_of(url); }

std::string_view user_agent() { return text(); }

}  // namespace trellis::host
