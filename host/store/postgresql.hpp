// PostgreSQL: one schema per namespace.
#pragma once
#include "store/store.hpp"

namespace trellis::host {

std::unique_ptr<Store> open_postgresql_store(const std::string& url);

}  // namespace trellis::host
