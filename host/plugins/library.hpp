// A loaded plugin library: a private copy of the installed file, mapped as long as this lives.
#pragma once
#include <trellis/abi.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "plugins/plugin_file.hpp"

namespace trellis::host {

using PluginEntry = tl_status (*)(const tl_entry_args*, tl_plugin*, char*, std::uint64_t);

class Library {
 public:
  /// Copies the installed file to a name in `folder` that was never used before (so that overwriting it cannot hurt,
  /// and the loader never takes an older one for it), reads the copy, calls `before_mapping` with it (which may refuse
  /// it), then maps it. Throws PluginError.
  Library(const std::filesystem::path& installed, const std::filesystem::path& folder,
          const std::function<void(const PluginFile&)>& before_mapping = {});
  /// Maps a file as it stands, and leaves it there.
  explicit Library(const std::filesystem::path& file);
  /// Unmaps. What stays mapped all the same is kept on disk and logged as a zombie.
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const PluginFile& file() const { return file_; }
  PluginEntry entry() const { return entry_; }

  /// Libraries that were closed and are still mapped.
  static std::uint64_t zombies();

 private:
  struct Handle;
  void map();
  PluginFile file_;
  bool copied_ = false;
  std::unique_ptr<Handle> handle_;
  PluginEntry entry_ = nullptr;
};

/// True when /proc/self/maps names the file.
bool is_mapped(const std::filesystem::path&);

}  // namespace trellis::host
