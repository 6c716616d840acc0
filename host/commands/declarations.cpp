#include "commands/declarations.hpp"

#include <fmt/format.h>

#include <boost/json/value.hpp>
#include <cmath>
#include <set>

#include "commands/command_json.hpp"
#include "commands/command_names.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kOptionsMax = 25, kChoicesMax = 25, kTextMax = 100, kSizeMax = 8000, kWordsMax = 3;
constexpr std::size_t kTitleMax = 45, kLabelMax = 45, kInputsMax = 5, kCustomIdMax = 100, kDataMax = 60;
constexpr double kLengthMax = 6000, kInputLengthMax = 4000, kWholeMax = 9007199254740992;  // 2^53
constexpr std::uint32_t kKnownContexts = 7, kKnownInstalls = 3, kChannelTypeMax = 16;

class Checker {
 public:
  explicit Checker(const std::string& plugin) : plugin_(plugin) {}

  void command(const EntrySpec& entry) {
    const bool slash = entry.command_type == TL_COMMAND_SLASH;
    where_ = slash                                   ? fmt::format("command \"{}\"", entry.name)
             : entry.command_type == TL_COMMAND_USER ? fmt::format("user command \"{}\"", entry.name)
                                                     : fmt::format("message command \"{}\"", entry.name);
    if (slash) {
      words(entry.name, kWordsMax);
      say("its text", check_length(entry.text, 1, kTextMax));
    } else {
      say("its name", check_menu_name(entry.name));
    }
    localized(entry.localized, slash);
    if ((entry.contexts & ~kKnownContexts) || (entry.installs & ~kKnownInstalls))
      add("it names a context or an installation that Discord does not have");
    if ((entry.flags & TL_ENTRY_GUILDS_ONLY) && (entry.contexts & ~static_cast<std::uint32_t>(TL_CONTEXT_GUILD)))
      add("guilds_only() and contexts() exclude each other");
    if ((entry.contexts & TL_CONTEXT_PRIVATE) && !(entry.installs & TL_INSTALL_USER))
      add("Context::PrivateChannel is only for what users install: say installs({Install::User}) too");
    options(entry);
  }

  void group(const EntrySpec& entry, const Ledger& ledger) {
    where_ = fmt::format("command group \"{}\"", entry.name);
    words(entry.name, kWordsMax - 1);
    say("its text", check_length(entry.text, 1, kTextMax));
    localized(entry.localized, true);
    for (const EntrySpec& other : ledger.entries)
      if (other.kind == TL_COMMAND && other.name.starts_with(entry.name + " ")) return;
    add(fmt::format("no command begins with \"{} \"", entry.name));
  }

  /// Of all subcommands together, which Discord knows as one command.
  void whole(const json::object& command) {
    where_ = command_title(command);
    if (const std::size_t size = command_size(command); size > kSizeMax)
      add(fmt::format("its names, texts and choices have {} characters together, at most {} are allowed", size,
                      kSizeMax));
    if (const json::value* list = command.if_contains("options")) list_size(list->get_array());
  }

  void component(const EntrySpec& entry) {
    where_ = fmt::format("component \"{}\"", entry.name);
    custom_id(entry.name);
  }

  void form(const EntrySpec& entry) {
    where_ = fmt::format("form \"{}\"", entry.name);
    custom_id(entry.name);
    say("its title", check_length(entry.text, 1, kTitleMax));
    if (entry.params.empty()) add("it has no input; declare 1 to 5 with param(…)");
    if (entry.params.size() > kInputsMax)
      add(fmt::format("it has {} inputs, Discord shows at most {}", entry.params.size(), kInputsMax));
    std::set<std::string> names;
    for (const ParamSpec& param : entry.params) {
      const std::string what = fmt::format("input \"{}\"", param.name);
      say(what + ": its name", check_length(param.name, 1, kCustomIdMax));
      say(what + ": its label", check_length(param.text.empty() ? param.name : param.text, 1, kLabelMax));
      if (!names.insert(param.name).second) add(what + " is declared twice");
      input(what, param, option_type(param));
    }
  }

  std::vector<std::string> complaints;

 private:
  void add(std::string_view why) { complaints.push_back(fmt::format("{}: {}", where_, why)); }
  void say(std::string_view what, const std::string& why) {
    if (!why.empty()) add(fmt::format("{} {}", what, why));
  }

