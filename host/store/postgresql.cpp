#include "store/postgresql.hpp"

#include <unordered_set>

#include "store/postgresql_session.hpp"
#include "store/postgresql_values.hpp"
#include "store/real_table.hpp"
#include "store/sql_script.hpp"
#include "store/table.hpp"

namespace trellis::host {

namespace {

class ResultCursor final : public Cursor {
 public:
  ResultCursor(PostgresqlResult result, std::uint64_t affected)
      : result_(std::move(result)), affected_(affected), row_(result_.columns()) {}
  std::size_t width() const override { return result_.columns(); }
  std::string_view name(std::size_t column) const override { return result_.name(column); }
  std::uint64_t affected() const override { return affected_; }
  const tl_value* next() override {
    if (at_ >= result_.rows()) return nullptr;
    texts_.clear();
    result_.row(at_++, fields_);
    for (std::size_t i = 0; i < row_.size(); ++i)
      row_[i] = field_value(fields_[i].first, fields_[i].second, result_.type(i), texts_);
    return row_.data();
  }

 private:
  PostgresqlResult result_;
  std::uint64_t affected_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string_view, bool>> fields_;
  std::vector<tl_value> row_;
  TextArena texts_;
};

class PostgresqlConnection;

// Fetches in batches through a cursor of the server's.
class FetchingCursor final : public Cursor {
 public:
  FetchingCursor(PostgresqlConnection& connection, std::string name, bool own_transaction);
  ~FetchingCursor() override;
  std::size_t width() const override { return batch_.columns(); }
  std::string_view name(std::size_t column) const override { return batch_.name(column); }
  std::uint64_t affected() const override { return 0; }
  const tl_value* next() override;

 private:
  static constexpr std::size_t kBatch = 1000;
  void fetch();

  PostgresqlConnection& connection_;
  std::string cursor_;
  bool own_transaction_;
  PostgresqlResult batch_;
  std::size_t at_ = 0;
  bool last_ = false;
  std::vector<std::pair<std::string_view, bool>> fields_;
  std::vector<tl_value> row_;
  TextArena texts_;
};

class PostgresqlConnection final : public Connection {
 public:
  // A statement; what fails makes the open transaction unusable.
  template <typename F>
  auto in(F&& f) {
    try {
      return f();
    } catch (const StoreError&) {
      failed_ = open_;
      throw;
    }
  }
  PostgresqlSession& session() { return session_; }
  void end_query() noexcept { rollback(); }

  PostgresqlConnection(const PostgresqlAddress& address, std::string ns, bool read_only)
      : ns_(std::move(ns)), session_(address, ns_) {
    session_.exec(fmt::format(
        "SET search_path = {}, public; SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, MDY'; "
        "SET bytea_output = 'hex'; SET extra_float_digits = 1; SET standard_conforming_strings = on; "
        "SET client_min_messages = warning{}",
        quote_name(ns_), read_only ? "; SET default_transaction_read_only = on" : ""));
    const std::string setting = session_.exec("SHOW synchronous_commit").text(0, 0);
    // What the administrator chose is kept when it waits for the disk at all: remote_apply is more than on.
    begin_sync_ = setting == "off" ? "BEGIN; SET LOCAL synchronous_commit = on" : "BEGIN";
  }
  ~PostgresqlConnection() override { rollback(); }

  void begin(Durability durability) override {
    if (open_)
      throw StoreError(StoreError::Kind::Other, "25001", error_text(ns_, "a transaction is open already", "25001"));
    session_.exec(durability == Durability::Sync ? begin_sync_
                                                 : std::string("BEGIN; SET LOCAL synchronous_commit = off"));
    open_ = true;
    failed_ = false;
  }

  void commit() override {
    if (!open_)
      throw StoreError(StoreError::Kind::Other, "25P01", error_text(ns_, "there is no transaction to commit", "25P01"));
    if (failed_) {
      // COMMIT would roll back and call it a success.
      rollback();
      throw StoreError(StoreError::Kind::Other, "25P02",
                       error_text(ns_, "an earlier statement of this transaction failed; it was rolled back", "25P02"));
    }
    try {
      session_.exec("COMMIT");
      open_ = false;
    } catch (const StoreError&) {
      open_ =
          false;  // deferred constraints: the server has rolled back; a lost connection: nothing left to roll back here
      throw;
    }
  }

  void rollback() noexcept override {
    if (!open_) return;
    open_ = failed_ = false;
    if (!session_.alive()) return;
    try {
      session_.exec("ROLLBACK");
    } catch (const std::exception&) {
      // The connection is gone, and the transaction with it; alive() says so.
    }
  }

