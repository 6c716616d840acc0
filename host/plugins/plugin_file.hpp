// A plugin's file, read without running any of it: manifest, embedded files, build id, and whatever would make it
// unfit.
#pragma once
#include <trellis/abi.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lanes/instance.hpp"
#include "store/migrations.hpp"

namespace trellis::host {

struct PluginFile {
  std::filesystem::path path;
  tl_manifest manifest{};
  std::string id, version;
  std::string build_id;             // hex; of the linker, else a hash of the file
  std::vector<EmbeddedFile> files;  // "migrations/0001_init.sql", assets
};

/// Reads the ELF headers, the note and the section ".trellis.files" by hand. Throws PluginError with a sentence: not an
/// ELF file of this machine, truncated (the loader would crash on it), no manifest, another ABI, symbols that keep a
/// library mapped for ever, a missing entry.
PluginFile read_plugin_file(const std::filesystem::path&);

/// The embedded files of a running program (for plugins that are linked into a test).
std::vector<EmbeddedFile> files_of_program(const std::filesystem::path&);

}  // namespace trellis::host
