// Commands of plugins at Discord, and `trellis ctl commands`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "commands/command_json.hpp"
#include "host_control.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr const char* kUsage = "trellis ctl commands list|diff|sync [--json]";

/// "channel? days?" of a command, "list(page?), add(name)" of one with subcommands.
std::string options_text(const json::object& command) {
  const json::value* options = command.if_contains("options");
  if (!options) return {};
  std::vector<std::string> parts;
  bool nested = false;
  for (const json::value& one : options->get_array()) {
    const json::object& option = one.get_object();
    std::string part(option.at("name").as_string());
    if (option.at("type").as_int64() <= static_cast<int>(OptionType::Group)) {
      nested = true;
      if (const std::string inner = options_text(option); !inner.empty()) part += "(" + inner + ")";
    } else if (!option.contains("required")) {
      part += "?";
    }
    parts.push_back(std::move(part));
  }
  return fmt::format("{}", fmt::join(parts, nested ? ", " : " "));
}

const char* name_of(CommandChange::Kind kind) {
  switch (kind) {
    case CommandChange::Kind::Create:
      return "create";
    case CommandChange::Kind::Change:
      return "change";
    case CommandChange::Kind::Remove:
      break;
  }
  return "remove";
}

template <class List>
json::array texts(const List& list) {
  json::array array;
  for (const std::string& text : list) array.emplace_back(text);
  return array;
}

ControlAnswer list_commands(const CommandSet& set, const std::vector<std::string>& unknown,
                            const CommandRegistrar& registrar, bool as_json) {
  std::string text;
  json::array commands;
  for (const WantedCommand& one : set.commands) {
    text += fmt::format("{:<32} {:<20} {}\n", command_title(one.command), one.plugin, options_text(one.command));
    commands.push_back(json::object{{"plugin", one.plugin}, {"command", one.command}});
  }
  if (text.empty()) text = "no enabled plugin has commands\n";
  for (const std::string& plugin : unknown)
    text += fmt::format("{}: never loaded here; while that is so, no registered command is removed\n", plugin);
  for (const std::string& problem : set.problems) text += "left out: " + problem + "\n";
  const std::string last = registrar.last();
  text += fmt::format("registered {}; the last look: {}\n", registrar.where(), last.empty() ? "none yet" : last);
  if (!as_json) return {kExitOk, text, ""};
  return {kExitOk,
          json::serialize(json::object{{"commands", std::move(commands)},
                                       {"unknown", texts(unknown)},
                                       {"problems", texts(set.problems)},
                                       {"where", registrar.where()},
                                       {"last", last}}) +
              "\n",
          ""};
}

ControlAnswer show_report(const SyncReport& report, bool dry_run, const std::string& where, bool as_json) {
  if (!report.ok()) return refuse(fmt::format("{}", fmt::join(report.errors, "\n")));
  std::string text;
  json::array changes;
  for (const CommandChange& change : report.changes) {
    text += change_text(change);
    changes.push_back(json::object{{"change", name_of(change.kind)},
                                   {"plugin", change.plugin},
                                   {"command", command_title(change.command)},
                                   {"details", texts(change.details)}});
  }
  for (const std::string& server : report.left_servers)
    text += fmt::format("- every command of server {}, an earlier development guild\n", server);
  for (const std::string& problem : report.problems) text += "left out: " + problem + "\n";
  switch (report.outcome) {
    case SyncReport::Outcome::Unchanged:
      text += fmt::format("what is registered {} is what the plugins declare\n", where);
      break;
    case SyncReport::Outcome::LeftAlone:
      text += "no enabled plugin has commands, and this host registered none; what is registered is left alone\n";
      break;
    default:
      if (!dry_run) text += fmt::format("registered {}\n", where);
  }
  if (!as_json) return {kExitOk, text, ""};
  return {kExitOk,
          json::serialize(json::object{{"where", where},
                                       {"written", !dry_run && report.outcome == SyncReport::Outcome::Written},
                                       {"changes", std::move(changes)},
                                       {"left_servers", texts(report.left_servers)},
                                       {"problems", texts(report.problems)}}) +
              "\n",
          ""};
}

}  // namespace

void Host::Impl::open_registrar() {
  RegistrarOptions options;
  options.call = [this](RestRequest request, std::stop_token stop) {
    return rest->call(std::move(request), std::move(stop));
  };
  options.application = [this](std::stop_token stop) { return application_id(std::move(stop)); };
  options.wish = [this] {
    enabled->look_again();
    return enabled->commands();
  };
  options.places = [this] { return host_namespace->command_places(); };
  options.set_place = [this](const std::string& server, std::int64_t commands) {
    host_namespace->set_command_place(server, commands);
  };
  options.server = config.discord.development_guild;
  options.automatic = config.discord.register_commands;
  options.metrics = &metrics;
  registrar = std::make_unique<CommandRegistrar>(std::move(options));
}

ControlAnswer Host::Impl::control_commands(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  std::vector<std::string> rest_of(words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)), words.end());
  const bool as_json = std::erase(rest_of, "--json") > 0;
  if (!rest_of.empty() || (what != "list" && what != "diff" && what != "sync")) return refuse(kUsage, kExitUsage);
  if (what == "list") return list_commands(registrar->wanted(), enabled->commands().unknown, *registrar, as_json);
  const bool dry_run = what == "diff";
  return show_report(registrar->sync(dry_run), dry_run, registrar->where(), as_json);
}

}  // namespace trellis::host
