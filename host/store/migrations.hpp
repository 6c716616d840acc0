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
  std::vector<std::string> applied;  // names, in order
  std::vector<std::string> unknown;  // recorded in the database, but not in these files: from a newer version; accepted
};

/// Applies what is missing, each file in a transaction of its own, recorded in trellis_migrations (number, name,
/// checksum, applied_at). Throws std::runtime_error with a sentence: a gap or double in the numbers, a file that
/// changed after it was applied (names both checksums), a statement that failed (file, line of the statement, what the
/// database said). What was applied before stays; the failing file leaves nothing. `dry_run` only reports.
MigrationReport migrate(Connection&, bool postgresql, const std::vector<EmbeddedFile>&, bool dry_run = false);

}  // namespace trellis::host
