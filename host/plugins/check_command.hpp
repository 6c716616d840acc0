// `trellis check FILE.so`: what a host would say to a plugin's file, without a host.
#pragma once
#include <filesystem>
#include <iosfwd>
#include <memory>

#include "config/document.hpp"

namespace trellis::host {

struct CheckCommand {
  std::filesystem::path file;
  bool strict = false;  // what a host only warns of counts as a refusal
  bool probe = true;    // run its constructor and setup, in a child process
};

/// Prints what the file is and holds, then everything that a host would refuse or warn of. `settings` are the plugin's
/// in plugins.conf; null: none are at hand, and a setup that wants some is no mistake. `postgresql`: the store that
/// setup.has() speaks of. False: something is refused. Throws PluginError when the file is no plugin at all.
bool run_check_command(const CheckCommand&, const std::shared_ptr<const Document>& settings, bool postgresql,
                       std::ostream&);

}  // namespace trellis::host
