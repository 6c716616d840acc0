// SQLite: one file per namespace.
#pragma once
#include "store/store.hpp"

namespace trellis::host {

std::unique_ptr<Store> open_sqlite_store(const std::string& folder);

}  // namespace trellis::host
