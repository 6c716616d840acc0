// The tables that the host keeps for itself, in its own namespace and in those of plugins: created, brought from the
// form that an earlier build gave them to the present one, or refused in words.
#pragma once
#include <string>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

struct OwnColumn {
  std::string name, type;  // "BIGINT NOT NULL"
  /// A column that earlier builds did not have: the default it is added with. Empty: it was always there.
  std::string added_with = {};
  std::string was = {};  // its name in earlier builds
};

struct OwnTable {
  std::string name;
  std::vector<OwnColumn> columns;
  std::string key = {};  // "shard, shards"; empty: a column says so itself
};

/// Raised with every change of the tables that another program must not overlook; the namespace remembers it in
/// trellis_format. What only adds a column needs `added_with`, too.
inline constexpr std::int64_t kOwnFormat = 1;

/// In the open transaction. Throws StoreError (Other) when the tables were written by a newer program, or by an earlier
/// one in a form that cannot be taken over; nothing was changed then.
void create_own_tables(Connection&, bool postgresql, const std::vector<OwnTable>&);

}  // namespace trellis::host
