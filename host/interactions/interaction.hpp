// An interaction as Discord dispatches it, read: what a person did, and what it is for.
#pragma once
#include <trellis/abi.h>

#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::host {

enum class InteractionKind { Command, Component, Autocomplete, Form };
/// "command", "component", "autocomplete", "form"
std::string_view name_of(InteractionKind);

struct Interaction {
  InteractionKind kind = InteractionKind::Command;
  std::uint64_t id = 0;
  std::string token, application;
  std::uint64_t guild = 0, channel = 0, user = 0, permissions = 0;  // 0 where there is none
  std::uint64_t message = 0;                                        // whose component was used; 0: none
  std::uint32_t command_type = 1;                                   // 1 slash, 2 user, 3 message
  std::string name;         // of a command, with its subcommands: "quest list"; else the custom_id
  std::string body;         // what was typed; the target's id of a user or message command
  std::string focused;      // autocomplete: the option that is being typed
  boost::json::value args;  // options or fields by name
  std::shared_ptr<const boost::json::value> raw;

  /// TL_COMMAND ...
  std::uint32_t entry_kind() const;
  /// When Discord made it, by Discord's clock.
  std::int64_t created_ms() const;
};

/// None: it cannot be answered, and `why` says so. Whatever else is missing or of another type counts as absent. An
/// interaction of a type that nobody knows yet has no kind: `why` is empty.
std::optional<Interaction> read_interaction(std::string_view data, std::string& why);

}  // namespace trellis::host
