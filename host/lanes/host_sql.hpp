// Values and statements for the host's own tables. Private to lanes/.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"
#include "store/values.hpp"

namespace trellis::host {

inline tl_value integer(std::int64_t value) { return {TL_INT, 0, value, 0, {}}; }
inline tl_value unsigned_integer(std::uint64_t value) { return integer(static_cast<std::int64_t>(value)); }
inline tl_value text(std::string_view value) {
  return {TL_TEXT, 0, 0, 0, {value.data() ? value.data() : "", value.size()}};
}
inline std::string string_of(const tl_value& value) {
  return value.kind == TL_NULL || !value.s.p ? std::string() : std::string(value.s.p, value.s.n);
}

template <class... V>
std::unique_ptr<Cursor> run(Connection& connection, std::string_view sql, const V&... values) {
  const std::vector<tl_value> list{values...};
  return connection.execute(sql, list);
}

/// The wall clock, for columns that say when a row was written.
std::int64_t row_time_us();

}  // namespace trellis::host