  bool in_transaction() const override { return open_; }
  bool alive() const override { return session_.alive(); }

  std::unique_ptr<Cursor> execute(std::string_view sql, std::span<const tl_value> values,
                                  std::size_t rows_max) override {
    refuse_transaction_control(sql);
    const Parameters parameters = parameters_of(values, ns_);
    PostgresqlResult result = in([&] { return session_.exec(sql, parameters.pointers()); });
    if (result.rows() > rows_max) {
      failed_ = open_;
      throw StoreError(
          StoreError::Kind::Other, "54000",
          error_text(ns_,
                     fmt::format("the statement brought {} rows, more than {}; use LIMIT, or query() to read any "
                                 "number of rows",
                                 result.rows(), rows_max),
                     "54000"));
    }
    // PostgreSQL also counts the rows a SELECT brought.
    std::uint64_t affected = result.affected();
    if (affected && result.columns()) {
      const std::string word = first_keyword(sql);
      if (word != "INSERT" && word != "UPDATE" && word != "DELETE" && word != "MERGE" && word != "WITH") affected = 0;
    }
    return std::make_unique<ResultCursor>(std::move(result), affected);
  }

  std::unique_ptr<Cursor> query(std::string_view sql, std::span<const tl_value> values) override {
    refuse_transaction_control(sql);
    const std::string word = first_keyword(sql);
    if (word == "INSERT" || word == "UPDATE" || word == "DELETE" || word == "MERGE")
      throw StoreError(StoreError::Kind::Schema, "42601",
                       error_text(ns_, "query() only reads; a statement that writes belongs into execute()", "42601"));
    const Parameters parameters = parameters_of(values, ns_);
    const bool own = !open_;
    if (own) {
      session_.exec("BEGIN READ ONLY");
      open_ = true;
      failed_ = false;
    }
    const std::string name = fmt::format("trellis_rows_{}", ++cursors_);
    try {
      in([&] {
        return session_.exec(fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name, sql), parameters.pointers());
      });
      return std::make_unique<FetchingCursor>(*this, name, own);
    } catch (...) {
      if (own) rollback();
      throw;
    }
  }

  void run_script(std::string_view sql) override {
    for (const ScriptStatement& statement : split_script(sql)) {
      try {
        refuse_transaction_control(statement.text);
        in([&] { return session_.exec(std::string(statement.text)); });
      } catch (StoreError& error) {
        error.set_line(statement.line + std::max(error.line() - 1, 0));
        throw;
      }
    }
  }

  void savepoint(const char* name) override {
    in([&] { return session_.exec("SAVEPOINT " + quote_name(name)); });
  }
  void rollback_to(const char* name) override {
    in([&] { return session_.exec("ROLLBACK TO SAVEPOINT " + quote_name(name)); });
    failed_ = false;
  }
  void release(const char* name) override {
    in([&] { return session_.exec("RELEASE SAVEPOINT " + quote_name(name)); });
  }

  std::shared_ptr<const BoundTable> bind_table(const TableShape& shape) override {
    return std::make_shared<CheckedTable>(Dialect::Postgresql, ns_, shape,
                                          describe_postgresql_table(*this, ns_, shape.name));
  }
  void write(const BoundTable&, std::span<const RowChange>) override;
  bool read(const BoundTable&, std::span<const tl_value> key, std::vector<tl_value>& row) override;

 private:
  void refuse_transaction_control(std::string_view sql) const {
    if (is_transaction_control(sql))
      throw StoreError(
          StoreError::Kind::Schema, "42501",
          error_text(ns_,
                     fmt::format("{} is not allowed here: the host begins and ends transactions", first_keyword(sql)),
                     "42501"));
  }
  void write_rows(const BoundTable&, std::span<const RowChange>);
  void copy(const CheckedTable& table, std::span<const RowChange> rows);
  void write_group(const CheckedTable& table, bool erase, std::uint64_t changed,
                   const std::vector<const RowChange*>& rows);

