// The store as an outsider sees it: SQLite files or a PostgreSQL database, read with plain SQL.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::e2e {

using Row = std::vector<std::string>;  // NULL is "NULL"

class Database {
 public:
  virtual ~Database() = default;
  /// For store.url.
  virtual std::string url() const = 0;
  /// Rows of a statement in a plugin's namespace. Throws when the database refuses it.
  virtual std::vector<Row> rows(const std::string& space, const std::string& sql) = 0;
  /// The first value of the first row.
  std::string value(const std::string& space, const std::string& sql);
  /// Several statements, all or none of them.
  virtual void script(const std::string& space, const std::string& sql) = 0;
  /// Whether somebody is in the middle of a transaction that has written to the namespace, or may.
  virtual bool in_transaction(const std::string& space) = 0;
  /// The same as a number; 0 while the table is not there yet.
  long long number(const std::string& space, const std::string& sql);
  /// Ends every connection of others.
  virtual void cut_connections() = 0;
};

/// "sqlite": files in `folder`; "postgresql": a database of its own in the server of TRELLIS_TEST_POSTGRESQL, dropped
/// at the end. Throws a sentence when that is not set.
std::unique_ptr<Database> make_database(std::string_view kind, const std::filesystem::path& folder);

/// A PostgreSQL server of its own that can be stopped and killed.
class PostgresServer {
 public:
  /// `options`: more of the server's settings, as "-c name=value".
  explicit PostgresServer(const std::filesystem::path& folder, std::string options = {});
  ~PostgresServer();
  void start();
  void stop();
  /// SIGKILL for all of its processes: what they had only in memory is lost.
  void kill();
  /// Stops the process that writes what was committed with synchronous_commit off, until the next start. Settings:
  /// wal_buffers large enough.
  void hold_wal_writer();
  std::unique_ptr<Database> database();

 private:
  void run(const std::string& program, std::vector<std::string> arguments);
  std::vector<pid_t> processes() const;  // the first one first
  std::filesystem::path bin_, folder_;
  const std::string options_;
  int port_ = 0;
  bool started_ = false;
};

}  // namespace trellis::e2e
