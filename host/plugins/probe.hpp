// A plugin's first run, in a child process: a crash or a hang in its constructors is a refusal, not an outage.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "lanes/instance.hpp"

namespace trellis::host {

/// The library is sound, and its setup refused: because of the settings, or of what the host has.
class SetupRefused : public PluginError {
 public:
  using PluginError::PluginError;
};

/// Loads the library in a child of this program, makes an instance with these settings, destroys it, unloads it. Throws
/// SetupRefused with what it complained about, PluginError for the signal that killed it, or that it did not end in
/// time. `has`: what setup->has() says yes to. `scratch`: an empty folder, in which its migrations are applied to an
/// SQLite database and its tables are held against that; empty: they are not.
void probe_plugin(const std::filesystem::path& library, const Document& settings, const std::vector<std::string>& has,
                  const std::filesystem::path& scratch = {}, std::chrono::milliseconds limit = std::chrono::seconds(5));

/// The child's side: what `trellis probe-plugin` does with the request on its standard input. The exit code; complaints
/// are on the standard output.
int answer_probe();

}  // namespace trellis::host
