#include "commands/command_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

#include "commands/command_json.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::int64_t kEntryPoint = 4;  // PRIMARY_ENTRY_POINT
constexpr std::size_t kSlashMax = 100, kMenuMax = 15;

using Key = std::pair<std::int64_t, std::string>;
Key key_of(const json::object& command) {
  return {command.at("type").as_int64(), std::string(command.at("name").as_string())};
}

json::object in_form(const json::object& command, bool for_guild) {
  return for_guild ? normalised_for_guild(command) : normalised(command);
}

std::string short_text(const json::value* value) {
  constexpr std::size_t kMax = 100;
  if (!value) return "none";
  std::string text = json::serialize(*value);
  if (text.size() > kMax) {
    std::size_t end = kMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return text;
}

bool is_named_list(const json::value* value) {
  return value && value->is_array() && !value->get_array().empty() && value->get_array()[0].is_object();
}

void compare(const std::string& path, const json::object& from, const json::object& to,
             std::vector<std::string>& details);

/// Options and choices, by name.
void compare_lists(const std::string& path, const json::value* from, const json::value* to,
                   std::vector<std::string>& details) {
  static const json::array kNone;
  const json::array& before = from ? from->get_array() : kNone;
  const json::array& after = to ? to->get_array() : kNone;
  const auto named = [](const json::array& list, const json::value& name) -> const json::object* {
    for (const json::value& one : list)
      if (one.at("name") == name) return &one.get_object();
    return nullptr;
  };
  for (const json::value& one : before)
    if (!named(after, one.at("name")))
      details.push_back(fmt::format("{} {}: removed", path, std::string_view(one.at("name").as_string())));
  for (const json::value& one : after) {
    const std::string name = fmt::format("{} {}", path, std::string_view(one.at("name").as_string()));
    if (const json::object* other = named(before, one.at("name")))
      compare(name + ", ", *other, one.get_object(), details);
    else
      details.push_back(name + ": new");
  }
  const auto names = [](const json::array& list) {
    std::vector<std::string> all;
    for (const json::value& one : list) all.emplace_back(one.at("name").as_string());
    return all;
  };
  const auto old_order = names(before), new_order = names(after);
  if (old_order != new_order && std::ranges::is_permutation(old_order, new_order))
    details.push_back(path + ": in another order");
}

void compare(const std::string& path, const json::object& from, const json::object& to,
             std::vector<std::string>& details) {
  std::set<std::string> keys;
  for (const json::object* side : {&from, &to})
    for (const auto& member : *side) keys.emplace(std::string_view(member.key()));
  for (const std::string& key : keys) {
    const json::value* before = from.if_contains(key);
    const json::value* after = to.if_contains(key);
    if (before && after && *before == *after) continue;
    if (is_named_list(before) || is_named_list(after)) {
      compare_lists(path + (key == "options" ? "option" : "choice"), before, after, details);
      continue;
    }
    details.push_back(fmt::format("{}{}: {} -> {}", path, key, short_text(before), short_text(after)));
  }
}

}  // namespace

json::array CommandSet::body() const {
  json::array list;
  for (const WantedCommand& one : commands) list.push_back(one.command);
  return list;
}

CommandSet merged(const CommandWish& wish, bool for_guild) {
  CommandSet set;
  std::map<Key, WantedCommand> all;
  std::map<std::int64_t, std::size_t> counts;
  for (const auto& [plugin, commands] : wish.plugins) {
    for (const json::value& command : commands) {
      const Key key = key_of(command.get_object());
      const auto other = all.find(key);
      if (other != all.end()) {
        set.problems.push_back(fmt::format("{} is declared by plugin {} and by plugin {}; the one of {} is registered",
                                           command_title(command.get_object()), other->second.plugin, plugin,
                                           other->second.plugin));
        continue;
      }
      const std::size_t most = key.first == TL_COMMAND_SLASH ? kSlashMax : kMenuMax;
      if (counts[key.first] == most) {
        set.problems.push_back(fmt::format("{} of plugin {} is one too many: Discord takes {} commands of its type",
                                           command_title(command.get_object()), plugin, most));
        continue;
      }
      ++counts[key.first];
      all.emplace(key, WantedCommand{plugin, in_form(command.get_object(), for_guild)});
    }
  }
  for (auto& [key, command] : all) set.commands.push_back(std::move(command));
  return set;
}

void keep(CommandSet& set, const json::array& registered, bool everything) {
  std::set<Key> have;
  for (const WantedCommand& one : set.commands) have.insert(key_of(one.command));
  for (const json::value& one : registered) {
    if (!one.is_object()) continue;
    const Key key = key_of(normalised(one.get_object()));
    if ((!everything && key.first != kEntryPoint) || !have.insert(key).second) continue;
    json::object kept = normalised(one.get_object());
    if (const json::value* handler = one.get_object().if_contains("handler")) kept["handler"] = *handler;
    set.commands.push_back({"", std::move(kept)});
  }
}

std::vector<CommandChange> differences(const CommandSet& set, const json::array& registered, bool for_guild) {
  std::map<Key, json::object> before;
  for (const json::value& one : registered)
    if (one.is_object()) {
      json::object command = in_form(one.get_object(), for_guild);
      before[key_of(command)] = std::move(command);
    }
  std::vector<CommandChange> changes;
  for (const WantedCommand& wanted : set.commands) {
    const auto found = before.find(key_of(wanted.command));
    if (found == before.end()) {
      changes.push_back({CommandChange::Kind::Create, wanted.plugin, wanted.command, {}});
      continue;
    }
    CommandChange change{CommandChange::Kind::Change, wanted.plugin, wanted.command, {}};
    if (!wanted.plugin.empty()) compare("", found->second, wanted.command, change.details);
    before.erase(found);
    if (!change.details.empty()) changes.push_back(std::move(change));
  }
  for (auto& [key, command] : before) changes.push_back({CommandChange::Kind::Remove, "", std::move(command), {}});
  return changes;
}

std::string change_text(const CommandChange& change) {
  const char sign = change.kind == CommandChange::Kind::Create   ? '+'
                    : change.kind == CommandChange::Kind::Change ? '~'
                                                                 : '-';
  std::string text = fmt::format("{} {}", sign, command_title(change.command));
  if (!change.plugin.empty()) text += fmt::format(" ({})", change.plugin);
  for (const std::string& detail : change.details) text += "\n    " + detail;
  return text + "\n";
}

}  // namespace trellis::host
