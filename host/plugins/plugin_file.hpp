// A plugin's file, read without running any of it: manifest, embedded files, build id, and whatever would make it
// unfit.
#pragma once
#include <trellis/abi.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lanes/instance.hpp"
#include "plugins/dependencies.hpp"
#include "plugins/fitness.hpp"
#include "store/migrations.hpp"

namespace trellis::host {

struct PluginFile {
  std::filesystem::path path;
  tl_manifest manifest{};
  std::string id, version;
  std::string build_id;                // hex; of the linker, else a hash of the file
  std::vector<Dependency> needs;       // other plugins
  std::vector<EmbeddedFile> files;     // "migrations/0001_init.sql", assets
  std::vector<std::string> libraries;  // that the loader has to find
  Fitness fitness;
};

/// Reads the ELF headers, the note and the section ".trellis.files" by hand, and says everything that is wrong with it.
/// Throws PluginError with a sentence only where there is nothing to read: not an ELF file of this machine, truncated
/// (the loader would crash on it), no manifest.
PluginFile inspect_plugin_file(const std::filesystem::path&);

/// The same for one that is to be loaded: throws PluginError with every refusal, a line each.
PluginFile read_plugin_file(const std::filesystem::path&);

/// The embedded files of a running program (for plugins that are linked into a test).
std::vector<EmbeddedFile> files_of_program(const std::filesystem::path&);

}  // namespace trellis::host
