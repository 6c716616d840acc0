#include "commands/command_json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/value.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include "commands/command_names.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kDescriptionMax = 100;

std::int64_t type_of(const json::object& object, std::int64_t otherwise) {
  const json::value* type = object.if_contains("type");
  json::error_code error;
  const std::int64_t number = type && type->is_number() ? type->to_number<std::int64_t>(error) : otherwise;
  return error ? otherwise : number;
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

// ---- from a ledger ----

void add_localized(json::object& to, const LocalizedSpecs& localized) {
  json::object names, texts;
  for (const auto& [locale, one] : localized) {
    if (!one.name.empty()) names[locale] = one.name;
    if (!one.text.empty()) texts[locale] = one.text;
  }
  if (!names.empty()) to["name_localizations"] = std::move(names);
  if (!texts.empty()) to["description_localizations"] = std::move(texts);
}

json::value value_of(const ChoiceSpec& choice) {
  return std::visit([](const auto& value) { return json::value(value); }, choice.value);
}

void add_limits(json::object& to, const ParamSpec& param, OptionType type) {
  if (param.min == 0 && param.max == 0) return;
  const auto put = [&](const char* key, double limit) {
    if (std::isfinite(limit)) to[key] = limit;
  };
  if (type == OptionType::String && param.value_kind == TL_TEXT) {
    put("min_length", param.min);
    put("max_length", param.max);
  } else if (type == OptionType::Integer || type == OptionType::Number) {
    put("min_value", param.min);
    put("max_value", param.max);
  }
}

json::object option_of(const ParamSpec& param) {
  const OptionType type = option_type(param);
  json::object option{{"type", static_cast<int>(type)},
                      {"name", param.name},
                      {"description", param.text.empty() ? param.name : param.text}};
  add_localized(option, param.localized);
  if (param.required) option["required"] = true;
  if (param.suggest) option["autocomplete"] = true;
  json::array choices;
  for (const ChoiceSpec& choice : param.choices) {
    json::object& one =
        choices.emplace_back(json::object{{"name", choice.name}, {"value", value_of(choice)}}).as_object();
    add_localized(one, choice.localized);
  }
  if (!choices.empty()) option["choices"] = std::move(choices);
  if (!param.channel_types.empty())
    option["channel_types"] = json::array(param.channel_types.begin(), param.channel_types.end());
  add_limits(option, param, type);
  return option;
}

json::array options_of(const EntrySpec& entry) {
  json::array options;
  for (const ParamSpec& param : entry.params) options.push_back(option_of(param));
  return options;
}

/// What Discord knows of a command only as a whole, of all its subcommands together.
struct Common {
  std::optional<std::uint64_t> permissions;  // what each of them needs
  std::uint32_t contexts = 0, installs = 0;  // where any of them can be used
  bool nsfw = false;

  void add(const EntrySpec& entry) {
    permissions = permissions ? *permissions & entry.permissions : entry.permissions;
    installs |= entry.installs ? entry.installs : TL_INSTALL_GUILD;
    contexts |= entry.contexts                            ? entry.contexts
                : (entry.flags & TL_ENTRY_GUILDS_ONLY)    ? TL_CONTEXT_GUILD
                : (entry.installs & TL_INSTALL_USER) != 0 ? TL_CONTEXT_GUILD | TL_CONTEXT_BOT_DM | TL_CONTEXT_PRIVATE
                                                          : TL_CONTEXT_GUILD | TL_CONTEXT_BOT_DM;
    nsfw = nsfw || (entry.flags & TL_ENTRY_NSFW) != 0;
  }
  void write(json::object& command) const {
    command["default_member_permissions"] = nullptr;
    if (permissions.value_or(0) != 0) command["default_member_permissions"] = std::to_string(*permissions);
    json::array where, by;
    for (int bit = 0; bit < 3; ++bit)
      if (contexts & (1u << bit)) where.push_back(bit);
    for (int bit = 0; bit < 2; ++bit)
      if (installs & (1u << bit)) by.push_back(bit);
    command["contexts"] = std::move(where);
    command["integration_types"] = std::move(by);
    command["nsfw"] = nsfw;
  }
};

/// A command with subcommands, or a group of them.
struct Tree {
  const EntrySpec* group = nullptr;  // how it is described; may be null
  std::vector<const EntrySpec*> commands;
  std::map<std::string, Tree> groups;
};

/// Named by what is in it, when its author says nothing.
std::string description_of(const Tree& tree) {
  if (tree.group && !tree.group->text.empty()) return tree.group->text;
  std::vector<std::string> names;
  for (const EntrySpec* command : tree.commands) names.push_back(command_words(command->name).back());
  for (const auto& [name, group] : tree.groups) names.push_back(name);
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (characters(text) > kDescriptionMax) {
    std::size_t end = kDescriptionMax - 4;  // of bytes: never more characters
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    text += " …";
  }
  return text;
}

json::object tree_json(const std::string& name, const Tree& tree, int type) {
  json::object object{{"type", type}, {"name", name}, {"description", description_of(tree)}};
  if (tree.group) add_localized(object, tree.group->localized);
  json::array options;
  for (const EntrySpec* command : tree.commands) {
    json::object one{{"type", static_cast<int>(OptionType::Subcommand)},
                     {"name", command_words(command->name).back()},
                     {"description", command->text}};
    add_localized(one, command->localized);
    if (json::array of = options_of(*command); !of.empty()) one["options"] = std::move(of);
    options.push_back(std::move(one));
  }
  for (const auto& [group, of] : tree.groups)
    options.push_back(tree_json(group, of, static_cast<int>(OptionType::Group)));
  object["options"] = std::move(options);
  return object;
}

// ---- to what can be compared ----

/// 1 and 1.0 are the same to Discord.
json::value plain_number(const json::value& value) {
  if (const auto* number = value.if_uint64(); number && *number <= std::numeric_limits<std::int64_t>::max())
    return static_cast<std::int64_t>(*number);
  constexpr double kExact = 9007199254740992;  // 2^53
  if (!value.is_double() || std::abs(value.get_double()) > kExact) return value;
  const double number = value.get_double();
  return std::floor(number) == number ? json::value(static_cast<std::int64_t>(number)) : value;
}

void copy_localized(json::object& to, const json::object& from) {
  for (const char* key : {"name_localizations", "description_localizations"}) {
    const json::value* given = from.if_contains(key);
    if (!given || !given->is_object()) continue;
    json::object kept;
    for (const auto& [locale, text] : given->get_object())
      if (text.is_string()) kept[locale] = text;
    if (!kept.empty()) to[key] = std::move(kept);
  }
}

json::array sorted_numbers(const json::value& given) {
  std::vector<std::int64_t> numbers;
  for (const json::value& one : given.get_array())
    if (const json::value plain = plain_number(one); plain.is_int64()) numbers.push_back(plain.get_int64());
  std::sort(numbers.begin(), numbers.end());
  return json::array(numbers.begin(), numbers.end());
}

void copy_numbers(json::object& to, const json::object& from, const char* key) {
  const json::value* given = from.if_contains(key);
  if (given && given->is_array() && !given->get_array().empty()) to[key] = sorted_numbers(*given);
}

json::array normalised_options(const json::value* given);

json::object normalised_option(const json::object& option) {
  json::object out{
      {"type", type_of(option, 0)}, {"name", text_at(option, "name")}, {"description", text_at(option, "description")}};
  copy_localized(out, option);
  for (const char* key : {"required", "autocomplete"})
    if (const json::value* flag = option.if_contains(key); flag && flag->is_bool() && flag->get_bool()) out[key] = true;
  for (const char* key : {"min_value", "max_value", "min_length", "max_length"}) {
    const json::value* limit = option.if_contains(key);
    if (!limit || !limit->is_number()) continue;
    const json::value plain = plain_number(*limit);
    const bool none = std::string_view(key) == "min_length" && plain.is_int64() && plain.get_int64() == 0;
    if (!none) out[key] = plain;
  }
  copy_numbers(out, option, "channel_types");
  if (const json::value* given = option.if_contains("choices"); given && given->is_array()) {
    json::array choices;
    for (const json::value& one : given->get_array()) {
      if (!one.is_object()) continue;
      json::object choice{{"name", text_at(one.get_object(), "name")}};
      if (const json::value* value = one.get_object().if_contains("value")) choice["value"] = plain_number(*value);
      copy_localized(choice, one.get_object());
      choices.push_back(std::move(choice));
    }
    if (!choices.empty()) out["choices"] = std::move(choices);
  }
  if (json::array options = normalised_options(option.if_contains("options")); !options.empty())
    out["options"] = std::move(options);
  return out;
}

json::array normalised_options(const json::value* given) {
  json::array out;
  if (!given || !given->is_array()) return out;
  for (const json::value& one : given->get_array())
    if (one.is_object()) out.push_back(normalised_option(one.get_object()));
  return out;
}

}  // namespace

