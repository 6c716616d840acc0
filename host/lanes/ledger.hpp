// What one instance of a plugin declared in its Setup. Nobody ever unregisters: it goes with the instance.
#pragma once
#include <trellis/abi.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

struct Subscription {
  std::uint32_t type = 0;  // event_type()
  std::string type_name;
  std::uint32_t flags = 0;                      // TL_GUILDS_ONLY, TL_NO_BOTS
  std::vector<std::uint64_t> guilds, channels;  // sorted; empty: all
  tl_on_event handle = nullptr;
  void* self = nullptr;
};

/// By Discord's name of a locale: "de", "en-US". An empty text: none in that language.
struct LocalizedSpec {
  std::string name, text;
};
using LocalizedSpecs = std::map<std::string, LocalizedSpec>;

struct ChoiceSpec {
  using Value = std::variant<std::string, std::int64_t, double>;
  std::string name;  // what is shown
  Value value;
  LocalizedSpecs localized = {};
};

struct ParamSpec {
  std::string name, text;
  std::uint32_t value_kind = TL_TEXT;
  std::uint32_t flags = 0;  // TL_PARAM_*
  bool required = false;
  double min = 0, max = 0;  // as in tl_param
  std::vector<ChoiceSpec> choices;
  std::vector<std::uint32_t> channel_types;  // empty: all
  LocalizedSpecs localized;
  tl_on_request suggest = nullptr;
  void* self = nullptr;
};

/// A command, command group, component, form, route, method, job or start.
struct EntrySpec {
  std::uint32_t kind = 0;  // TL_START ...
  std::string name, text, schedule, zone;
  std::vector<ParamSpec> params;
  std::uint64_t permissions = 0;
  std::uint32_t flags = 0;  // TL_ENTRY_*
  std::uint32_t at_once = 1, at_once_per_group = 0, limit_count = 0, limit_per = 0;
  std::int64_t limit_window_us = 0, timeout_us = 0;
  std::uint32_t command_type = 0;            // of commands never 0: TL_COMMAND_SLASH ...
  std::uint32_t contexts = 0, installs = 0;  // TL_CONTEXT_*, TL_INSTALL_*; 0: not said
  LocalizedSpecs localized;
  tl_on_request handle = nullptr;
  void* self = nullptr;
};

struct MetricSpec {
  std::uint32_t kind = 0;
  std::string name, help;
  std::vector<std::string> labels;
};

struct Ledger {
  std::vector<Subscription> subscriptions;
  std::vector<EntrySpec> entries;
  std::vector<TableShape> tables;
  std::vector<MetricSpec> metrics;
  std::set<std::string> needs;       // "intent:MESSAGE_CONTENT", "cache:voice_states"
  std::int64_t commit_every_us = 0;  // 0: the host's default

  /// Of commands: one of this type. "level" may be a slash command and a user command.
  const EntrySpec* find(std::uint32_t kind, std::string_view name,
                        std::uint32_t command_type = TL_COMMAND_SLASH) const {
    for (const EntrySpec& entry : entries)
      if (entry.kind == kind && entry.name == name && (kind != TL_COMMAND || entry.command_type == command_type))
        return &entry;
    return nullptr;
  }

  /// What suggests values for a parameter of a command, as an entry; none: nothing does.
  std::optional<EntrySpec> suggestion(std::string_view command, std::string_view param) const {
    const EntrySpec* entry = find(TL_COMMAND, command);
    for (std::size_t i = 0; entry && i < entry->params.size(); ++i) {
      const ParamSpec& one = entry->params[i];
      if (one.name != param || !one.suggest) continue;
      EntrySpec found = *entry;
      found.kind = TL_SUGGEST;
      found.limit_count = 0;
      found.handle = one.suggest;
      found.self = one.self;
      return found;
    }
    return std::nullopt;
  }
};

}  // namespace trellis::host
