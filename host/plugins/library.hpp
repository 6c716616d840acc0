// A loaded plugin library: a private copy of the installed file, mapped as long as this lives.
#pragma once
#include <trellis/abi.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "plugins/plugin_file.hpp"

namespace trellis::host {

using PluginEntry = tl_status (*)(const tl_entry_args*, tl_plugin*, char*, std::uint64_t);

/// A library that was closed and is still mapped: reported, and never touched again.
struct Zombie {
  std::string plugin, version, build;
  std::filesystem::path file;
  std::string why;
};

class Library {
 public:
  /// Makes a private copy of the installed file in `folder`, reads it, calls `before_mapping` with it (which may refuse
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

  static std::vector<Zombie> zombies();

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
