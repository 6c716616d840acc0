// The commands of all plugins together, and what is different about those that are registered.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trellis::host {

/// What the enabled plugins want.
struct CommandWish {
  std::map<std::string, boost::json::array> plugins;  // of commands_of()
  /// Enabled plugins whose commands nobody knows: they have never been loaded here. While there are any, no command
  /// that is registered is taken away: it may be theirs.
  std::vector<std::string> unknown;
};

struct WantedCommand {
  std::string plugin;  // empty: kept, although no plugin is known to declare it
  boost::json::object command;
};

struct CommandSet {
  std::vector<WantedCommand> commands;  // by type and name
  std::vector<std::string> problems;    // what could not be taken in, in words

  /// For a bulk overwrite, in the same order.
  boost::json::array body() const;
};

/// At most 100 slash, 15 user and 15 message commands, each name once; what is too much is left out and named.
CommandSet merged(const CommandWish&, bool for_guild);

/// Adds what has to stay of that which is registered: the entry point of an application's activity (Discord refuses to
/// lose it), and everything when not all plugins are known.
void keep(CommandSet&, const boost::json::array& registered, bool everything);

struct CommandChange {
  enum class Kind { Create, Change, Remove } kind;
  std::string plugin;                // empty: of none
  boost::json::object command;       // as wanted; of Remove: as registered
  std::vector<std::string> details;  // Change: "description: \"a\" -> \"b\""
};
/// What an overwrite with this set would change; empty: nothing.
std::vector<CommandChange> differences(const CommandSet&, const boost::json::array& registered, bool for_guild);

/// "+ /quest (leveling)", for people.
std::string change_text(const CommandChange&);

}  // namespace trellis::host
