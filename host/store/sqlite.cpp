#include "store/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/real_table.hpp"
#include "store/sql_script.hpp"
#include "store/sqlite_statement.hpp"
#include "store/table.hpp"

namespace trellis::host {

namespace {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// Rows that were read completely.
class MemoryCursor final : public Cursor {
 public:
  std::vector<std::string> names;
  std::vector<tl_value> values;
  TextArena texts;
  std::uint64_t changed = 0;

  std::size_t width() const override { return names.size(); }
  std::string_view name(std::size_t column) const override { return names.at(column); }
  std::uint64_t affected() const override { return changed; }
  const tl_value* next() override {
    if (at_ >= values.size()) return nullptr;
    const tl_value* row = &values[at_];
    at_ += names.size();
    return row;
  }

 private:
  std::size_t at_ = 0;
};

void read_names(sqlite3_stmt* statement, std::vector<std::string>& names) {
  const int count = sqlite3_column_count(statement);
  for (int i = 0; i < count; ++i) {
    const char* name = sqlite3_column_name(statement, i);
    names.emplace_back(name ? name : "");
  }
}

class SqliteConnection;

// Rows as they are asked for.
class SteppingCursor final : public Cursor {
 public:
  SteppingCursor(SqliteConnection& connection, std::shared_ptr<SqliteStatement> statement,
                 std::span<const tl_value> values);
  std::size_t width() const override { return names_.size(); }
  std::string_view name(std::size_t column) const override { return names_.at(column); }
  std::uint64_t affected() const override { return 0; }
  const tl_value* next() override;

 private:
  void step();

  SqliteConnection& connection_;
  std::shared_ptr<SqliteStatement> statement_;
  TextArena owned_;  // the parameters' texts: the statement runs while the caller's are gone
  SqliteStatement::Use use_;
  std::vector<std::string> names_;
  std::vector<tl_value> row_;
  bool first_ = true;
  bool done_ = false;
};

class SqliteConnection final : public Connection {
 public:
  SqliteConnection(const std::string& path, std::string ns, bool read_only) : ns_(std::move(ns)) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) throw sqlite_error(db, code, ns_, path);
    sqlite3_busy_timeout(db, 5000);
    pragma("PRAGMA journal_mode=WAL");
    pragma("PRAGMA synchronous=FULL");
    pragma("PRAGMA foreign_keys=ON");
    // Checkpoints of 16 MiB: fewer writes of the same pages. The file is cut back after a burst.
    pragma("PRAGMA wal_autocheckpoint=4000");
    pragma("PRAGMA journal_size_limit=67108864");
    pragma("PRAGMA temp_store=MEMORY");
    if (read_only) pragma("PRAGMA query_only=ON");
  }

  ~SqliteConnection() override {
    rollback();
    statements_.clear();
  }

  void begin(Durability durability) override {
    if (in_transaction())
      throw StoreError(StoreError::Kind::Other, "25001", error_text(ns_, "a transaction is open already", "25001"));
    failed_ = false;
    set_synchronous(durability == Durability::Sync);
    run("BEGIN IMMEDIATE");
  }

  void commit() override {
    if (!in_transaction())
      throw StoreError(StoreError::Kind::Other, "25P01", error_text(ns_, "there is no transaction to commit", "25P01"));
    if (failed_) {
      rollback();
      throw StoreError(StoreError::Kind::Other, "25P02",
                       error_text(ns_, "an earlier statement of this transaction failed; it was rolled back", "25P02"));
    }
    try {
      run("COMMIT");
    } catch (const StoreError&) {
      rollback();
      throw;
    }
  }

  void rollback() noexcept override {
    failed_ = false;
    if (in_transaction()) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }

  bool in_transaction() const override { return !sqlite3_get_autocommit(db_.get()); }
  bool alive() const override { return true; }

  std::unique_ptr<Cursor> execute(std::string_view sql, std::span<const tl_value> values,
                                  std::size_t rows_max) override {
    check_usable();
    const auto statement = prepare(sql);
    if (!in_transaction() && !statement->reads_only()) set_synchronous(true);
    const SqliteStatement::Use use(*statement);
    scratch_.clear();
    bind(*statement, values, scratch_);
    auto cursor = std::make_unique<MemoryCursor>();
    const auto before = sqlite3_total_changes64(db_.get());
    std::size_t rows = 0;
    for (;;) {
      const int code = sqlite3_step(statement->handle());
      // Only now: the first step prepares anew what a changed schema has outdated.
      if (rows == 0 && (code == SQLITE_ROW || code == SQLITE_DONE)) read_names(statement->handle(), cursor->names);
      if (code == SQLITE_DONE) break;
      if (code != SQLITE_ROW) fail(code);
      if (++rows > rows_max) {
        failed_ = in_transaction();
        throw StoreError(
            StoreError::Kind::Other, "54000",
            error_text(ns_,
                       fmt::format("the statement brought more than {} rows; use LIMIT, or query() to read "
                                   "any number of rows",
                                   rows_max),
                       "54000"));
      }
      for (int i = 0; i < static_cast<int>(cursor->names.size()); ++i) {
        tl_value value = sqlite_column(statement->handle(), i);
        if (value.kind == TL_TEXT || value.kind == TL_BLOB) value.s = to_tl(cursor->texts.keep(view(value.s)));
        cursor->values.push_back(value);
      }
    }
    if (sqlite3_total_changes64(db_.get()) != before)
      cursor->changed = static_cast<std::uint64_t>(sqlite3_changes64(db_.get()));
    return cursor;
  }