  void words(const std::string& name, std::size_t most) {
    const auto list = command_words(name);
    if (list.size() > most)
      add(fmt::format("Discord knows a command, a group in it and a subcommand in that; this has {} words",
                      list.size()));
    for (const std::string& word : list) say(fmt::format("\"{}\" in its name", word), check_slash_name(word));
  }

  void localized(const LocalizedSpecs& list, bool slash) {
    for (const auto& [locale, one] : list) {
      if (!is_locale(locale)) add(fmt::format("\"{}\" is none of Discord's locales, which are like \"de\"", locale));
      if (!one.name.empty())
        say(fmt::format("its name in {}", locale), slash ? check_slash_name(one.name) : check_menu_name(one.name));
      if (!one.text.empty()) say(fmt::format("its text in {}", locale), check_length(one.text, 1, kTextMax));
    }
  }

  void custom_id(const std::string& name) {
    if (name.find(':') != std::string::npos) add("its name must not have a \":\"");
    const std::size_t most = kCustomIdMax - kDataMax - 2;  // "plugin:name:data"
    if (plugin_.size() + name.size() > most)
      add(
          fmt::format("the plugin's id and its name have {} bytes together, at most {} are allowed: Discord keeps {} "
                      "with a button, and {} of them are for its data",
                      plugin_.size() + name.size(), most, kCustomIdMax, kDataMax));
  }

  void options(const EntrySpec& entry) {
    if (entry.params.size() > kOptionsMax)
      add(fmt::format("it has {} options, at most {} are allowed", entry.params.size(), kOptionsMax));
    std::set<std::string> names;
    const ParamSpec* optional = nullptr;
    for (const ParamSpec& param : entry.params) {
      const std::string what = fmt::format("option \"{}\"", param.name);
      say(what + ": its name", check_slash_name(param.name));
      if (!param.text.empty()) say(what + ": its text", check_length(param.text, 1, kTextMax));
      const std::string command = where_;
      where_ += ", " + what;
      localized(param.localized, true);
      where_ = command;
      if (!names.insert(param.name).second) add(what + " is declared twice");
      if (!param.required) optional = &param;
      if (param.required && optional)
        add(fmt::format("{} is required and comes after \"{}\", which is not: required ones go first", what,
                        optional->name));
      option(what, param, option_type(param));
    }
  }

  /// Of a form: nothing that was declared is left out without a word.
  void input(const std::string& what, const ParamSpec& param, OptionType type) {
    const bool text = type == OptionType::String, whole = type == OptionType::Integer,
               number = whole || type == OptionType::Number;
    if (param.suggest) add(what + ": suggest() is for options of commands");
    if (!param.localized.empty()) add(what + ": localized() is for options of commands");
    if (param.value_kind == TL_TEXT) {
      lengths(what, param, kInputLengthMax);
    } else if ((param.min != 0 || param.max != 0) && !number) {
      add(what + ": min() and max() are for numbers, and for the length of texts");
    }
    if ((param.flags & TL_PARAM_PARAGRAPH) && (!text || !param.choices.empty()))
      add(what + ": paragraph() is for texts that are written");
    channel_types(what, param, type);
    choices(what, param, text, whole, number);
    std::set<ChoiceSpec::Value> values;
    for (const ChoiceSpec& choice : param.choices)
      if (!values.insert(choice.value).second)
        add(fmt::format("{}, choice \"{}\": another one has the same value", what, choice.name));
  }

  void channel_types(const std::string& what, const ParamSpec& param, OptionType type) {
    if (!param.channel_types.empty() && type != OptionType::Channel)
      add(what + ": channels() is for an option that is a ChannelId");
    for (const std::uint32_t channel : param.channel_types)
      if (channel > kChannelTypeMax) add(fmt::format("{}: Discord has no channel type {}", what, channel));
  }

  void option(const std::string& what, const ParamSpec& param, OptionType type) {
    const bool text = type == OptionType::String, whole = type == OptionType::Integer,
               number = whole || type == OptionType::Number;
    if (type == OptionType::None) add(what + ": Discord has no options of this type");
    if (param.min != 0 || param.max != 0) {
      if (text && param.value_kind == TL_TEXT) {
        lengths(what, param, kLengthMax);
      } else if (!number) {
        add(what + ": min() and max() are for numbers, and for the length of texts");
      } else {
        if (param.min > param.max) add(what + ": its min() is above its max()");
        for (const double limit : {param.min, param.max})
          if (std::isfinite(limit) && (std::abs(limit) > kWholeMax || (whole && std::floor(limit) != limit)))
            add(what + ": a limit must be a whole number for whole numbers, and within 2^53");
      }
    }
    if (param.suggest && !text && !number) add(what + ": suggest() is for texts and numbers");
    if (param.suggest && !param.choices.empty()) add(what + ": choices() and suggest() exclude each other");
    channel_types(what, param, type);
    choices(what, param, text, whole, number);
  }

