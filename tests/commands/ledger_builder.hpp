// Ledgers as a plugin's Setup makes them.
#pragma once
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>

#include "lanes/ledger.hpp"

namespace trellis::host {

inline ParamSpec option(std::string name, std::uint32_t kind = TL_TEXT, bool required = true, std::uint32_t flags = 0) {
  ParamSpec param;
  param.text = "The " + name;
  param.name = std::move(name);
  param.value_kind = kind;
  param.required = required;
  param.flags = flags;
  return param;
}
inline EntrySpec command(std::string name, std::vector<ParamSpec> params = {}, std::uint32_t type = TL_COMMAND_SLASH) {
  EntrySpec entry;
  entry.kind = TL_COMMAND;
  entry.command_type = type;
  entry.name = std::move(name);
  if (type == TL_COMMAND_SLASH) entry.text = "Does something";
  entry.params = std::move(params);
  return entry;
}
inline EntrySpec group(std::string name, std::string text) {
  EntrySpec entry;
  entry.kind = TL_COMMAND_GROUP;
  entry.name = std::move(name);
  entry.text = std::move(text);
  return entry;
}
inline Ledger ledger(std::vector<EntrySpec> entries) {
  Ledger made;
  made.entries = std::move(entries);
  return made;
}

}  // namespace trellis::host
