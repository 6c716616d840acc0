#include "store/own_tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "store/values.hpp"

namespace trellis::host {

namespace {

std::set<std::string> columns_of(Connection& connection, bool postgresql, const std::string& table) {
  const tl_value name[] = {text_value(table)};
  const auto rows = connection.execute(
      postgresql ? "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND "
                   "table_name = $1"
                 : "SELECT name FROM pragma_table_info($1)",
      name);
  std::set<std::string> names;
  while (const tl_value* row = rows->next()) names.emplace(view(row[0].s));
  return names;
}

/// "the schema bank", "the file /var/lib/trellis/bank.sqlite"
std::string place(Connection& connection, bool postgresql) {
  const auto rows = connection.execute(postgresql ? "SELECT current_schema()::text"
                                                  : "SELECT file FROM pragma_database_list WHERE name = 'main'");
  const tl_value* row = rows->next();
  return fmt::format("the {} {}", postgresql ? "schema" : "file", row ? view(row[0].s) : "");
}

/// 0: it was written before there were numbers, or is new.
std::int64_t format_of(Connection& connection, bool postgresql) {
  if (columns_of(connection, postgresql, "trellis_format").empty()) return 0;
  const auto rows = connection.execute("SELECT format FROM trellis_format");
  const tl_value* row = rows->next();
  return row ? row->i : 0;
}

[[noreturn]] void refuse(Connection& connection, bool postgresql, const std::string& why) {
  throw StoreError(StoreError::Kind::Other, "", fmt::format("{} {}", place(connection, postgresql), why));
}

bool has_default(const OwnColumn& column) { return column.type.find(" DEFAULT ") != std::string::npos; }

/// What has to be done to a table of an earlier build; throws when that is not known.
std::vector<std::string> changes_to(Connection& connection, bool postgresql, const OwnTable& table,
                                    std::set<std::string> found) {
  std::vector<std::string> changes;
  const auto unknown = [&](const std::string& what) {
    refuse(connection, postgresql,
           fmt::format("was written by another build of trellis, whose table {} {}; this one cannot take it over. Go "
                       "on with the build that wrote it, or begin with an empty store (store.url)",
                       table.name, what));
  };
  for (const OwnColumn& column : table.columns) {
    if (found.erase(column.name)) continue;
    if (!column.was.empty() && found.erase(column.was))
      changes.push_back(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table.name, column.was, column.name));
    else if (!column.added_with.empty())
      changes.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {} {}{}", table.name, column.name, column.type,
                                    has_default(column) ? "" : " DEFAULT " + column.added_with));
    else
      unknown("has no column " + column.name);
  }
  if (!found.empty()) unknown(fmt::format("has a column {} besides", *found.begin()));
  return changes;
}

std::string definition_of(const OwnTable& table) {
  std::vector<std::string> parts;
  for (const OwnColumn& column : table.columns) parts.push_back(column.name + " " + column.type);
  if (!table.key.empty()) parts.push_back("PRIMARY KEY (" + table.key + ")");
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", table.name, fmt::join(parts, ", "));
}

}  // namespace

void create_own_tables(Connection& connection, bool postgresql, const std::vector<OwnTable>& tables) {
  const std::int64_t format = format_of(connection, postgresql);
  if (format > kOwnFormat)
    refuse(connection, postgresql,
           fmt::format("was written by a newer trellis (its form is {}, this program knows {}). Start that one, or "
                       "restore a backup from before it",
                       format, kOwnFormat));
  std::vector<std::string> statements;
  if (format < kOwnFormat)
    for (const OwnTable& table : tables)
      if (auto found = columns_of(connection, postgresql, table.name); !found.empty())
        std::ranges::move(changes_to(connection, postgresql, table, std::move(found)), std::back_inserter(statements));
  for (const OwnTable& table : tables) statements.push_back(definition_of(table));
  if (format < kOwnFormat) {
    statements.push_back(
        "CREATE TABLE IF NOT EXISTS trellis_format (one BIGINT PRIMARY KEY CHECK (one = 1), format BIGINT NOT NULL)");
    statements.push_back(fmt::format(
        "INSERT INTO trellis_format (one, format) VALUES (1, {0}) ON CONFLICT (one) DO UPDATE SET format = {0}",
        kOwnFormat));
  }
  connection.run_script(fmt::format("{}", fmt::join(statements, ";\n")));
}

}  // namespace trellis::host
