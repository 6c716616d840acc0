#include "store/table.hpp"

#include <set>

namespace trellis::host {

namespace {

std::string joined(const std::vector<std::string>& parts, std::string_view between = ", ") {
  return fmt::format("{}", fmt::join(parts, between));
}

bool fits(std::uint32_t kind, Storage storage) {
  if (storage == Storage::Any) return true;
  switch (kind) {
    case TL_BOOL:
      return storage == Storage::Bool || storage == Storage::Integer || storage == Storage::SmallInteger ||
             storage == Storage::Numeric;
    case TL_INT:
      return storage == Storage::Integer || storage == Storage::SmallInteger || storage == Storage::Numeric;
    case TL_REAL:
      return storage == Storage::Real || storage == Storage::Numeric;
    case TL_TEXT:
      return storage == Storage::Text;
    case TL_BLOB:
      return storage == Storage::Blob;
    case TL_JSON:
      return storage == Storage::Json || storage == Storage::Text;
    case TL_ID:
      return storage == Storage::Integer || storage == Storage::Numeric || storage == Storage::Text;
    case TL_TIME:
      return storage == Storage::Time || storage == Storage::Text;
    case TL_DAY:
      return storage == Storage::Day || storage == Storage::Text;
  }
  return false;
}

std::string_view better_type(std::uint32_t kind, Dialect dialect) {
  const bool lite = dialect == Dialect::Sqlite;
  switch (kind) {
    case TL_BOOL:
      return lite ? "INTEGER" : "BOOLEAN";
    case TL_INT:
      return lite ? "INTEGER" : "BIGINT";
    case TL_REAL:
      return lite ? "REAL" : "DOUBLE PRECISION";
    case TL_TEXT:
      return "TEXT";
    case TL_BLOB:
      return lite ? "BLOB" : "BYTEA";
    case TL_JSON:
      return lite ? "TEXT" : "JSONB";
    case TL_ID:
      return lite ? "INTEGER" : "BIGINT";
    case TL_TIME:
      return lite ? "TEXT" : "TIMESTAMPTZ";
    case TL_DAY:
      return lite ? "TEXT" : "DATE";
  }
  return "another type";
}

std::string_view merge_problem(const Column& column) {
  const std::uint32_t kind = column.value_kind;
  if (column.merge < TL_KEY || column.merge > TL_FIRST) return "has a merge rule that this host does not know";
  if (kind < TL_BOOL || kind > TL_DAY) return "has a kind that this host does not know";
  if (column.merge == TL_SUM && kind != TL_INT && kind != TL_REAL)
    return "is a sum, but only integers and real numbers add up";
  if (column.merge == TL_MAX && (kind == TL_JSON || kind == TL_BLOB))
    return "is a max, but JSON and bytes have no order";
  if (column.merge == TL_KEY && (kind == TL_JSON || kind == TL_REAL))
    return "is a key, but JSON and real numbers have no reliable equality";
  if (column.merge == TL_KEY && column.nullable) return "is a key and may be null; a key is never empty";
  return {};
}

}  // namespace

std::string quote_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

std::size_t TableShape::key_count() const {
  return static_cast<std::size_t>(std::ranges::count(columns, static_cast<std::uint32_t>(TL_KEY), &Column::merge));
}

CheckedTable::CheckedTable(Dialect dialect, const std::string& ns, const TableShape& shape, const RealTable& real)
    : BoundTable(shape), dialect_(dialect), quoted_name_(quote_name(shape.name)) {
  const auto fail = [&](const char* sqlstate, const std::string& what) {
    throw StoreError(StoreError::Kind::Schema, sqlstate, error_text(ns, what, ""));
  };
  if (real.columns.empty())
    fail("42P01",
         fmt::format("the database has no table {}; a migration must create it, or its name is spelled differently",
                     shape.name));
  if (real.is_view) fail("42809", fmt::format("{} is a view; only tables can be written", shape.name));
  if (shape.columns.empty()) fail("42703", fmt::format("table {} is declared without columns", shape.name));
  if (shape.columns.size() > 64)
    fail("54011",
         fmt::format("table {} is declared with {} columns; 64 is the most", shape.name, shape.columns.size()));

  const std::string& table = shape.name;
  std::vector<std::string> wrong;
  const char* sqlstate = "42804";
  std::set<std::string_view> named;
  std::vector<std::string> column_names, key_names;
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    const Column& column = shape.columns[i];
    if (!named.insert(column.name).second)
      wrong.push_back(fmt::format("column {}.{} is declared twice", table, column.name));
    if (const std::string_view problem = merge_problem(column); !problem.empty())
      wrong.push_back(fmt::format("column {}.{} {}", table, column.name, problem));
    column_names.push_back(quote_name(column.name));
    if (column.merge == TL_KEY) {
      keys_.push_back(i);
      key_names.push_back(column.name);
    } else if (column.merge != TL_FIRST) {
      changeable_ |= 1ull << i;
    }
    const auto found = std::ranges::find(real.columns, column.name, &RealColumn::name);
    if (found == real.columns.end()) {
      std::vector<std::string> names;
      for (const RealColumn& other : real.columns) names.push_back(other.name);
      wrong.push_back(fmt::format("table {} has no column {}; it has {}", table, column.name, joined(names)));
      sqlstate = "42703";
      real_.emplace_back();
      continue;
    }
    real_.push_back(*found);
    if (found->generated) {
      wrong.push_back(fmt::format("column {}.{} is generated by the database and cannot be written; leave it out",
                                  table, column.name));
    } else if (!fits(column.value_kind, found->storage)) {
      std::string text = fmt::format("column {}.{} is {}, which cannot hold {}; make it {}", table, column.name,
                                     found->type.empty() ? "without a type" : found->type, kind_name(column.value_kind),
                                     better_type(column.value_kind, dialect));
      if (column.value_kind == TL_TIME && (found->storage == Storage::Integer ||
                                           found->storage == Storage::SmallInteger || found->storage == Storage::Real))
        text += ", or declare an integer and convert with unix_seconds()";
      wrong.push_back(std::move(text));
    } else if (column.nullable && found->not_null) {
      wrong.push_back(fmt::format(
          "column {}.{} is NOT NULL in the database, but the plugin may leave it empty; drop one of the two", table,
          column.name));
    }
  }
  if (shape.existing_only && keys_.empty())
    wrong.push_back(fmt::format("existing({}) needs at least one key column to find the rows", table));
  if (!shape.existing_only) {
    std::vector<std::string> missing;
    for (const RealColumn& column : real.columns)
      if (column.not_null && !column.filled && !column.generated && !named.contains(column.name))
        missing.push_back(column.name);
    if (!missing.empty())
      wrong.push_back(fmt::format(
          "table({}) does not name {}, which {} NOT NULL and without default: no row could be inserted; name "
          "{}, give {} a default, or use existing({}) when only rows that are there are changed",
          table, joined(missing), missing.size() == 1 ? "is" : "are", missing.size() == 1 ? "it" : "them",
          missing.size() == 1 ? "it" : "them", table));
  }
  if (!keys_.empty()) {
    std::vector<std::string> sorted = key_names;
    std::ranges::sort(sorted);
    const bool backed = std::ranges::any_of(real.unique_keys, [&](std::vector<std::string> unique) {
      std::ranges::sort(unique);
      return unique == sorted;
    });
    if (!backed) {
      std::vector<std::string> others;
      for (const auto& unique : real.unique_keys) others.push_back("(" + joined(unique) + ")");
      wrong.push_back(fmt::format(
          "the key ({}) of {} has no PRIMARY KEY or UNIQUE constraint of exactly these columns; {}", joined(key_names),
          table, others.empty() ? "the table has none at all" : "the table has " + joined(others)));
      if (wrong.size() == 1) sqlstate = "42P10";
    }
  }
  if (!wrong.empty()) fail(sqlstate, joined(wrong, "; "));
  quoted_columns_ = joined(column_names);
}