OptionType option_type(const ParamSpec& param) {
  switch (param.value_kind) {
    case TL_TEXT:
    case TL_DAY:
    case TL_TIME:
      return OptionType::String;
    case TL_INT:
      return OptionType::Integer;
    case TL_BOOL:
      return OptionType::Boolean;
    case TL_REAL:
      return OptionType::Number;
    case TL_ID:
      break;
    default:
      return (param.flags & 0xFF00) == TL_PARAM_ATTACHMENT ? OptionType::Attachment : OptionType::None;
  }
  switch (param.flags & 0xFF00) {
    case TL_PARAM_USER:
      return OptionType::User;
    case TL_PARAM_CHANNEL:
      return OptionType::Channel;
    case TL_PARAM_ROLE:
      return OptionType::Role;
    case TL_PARAM_MENTIONABLE:
      return OptionType::Mentionable;
    default:
      return OptionType::String;  // the id of a message, say
  }
}

std::vector<std::string> command_words(const std::string& name) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find(' ', at), name.size());
    words.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

json::array commands_of(const Ledger& ledger) {
  std::map<std::pair<std::int64_t, std::string>, json::object> commands;
  std::map<std::string, Tree> trees;
  std::map<std::string, Common> common;
  for (const EntrySpec& entry : ledger.entries) {
    if (entry.kind != TL_COMMAND) continue;
    const auto words = command_words(entry.name);
    if (entry.command_type == TL_COMMAND_SLASH && words.size() > 1) {
      common[words[0]].add(entry);
      Tree& tree = trees[words[0]];
      (words.size() > 2 ? tree.groups[words[1]] : tree).commands.push_back(&entry);
      continue;
    }
    json::object command{{"type", entry.command_type}, {"name", entry.name}, {"description", entry.text}};
    add_localized(command, entry.localized);
    if (json::array options = options_of(entry); !options.empty()) command["options"] = std::move(options);
    Common one;
    one.add(entry);
    one.write(command);
    commands[{entry.command_type, entry.name}] = std::move(command);
  }
  for (const EntrySpec& entry : ledger.entries) {
    if (entry.kind != TL_COMMAND_GROUP) continue;
    const auto words = command_words(entry.name);
    const auto tree = trees.find(words[0]);
    if (tree == trees.end()) continue;
    if (words.size() == 1)
      tree->second.group = &entry;
    else if (const auto group = tree->second.groups.find(words[1]); group != tree->second.groups.end())
      group->second.group = &entry;
  }
  for (const auto& [name, tree] : trees) {
    json::object command = tree_json(name, tree, TL_COMMAND_SLASH);
    common[name].write(command);
    commands[{TL_COMMAND_SLASH, name}] = std::move(command);
  }
  json::array list;
  for (const auto& [key, command] : commands) list.push_back(normalised(command));
  return list;
}

