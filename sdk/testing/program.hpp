// What a running program says about the plugin that is linked into it.
#pragma once
#include <string>

namespace trellis::host {

/// The id in the program's manifest note (TRELLIS_PLUGIN); "plugin" when it has none.
std::string plugin_of_program();

}  // namespace trellis::host
