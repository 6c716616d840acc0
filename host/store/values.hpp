// Values between tl_value and the texts that databases take and give.
#pragma once
#include <trellis/abi.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

enum class Dialect { Sqlite, Postgresql };

/// What a column can hold, whatever the database calls it.
enum class Storage {
  Bool,
  Integer,       // 64 bits
  SmallInteger,  // 16 or 32 bits
  Real,
  Numeric,
  Text,
  Blob,
  Json,
  Time,
  Day,
  Any,  // SQLite column without a type: keeps what it is given
  Other
};

/// Keeps texts until it is cleared; what it gave stays where it is.
class TextArena {
 public:
  std::string_view keep(std::string_view text);
  std::string_view keep(std::string&& text);
  void clear();

 private:
  std::deque<std::string> large_;
  std::deque<std::string> chunks_;
};

std::string_view kind_name(std::uint32_t kind);

inline tl_str to_tl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(tl_str text) { return text.p ? std::string_view(text.p, text.n) : std::string_view(); }
inline tl_value null_value() { return tl_value{}; }
inline tl_value int_value(std::int64_t i, std::uint32_t kind = TL_INT) { return {kind, 0, i, 0, {nullptr, 0}}; }
inline tl_value real_value(double f) { return {TL_REAL, 0, 0, f, {nullptr, 0}}; }
inline tl_value text_value(std::string_view text, std::uint32_t kind = TL_TEXT) {
  return {kind, 0, 0, 0, to_tl(text.data() ? text : std::string_view(""))};
}

/// Null, and the id 0 that stands for it.
inline bool is_null(const tl_value& value) { return value.kind == TL_NULL || (value.kind == TL_ID && value.i == 0); }

void append_int(std::string& out, std::int64_t value);
void append_id(std::string& out, std::int64_t value);  // as unsigned
void append_real(std::string& out, double value);  // shortest text that reads back the same; NaN, Infinity, -Infinity

/// ISO texts: "2024-01-15", "2024-01-15T10:30:45.123456Z". Years before 1 are "-0043-03-15" in SQLite and "0044-03-15
/// BC" in PostgreSQL. False when the day is beyond what the calendar of any database reaches.
[[nodiscard]] bool append_day(std::string& out, std::int64_t days, Dialect);
[[nodiscard]] bool append_time(std::string& out, std::int64_t us, Dialect);

/// Reads them back, and what people and PostgreSQL write: a blank for the T, offsets such as +02 or +02:30, "infinity".
[[nodiscard]] bool parse_day(std::string_view text, std::int64_t& days);
[[nodiscard]] bool parse_time(std::string_view text, std::int64_t& us);
[[nodiscard]] bool parse_int(std::string_view text, std::int64_t& value);
[[nodiscard]] bool parse_id(std::string_view text, std::int64_t& value);
[[nodiscard]] bool parse_real(std::string_view text, double& value);
[[nodiscard]] bool parse_hex(std::string_view digits, std::string& bytes);

/// Throws a Data error naming `$number` when no database should be given this value: a text with a NUL character, NaN,
/// a day out of range.
void check_parameter(const tl_value&, std::size_t number, std::string_view ns);

/// The same for a value that is meant for a column: also refuses another kind than the declared one, and empty keys.
void check_for_column(const tl_value&, const Column&, std::string_view ns, std::string_view table);

/// A value as a database gave it, in the column's declared kind: a bool from 1, an id from a text, a time from ISO
/// text. What it made up is kept in the arena. Throws a Data error when the database holds something else.
tl_value declared_value(const tl_value&, const Column&, TextArena&, std::string_view ns, std::string_view table);

/// Throws std::invalid_argument unless it may name a file and a schema: [a-z][a-z0-9_]*, at most 60 characters, and
/// none of PostgreSQL's own.
void check_namespace_name(std::string_view name);

/// What every database takes as text: NUL and what is no UTF-8 becomes "?". A dead letter that cannot be written would
/// stop the lane.
std::string printable(std::string_view given);

/// "message_counter: text (SQLSTATE 42P01)"
std::string error_text(std::string_view ns, std::string_view what, std::string_view sqlstate);

/// The kind of a PostgreSQL error, and of the SQLSTATE an SQLite error is given.
StoreError::Kind kind_of(std::string_view sqlstate);

}  // namespace trellis::host
