// INTERACTION_CREATE as it follows from what a scripted user does.
#pragma once

#include <boost/json.hpp>
#include <stdexcept>

#include "interactions.hpp"

namespace trellis::sim {

/// A script that makes no sense; the text says why.
struct ScriptError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Fills `one` and returns the dispatch without id and token. Keys of `script`:
///   user, guild, channel, "dm": true   who acts and where; otherwise the first person in the first text channel
///   "command": NAME [, "subcommand": "GROUP SUB"] [, "options": {NAME: VALUE}]
///   "user_command": NAME, "target": USER     "message_command": NAME, "target": MESSAGE
///   "autocomplete": COMMAND, "focused": OPTION [, "subcommand"] [, "options"]
///   "button": CUSTOM_ID, "message": ID       "select": CUSTOM_ID, "message": ID, "values": [...]
///   "modal": INTERACTION, "fields": {CUSTOM_ID: VALUE}
/// Throws ScriptError.
boost::json::object make_interaction(Gateway& gateway, const boost::json::object& script, Interaction& one);

}  // namespace trellis::sim