  std::string ns_;
  PostgresqlSession session_;
  std::string begin_sync_;
  bool open_ = false;
  bool failed_ = false;
  std::uint64_t cursors_ = 0;
  PostgresqlResult row_result_;  // what read() gave its views of
  TextArena row_texts_;
};

FetchingCursor::FetchingCursor(PostgresqlConnection& connection, std::string name, bool own_transaction)
    : connection_(connection), cursor_(std::move(name)), own_transaction_(own_transaction) {
  fetch();
  row_.resize(batch_.columns());
}

FetchingCursor::~FetchingCursor() {
  if (own_transaction_) {
    connection_.end_query();
    return;
  }
  try {
    if (connection_.alive()) connection_.session().exec("CLOSE " + cursor_);
  } catch (const std::exception&) {
    // In a transaction that has failed: it ends with it.
  }
}

void FetchingCursor::fetch() {
  batch_ = connection_.in([&] { return connection_.session().exec(fmt::format("FETCH {} FROM {}", kBatch, cursor_)); });
  at_ = 0;
  last_ = batch_.rows() < kBatch;
}

const tl_value* FetchingCursor::next() {
  if (at_ >= batch_.rows()) {
    if (last_) return nullptr;
    fetch();
    if (batch_.rows() == 0) return nullptr;
  }
  texts_.clear();
  batch_.row(at_++, fields_);
  for (std::size_t i = 0; i < row_.size(); ++i)
    row_[i] = field_value(fields_[i].first, fields_[i].second, batch_.type(i), texts_);
  return row_.data();
}

void PostgresqlConnection::copy(const CheckedTable& table, std::span<const RowChange> rows) {
  const TableShape& shape = table.shape();
  for (const RowChange& row : rows)
    for (std::size_t i = 0; i < shape.columns.size(); ++i)
      check_for_column(row.values[i], shape.columns[i], ns_, shape.name);
  std::size_t at = 0;
  in([&] {
    session_.copy(table.quoted_name(), table.quoted_columns(), [&](std::string& line) {
      if (at >= rows.size()) return false;
      line.clear();
      for (std::size_t i = 0; i < shape.columns.size(); ++i) {
        if (i) line += '\t';
        append_copied(line, rows[at].values[i], table.real(i).storage);
      }
      ++at;
      return true;
    });
  });
}

// One statement for all rows whose same columns are written.
void PostgresqlConnection::write_group(const CheckedTable& table, bool erase, std::uint64_t changed,
                                       const std::vector<const RowChange*>& rows) {
  const TableShape& shape = table.shape();
  if (shape.existing_only && !erase && changed == 0) return;
  const std::size_t width = erase ? table.keys().size() : shape.columns.size();
  const std::string sql = erase                 ? table.erase_sql()
                          : shape.existing_only ? table.update_sql(changed)
                                                : table.upsert_sql(changed);
  std::size_t begin = 0;
  while (begin < rows.size()) {
    // Statements of some megabytes: the server holds them whole.
    constexpr std::size_t kBytes = 4 << 20;
    constexpr std::size_t kRows = 2000;
    std::size_t end = begin;
    for (std::size_t bytes = 0; end < rows.size() && end - begin < kRows && bytes < kBytes; ++end)
      for (std::size_t i = 0; i < width; ++i) bytes += 16 + rows[end]->values[erase ? table.keys()[i] : i].s.n;
    Parameters parameters(width);
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t column = erase ? table.keys()[i] : i;
      const Storage storage = table.real(column).storage;
      std::string& array = parameters.text(i);
      array.reserve((end - begin) * 12);
      array += '{';
      for (std::size_t row = begin; row < end; ++row) {
        const tl_value& value = rows[row]->values[column];
        check_for_column(value, shape.columns[column], ns_, shape.name);
        if (row > begin) array += ',';
        append_element(array, value, storage);
      }
      array += '}';
      parameters.set(i, false);
    }
    in([&] { return session_.exec_prepared(sql, parameters.pointers()); });
    begin = end;
  }
}

std::size_t key_hash(const CheckedTable& table, const tl_value* values) {
  std::size_t hash = 0x9e3779b97f4a7c15u;
  for (const std::size_t column : table.keys()) {
    const tl_value& value = values[column];
    const std::size_t part = value.s.p ? std::hash<std::string_view>()(view(value.s))
                                       : std::hash<std::uint64_t>()(static_cast<std::uint64_t>(value.i));
    hash = (hash ^ part) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 29;
  }
  return hash;
}

void PostgresqlConnection::write(const BoundTable& bound, std::span<const RowChange> rows) {
  if (!open_)
    throw StoreError(StoreError::Kind::Other, "25P01",
                     error_text(ns_, "rows are written in a transaction; begin one", "25P01"));
  in([&] { write_rows(bound, rows); });
}

