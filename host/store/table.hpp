// A declared table against the real one, and the statements its merge rules come to. The same for both databases.
#pragma once
#include <string>
#include <vector>

#include "store/store.hpp"
#include "store/values.hpp"

namespace trellis::host {

struct RealColumn {
  std::string name;
  std::string type;  // as the database writes it
  Storage storage = Storage::Other;
  bool not_null = false;
  bool filled = false;     // has a default, an identity or a sequence
  bool generated = false;  // computed by the database, or always its own identity: cannot be written
};

struct RealTable {
  std::vector<RealColumn> columns;                    // empty: there is no such table
  std::vector<std::vector<std::string>> unique_keys;  // of whole columns, without a condition
  bool is_view = false;
};

class CheckedTable final : public BoundTable {
 public:
  /// Throws a Schema error that says everything that does not fit.
  CheckedTable(Dialect dialect, const std::string& ns, const TableShape& shape, const RealTable& real);

  const RealColumn& real(std::size_t column) const { return real_[column]; }
  const std::vector<std::size_t>& keys() const { return keys_; }
  const std::string& quoted_name() const { return quoted_name_; }
  const std::string& quoted_columns() const { return quoted_columns_; }

  /// Which bits of `changed` make a difference: columns that are written when the row exists.
  std::uint64_t relevant(std::uint64_t changed) const { return changed & changeable_; }

  /// Statements for rows with these columns changed. SQLite: parameter n + 1 is column n of one row. PostgreSQL:
  /// parameter n + 1 is an array of column n. Of an erase: the key columns in order.
  std::string insert_sql() const;
  std::string upsert_sql(std::uint64_t changed) const;
  std::string update_sql(std::uint64_t changed) const;  // changed is not 0
  std::string erase_sql() const;
  /// Reads one row by its key, parameters as for erase.
  std::string read_sql() const;

 private:
  std::string source() const;
  std::string unnest(const std::vector<std::size_t>& columns) const;
  std::string merged(std::size_t column, const std::string& given) const;
  std::string ordered(std::size_t column, const std::string& expression) const;

  Dialect dialect_;
  std::vector<RealColumn> real_;
  std::vector<std::size_t> keys_;
  std::string quoted_name_, quoted_columns_;
  std::uint64_t changeable_ = 0;
};

std::string quote_name(std::string_view name);

}  // namespace trellis::host
