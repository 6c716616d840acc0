// What a table is really like, asked of the database.
#pragma once
#include <string>

#include "store/table.hpp"

namespace trellis::host {

RealTable describe_sqlite_table(Connection& connection, const std::string& table);
RealTable describe_postgresql_table(Connection& connection, const std::string& schema, const std::string& table);

}  // namespace trellis::host
