// Where relative paths start. Private to config/.
#pragma once
#include <filesystem>

namespace trellis::host {

/// Of paths in this file: its folder, or that folder's parent when it is named etc. Empty: the working directory.
std::filesystem::path base_folder(const std::filesystem::path& file);

}  // namespace trellis::host
