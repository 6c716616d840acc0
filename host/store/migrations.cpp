#include "store/migrations.hpp"

#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <thread>

#include "store/additive.hpp"
#include "store/values.hpp"

namespace trellis::host {

namespace {

struct Migration {
  int number = 0;
  std::string name;  // 0001_init.sql, without folder
  const EmbeddedFile* file = nullptr;
  std::string checksum;
};

std::string sha256_hex(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  std::string hex;
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]);
  return hex;
}

// The files of this dialect, in order.
std::vector<Migration> plan(bool postgresql, const std::vector<EmbeddedFile>& files) {
  constexpr std::string_view kFolder = "migrations/";
  const std::string_view dialect = postgresql ? "postgresql" : "sqlite";
  std::map<int, Migration> mine;
  std::map<int, std::string> others;  // only for the other dialect
  for (const EmbeddedFile& file : files) {
    std::string_view name = file.name;
    if (!name.starts_with(kFolder)) continue;
    name.remove_prefix(kFolder.size());
    if (!name.ends_with(".sql")) continue;  // a README may stand beside them
    int number = 0;
    std::size_t digits = 0;
    while (digits < name.size() && digits < 8 && name[digits] >= '0' && name[digits] <= '9')
      number = number * 10 + (name[digits++] - '0');
    if (digits == 0 || digits >= name.size() || name[digits] != '_' || number == 0)
      throw std::runtime_error(
          fmt::format("{}: migrations are called 0001_what.sql, numbered from 0001, or 0001_what.postgresql.sql and "
                      "0001_what.sqlite.sql",
                      file.name));
    std::string_view stem = name.substr(0, name.size() - 4);
    const std::size_t dot = stem.rfind('.');
    if (dot != stem.npos) {
      const std::string_view suffix = stem.substr(dot + 1);
      if (suffix != "postgresql" && suffix != "sqlite")
        throw std::runtime_error(
            fmt::format("{}: \"{}\" is no database; write .postgresql.sql or .sqlite.sql", file.name, suffix));
      if (suffix != dialect) {
        others.emplace(number, file.name);
        continue;
      }
    }
    const auto [at, fresh] = mine.try_emplace(number);
    if (!fresh)
      throw std::runtime_error(
          fmt::format("{} and {} have the same number; each number is applied once", at->second.file->name, file.name));
    at->second = {number, std::string(name), &file, sha256_hex(file.content)};
  }
  std::vector<Migration> ordered;
  const int last = std::max(mine.empty() ? 0 : mine.rbegin()->first, others.empty() ? 0 : others.rbegin()->first);
  for (int number = 1; number <= last; ++number) {
    const auto found = mine.find(number);
    if (found != mine.end()) {
      // A file for both and one for this database are a double; so is one for both beside one for the other database.
      if (const auto other = others.find(number);
          other != others.end() && found->second.name.find('.') + 4 == found->second.name.size())
        throw std::runtime_error(
            fmt::format("{} and {} have the same number: either one file for both databases, or one for each",
                        found->second.file->name, other->second));
      ordered.push_back(found->second);
      continue;
    }
    if (const auto other = others.find(number); other != others.end())
      throw std::runtime_error(
          fmt::format("migration {:04} exists only as {}: {} needs one too, even if it is only a comment", number,
                      other->second, postgresql ? "PostgreSQL" : "SQLite"));
    throw std::runtime_error(
        fmt::format("migration {:04} is missing: the numbers go up to {:04}, without gaps", number, last));
  }
  return ordered;
}

struct Recorded {
  std::string name, checksum;
};

bool table_exists(Connection& connection, bool postgresql) {
  const auto found = connection.execute(
      postgresql ? "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = "
                   "'trellis_migrations'"
                 : "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'trellis_migrations'");
  return found->next() != nullptr;
}

std::map<int, Recorded> recorded(Connection& connection) {
  std::map<int, Recorded> all;
  const auto rows =
      connection.execute("SELECT number, name, checksum FROM trellis_migrations ORDER BY number", {}, 100'000);
  while (const tl_value* row = rows->next())
    all.emplace(static_cast<int>(row[0].i), Recorded{std::string(view(row[1].s)), std::string(view(row[2].s))});
  return all;
}

void check_unchanged(const Migration& migration, const Recorded& applied) {
  if (migration.checksum == applied.checksum) return;
  throw std::runtime_error(
      fmt::format("{} was changed after it was applied (as {}): its checksum was {} and is {} now; put the file back "
                  "as it was, and make the change in a "
                  "new migration",
                  migration.file->name, applied.name, applied.checksum, migration.checksum));
}

void create_table(Connection& connection, bool postgresql) {
  connection.begin(Durability::Sync);
  try {
    connection.run_script(
        postgresql ? "CREATE TABLE IF NOT EXISTS trellis_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                     "checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL)"
                   : "CREATE TABLE IF NOT EXISTS trellis_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                     "checksum TEXT NOT NULL, applied_at TEXT NOT NULL)");
    connection.commit();
  } catch (...) {
    connection.rollback();
    throw;
  }
}

