#include "store/real_table.hpp"

#include "store/postgresql_values.hpp"

namespace trellis::host {

namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

// SQLite's own rules of affinity, and the names under which times, days and JSON are kept as text.
Storage sqlite_storage(std::string_view declared) {
  const std::string type = upper(declared);
  const auto has = [&](std::string_view part) { return type.find(part) != type.npos; };
  if (type.empty() || type == "ANY") return Storage::Any;
  if (has("INT")) return Storage::Integer;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Storage::Text;
  if (has("BLOB")) return Storage::Blob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Storage::Real;
  if (has("BOOL")) return Storage::Bool;
  if (has("TIMESTAMP") || has("DATETIME")) return Storage::Time;
  if (has("DATE")) return Storage::Day;
  if (has("JSON")) return Storage::Json;
  if (has("NUM") || has("DEC")) return Storage::Numeric;
  return Storage::Other;
}

Storage postgresql_storage(std::uint32_t type, char category, char kind, std::string_view name) {
  switch (type) {
    case kBool:
      return Storage::Bool;
    case kInt8:
      return Storage::Integer;
    case kInt2:
    case kInt4:
      return Storage::SmallInteger;
    case kFloat4:
    case kFloat8:
      return Storage::Real;
    case kNumeric:
      return Storage::Numeric;
    case kBytea:
      return Storage::Blob;
    case kJson:
    case kJsonb:
      return Storage::Json;
    case kTimestamp:
    case kTimestamptz:
      return Storage::Time;
    case kDate:
      return Storage::Day;
    default:
      break;
  }
  if (category == 'S' || kind == 'e' || name == "uuid" || name == "inet" || name == "cidr" || name == "citext")
    return Storage::Text;
  return Storage::Other;
}

}  // namespace

RealTable describe_sqlite_table(Connection& connection, const std::string& table) {
  RealTable real;
  const tl_value name = text_value(table);
  const auto found =
      connection.execute("SELECT type FROM sqlite_master WHERE name = $1 AND type IN ('table', 'view')", {&name, 1}, 1);
  const tl_value* kind = found->next();
  if (!kind) return real;
  real.is_view = view(kind[0].s) == "view";

  const auto columns = connection.execute(
      "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo($1)", {&name, 1}, 100'000);
  std::vector<std::pair<std::int64_t, std::string>> primary;
  while (const tl_value* row = columns->next()) {
    RealColumn column;
    column.name = view(row[0].s);
    column.type = view(row[1].s);
    column.storage = sqlite_storage(column.type);
    column.not_null = row[2].i != 0;
    column.filled = row[3].kind != TL_NULL;
    column.generated = row[5].i == 2 || row[5].i == 3;
    if (row[4].i > 0) primary.emplace_back(row[4].i, column.name);
    real.columns.push_back(std::move(column));
  }
  if (!primary.empty()) {
    std::ranges::sort(primary);
    std::vector<std::string> names;
    for (auto& [position, column] : primary) names.push_back(column);
    if (names.size() == 1) {
      const auto column = std::ranges::find(real.columns, names[0], &RealColumn::name);
      // The row's own number: SQLite makes one up.
      if (upper(column->type) == "INTEGER") column->filled = true;
    }
    real.unique_keys.push_back(std::move(names));
  }
  const auto indexes =
      connection.execute("SELECT name FROM pragma_index_list($1) WHERE \"unique\" AND NOT partial", {&name, 1}, 10'000);
  while (const tl_value* row = indexes->next()) {
    const tl_value index = row[0];
    const auto members =
        connection.execute("SELECT name FROM pragma_index_info($1) ORDER BY seqno", {&index, 1}, 10'000);
    std::vector<std::string> names;
    bool plain = true;
    while (const tl_value* member = members->next()) {
      if (member[0].kind == TL_NULL) plain = false;  // an expression
      names.emplace_back(view(member[0].s));
    }
    if (plain) real.unique_keys.push_back(std::move(names));
  }
  std::ranges::sort(real.unique_keys);
  real.unique_keys.erase(std::unique(real.unique_keys.begin(), real.unique_keys.end()), real.unique_keys.end());
  return real;
}

RealTable describe_postgresql_table(Connection& connection, const std::string& schema, const std::string& table) {
  RealTable real;
  const tl_value names[] = {text_value(schema), text_value(table)};
  const auto columns = connection.execute(
      "SELECT a.attname, format_type(a.atttypid, -1), COALESCE(NULLIF(t.typbasetype, 0), t.oid)::bigint, "
      "t.typcategory::text, t.typtype::text, "
      "t.typname::text, a.attnotnull, a.atthasdef OR a.attidentity <> '' AS filled, a.attgenerated <> '' OR "
      "a.attidentity = 'a' AS generated, "
      "c.relkind::text "
      "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
      "JOIN pg_type t ON t.oid = a.atttypid "
      "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT "
      "a.attisdropped "
      "ORDER BY a.attnum",
      names, 10'000);
  while (const tl_value* row = columns->next()) {
    RealColumn column;
    column.name = view(row[0].s);
    column.type = view(row[1].s);
    const std::string_view category = view(row[3].s), kind = view(row[4].s);
    column.storage = postgresql_storage(static_cast<std::uint32_t>(row[2].i), category.empty() ? ' ' : category[0],
                                        kind.empty() ? ' ' : kind[0], view(row[5].s));
    column.not_null = row[6].i != 0;
    column.filled = row[7].i != 0;
    column.generated = row[8].i != 0;
    const std::string_view relation = view(row[9].s);
    real.is_view = relation == "v" || relation == "m";
    real.columns.push_back(std::move(column));
  }
  const auto keys = connection.execute(
      "SELECT i.indexrelid::bigint, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
      "JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY "
      "AS k(number, position) "
      "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number "
      "WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS "
      "NULL "
      "AND i.indexprs IS NULL AND k.position <= i.indnkeyatts ORDER BY 1, k.position",
      names, 10'000);
  std::int64_t index = -1;
  while (const tl_value* row = keys->next()) {
    if (row[0].i != index) real.unique_keys.emplace_back();
    index = row[0].i;
    real.unique_keys.back().emplace_back(view(row[1].s));
  }
  return real;
}

}  // namespace trellis::host