  std::unique_ptr<Cursor> query(std::string_view sql, std::span<const tl_value> values) override {
    check_usable();
    auto statement = prepare(sql);
    if (!statement->reads_only())
      throw StoreError(StoreError::Kind::Schema, "42601",
                       error_text(ns_, "query() only reads; a statement that writes belongs into execute()", "42601"));
    return std::make_unique<SteppingCursor>(*this, std::move(statement), values);
  }

  void run_script(std::string_view sql) override {
    check_usable();
    std::size_t at = 0;
    while (at < sql.size()) {
      at += statement_start(sql.substr(at));
      if (at >= sql.size()) break;
      const int line = line_at(sql, at);
      try {
        refuse_transaction_control(sql.substr(at));
        sqlite3_stmt* handle = nullptr;
        const char* tail = nullptr;
        int code = sqlite3_prepare_v2(db_.get(), sql.data() + at, static_cast<int>(sql.size() - at), &handle, &tail);
        const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(handle, sqlite3_finalize);
        if (code != SQLITE_OK) fail(code);
        if (!handle) break;
        do code = sqlite3_step(handle);
        while (code == SQLITE_ROW);
        if (code != SQLITE_DONE) fail(code);
        at = static_cast<std::size_t>(tail - sql.data());
      } catch (StoreError& error) {
        error.set_line(line);
        throw;
      }
    }
  }

  void savepoint(const char* name) override { run("SAVEPOINT " + quote_name(name)); }
  void rollback_to(const char* name) override {
    failed_ = false;
    run("ROLLBACK TO " + quote_name(name));
  }
  void release(const char* name) override {
    check_usable();
    run("RELEASE " + quote_name(name));
  }

  std::shared_ptr<const BoundTable> bind_table(const TableShape&) override;
  void write(const BoundTable&, std::span<const RowChange>) override;
  bool read(const BoundTable&, std::span<const tl_value> key, std::vector<tl_value>& row) override;

  const std::string& ns() const { return ns_; }

  void bind(SqliteStatement& statement, std::span<const tl_value> values, TextArena& scratch) {
    if (values.size() != statement.values_wanted())
      throw StoreError(StoreError::Kind::Schema, "42P02",
                       error_text(ns_,
                                  fmt::format("the statement uses {} parameters and was given {}",
                                              statement.values_wanted(), values.size()),
                                  "42P02"));
    for (std::size_t i = 0; i < values.size(); ++i) check_parameter(values[i], i + 1, ns_);
    for (std::size_t i = 0; i < statement.slots().size(); ++i) {
      const int code = sqlite_bind(statement.handle(), static_cast<int>(i + 1),
                                   values[static_cast<std::size_t>(statement.slots()[i])], false, scratch);
      if (code != SQLITE_OK) fail(code);
    }
  }

  [[noreturn]] void fail(int code, std::string_view what = {}) {
    StoreError error = sqlite_error(db_.get(), code, ns_, what);
    failed_ = in_transaction();
    throw error;
  }

 private:
  std::shared_ptr<SqliteStatement> prepare(std::string_view sql) {
    refuse_transaction_control(sql);
    try {
      return statements_.get(db_.get(), sql, ns_);
    } catch (const StoreError&) {
      failed_ = in_transaction();
      throw;
    }
  }

  void refuse_transaction_control(std::string_view sql) const {
    if (is_transaction_control(sql))
      throw StoreError(
          StoreError::Kind::Schema, "42501",
          error_text(ns_,
                     fmt::format("{} is not allowed here: the host begins and ends transactions", first_keyword(sql)),
                     "42501"));
  }

  // As on PostgreSQL: what fails makes the transaction unusable up to the last savepoint.
  void check_usable() const {
    if (failed_)
      throw StoreError(StoreError::Kind::Other, "25P02",
                       error_text(ns_, "an earlier statement of this transaction failed; roll back first", "25P02"));
  }

