// The commands that a plugin declared, as Discord's API has them (Discord docs, Application Commands).
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "lanes/ledger.hpp"

namespace trellis::host {

/// Discord's numbers of option types.
enum class OptionType {
  None = 0,  // Discord has none for this parameter
  Subcommand = 1,
  Group = 2,
  String = 3,
  Integer = 4,
  Boolean = 5,
  User = 6,
  Channel = 7,
  Role = 8,
  Mentionable = 9,
  Number = 10,
  Attachment = 11
};
OptionType option_type(const ParamSpec&);

/// "quest admin add": its words.
std::vector<std::string> command_words(const std::string& name);

/// The top-level commands in the form of normalised(), sorted by type and name. Subcommands are parts of theirs. The
/// declarations may be wrong: see check_declarations().
boost::json::array commands_of(const Ledger&);

/// A command of commands_of() or of Discord's answer in a form in which equal ones are equal: what Discord adds to a
/// command (ids, versions, deprecated fields) is gone, and so is what is left at its default.
boost::json::object normalised(const boost::json::object& command);
/// The same for commands of one server: without what only global ones have.
boost::json::object normalised_for_guild(const boost::json::object& command);

/// The name, description and value characters of a command that Discord counts, at most 8000.
std::size_t command_size(const boost::json::object& command);

/// "/quest", "user command \"High five\"": for people.
std::string command_title(const boost::json::object& command);

}  // namespace trellis::host
