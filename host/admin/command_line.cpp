#include "admin/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>
#include <charconv>
#include <set>

#include "admin/control_help.hpp"

namespace trellis::host {
namespace {

namespace po = boost::program_options;
using Words = std::vector<std::string>;

constexpr const char* kHelp = R"(Trellis, a host for Discord bot features as plugins.

  trellis run [OPTIONS]            run the bot until SIGINT or SIGTERM
  trellis check-config [OPTIONS]   check settings and plugins.conf, start nothing
  trellis check FILE.so [OPTIONS]  say whether a host would load this plugin, and what it holds
  trellis ctl [OPTIONS] WORD...    tell the running host something: `trellis ctl help`
  trellis journal stat|cat|verify  look at the journals of a state directory, whether a host runs or not
  trellis config-reference         print every setting with its meaning and default
  trellis --version
  trellis --help, trellis COMMAND --help

The bot's token comes from DISCORD_TOKEN, in the environment or in .env, or from the file that discord.token_file names.
)";

constexpr const char* kExitCodes = R"(
Exit codes:
  0  done
  1  failed while it ran
  2  the command line is wrong
  3  the settings are wrong
  4  there is no token, or Discord refused it
  5  a plugin refused to start
  6  the state directory or the store is used by another host
  7  the store cannot be reached
  8  told to end, it had to give up what did not end in time (shutdown.deadline); the next start goes on from what is
     committed. No reason to start it again by itself
)";

const char* usage_of(const std::string& command) {
  if (command == "run") return "trellis run [OPTIONS]\n\nRuns the bot until SIGINT or SIGTERM.\n\n";
  if (command == "check-config")
    return "trellis check-config [OPTIONS]\n\nReads everything that `trellis run` would read and says what is wrong "
           "with "
           "it.\n\n";
  if (command == "check")
    return "trellis check FILE.so [OPTIONS]\n\nReads a plugin's file without running it, then makes an instance of it "
           "in "
           "a child process, and says what a host\nwould refuse (exit code 5) or warn of. With --config or --plugins "
           "it "
           "gets its settings from there.\n\n";
  if (command == "journal stat")
    return "trellis journal stat [OPTIONS]\n\nWhat each shard's journal holds: segments, records, positions and "
           "times.\n\n";
  if (command == "journal cat")
    return "trellis journal cat [OPTIONS]\n\nPrints dispatches as lines of JSON, oldest first.\n\n";
  if (command == "journal verify")
    return "trellis journal verify [OPTIONS]\n\nChecks every record of every segment. Exit code 1 when one is bad.\n\n";
  return "trellis ctl [OPTIONS] WORD...\n\nPasses the words to the running host and prints its answer. `trellis ctl "
         "help` "
         "lists them.\nOptions stand before the first word.\n\n";
}

po::options_description options_of(const std::string& command) {
  po::options_description all("Options", 110);
  auto add = all.add_options();
  add("help,h", "print this and exit");
  add("config", po::value<std::string>()->value_name("FILE"),
      "the settings (default: etc/trellis.conf when it exists)");
  if (command.starts_with("journal ")) {
    add("shard", po::value<std::string>()->value_name("ID"), "that shard's journal only");
  }
  if (command == "journal cat") {
    add("from", po::value<std::string>()->value_name("POSITION"), "begin there: EPOCH:SEQ, as printed");
    add("type", po::value<Words>()->composing()->value_name("NAME"),
        "only dispatches of that name (MESSAGE_CREATE); may be given often");
    add("guild", po::value<std::string>()->value_name("ID"), "only those of that guild");
    add("limit", po::value<std::string>()->value_name("N"), "stop after so many lines");
    add("all", "also what is no dispatch: TRELLIS_SESSION, TRELLIS_SKIP, TRELLIS_FILTER, TRELLIS_CAUGHT_UP");
  }
  if (command == "ctl" || command.starts_with("journal ")) {
    add("state", po::value<std::string>()->value_name("DIR"),
        "the host's state directory (default: as the settings say)");
  } else {
    add("plugins", po::value<std::string>()->value_name("FILE"),
        "the enabled plugins (default: plugins.conf beside the settings)");
  }
  if (command == "check") {
    add("strict", "what a host only warns of is refused, too");
    add("no-probe", "do not run any of its code");
  }
  if (command == "run") {
    add("take-over",
        "use the database although another host seems to be alive on it: only when that one is surely gone");
    add("safe",
        "leave out every plugin whose file is not in the plugin folder that belongs to this program: plugins/ beside "
        "its folder, or lib/trellis/plugins; plugins.dir does not change what that is");
    add("reidentify",
        "begin a new gateway session although the last one could be resumed, so that new intents take effect: it costs "
        "one IDENTIFY of the day's budget for each shard, and every plugin a Gap");
    add("supervise",
        "stay behind as a parent that starts the host again when it was killed by a signal or failed (exit code 1), "
        "and, once it has run, while the store cannot be reached or is taken (6, 7); not needed under systemd");
  }
  add("set", po::value<Words>()->composing()->value_name("KEY=VALUE"),
      "one setting, over file and environment; may be given often (see trellis config-reference)");
  return all;
}