void PostgresqlConnection::write_rows(const BoundTable& bound, std::span<const RowChange> rows) {
  const auto& table = static_cast<const CheckedTable&>(bound);
  const TableShape& shape = table.shape();
  if (rows.empty()) return;
  if (shape.append_only()) {
    for (const RowChange& row : rows)
      if (row.erase)
        throw StoreError(
            StoreError::Kind::Schema, "42809",
            error_text(ns_, fmt::format("{} has no key, so no row of it can be erased", shape.name), "42809"));
    copy(table, rows);
    return;
  }
  struct Group {
    bool erase;
    std::uint64_t changed;
    std::vector<const RowChange*> rows;
  };
  std::vector<Group> groups;
  std::unordered_set<std::size_t> seen;
  seen.reserve(rows.size());
  const auto flush = [&] {
    for (const Group& group : groups) write_group(table, group.erase, group.changed, group.rows);
    groups.clear();
    seen.clear();
  };
  for (const RowChange& row : rows) {
    const std::uint64_t changed = row.erase ? 0 : table.relevant(row.changed);
    // A row twice: one statement cannot change it twice, and groups are not written in the order of the rows. Two keys
    // with one hash only cost a statement.
    if (!seen.insert(key_hash(table, row.values)).second) {
      flush();
      seen.insert(key_hash(table, row.values));
    }
    auto found = std::ranges::find_if(
        groups, [&](const Group& group) { return group.erase == row.erase && group.changed == changed; });
    if (found == groups.end()) found = groups.insert(groups.end(), Group{row.erase, changed, {}});
    found->rows.push_back(&row);
  }
  flush();
}

bool PostgresqlConnection::read(const BoundTable& bound, std::span<const tl_value> key, std::vector<tl_value>& row) {
  const auto& table = static_cast<const CheckedTable&>(bound);
  const TableShape& shape = table.shape();
  if (key.size() != table.keys().size())
    throw StoreError(StoreError::Kind::Schema, "42P02",
                     error_text(ns_,
                                fmt::format("{} has {} key columns and was given {} values", shape.name,
                                            table.keys().size(), key.size()),
                                "42P02"));
  Parameters parameters(key.size());
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (is_null(key[i])) return false;
    const std::size_t column = table.keys()[i];
    check_for_column(key[i], shape.columns[column], ns_, shape.name);
    append_text(parameters.text(i), key[i], table.real(column).storage);
    parameters.set(i, false);
  }
  row_result_ = in([&] { return session_.exec_prepared(table.read_sql(), parameters.pointers()); });
  if (row_result_.rows() == 0) return false;
  std::vector<std::pair<std::string_view, bool>> fields;
  row_result_.row(0, fields);
  row_texts_.clear();
  row.resize(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& [text, null] = fields[i];
    // Of an id the digits are read: numeric holds more of them than an integer.
    const tl_value value = !null && shape.columns[i].value_kind == TL_ID
                               ? text_value(text)
                               : field_value(text, null, row_result_.type(i), row_texts_);
    row[i] = declared_value(value, shape.columns[i], row_texts_, ns_, shape.name);
  }
  return true;
}

// ---- namespaces

class PostgresqlNamespace final : public Namespace {
 public:
  PostgresqlNamespace(PostgresqlAddress address, std::string name)
      : address_(std::move(address)), name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::unique_ptr<Connection> connect(bool read_only) override {
    return std::make_unique<PostgresqlConnection>(address_, name_, read_only);
  }

 private:
  PostgresqlAddress address_;
  std::string name_;
};

class PostgresqlStore final : public Store {
 public:
  explicit PostgresqlStore(const std::string& url) : address_(parse_postgresql_url(url)) {}
  bool is_postgresql() const override { return true; }
  const std::string& printable_url() const override { return address_.printable; }

  std::unique_ptr<Namespace> open(const std::string& name) override {
    check_namespace_name(name);
    PostgresqlSession session(address_, name);
    // Asked first: CREATE SCHEMA IF NOT EXISTS wants the right to create even where there is nothing to do.
    const auto exists = [&] {
      return session.exec(std::string_view("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1"), {name.c_str()})
                 .rows() > 0;
    };
    if (!exists()) {
      try {
        session.exec("CREATE SCHEMA IF NOT EXISTS " + quote_name(name));
      } catch (const StoreError&) {
        if (!session.alive() || !exists()) throw;  // else somebody created it at the same moment
      }
    }
    return std::make_unique<PostgresqlNamespace>(address_, name);
  }

  void drop(const std::string& name) override {
    check_namespace_name(name);
    PostgresqlSession session(address_, name);
    session.exec("SET client_min_messages = warning; SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS " +
                 quote_name(name) + " CASCADE");
  }

 private:
  PostgresqlAddress address_;
};

}  // namespace

std::unique_ptr<Store> open_postgresql_store(const std::string& url) { return std::make_unique<PostgresqlStore>(url); }

}  // namespace trellis::host