  void run(const std::string& sql) {
    const auto statement = statements_.get(db_.get(), sql, ns_);
    const SqliteStatement::Use use(*statement);
    const int code = sqlite3_step(statement->handle());
    if (code != SQLITE_DONE) {
      StoreError error = sqlite_error(db_.get(), code, ns_);
      failed_ = in_transaction() && sql != "COMMIT";
      throw error;
    }
  }

  void pragma(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) throw sqlite_error(db_.get(), code, ns_, sql);
  }

  // It can only be changed outside a transaction.
  void set_synchronous(bool full) {
    if (full == full_) return;
    pragma(full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    full_ = full;
  }

  void write_rows(const BoundTable&, std::span<const RowChange>);

  Database db_;
  std::string ns_;
  SqliteStatements statements_;
  TextArena scratch_;
  TextArena row_texts_;
  bool full_ = true;
  bool failed_ = false;
};

SteppingCursor::SteppingCursor(SqliteConnection& connection, std::shared_ptr<SqliteStatement> statement,
                               std::span<const tl_value> values)
    : connection_(connection), statement_(std::move(statement)), use_(*statement_) {
  std::vector<tl_value> kept(values.begin(), values.end());
  for (tl_value& value : kept)
    if (value.kind == TL_TEXT || value.kind == TL_JSON || value.kind == TL_BLOB)
      value.s = to_tl(owned_.keep(view(value.s)));
  connection_.bind(*statement_, kept, owned_);
  // The first row at once: the first step prepares anew what a changed schema has outdated, names included.
  step();
  read_names(statement_->handle(), names_);
  row_.resize(names_.size());
}

void SteppingCursor::step() {
  const int code = sqlite3_step(statement_->handle());
  done_ = code != SQLITE_ROW;
  if (done_ && code != SQLITE_DONE) connection_.fail(code);
}

const tl_value* SteppingCursor::next() {
  if (!first_ && !done_) step();
  first_ = false;
  if (done_) return nullptr;
  for (std::size_t i = 0; i < row_.size(); ++i) row_[i] = sqlite_column(statement_->handle(), static_cast<int>(i));
  return row_.data();
}

std::shared_ptr<const BoundTable> SqliteConnection::bind_table(const TableShape& shape) {
  return std::make_shared<CheckedTable>(Dialect::Sqlite, ns_, shape, describe_sqlite_table(*this, shape.name));
}

void SqliteConnection::write(const BoundTable& bound, std::span<const RowChange> rows) {
  check_usable();
  if (!in_transaction())
    throw StoreError(StoreError::Kind::Other, "25P01",
                     error_text(ns_, "rows are written in a transaction; begin one", "25P01"));
  try {
    write_rows(bound, rows);
  } catch (const StoreError&) {
    failed_ = in_transaction();
    throw;
  }
}

void SqliteConnection::write_rows(const BoundTable& bound, std::span<const RowChange> rows) {
  const auto& table = static_cast<const CheckedTable&>(bound);
  const TableShape& shape = table.shape();
  const std::size_t width = shape.columns.size();
  // Only text columns that are not declared to hold text need to be known: ids.
  std::vector<bool> as_text(width);
  for (std::size_t i = 0; i < width; ++i) as_text[i] = table.real(i).storage == Storage::Text;

  struct Prepared {
    bool erase;
    std::uint64_t changed;
    std::shared_ptr<SqliteStatement> statement;  // null: such rows change nothing
    std::unique_ptr<SqliteStatement::Use> use;
  };
  std::vector<Prepared> prepared;
  std::size_t last = 0;

  for (const RowChange& row : rows) {
    const bool append = !row.erase && shape.append_only();
    const std::uint64_t changed = row.erase || append ? 0 : table.relevant(row.changed);
    if (last >= prepared.size() || prepared[last].erase != row.erase || prepared[last].changed != changed) {
      const auto found = std::ranges::find_if(
          prepared, [&](const Prepared& p) { return p.erase == row.erase && p.changed == changed; });
      last = static_cast<std::size_t>(found - prepared.begin());
      if (found == prepared.end()) {
        if (row.erase && shape.append_only())
          throw StoreError(
              StoreError::Kind::Schema, "42809",
              error_text(ns_, fmt::format("{} has no key, so no row of it can be erased", shape.name), "42809"));
        Prepared next{row.erase, changed, nullptr, nullptr};
        if (!(shape.existing_only && !row.erase && changed == 0)) {
          next.statement = prepare(row.erase             ? table.erase_sql()
                                   : append              ? table.insert_sql()
                                   : shape.existing_only ? table.update_sql(changed)
                                                         : table.upsert_sql(changed));
          next.use = std::make_unique<SqliteStatement::Use>(*next.statement);
        }
        prepared.push_back(std::move(next));
      }
    }
    Prepared& with = prepared[last];
    if (!with.statement) continue;
    scratch_.clear();
    sqlite3_stmt* handle = with.statement->handle();
    const auto& slots = with.statement->slots();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::size_t number = static_cast<std::size_t>(slots[i]);
      const std::size_t column = row.erase ? table.keys()[number] : number;
      const tl_value& value = row.values[column];
      check_for_column(value, shape.columns[column], ns_, shape.name);
      const bool text = as_text[column] && value.kind == TL_ID;
      const int code = sqlite_bind(handle, static_cast<int>(i + 1), value, text, scratch_);
      if (code != SQLITE_OK) fail(code, shape.name);
    }
    const int code = sqlite3_step(handle);
    if (code != SQLITE_DONE) fail(code, shape.name);
    sqlite3_reset(handle);
  }
}