  void lengths(const std::string& what, const ParamSpec& param, double most) {
    if (param.min == 0 && param.max == 0) return;
    if (param.min < 0 || param.min > most || (std::isfinite(param.max) && (param.max < 1 || param.max > most)))
      add(fmt::format("{}: the length of a text is between 0 and {}", what, most));
    if (param.min > param.max) add(what + ": its min() is above its max()");
  }

  void choices(const std::string& what, const ParamSpec& param, bool text, bool whole, bool number) {
    if (param.choices.empty()) return;
    if (!text && !number) {
      add(what + ": choices() are for texts and numbers");
      return;
    }
    if (param.choices.size() > kChoicesMax)
      add(fmt::format("{} has {} choices, at most {} are allowed; suggest() has no limit", what, param.choices.size(),
                      kChoicesMax));
    std::set<std::string> names;
    for (const ChoiceSpec& choice : param.choices) {
      const std::string which = fmt::format("{}, choice \"{}\"", what, choice.name);
      say(which + ": its name", check_length(choice.name, 1, kTextMax));
      if (!names.insert(choice.name).second) add(which + " is there twice");
      for (const auto& [locale, one] : choice.localized) {
        if (!is_locale(locale)) add(fmt::format("{}: \"{}\" is none of Discord's locales", which, locale));
        say(fmt::format("{}: its name in {}", which, locale), check_length(one.name, 1, kTextMax));
      }
      const std::string* const word = std::get_if<std::string>(&choice.value);
      const std::int64_t* const integer = std::get_if<std::int64_t>(&choice.value);
      const double* const real = std::get_if<double>(&choice.value);
      if (text != (word != nullptr) || (whole && real))
        add(fmt::format("{}: its value must be {}", which, text ? "a text" : whole ? "a whole number" : "a number"));
      if (word && text) say(which + ": its value", check_length(*word, 1, kTextMax));
      if ((integer && std::abs(static_cast<double>(*integer)) > kWholeMax) || (real && !(std::abs(*real) <= kWholeMax)))
        add(which + ": its value must be within 2^53");
    }
  }

  /// Subcommands and groups in one list.
  void list_size(const json::array& list) {
    bool nested = false;
    for (const json::value& one : list) {
      const std::int64_t type = one.at("type").as_int64();
      nested = nested || type <= static_cast<int>(OptionType::Group);
      const json::value* inner = one.as_object().if_contains("options");
      if (type != static_cast<int>(OptionType::Group) || !inner || inner->get_array().size() <= kOptionsMax) continue;
      add(fmt::format("the group \"{}\" has {} subcommands, at most {} are allowed",
                      std::string_view(one.at("name").as_string()), inner->get_array().size(), kOptionsMax));
    }
    if (nested && list.size() > kOptionsMax)
      add(fmt::format("it has {} subcommands and groups, at most {} are allowed", list.size(), kOptionsMax));
    std::set<std::string_view> names;
    for (const json::value& one : list)
      if (nested && !names.insert(one.at("name").as_string()).second)
        add(fmt::format("\"{}\" is a group and a subcommand at once", std::string_view(one.at("name").as_string())));
  }

  const std::string& plugin_;
  std::string where_;
};

}  // namespace

std::vector<std::string> check_declarations(const std::string& plugin, const Ledger& ledger) {
  Checker check(plugin);
  for (const EntrySpec& entry : ledger.entries) {
    if (entry.kind == TL_COMMAND) check.command(entry);
    if (entry.kind == TL_COMMAND_GROUP) check.group(entry, ledger);
    if (entry.kind == TL_COMPONENT) check.component(entry);
    if (entry.kind == TL_MODAL) check.form(entry);
  }
  if (!check.complaints.empty()) return std::move(check.complaints);
  for (const json::value& command : commands_of(ledger)) check.whole(command.get_object());
  return std::move(check.complaints);
}

}  // namespace trellis::host
