// The program `trellis`.
#include <csignal>
#include <iostream>
#include <string_view>

#include "admin/command_line.hpp"
#include "admin/control_socket.hpp"
#include "admin/supervisor.hpp"
#include "config/config.hpp"
#include "host.hpp"
#include "log/log.hpp"
#include "plugins/plugin_file.hpp"
#include "plugins/probe.hpp"

extern char** environ;

namespace {

using namespace trellis::host;

int run(const Invocation& invocation) {
  const Config config = load_config(invocation.options);
  if (config.discord.token.empty()) {
    std::cerr << "trellis: there is no bot token; put it into DISCORD_TOKEN (the environment or .env), or name a file "
                 "in discord.token_file"
              << std::endl;
    return kExitDiscord;
  }
  start_log(config.log.level, config.log.format, config.log.file.string());
  for (const std::string& warning : config.warnings) log_warn("config", warning);
  Host host(config, invocation.options, load_plugins(invocation.options, config));
  return host.run();
}

int check_config(const Invocation& invocation) {
  const Config config = load_config(invocation.options);
  const auto plugins = load_plugins(invocation.options, config);
  std::cout << (config.source.empty() ? "defaults (no trellis.conf)" : config.source.string()) << ": sound\n";
  for (const PluginConfig& plugin : plugins) std::cout << plugin.where << ": plugin " << plugin.id << "\n";
  for (const std::string& warning : config.warnings) std::cout << "warning: " << warning << "\n";
  if (config.discord.token.empty()) std::cout << "no bot token yet: DISCORD_TOKEN or discord.token_file\n";
  return kExitOk;
}

int check(const Invocation& invocation) {
  try {
    if (!invocation.check_settings)
      return run_check_command(invocation.check, nullptr, false, std::cout) ? kExitOk : kExitPlugin;
    const Config config = load_config(invocation.options);
    const std::string id = inspect_plugin_file(invocation.check.file).id;
    for (const PluginConfig& plugin : load_plugins(invocation.options, config))
      if (plugin.id == id)
        return run_check_command(invocation.check, plugin.settings, config.store.url.starts_with("postgresql:"),
                                 std::cout)
                   ? kExitOk
                   : kExitPlugin;
    std::cerr << "trellis: plugins.conf has no table [" << id << "]" << std::endl;
    return kExitConfig;
  } catch (const PluginError& error) {
    std::cerr << "trellis: " << error.what() << std::endl;
    return kExitPlugin;
  }
}

int ctl(const Invocation& invocation) {
  const auto folder = invocation.state.empty() ? state_folder(invocation.options) : invocation.state;
  const ControlAnswer answer = ask_host(folder / "trellis.sock", invocation.words);
  std::cout << answer.out;
  if (!answer.err.empty()) std::cerr << "trellis: " << answer.err << std::endl;
  return answer.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed connection is an error code
  std::signal(SIGXFSZ, SIG_IGN);  // so is a full quota
  find_supervisor();
  if (argc == 2 && std::string_view(argv[1]) == "probe-plugin") return answer_probe();  // a child of this program asks
  try {
    const Invocation invocation = parse_command_line(argc, argv, environ);
    switch (invocation.command) {
      case Invocation::Command::Print:
        std::cout << invocation.text;
        return kExitOk;
      case Invocation::Command::Run:
        return invocation.supervise ? supervise(argc, argv) : run(invocation);
      case Invocation::Command::CheckConfig:
        return check_config(invocation);
      case Invocation::Command::Check:
        return check(invocation);
      case Invocation::Command::Ctl:
        return ctl(invocation);
      case Invocation::Command::Journal:
        return run_journal_command(invocation.journal,
                                   invocation.state.empty() ? state_folder(invocation.options) : invocation.state,
                                   std::cout);
    }
  } catch (const UsageError& error) {
    std::cerr << "trellis: " << error.what() << std::endl;
    return kExitUsage;
  } catch (const ConfigError& error) {
    std::cerr << error.what() << std::endl;
    return kExitConfig;
  } catch (const std::exception& error) {
    std::cerr << "trellis: " << error.what() << std::endl;
    return kExitFailed;
  }
}
