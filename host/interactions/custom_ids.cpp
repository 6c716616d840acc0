#include "interactions/custom_ids.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "commands/command_names.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

enum ComponentType { kButton = 2, kStringSelect = 3, kUserSelect = 5, kChannelSelect = 8 };

bool is_used_by_people(const json::object& component) {
  const json::value* type = component.if_contains("type");
  if (!type || !type->is_int64()) return false;
  const std::int64_t number = type->get_int64();
  return number == kButton || number == kStringSelect || (number >= kUserSelect && number <= kChannelSelect);
}

bool declares(const Ledger& ledger, std::string_view name) {
  return ledger.find(TL_COMPONENT, name) || ledger.find(TL_MODAL, name);
}

/// A message that was read from Discord and is sent again has it already.
bool has_plugin(const std::string& plugin, const Ledger& ledger, std::string_view id) {
  if (!id.starts_with(plugin) || id.size() <= plugin.size() || id[plugin.size()] != ':') return false;
  id.remove_prefix(plugin.size() + 1);
  return declares(ledger, id.substr(0, id.find(':')));
}

void add_to(const std::string& plugin, const Ledger& ledger, json::value& value) {
  if (json::array* list = value.if_array()) {
    for (json::value& one : *list) add_to(plugin, ledger, one);
    return;
  }
  json::object* component = value.if_object();
  if (!component) return;
  if (json::value* id = component->if_contains("custom_id"); id && id->is_string() && is_used_by_people(*component)) {
    const std::string_view own(id->get_string().data(), id->get_string().size());
    if (!has_plugin(plugin, ledger, own)) {
      const std::size_t colon = own.find(':');
      const bool data = colon != own.npos;
      *id = custom_id(plugin, own.substr(0, colon), data ? own.substr(colon + 1) : std::string_view());
    }
  }
  for (const char* below : {"components", "component", "accessory"})
    if (json::value* more = component->if_contains(below)) add_to(plugin, ledger, *more);
}

}  // namespace

std::optional<CustomId> read_custom_id(std::string_view id) {
  const std::size_t first = id.find(':');
  if (first == id.npos || first == 0) return std::nullopt;
  CustomId read;
  read.plugin = id.substr(0, first);
  id.remove_prefix(first + 1);
  const std::size_t second = id.find(':');
  read.name = id.substr(0, second);
  if (second != id.npos) read.data = id.substr(second + 1);
  if (read.name.empty()) return std::nullopt;
  return read;
}

std::string custom_id(std::string_view plugin, std::string_view name, std::string_view data) {
  std::string id = fmt::format("{}:{}:{}", plugin, name, data);
  if (characters(id) > kCustomIdMax)
    throw std::length_error(
        fmt::format("the custom_id \"{}\" has {} characters, Discord takes {}: make the name or "
                    "its data shorter",
                    id, characters(id), kCustomIdMax));
  return id;
}

std::string add_plugin_to_custom_ids(const std::string& plugin, const Ledger& ledger, json::value& body) {
  json::object* message = body.if_object();
  json::value* components = message ? message->if_contains("components") : nullptr;
  if (!components) return {};
  try {
    add_to(plugin, ledger, *components);
  } catch (const std::length_error& error) {
    return error.what();
  }
  return {};
}

std::string add_plugin_to_custom_ids(const std::string& plugin, const Ledger& ledger, std::string& body) {
  if (body.find("custom_id") == std::string::npos) return {};
  json::error_code error;
  json::value parsed = json::parse(body, error);
  if (error) return {};
  std::string why = add_plugin_to_custom_ids(plugin, ledger, parsed);
  if (why.empty()) body = json::serialize(parsed);
  return why;
}

}  // namespace trellis::host