json::object normalised(const json::object& command) {
  const std::int64_t type = type_of(command, TL_COMMAND_SLASH);
  json::object out{{"type", type},
                   {"name", text_at(command, "name")},
                   {"description", type == TL_COMMAND_SLASH ? text_at(command, "description") : std::string_view()}};
  copy_localized(out, command);
  if (json::array options = normalised_options(command.if_contains("options")); !options.empty())
    out["options"] = std::move(options);
  const std::string_view permissions = text_at(command, "default_member_permissions");
  out["default_member_permissions"] = permissions.empty() ? json::value() : json::value(permissions);
  copy_numbers(out, command, "contexts");
  copy_numbers(out, command, "integration_types");
  const json::value* nsfw = command.if_contains("nsfw");
  out["nsfw"] = nsfw && nsfw->is_bool() && nsfw->get_bool();
  return out;
}

json::object normalised_for_guild(const json::object& command) {
  json::object out = normalised(command);
  out.erase("contexts");
  out.erase("integration_types");
  return out;
}

std::size_t command_size(const json::object& command) {
  std::size_t size = characters(text_at(command, "name")) + characters(text_at(command, "description"));
  // Discord counts the longest of the localisations.
  for (const auto& [key, plain] :
       {std::pair{"name_localizations", "name"}, std::pair{"description_localizations", "description"}}) {
    const json::value* localized = command.if_contains(key);
    if (!localized || !localized->is_object()) continue;
    const std::size_t own = characters(text_at(command, plain));
    std::size_t longest = own;
    for (const auto& [locale, text] : localized->get_object())
      if (text.is_string()) longest = std::max(longest, characters(text.get_string()));
    size += longest - own;
  }
  for (const char* key : {"options", "choices"})
    if (const json::value* list = command.if_contains(key); list && list->is_array())
      for (const json::value& one : list->get_array())
        if (one.is_object()) size += command_size(one.get_object());
  if (const json::value* value = command.if_contains("value"); value && value->is_string())
    size += characters(value->get_string());
  return size;
}

std::string command_title(const json::object& command) {
  const std::string_view name = text_at(command, "name");
  switch (type_of(command, TL_COMMAND_SLASH)) {
    case TL_COMMAND_SLASH:
      return fmt::format("/{}", name);
    case TL_COMMAND_USER:
      return fmt::format("user command \"{}\"", name);
    case TL_COMMAND_MESSAGE:
      return fmt::format("message command \"{}\"", name);
    default:
      return fmt::format("entry point \"{}\"", name);
  }
}

}  // namespace trellis::host
