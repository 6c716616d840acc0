// A database of rows: SQLite files or PostgreSQL schemas behind one interface. It knows SQL, columns and merge rules;
// what a unit of work is, is decided in lanes/.
#pragma once
#include <trellis/abi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

/// Something the database said. The text names plugin namespace, table and column where they are known.
class StoreError : public std::runtime_error {
 public:
  enum class Kind {
    Away,  // the store's: connection lost, shutting down, out of space, busy, deadlock, read-only: SQLSTATE 08 40 53 57
           // 58 25006 55P03, SQLite BUSY FULL IOERR
    Data,  // the data's: 22 (bad value), 23 (constraint)
    Schema,  // 42: a missing table, a right, a syntax error
    Other
  };
  StoreError(Kind kind, std::string sqlstate, const std::string& text, bool connection_lost = false)
      : std::runtime_error(text), kind_(kind), sqlstate_(std::move(sqlstate)), connection_lost_(connection_lost) {}
  Kind kind() const { return kind_; }
  const std::string& sqlstate() const { return sqlstate_; }
  /// The connection is gone; a COMMIT that was under way may or may not have happened.
  bool connection_lost() const { return connection_lost_; }
  /// Of run_script: the line of the statement that failed; 0 elsewhere.
  int line() const { return line_; }
  void set_line(int line) { line_ = line; }

 private:
  Kind kind_;
  std::string sqlstate_;
  bool connection_lost_;
  int line_ = 0;
};

/// A table as a plugin declared it.
struct Column {
  std::string name;
  std::uint32_t merge = TL_PLAIN;      // TL_KEY ...
  std::uint32_t value_kind = TL_TEXT;  // TL_BOOL ...
  bool nullable = false;
};
struct TableShape {
  std::string name;
  bool existing_only = false;   // TL_TABLE_EXISTING
  std::vector<Column> columns;  // at most 64
  std::size_t key_count() const;
  bool append_only() const { return key_count() == 0; }
};

/// A declared table that was found to fit the real one: its statements, its columns' real types. Made by
/// Connection::bind_table of any connection of the same namespace; may be used with every connection of it.
class BoundTable {
 public:
  virtual ~BoundTable() = default;
  const TableShape& shape() const { return shape_; }

 protected:
  explicit BoundTable(TableShape shape) : shape_(std::move(shape)) {}
  TableShape shape_;
};

/// Rows that a statement brought. [the thread that uses its connection]
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual std::size_t width() const = 0;
  virtual std::string_view name(std::size_t column) const = 0;
  /// The next row, `width()` values, valid until the next call; null at the end. Integers come as TL_INT, text as
  /// TL_TEXT, PostgreSQL timestamps as TL_TIME, dates as TL_DAY, json as TL_JSON, SQLite values by their storage class.
  virtual const tl_value* next() = 0;
  virtual std::uint64_t affected() const = 0;
};

/// How a row of a unit is written.
struct RowChange {
  const tl_value* values = nullptr;  // one per column; with erase only the key columns matter
  std::uint64_t changed = ~0ull;     // bit n: column n is written when the row exists already (key columns never are)
  bool erase = false;
};

enum class Durability {
  Lazy,  // survives kill -9 of host and database; may be lost with the power (PostgreSQL synchronous_commit=off, SQLite
         // synchronous=NORMAL)
  Sync   // survives power loss once commit() has returned (PostgreSQL on, SQLite FULL)
};

/// One connection in one namespace. [one thread at a time] Everything throws StoreError.
/// A statement that fails makes the open transaction unusable, on both databases: everything but rollback() and
/// rollback_to() is refused with 25P02 then. After a commit() that threw the transaction is over.
class Connection {
 public:
  virtual ~Connection() = default;

  virtual void begin(Durability) = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
  virtual bool in_transaction() const = 0;

  /// Statement with $1, $2 ... on both databases (PostgreSQL names types where needed: $1::date). All rows are in
  /// memory when it returns; more than `rows_max` is an error. Outside a transaction it is one by itself. Values are
  /// bound by kind; TL_ID as BIGINT (a comparison with a text column works: the parameter takes the column's type), 0
  /// as NULL; TL_DAY and TL_TIME as date and timestamp, in SQLite as ISO text
  /// ("2024-01-15", "2024-01-15T10:30:45.123456Z", no fraction when it is zero).
  /// BEGIN, COMMIT, SAVEPOINT and their like are refused. Without a transaction a change is committed with Sync.
  virtual std::unique_ptr<Cursor> execute(std::string_view sql, std::span<const tl_value> values = {},
                                          std::size_t rows_max = 10'000) = 0;

  /// Like execute, for reading any number of rows: they are fetched in batches as the cursor moves. The connection is
  /// busy until the cursor is gone.
  virtual std::unique_ptr<Cursor> query(std::string_view sql, std::span<const tl_value> values = {}) = 0;

  /// Several statements without parameters (a migration). In the transaction that is open. Its errors have a line().
  virtual void run_script(std::string_view sql) = 0;

  virtual void savepoint(const char* name) = 0;
  virtual void rollback_to(const char* name) = 0;
  virtual void release(const char* name) = 0;

  /// Checks the declared table against the real one: missing table or column, types that cannot hold the values, a key
  /// that no unique constraint backs, table() where NOT NULL columns without default are not named (points to
  /// existing()). The sentence says what to change.
  virtual std::shared_ptr<const BoundTable> bind_table(const TableShape&) = 0;

  /// Writes rows by the table's merge rules, in bulk: insert, or on a conflict merge the changed columns (sum adds, max
  /// keeps the greatest, first keeps what is there, plain replaces). Append-only tables: COPY / multi-row insert.
  /// existing_only: updates only. In the open transaction.
  virtual void write(const BoundTable&, std::span<const RowChange>) = 0;

  /// The row with this key (key columns in declared order) into `row` (one value per declared column; views valid until
  /// the next call); false: none. Values come back in the column's declared value_kind.
  virtual bool read(const BoundTable&, std::span<const tl_value> key, std::vector<tl_value>& row) = 0;

  /// True while the connection works; after a lost connection only destruction makes sense.
  virtual bool alive() const = 0;
};

/// A namespace: a plugin's, or the host's own ("trellis").
class Namespace {
 public:
  virtual ~Namespace() = default;
  virtual const std::string& name() const = 0;
  virtual std::unique_ptr<Connection> connect(bool read_only = false) = 0;  // throws StoreError
};

class Store {
 public:
  virtual ~Store() = default;
  virtual bool is_postgresql() const = 0;
  /// The store as one may print it: no password.
  virtual const std::string& printable_url() const = 0;
  /// Creates it when it is missing. Throws StoreError.
  virtual std::unique_ptr<Namespace> open(const std::string& name) = 0;
  /// Deletes it with everything in it.
  virtual void drop(const std::string& name) = 0;
};

/// "sqlite:DIR" (one file DIR/<namespace>.sqlite) or "postgresql://user:password@host:port/database?options" (one
/// schema per namespace). Throws std::invalid_argument for another URL; connects only when a namespace is opened.
std::unique_ptr<Store> open_store(const std::string& url);

}  // namespace trellis::host
