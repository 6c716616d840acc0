// Whether a migration only adds to a schema, so that the code from before it can go on working.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace trellis::host {

struct NotAdditive {
  int line = 1;     // of the statement
  std::string why;  // "DROP TABLE ...: ..."
};

/// The first statement that does more than add: CREATE TABLE, INDEX or VIEW, ALTER TABLE ADD COLUMN with a default or
/// nullable, and anything about a table that the script, or one before it, created. `created` are those tables; it is
/// added to.
std::optional<NotAdditive> first_not_additive(std::string_view script, std::set<std::string>& created);

/// Its first line says "-- additive". That is a claim, not a proof.
bool claims_additive(std::string_view script);

}  // namespace trellis::host
