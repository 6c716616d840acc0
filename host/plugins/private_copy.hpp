// A plugin's file is never loaded where it is installed: what is overwritten or truncated there must not hurt.
#pragma once
#include <filesystem>
#include <functional>

namespace trellis::host {

/// Copies the installed file to a name in `folder` that was never used before, so that the loader never takes an older
/// library for it. Throws PluginError: it cannot be read, or it changed while it was copied (an installation that does
/// not rename the finished file into place). `meanwhile` runs in the middle, for tests.
std::filesystem::path copy_privately(const std::filesystem::path& installed, const std::filesystem::path& folder,
                                     const std::function<void()>& meanwhile = {});

}  // namespace trellis::host
