// What a library must not have if it is to be loaded, replaced and unloaded inside a running host.
#pragma once
#include <string>
#include <vector>

#include "plugins/elf_image.hpp"

namespace trellis::host {

struct Fitness {
  std::vector<std::string> refusals;  // the host does not load it; each follows on the file's name: "has ..."
  std::vector<std::string> warnings;  // it can hurt the host, or keep the library from being unloaded
  std::vector<std::string> notes;     // it is fine as long as the author knows
  std::vector<std::string> pins;      // what may keep it mapped after it was closed
  std::vector<std::string> exports;
};

/// Throws PluginError when the file is damaged.
Fitness examine(const ElfImage&);

}  // namespace trellis::host
