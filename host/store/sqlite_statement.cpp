#include "store/sqlite_statement.hpp"

#include <charconv>

#include "store/sql_script.hpp"

namespace trellis::host {

namespace {

// SQLite has no SQLSTATE; these are what PostgreSQL would say, so that one classification serves both.
const char* sqlstate_of(int extended, std::string_view message) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return "23505";
    case SQLITE_CONSTRAINT_NOTNULL:
      return "23502";
    case SQLITE_CONSTRAINT_CHECK:
      return "23514";
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return "23503";
    case SQLITE_CONSTRAINT_DATATYPE:
      return "22P02";
  }
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return "55P03";
    case SQLITE_FULL:
      return "53100";
    case SQLITE_NOMEM:
      return "53200";
    case SQLITE_IOERR:
      return "58030";
    case SQLITE_CANTOPEN:
      return "58P01";
    case SQLITE_READONLY:
      return "25006";
    case SQLITE_INTERRUPT:
      return "57014";
    case SQLITE_CONSTRAINT:
      return "23000";
    case SQLITE_MISMATCH:
      return "22P02";
    case SQLITE_TOOBIG:
      return "22001";
    case SQLITE_RANGE:
      return "42P02";
    case SQLITE_AUTH:
      return "42501";
    case SQLITE_SCHEMA:
      return "42P17";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "XX001";
    case SQLITE_ERROR:
      if (message.starts_with("no such table")) return "42P01";
      if (message.starts_with("no such column") || message.find("has no column named") != message.npos) return "42703";
      if (message.starts_with("no such function")) return "42883";
      if (message == "integer overflow") return "22003";
      if (message.starts_with("malformed JSON") || message.find("JSON path") != message.npos) return "22032";
      return "42601";
  }
  return "XX000";
}

}  // namespace

StoreError sqlite_error(sqlite3* db, int code, std::string_view ns, std::string_view what) {
  const std::string message = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const int extended = db && (sqlite3_errcode(db) & 0xff) == (code & 0xff) ? sqlite3_extended_errcode(db) : code;
  const std::string sqlstate = sqlstate_of(extended, message);
  std::string text = what.empty() ? message : fmt::format("{}: {}", what, message);
  switch (code & 0xff) {
    case SQLITE_BUSY:
      text += ": another connection is writing";
      break;
    case SQLITE_FULL:
      text += ": the disk or its quota is full";
      break;
    case SQLITE_CANTOPEN:
      text += ": check that the folder exists and is writable";
      break;
    default:
      break;
  }
  return StoreError(kind_of(sqlstate), sqlstate, error_text(ns, text, sqlstate));
}

SqliteStatement::SqliteStatement(sqlite3* db, std::string_view sql, const std::string& ns) {
  if (!sql.data()) sql = "";
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle_, &tail);
  if (code != SQLITE_OK) throw sqlite_error(db, code, ns);
  const auto fail = [&](const std::string& what) {
    sqlite3_finalize(handle_);
    throw StoreError(StoreError::Kind::Schema, "42601", error_text(ns, what, "42601"));
  };
  if (!handle_) fail("the statement is empty");
  const std::string_view rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  if (statement_start(rest) < rest.size()) fail("one statement at a time: there is another one behind the first");
  const int count = sqlite3_bind_parameter_count(handle_);
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(handle_, i);
    std::string_view digits = name ? std::string_view(name) : "?";
    digits = digits.substr(0, digits.find(':', 1));
    int number = 0;
    const auto [end, error] = std::from_chars(digits.data() + 1, digits.data() + digits.size(), number);
    if (digits[0] != '$' || error != std::errc() || end != digits.data() + digits.size() || number < 1)
      fail(fmt::format("parameter {} is not understood: parameters are called $1, $2 and so on", name ? name : "?"));
    slots_.push_back(number - 1);
    values_wanted_ = std::max(values_wanted_, static_cast<std::size_t>(number));
  }
}

std::shared_ptr<SqliteStatement> SqliteStatements::get(sqlite3* db, std::string_view sql, const std::string& ns) {
  constexpr std::size_t kMost = 128;
  if (const auto found = by_sql_.find(sql); found != by_sql_.end()) {
    if (found->second->statement->busy()) return std::make_shared<SqliteStatement>(db, sql, ns);
    statements_.splice(statements_.begin(), statements_, found->second);
    return statements_.front().statement;
  }
  auto statement = std::make_shared<SqliteStatement>(db, sql, ns);
  statements_.push_front({std::string(sql), statement});
  by_sql_.emplace(statements_.front().sql, statements_.begin());
  if (statements_.size() > kMost) {
    by_sql_.erase(statements_.back().sql);
    statements_.pop_back();
  }
  return statement;
}

int sqlite_bind(sqlite3_stmt* statement, int index, const tl_value& value, bool as_text_id, TextArena& scratch) {
  const auto text = [&](std::string_view s) {
    return sqlite3_bind_text64(statement, index, s.data() ? s.data() : "", s.size(), SQLITE_STATIC, SQLITE_UTF8);
  };
  thread_local std::string made;
  made.clear();
  switch (value.kind) {
    case TL_BOOL:
    case TL_INT:
    case TL_ID:
      if (value.kind == TL_ID && value.i == 0) break;
      if (!as_text_id) return sqlite3_bind_int64(statement, index, value.i);
      append_id(made, value.i);
      return text(scratch.keep(std::string_view(made)));
    case TL_REAL:
      return sqlite3_bind_double(statement, index, value.f);
    case TL_TEXT:
    case TL_JSON:
      return text(view(value.s));
    case TL_BLOB:
      return sqlite3_bind_blob64(statement, index, value.s.p ? value.s.p : "", value.s.n, SQLITE_STATIC);
    case TL_TIME:
      if (!append_time(made, value.i, Dialect::Sqlite)) return SQLITE_RANGE;
      return text(scratch.keep(std::string_view(made)));
    case TL_DAY:
      if (!append_day(made, value.i, Dialect::Sqlite)) return SQLITE_RANGE;
      return text(scratch.keep(std::string_view(made)));
    default:
      break;
  }
  return sqlite3_bind_null(statement, index);
}

tl_value sqlite_column(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return int_value(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return real_value(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return text_value({text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))});
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return text_value({bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))}, TL_BLOB);
    }
    default:
      return null_value();
  }
}

}  // namespace trellis::host
