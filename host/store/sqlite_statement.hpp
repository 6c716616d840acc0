// Errors, prepared statements and values of one SQLite connection.
#pragma once
#include <sqlite3.h>

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.hpp"
#include "store/values.hpp"

namespace trellis::host {

/// What the connection's last error was; `what` names the place, as "counts".
[[nodiscard]] StoreError sqlite_error(sqlite3* db, int code, std::string_view ns, std::string_view what = {});

/// A prepared statement. Parameters are called $1, $2 ... and may carry a PostgreSQL type ($1::date), which SQLite
/// takes for a part of the name.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* db, std::string_view sql, const std::string& ns);
  ~SqliteStatement() { sqlite3_finalize(handle_); }
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  sqlite3_stmt* handle() const { return handle_; }
  /// slots()[i]: which value (from 0) parameter i + 1 takes.
  const std::vector<int>& slots() const { return slots_; }
  std::size_t values_wanted() const { return values_wanted_; }
  bool reads_only() const { return sqlite3_stmt_readonly(handle_); }

  /// Resets and unbinds when the scope ends, so that no lock and no borrowed text stays behind.
  class Use {
   public:
    explicit Use(SqliteStatement& statement) : statement_(statement) { statement_.busy_ = true; }
    ~Use() {
      sqlite3_reset(statement_.handle_);
      sqlite3_clear_bindings(statement_.handle_);
      statement_.busy_ = false;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    SqliteStatement& statement_;
  };
  bool busy() const { return busy_; }

 private:
  sqlite3_stmt* handle_ = nullptr;
  std::vector<int> slots_;
  std::size_t values_wanted_ = 0;
  bool busy_ = false;
};

/// The most recently used statements of a connection.
class SqliteStatements {
 public:
  std::shared_ptr<SqliteStatement> get(sqlite3* db, std::string_view sql, const std::string& ns);
  void clear() {
    by_sql_.clear();
    statements_.clear();
  }

 private:
  struct Entry {
    std::string sql;
    std::shared_ptr<SqliteStatement> statement;
  };
  std::list<Entry> statements_;  // the most recent first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_sql_;
};

/// Binds a value to parameter `index` (from 1). Texts are borrowed until the statement is reset. `scratch` holds the
/// texts that must be made; it must not move until then.
int sqlite_bind(sqlite3_stmt*, int index, const tl_value&, bool as_text_id, TextArena& scratch);

/// The current row's column by its storage class; texts live until the next step.
tl_value sqlite_column(sqlite3_stmt*, int column);

}  // namespace trellis::host