// What a text must be turned into before its order is the order of what it says.
std::string CheckedTable::ordered(std::size_t column, const std::string& expression) const {
  if (real_[column].storage != Storage::Text &&
      !(dialect_ == Dialect::Sqlite && real_[column].storage == Storage::Time))
    return expression;
  const bool lite = dialect_ == Dialect::Sqlite;
  switch (shape_.columns[column].value_kind) {
    case TL_ID:
      return lite ? fmt::format("CAST({} AS INTEGER)", expression) : fmt::format("NULLIF({}, '')::numeric", expression);
    case TL_TIME:  // without the Z, 10:30:45 is before 10:30:45.5
      return lite ? fmt::format("rtrim({}, 'Z')", expression) : fmt::format("rtrim({}, 'Z') COLLATE \"C\"", expression);
    default:
      return lite ? expression : expression + " COLLATE \"C\"";
  }
}

std::string CheckedTable::merged(std::size_t column, const std::string& given) const {
  const std::string name = quote_name(shape_.columns[column].name);
  const std::string old = "trellis_old." + name;
  switch (shape_.columns[column].merge) {
    case TL_SUM: {
      std::string sum = fmt::format("{} + {}", old, given);
      // SQLite goes on with a real number when an integer overflows; abs() of the least integer is its error for it.
      if (dialect_ == Dialect::Sqlite && shape_.columns[column].value_kind == TL_INT)
        sum = fmt::format("CASE typeof({0}) WHEN 'real' THEN abs(min({1}, -9223372036854775807 - 1)) ELSE {0} END", sum,
                          old);
      return real_[column].not_null ? fmt::format("{} = {}", name, sum)
                                    : fmt::format("{} = coalesce({}, {}, {})", name, sum, old, given);
    }
    case TL_MAX:
      return fmt::format("{} = CASE WHEN {} IS NULL OR {} > {} THEN {} ELSE {} END", name, old, ordered(column, given),
                         ordered(column, old), given, old);
    default:
      return fmt::format("{} = {}", name, given);
  }
}