// False: somebody else applied it in the meantime.
bool apply(Connection& connection, bool postgresql, const Migration& migration) {
  connection.begin(Durability::Sync);
  try {
    if (postgresql) {
      // Rather fail and say so than queue up behind a long transaction, with everything else queueing up behind us.
      connection.run_script("SET LOCAL lock_timeout = '2s'; LOCK TABLE trellis_migrations IN EXCLUSIVE MODE");
    }
    const auto before = recorded(connection);
    if (const auto found = before.find(migration.number); found != before.end()) {
      check_unchanged(migration, found->second);
      connection.rollback();
      return false;
    }
    try {
      connection.run_script(migration.file->content);
      if (!postgresql) {
        // Foreign keys are not enforced while a migration runs, so that it may rebuild tables; here is what it left.
        const auto broken = connection.execute("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1");
        if (const tl_value* row = broken->next())
          throw StoreError(
              StoreError::Kind::Data, "23503",
              fmt::format("it leaves rows in {} that refer to missing rows of {}", view(row[0].s), view(row[1].s)));
      }
    } catch (const StoreError& error) {
      const std::string where =
          error.line() ? fmt::format("{}:{}", migration.file->name, error.line()) : migration.file->name;
      throw StoreError(
          error.kind(), error.sqlstate(),
          fmt::format("{}: {}; nothing of this file was applied{}", where, error.what(),
                      error.sqlstate() == "55P03" ? " (something else holds a lock on a table of it; try again)" : ""),
          error.connection_lost());
    }
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    const tl_value values[] = {int_value(migration.number), text_value(migration.name), text_value(migration.checksum),
                               int_value(now, TL_TIME)};
    connection.execute("INSERT INTO trellis_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
                       values);
    connection.commit();
    return true;
  } catch (...) {
    connection.rollback();
    throw;
  }
}

/// Where each does more than add; nothing for one that only adds.
std::vector<std::string> not_additive(const std::vector<const Migration*>& list, bool trust_no_claim) {
  std::vector<std::string> found;
  std::set<std::string> created;
  for (const Migration* migration : list) {
    const auto one = first_not_additive(migration->file->content, created);
    if (!one) continue;
    found.push_back(fmt::format("{}:{}: {}", migration->file->name, one->line, one->why));
    if (trust_no_claim && claims_additive(migration->file->content))
      throw std::runtime_error(found.back() + "; the file says \"-- additive\", and is not");
  }
  return found;
}

bool apply_with_patience(Connection& connection, bool postgresql, const Migration& migration, int tries) {
  constexpr std::chrono::milliseconds kBetween{250};
  for (;;) {
    try {
      return apply(connection, postgresql, migration);
    } catch (const StoreError& error) {
      if (error.sqlstate() != "55P03" || --tries <= 0) throw;
    }
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace

MigrationReport migrate(Connection& connection, bool postgresql, const std::vector<EmbeddedFile>& files,
                        const MigrationOptions& options, MigrationReport* given) {
  const std::vector<Migration> wanted = plan(postgresql, files);
  MigrationReport own;
  MigrationReport& report = given ? *given : own;
  report = {};
  std::map<int, Recorded> before;
  const bool exists = table_exists(connection, postgresql);
  if (exists) before = recorded(connection);
  for (const auto& [number, applied] : before)
    if (wanted.empty() || number > wanted.back().number) report.unknown.push_back(applied.name);
  std::vector<const Migration*> missing;
  for (const Migration& migration : wanted) {
    if (const auto found = before.find(migration.number); found != before.end())
      check_unchanged(migration, found->second);
    else
      missing.push_back(&migration);
  }
  const auto more_than_additive = not_additive(missing, false);
  if (options.additive_only && !more_than_additive.empty())
    throw std::runtime_error(fmt::format("{}", fmt::join(more_than_additive, "\n")));
  if (options.dry_run) {
    report.not_additive = more_than_additive;
    for (const Migration* migration : missing) report.applied.push_back(migration->name);
    return report;
  }
  if (missing.empty()) return report;
  if (!exists) create_table(connection, postgresql);
  if (!postgresql) connection.execute("PRAGMA foreign_keys=OFF");
  const auto restore = [&]() noexcept {
    if (postgresql) return;
    try {
      connection.execute("PRAGMA foreign_keys=ON");
    } catch (...) {
      // The connection is of no use any more, and its next statement says so.
    }
  };
  try {
    for (const Migration* migration : missing) {
      if (!apply_with_patience(connection, postgresql, *migration, options.lock_tries)) continue;
      report.applied.push_back(migration->name);
      for (const std::string& line : more_than_additive)
        if (line.starts_with(migration->file->name + ":")) report.not_additive.push_back(line);
    }
  } catch (...) {
    restore();
    throw;
  }
  restore();
  return report;
}

MigrationReport check_migrations(bool postgresql, const std::vector<EmbeddedFile>& files) {
  const std::vector<Migration> wanted = plan(postgresql, files);
  MigrationReport report;
  // Each for itself: a database may have any number of those before it.
  for (const Migration& migration : wanted) {
    report.applied.push_back(migration.name);
    for (std::string& line : not_additive({&migration}, true)) report.not_additive.push_back(std::move(line));
  }
  return report;
}

}  // namespace trellis::host
