// custom_ids as Discord sees them: "plugin:name:data". The host adds the plugin in what a plugin sends, and takes it
// off again when a component is used, so that a press finds its plugin after a reload or a restart of the host.
#pragma once
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lanes/ledger.hpp"

namespace trellis::host {

/// Discord docs, Components: Custom ID.
inline constexpr std::size_t kCustomIdMax = 100;

struct CustomId {
  std::string plugin, name, data;
};
/// None: it is not one of ours.
std::optional<CustomId> read_custom_id(std::string_view);
/// Throws std::length_error with a sentence when Discord would not take it.
std::string custom_id(std::string_view plugin, std::string_view name, std::string_view data);

/// Adds the plugin to the custom_ids of buttons and selects in a message's JSON; those that have it already stay. "" or
/// a sentence: what is wrong. Text that is no JSON is left alone.
std::string add_plugin_to_custom_ids(const std::string& plugin, const Ledger&, std::string& body);
std::string add_plugin_to_custom_ids(const std::string& plugin, const Ledger&, boost::json::value& body);

}  // namespace trellis::host