std::string did_you_mean(std::string_view word, const Words& candidates, std::string_view dashes = "") {
  const auto guess = nearest(word, candidates);
  return guess.empty() ? "" : fmt::format("; did you mean {}{}?", dashes, guess);
}

/// For `ctl`: how many arguments are options of ours. Everything after them belongs to the host.
std::size_t own_options(const Words& arguments) {
  static const std::set<std::string> kWithValue{"--config", "--state", "--set"};
  std::size_t i = 0;
  while (i < arguments.size() && arguments[i].starts_with("-") && arguments[i] != "--" && arguments[i] != "-")
    i += kWithValue.contains(arguments[i]) ? 2 : 1;
  return std::min(i, arguments.size());
}

po::variables_map parse(const std::string& command, const Words& arguments) {
  const auto options = options_of(command);
  Words names;
  for (const auto& option : options.options()) names.push_back(option->long_name());
  // po's own messages do not know the command, and it has no guesses.
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (!word.starts_with("-") || word == "-")
      throw UsageError(
          fmt::format("trellis {}: \"{}\" is not an option; see trellis {} --help", command, word, command));
    if (word == "-h") continue;
    const auto name = word.starts_with("--")
                          ? word.substr(2, word.find('=') == std::string::npos ? word.npos : word.find('=') - 2)
                          : word;
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError(fmt::format("trellis {}: there is no option {}{}", command, word.substr(0, word.find('=')),
                                   did_you_mean(word.starts_with("--") ? name : name.substr(1), names, "--")));
    if (name == "help") continue;
    if (options.find(name, false).semantic()->max_tokens() == 0) {
      if (word.find('=') != std::string::npos)
        throw UsageError(fmt::format("trellis {}: --{} takes no value", command, name));
      continue;
    }
    if (word.find('=') != std::string::npos) {
      if (word.find('=') + 1 == word.size())
        throw UsageError(fmt::format("trellis {}: --{} needs a value", command, name));
    } else if (++i == arguments.size()) {
      throw UsageError(fmt::format("trellis {}: --{} needs a value", command, name));
    }
  }
  try {
    namespace style = po::command_line_style;
    po::variables_map found;
    po::store(po::command_line_parser(arguments)
                  .options(options)
                  .style((style::unix_style & ~style::allow_guessing) | style::allow_long)
                  .run(),
              found);
    return found;
  } catch (const po::error& e) {
    throw UsageError(fmt::format("trellis {}: {}", command, e.what()));
  }
}

template <class Number>
std::optional<Number> number_option(const std::string& command, const po::variables_map& found, const char* name,
                                    const char* what) {
  if (!found.contains(name)) return std::nullopt;
  const auto text = found[name].as<std::string>();
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw UsageError(fmt::format("trellis {}: --{} needs {}, got \"{}\"", command, name, what, text));
  return number;
}

JournalCommand journal_command(const std::string& command, const po::variables_map& found) {
  JournalCommand out;
  out.what = command == "journal cat"      ? JournalCommand::What::Cat
             : command == "journal verify" ? JournalCommand::What::Verify
                                           : JournalCommand::What::Stat;
  out.shard = number_option<std::uint32_t>(command, found, "shard", "a shard's number");
  if (out.what != JournalCommand::What::Cat) return out;
  out.guild = number_option<std::uint64_t>(command, found, "guild", "a guild's id");
  out.limit = number_option<std::uint64_t>(command, found, "limit", "a number of lines");
  if (found.contains("type")) out.types = found["type"].as<Words>();
  out.all = found.contains("all");
  if (found.contains("from")) {
    const auto text = found["from"].as<std::string>();
    const auto position = parse_position(text);
    if (!position)
      throw UsageError(
          fmt::format("trellis {}: --from needs a position like 1763600000:17, got \"{}\"", command, text));
    out.from = *position;
  }
  return out;
}

}  // namespace

std::string version_text() { return "trellis " TRELLIS_VERSION; }

