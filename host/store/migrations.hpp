// Numbered SQL files that bring a namespace to the schema its plugin wants.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

/// An embedded file: "migrations/0001_init.sql", or 0001_init.postgresql.sql and 0001_init.sqlite.sql where the
/// dialects differ.
struct EmbeddedFile {
  std::string name;
  std::string content;
};

struct MigrationReport {
  std::vector<std::string> applied;  // names, in order; of a dry run: what would be
  std::vector<std::string> unknown;  // recorded in the database, but not in these files: from a newer version; accepted
  /// Of those in `applied`, what does more than add to the schema: "migrations/0002_x.sql:3: DROP TABLE ...: why".
  /// Code from before cannot be counted on to work with the schema any more.
  std::vector<std::string> not_additive;
};

struct MigrationOptions {
  bool dry_run = false;        // only report
  bool additive_only = false;  // throw what not_additive would say instead of applying any
  /// How often a file is tried that cannot get a lock within 2 s (PostgreSQL): each time everything that it locked is
  /// free for others in between.
  int lock_tries = 1;
};

/// Applies what is missing, each file in a transaction of its own, recorded in trellis_migrations (number, name,
/// checksum, applied_at). Throws std::runtime_error with a sentence: a gap or double in the numbers, a file that
/// changed after it was applied (names both checksums), a statement that failed (file, line of the statement, what the
/// database said). What was applied before stays; the failing file leaves nothing. `report`, when given, says what was
/// applied also when it throws.
MigrationReport migrate(Connection&, bool postgresql, const std::vector<EmbeddedFile>&, const MigrationOptions& = {},
                        MigrationReport* report = nullptr);

/// The files of one dialect, without a database: names, and where each does more than add. Throws std::runtime_error
/// for wrong names or numbers, and for a file that begins with "-- additive" and is not.
MigrationReport check_migrations(bool postgresql, const std::vector<EmbeddedFile>&);

}  // namespace trellis::host