bool SqliteConnection::read(const BoundTable& bound, std::span<const tl_value> key, std::vector<tl_value>& row) {
  check_usable();
  const auto& table = static_cast<const CheckedTable&>(bound);
  const TableShape& shape = table.shape();
  if (key.size() != table.keys().size())
    throw StoreError(StoreError::Kind::Schema, "42P02",
                     error_text(ns_,
                                fmt::format("{} has {} key columns and was given {} values", shape.name,
                                            table.keys().size(), key.size()),
                                "42P02"));
  for (const tl_value& value : key)
    if (is_null(value)) return false;
  const auto statement = prepare(table.read_sql());
  const SqliteStatement::Use use(*statement);
  scratch_.clear();
  for (std::size_t i = 0; i < key.size(); ++i) {
    const std::size_t column = table.keys()[i];
    check_for_column(key[i], shape.columns[column], ns_, shape.name);
    const bool text = table.real(column).storage == Storage::Text && key[i].kind == TL_ID;
    const int code = sqlite_bind(statement->handle(), static_cast<int>(i + 1), key[i], text, scratch_);
    if (code != SQLITE_OK) fail(code, shape.name);
  }
  const int code = sqlite3_step(statement->handle());
  if (code == SQLITE_DONE) return false;
  if (code != SQLITE_ROW) fail(code, shape.name);
  row_texts_.clear();
  row.resize(shape.columns.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    tl_value value = sqlite_column(statement->handle(), static_cast<int>(i));
    if (value.kind == TL_TEXT || value.kind == TL_BLOB) value.s = to_tl(row_texts_.keep(view(value.s)));
    row[i] = declared_value(value, shape.columns[i], row_texts_, ns_, shape.name);
  }
  return true;
}

// ---- namespaces

class SqliteNamespace final : public Namespace {
 public:
  SqliteNamespace(std::string path, std::string name) : path_(std::move(path)), name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::unique_ptr<Connection> connect(bool read_only) override {
    return std::make_unique<SqliteConnection>(path_, name_, read_only);
  }

 private:
  std::string path_, name_;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::string folder) : folder_(std::move(folder)), url_("sqlite:" + folder_) {}
  bool is_postgresql() const override { return false; }
  const std::string& printable_url() const override { return url_; }

  std::unique_ptr<Namespace> open(const std::string& name) override {
    check_namespace_name(name);
    make_folder();
    const std::string path = path_of(name);
    // Made here, so that it is nobody else's to read; SQLite takes an empty file for a new database. One that is there
    // is not opened: closing any descriptor of a file drops this process's locks on it (POSIX), and then another reader
    // may take itself for the last and remove the log.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno != EEXIST) throw_errno(name, path);
    if (file >= 0) ::close(file);
    auto ns = std::make_unique<SqliteNamespace>(path, name);
    ns->connect(false);  // says now when the file is none of SQLite's
    return ns;
  }

  void drop(const std::string& name) override {
    check_namespace_name(name);
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      const std::string path = path_of(name) + suffix;
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno(name, path);
    }
  }

 private:
  std::string path_of(const std::string& name) const { return folder_ + "/" + name + ".sqlite"; }

  void make_folder() const {
    std::error_code error;
    const std::filesystem::path folder(folder_);
    if (std::filesystem::is_directory(folder, error)) return;
    if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("store", folder_);
  }

  [[noreturn]] static void throw_errno(std::string_view name, const std::string& path) {
    const int error = errno;
    const char* sqlstate = error == ENOSPC || error == EDQUOT ? "53100" : "58030";
    throw StoreError(StoreError::Kind::Away, sqlstate,
                     error_text(name, fmt::format("{}: {}", path, std::strerror(error)), sqlstate));
  }

  std::string folder_, url_;
};

}  // namespace

std::unique_ptr<Store> open_sqlite_store(const std::string& folder) { return std::make_unique<SqliteStore>(folder); }

}  // namespace trellis::host
