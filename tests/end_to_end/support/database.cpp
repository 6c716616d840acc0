#include "database.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <pqxx/pqxx>
#include <random>
#include <stdexcept>

#include "process.hpp"

namespace trellis::e2e {

std::string Database::value(const std::string& space, const std::string& sql) {
  const auto all = rows(space, sql);
  return all.empty() ? "" : all.at(0).at(0);
}

long long Database::number(const std::string& space, const std::string& sql) {
  try {
    const std::string text = value(space, sql);
    return text.empty() || text == "NULL" ? 0 : std::stoll(text);
  } catch (const std::exception& error) {
    const std::string why = error.what();
    if (why.find("no such table") != std::string::npos || why.find("does not exist") != std::string::npos ||
        why.find("unable to open database") != std::string::npos)
      return 0;
    throw;
  }
}

namespace {

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::string url() const override { return "sqlite:" + folder_.string(); }

  std::vector<Row> rows(const std::string& space, const std::string& sql) override {
    const Handle db = open(space);
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
      throw std::runtime_error(space + ": " + sqlite3_errmsg(db.get()));
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owner(statement, sqlite3_finalize);
    std::vector<Row> all;
    int result = 0;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
      Row& row = all.emplace_back();
      for (int column = 0; column < sqlite3_column_count(statement); ++column) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
        row.emplace_back(text ? text : "NULL");
      }
    }
    if (result != SQLITE_DONE) throw std::runtime_error(space + ": " + sqlite3_errmsg(db.get()));
    return all;
  }

  void script(const std::string& space, const std::string& sql) override {
    const Handle db = open(space);
    if (sqlite3_exec(db.get(), ("BEGIN IMMEDIATE;" + sql + ";COMMIT").c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(space + ": " + sqlite3_errmsg(db.get()));
  }

  bool in_transaction(const std::string& space) override {
    const Handle db = open(space);
    sqlite3_busy_timeout(db.get(), 0);
    const int result = sqlite3_exec(db.get(), "BEGIN IMMEDIATE; ROLLBACK", nullptr, nullptr, nullptr);
    if (result != SQLITE_OK && result != SQLITE_BUSY) throw std::runtime_error(space + ": " + sqlite3_errmsg(db.get()));
    return result == SQLITE_BUSY;
  }

  void cut_connections() override { throw std::logic_error("SQLite has no connections to cut"); }

 private:
  using Handle = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

  Handle open(const std::string& space) const {
    sqlite3* raw = nullptr;
    const auto file = folder_ / (space + ".sqlite");
    const int opened = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
    Handle db(raw, sqlite3_close);
    if (opened != SQLITE_OK) throw std::runtime_error(file.string() + ": unable to open database");
    sqlite3_busy_timeout(db.get(), 30'000);
    return db;
  }

  std::filesystem::path folder_;
};

class PostgresDatabase final : public Database {
 public:
  /// `server`: up to and with the slash before the database's name.
  PostgresDatabase(std::string server, std::string admin) : server_(std::move(server)), admin_(std::move(admin)) {
    static std::atomic<int> next{0};
    name_ = fmt::format("e2e_{}_{}", ::getpid(), ++next);
    pqxx::connection connection(admin_);
    pqxx::nontransaction(connection).exec("CREATE DATABASE " + name_);
  }
  ~PostgresDatabase() override {
    try {
      pqxx::connection connection(admin_);
      pqxx::nontransaction(connection).exec("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
    } catch (const std::exception&) {
      // Its server may be gone already.
    }
  }
  std::string url() const override { return server_ + name_; }

  std::vector<Row> rows(const std::string& space, const std::string& sql) override {
    pqxx::connection connection(url());
    pqxx::nontransaction work(connection);
    work.exec("SET search_path TO \"" + space + "\"");
    std::vector<Row> all;
    for (const auto& row : work.exec(sql)) {
      Row& out = all.emplace_back();
      for (const auto& field : row) out.emplace_back(field.is_null() ? "NULL" : field.c_str());
    }
    return all;
  }

  void script(const std::string& space, const std::string& sql) override {
    pqxx::connection connection(url());
    pqxx::work work(connection);
    work.exec("SET LOCAL search_path TO \"" + space + "\"");
    work.exec(sql);
    work.commit();
  }

  bool in_transaction(const std::string& space) override {
    return number("public",
                  "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid "
                  "= c.relnamespace JOIN pg_stat_activity a ON a.pid = l.pid WHERE n.nspname = '" +
                      space + "' AND l.mode = 'RowExclusiveLock' AND a.state = 'idle in transaction'") > 0;
  }

  void cut_connections() override {
    pqxx::connection connection(admin_);
    pqxx::nontransaction(connection)
        .exec(fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", name_));
  }

 private:
  std::string server_, admin_, name_;
};

}  // namespace

std::unique_ptr<Database> make_database(std::string_view kind, const std::filesystem::path& folder) {
  if (kind == "sqlite") return std::make_unique<SqliteDatabase>(folder / "store");
  const char* admin = std::getenv("TRELLIS_TEST_POSTGRESQL");
  if (!admin || !*admin)
    throw std::runtime_error(
        "TRELLIS_TEST_POSTGRESQL is not set: run the tests through cmake/test.sh (or tests/with_services.sh ctest "
        "...), "
        "which starts a PostgreSQL for them");
  const std::string text(admin);
  return std::make_unique<PostgresDatabase>(text.substr(0, text.rfind('/') + 1), text);
}

PostgresServer::PostgresServer(const std::filesystem::path& folder, std::string options)
    : folder_(folder / "postgresql"), options_(std::move(options)) {
  const char* bin = std::getenv("TRELLIS_TEST_PGBIN");
  if (!bin || !*bin)
    throw std::runtime_error(
        "TRELLIS_TEST_PGBIN is not set: run the tests through cmake/test.sh (or tests/with_services.sh ctest ...)");
  bin_ = bin;
  std::filesystem::create_directories(folder_);
  if (::getuid() == 0) {  // PostgreSQL refuses to run as root
    const passwd* user = ::getpwnam("postgres");
    if (!user || ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("running as root, but there is no user postgres to run PostgreSQL as");
    for (auto path = folder_.parent_path(); path != path.root_path(); path = path.parent_path())
      if (path.filename().string().starts_with("trellis-e2e-"))
        std::filesystem::permissions(path, std::filesystem::perms(0755));
  }
  run("initdb", {"-D", (folder_ / "data").string(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                 "--no-sync"});
  start();
}

PostgresServer::~PostgresServer() {
  try {
    if (started_) stop();
  } catch (const std::exception&) {
    // Nothing of it is needed again.
  }
}

void PostgresServer::run(const std::string& program, std::vector<std::string> arguments) {
  Command command{bin_ / program, std::move(arguments), {}, folder_.parent_path()};
  if (::getuid() == 0) {
    command.arguments.insert(command.arguments.begin(), {"-u", "postgres", "--", command.program.string()});
    command.program = "/usr/sbin/runuser";
    if (!std::filesystem::exists(command.program)) command.program = "/sbin/runuser";
  }
  const Finished done = run_to_end(command);
  if (done.code != 0) throw std::runtime_error(program + " failed: " + done.out + done.err);
}

void PostgresServer::start() {
  // A free port may be taken between the look and the start, so the first start is tried on several.
  for (int attempt = 0;; ++attempt) {
    // Not one of those that the system gives to outgoing connections: somebody's could take it while the server is
    // away.
    if (!started_) port_ = static_cast<int>(20'000 + std::random_device{}() % 12'000);
    try {
      run("pg_ctl",
          {"-D", (folder_ / "data").string(), "-l", (folder_ / "log").string(), "-s", "-w", "-t", "60", "-o",
           fmt::format("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=16MB {}",
                       port_, options_),
           "start"});
      started_ = true;
      return;
    } catch (const std::exception&) {
      if (attempt == 5) throw;
    }
  }
}

void PostgresServer::stop() { run("pg_ctl", {"-D", (folder_ / "data").string(), "-m", "fast", "-s", "-w", "stop"}); }

std::vector<pid_t> PostgresServer::processes() const {
  const pid_t postmaster = std::stoi(read_file(folder_ / "data" / "postmaster.pid"));
  std::vector<pid_t> processes{postmaster};
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    const std::string status = read_file(entry.path() / "stat");  // pid (name) state parent ...
    const std::size_t end = status.rfind(')');
    if (end != status.npos && std::stoi(status.substr(end + 4)) == postmaster) processes.push_back(std::stoi(name));
  }
  return processes;
}

void PostgresServer::hold_wal_writer() {
  wait_until("the WAL writer is there", [&] {
    for (const pid_t process : processes())
      if (read_file(fmt::format("/proc/{}/cmdline", process)).find("walwriter") != std::string::npos)
        return ::kill(process, SIGSTOP) == 0;
    return false;
  });
}

void PostgresServer::kill() {
  const auto processes = this->processes();
  // The first one first: it would start all over when others die.
  for (const pid_t process : processes) ::kill(process, SIGKILL);
  wait_until("PostgreSQL is gone", [&] {
    for (const pid_t process : processes) {
      const std::string status = read_file(fmt::format("/proc/{}/stat", process));
      const std::size_t end = status.rfind(')');
      if (end != status.npos && status.at(end + 2) != 'Z') return false;
    }
    return true;
  });
  // Where nobody collects dead processes, the next server would take it for alive.
  std::filesystem::remove(folder_ / "data" / "postmaster.pid");
}

std::unique_ptr<Database> PostgresServer::database() {
  const std::string server = fmt::format("postgresql://postgres@127.0.0.1:{}/", port_);
  return std::make_unique<PostgresDatabase>(server, server + "postgres");
}

}  // namespace trellis::e2e
