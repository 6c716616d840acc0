// What Discord takes as the name of a command or an option (Discord docs, Application Commands: Naming).
#pragma once
#include <string>
#include <string_view>

namespace trellis::host {

/// Characters as Discord counts them: code points.
std::size_t characters(std::string_view utf8);

/// What is wrong with the name of a slash command, group or option: "" or "must …".
std::string check_slash_name(std::string_view name);
/// The same of a user or message command, which may have blanks and capitals.
std::string check_menu_name(std::string_view name);
/// "" or what is wrong with a text of `low` to `high` characters.
std::string check_length(std::string_view text, std::size_t low, std::size_t high);
/// One of Discord's locales: "de", "en-US" (Discord docs, Reference: Locales).
bool is_locale(std::string_view name);

}  // namespace trellis::host
