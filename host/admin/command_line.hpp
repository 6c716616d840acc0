// What `trellis` was asked to do.
#pragma once
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "admin/journal_command.hpp"
#include "config/config.hpp"
#include "plugins/check_command.hpp"

namespace trellis::host {

/// The program's exit codes; --help lists them.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,    // at run time
  kExitUsage = 2,     // the command line
  kExitConfig = 3,    // settings
  kExitDiscord = 4,   // no token, or Discord refused it
  kExitPlugin = 5,    // a plugin refused to start
  kExitOccupied = 6,  // state directory or store used by another host
  kExitStore = 7,     // store not reachable
  kExitUnclean = 8    // told to end, and not everything did: nobody starts it again because of that
};

/// One sentence; the exit code is kExitUsage.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Invocation {
  enum class Command { Print, Run, CheckConfig, Check, Ctl, Journal } command = Command::Print;
  std::string text;                // Print: for stdout, as it is (help, version, the reference of the settings)
  CommandLine options;             // Run, CheckConfig, Ctl
  bool supervise = false;          // Run: --supervise
  std::filesystem::path state;     // Ctl, Journal: --state; empty: state_folder(options)
  JournalCommand journal;          // Journal
  CheckCommand check;              // Check
  bool check_settings = false;     // Check: with the plugin's settings, of options
  std::vector<std::string> words;  // Ctl: at least one
};

/// Throws UsageError. environment: as of main(), may be null.
Invocation parse_command_line(int argc, const char* const* argv, const char* const* environment);

/// "trellis 0.1.0"
std::string version_text();

}  // namespace trellis::host