// $1::bigint[], $2::text[] ...: the arrays have the real columns' types.
std::string CheckedTable::unnest(const std::vector<std::size_t>& columns) const {
  std::vector<std::string> arrays;
  for (std::size_t i = 0; i < columns.size(); ++i)
    arrays.push_back(fmt::format("${}::{}[]", i + 1, real_[columns[i]].type));
  return fmt::format("unnest({})", joined(arrays));
}

std::string CheckedTable::source() const {
  std::vector<std::size_t> all(shape_.columns.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  if (dialect_ == Dialect::Postgresql) return "SELECT * FROM " + unnest(all);
  std::vector<std::string> values;
  for (const std::size_t i : all) values.push_back(fmt::format("${}", i + 1));
  return fmt::format("VALUES ({})", joined(values));
}

std::string CheckedTable::insert_sql() const {
  return fmt::format("INSERT INTO {} ({}) {}", quoted_name_, quoted_columns_, source());
}

std::string CheckedTable::upsert_sql(std::uint64_t changed) const {
  std::vector<std::string> keys, sets;
  for (const std::size_t key : keys_) keys.push_back(quote_name(shape_.columns[key].name));
  for (std::size_t i = 0; i < shape_.columns.size(); ++i)
    if (changed >> i & 1) sets.push_back(merged(i, "excluded." + quote_name(shape_.columns[i].name)));
  return fmt::format("INSERT INTO {} AS trellis_old ({}) {} ON CONFLICT ({}) {}", quoted_name_, quoted_columns_,
                     source(), joined(keys), sets.empty() ? "DO NOTHING" : "DO UPDATE SET " + joined(sets));
}

std::string CheckedTable::update_sql(std::uint64_t changed) const {
  const bool lite = dialect_ == Dialect::Sqlite;
  std::vector<std::string> sets, wheres, aliases;
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < shape_.columns.size(); ++i) {
    all.push_back(i);
    aliases.push_back(fmt::format("c{}", i + 1));
    const std::string given = lite ? fmt::format("${}", i + 1) : fmt::format("trellis_new.c{}", i + 1);
    if (changed >> i & 1) sets.push_back(merged(i, given));
    if (shape_.columns[i].merge == TL_KEY)
      wheres.push_back(fmt::format("trellis_old.{} = {}", quote_name(shape_.columns[i].name), given));
  }
  return fmt::format("UPDATE {} AS trellis_old SET {}{} WHERE {}", quoted_name_, joined(sets),
                     lite ? "" : fmt::format(" FROM {} AS trellis_new({})", unnest(all), joined(aliases)),
                     joined(wheres, " AND "));
}

std::string CheckedTable::erase_sql() const {
  const bool lite = dialect_ == Dialect::Sqlite;
  std::vector<std::string> wheres, aliases;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    aliases.push_back(fmt::format("c{}", i + 1));
    wheres.push_back(fmt::format("trellis_old.{} = {}{}", quote_name(shape_.columns[keys_[i]].name),
                                 lite ? "$" : "trellis_new.c", i + 1));
  }
  return fmt::format("DELETE FROM {} AS trellis_old{} WHERE {}", quoted_name_,
                     lite ? "" : fmt::format(" USING {} AS trellis_new({})", unnest(keys_), joined(aliases)),
                     joined(wheres, " AND "));
}

std::string CheckedTable::read_sql() const {
  std::vector<std::string> wheres;
  for (std::size_t i = 0; i < keys_.size(); ++i)
    wheres.push_back(fmt::format("{} = ${}", quote_name(shape_.columns[keys_[i]].name), i + 1));
  return fmt::format("SELECT {} FROM {} WHERE {}", quoted_columns_, quoted_name_, joined(wheres, " AND "));
}

}  // namespace trellis::host