Invocation parse_command_line(int argc, const char* const* argv, const char* const* environment) {
  Words arguments;
  for (int i = 1; i < argc; ++i) arguments.emplace_back(argv[i]);
  Invocation out;
  if (arguments.empty()) throw UsageError("trellis: say what to do: run, check, check-config, ctl; see trellis --help");
  auto command = arguments[0];
  arguments.erase(arguments.begin());
  if (command == "--help" || command == "-h" || command == "help") {
    out.text = std::string(kHelp) + kExitCodes;
    return out;
  }
  if (command == "--version" || command == "version") {
    out.text = version_text() + "\n";
    return out;
  }
  if (command == "config-reference") {
    if (!arguments.empty()) throw UsageError("trellis config-reference: takes nothing more");
    out.text = describe_config();
    return out;
  }
  if (command == "run") {
    out.command = Invocation::Command::Run;
  } else if (command == "check-config") {
    out.command = Invocation::Command::CheckConfig;
  } else if (command == "check") {
    out.command = Invocation::Command::Check;
    if (arguments.empty() || (arguments[0].starts_with("-") && arguments[0] != "--help" && arguments[0] != "-h"))
      throw UsageError("trellis check: say which file: trellis check FILE.so; options come after it");
    if (!arguments[0].starts_with("-")) {
      out.check.file = arguments[0];
      arguments.erase(arguments.begin());
    }
  } else if (command == "ctl") {
    out.command = Invocation::Command::Ctl;
  } else if (command == "journal") {
    out.command = Invocation::Command::Journal;
    const auto word = arguments.empty() ? "" : arguments[0];
    if (word == "--help" || word == "-h" || word == "help") {
      out.command = Invocation::Command::Print;
      for (const auto* each : {"journal stat", "journal cat", "journal verify"})
        out.text += fmt::format("{}{}\n", usage_of(each), fmt::streamed(options_of(each)));
      return out;
    }
    if (word != "stat" && word != "cat" && word != "verify")
      throw UsageError(word.empty() || word.starts_with("-")
                           ? "trellis journal: say what: trellis journal stat, cat or verify; options come after it"
                           : fmt::format("trellis journal: there is no command {}{}; see trellis journal --help", word,
                                         did_you_mean(word, {"stat", "cat", "verify"})));
    command += " " + word;
    arguments.erase(arguments.begin());
  } else if (command.starts_with("-")) {
    const Words known{"help", "version"};
    const auto guess = did_you_mean(
        command.substr(command.find_first_not_of('-') == command.npos ? 0 : command.find_first_not_of('-')), known,
        "--");
    throw UsageError(
        fmt::format("trellis: there is no option {} here{}", command,
                    guess.empty() ? "; options come after the command: trellis run --config FILE" : guess));
  } else {
    throw UsageError(fmt::format("trellis: there is no command {}{}; see trellis --help", command,
                                 did_you_mean(command, {"run", "check", "check-config", "ctl", "journal",
                                                        "config-reference", "help", "version"})));
  }

  if (out.command == Invocation::Command::Ctl) {
    const auto own = own_options(arguments);
    out.words.assign(arguments.begin() + static_cast<std::ptrdiff_t>(own), arguments.end());
    arguments.resize(own);
    if (!out.words.empty() && out.words[0] == "--") out.words.erase(out.words.begin());
    if (out.words == Words{"help"}) {  // no host need run for that
      out.command = Invocation::Command::Print;
      out.text = kControlHelp;
      return out;
    }
  }
  const auto found = parse(command, arguments);
  if (found.contains("help")) {
    out.command = Invocation::Command::Print;
    out.text = fmt::format("{}{}{}", usage_of(command), fmt::streamed(options_of(command)), kExitCodes);
    return out;
  }
  if (out.command == Invocation::Command::Ctl && out.words.empty())
    throw UsageError("trellis ctl: say what the host shall do, for example: trellis ctl help");
  if (found.contains("config")) out.options.config = found["config"].as<std::string>();
  if (found.contains("plugins")) out.options.plugins = found["plugins"].as<std::string>();
  out.options.take_over = found.contains("take-over");
  out.options.safe = found.contains("safe");
  out.options.reidentify = found.contains("reidentify");
  out.supervise = found.contains("supervise");
  out.check.strict = found.contains("strict");
  out.check.probe = !found.contains("no-probe");
  out.check_settings = found.contains("config") || found.contains("plugins");
  if (out.command == Invocation::Command::Journal) out.journal = journal_command(command, found);
  if (found.contains("state")) out.state = found["state"].as<std::string>();
  if (found.contains("set"))
    for (const auto& pair : found["set"].as<Words>()) {
      const auto equals = pair.find('=');
      // The text may be a token in the wrong place: it is not repeated.
      if (equals == std::string::npos || equals == 0)
        throw UsageError(fmt::format("trellis {}: --set needs key=value, for example --set log.level=debug", command));
      out.options.set.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
  for (; environment && *environment; ++environment) {
    const std::string_view variable(*environment);
    if (const auto equals = variable.find('='); equals != std::string_view::npos)
      out.options.environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return out;
}

}  // namespace trellis::host
