// Reading fields of JSON whose kinds nobody may rely on. Inside of the cache.
#pragma once
#include <simdjson.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "journal/timestamp.hpp"

namespace trellis::host::json_fields {

namespace od = simdjson::ondemand;

// Readers of one value. They leave `out` as it is when the value is of another kind.

inline void read(od::value value, std::uint64_t& out) {
  od::json_type type;
  if (value.type().get(type)) return;
  if (type == od::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text)) return;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error == std::errc() && end == text.data() + text.size()) out = id;
  } else if (type == od::json_type::number) {
    std::uint64_t id = 0;
    if (!value.get_uint64().get(id)) out = id;
  } else if (type == od::json_type::null) {
    out = 0;
  }
}
inline void read(od::value value, bool& out) {
  bool flag = false;
  if (!value.get_bool().get(flag)) out = flag;
}
inline void read(od::value value, std::optional<std::uint64_t>& out) {
  std::uint64_t id = out.value_or(~std::uint64_t{0});
  read(value, id);
  if (id != ~std::uint64_t{0}) out = id;
}
inline void read(od::value value, std::optional<std::uint32_t>& out) {
  std::uint64_t number = 0;
  if (!value.get_uint64().get(number) && number <= UINT32_MAX) out = static_cast<std::uint32_t>(number);
}
inline void read(od::value value, std::optional<std::int64_t>& out) {
  std::int64_t number = 0;
  if (!value.get_int64().get(number)) out = number;
}
inline void read(od::value value, std::optional<bool>& out) {
  bool flag = false;
  if (!value.get_bool().get(flag)) out = flag;
}
inline void read(od::value value, std::optional<std::string_view>& out) {
  od::json_type type;
  if (value.type().get(type)) return;
  std::string_view text;
  if (type == od::json_type::null) {
    out = std::string_view();
  } else if (type == od::json_type::string && !value.get_string().get(text)) {
    out = text;
  }
}

inline void read(od::value value, std::optional<std::int32_t>& out) {
  std::int64_t number = 0;
  if (!value.get_int64().get(number) && number >= INT32_MIN && number <= INT32_MAX)
    out = static_cast<std::int32_t>(number);
}
/// A timestamp as Unix microseconds; null: 0.
inline void read_time(od::value value, std::optional<std::int64_t>& out) {
  std::optional<std::string_view> text;
  read(value, text);
  if (!text) return;
  if (text->empty()) {
    out = 0;
  } else if (const auto us = parse_timestamp(*text)) {
    out = *us;
  }
}

/// False when the object breaks off or is none.
template <class Field>
bool each_field(od::object object, Field on_field) {
  for (auto result : object) {
    od::field field;
    if (std::move(result).get(field)) return false;
    std::string_view key;
    if (field.unescaped_key().get(key)) return false;
    if (!on_field(key, field.value())) return false;
  }
  return true;
}
/// Goes into a value that should be an object; another kind is passed over.
template <class Field>
bool inside(od::value value, Field on_field) {
  od::json_type type;
  if (value.type().get(type)) return false;
  if (type != od::json_type::object) return true;
  od::object object;
  return !value.get_object().get(object) && each_field(object, on_field);
}
template <class Element>
bool each_element(od::value value, Element on_element) {
  od::json_type type;
  if (value.type().get(type)) return false;
  if (type != od::json_type::array) return true;
  od::array array;
  if (value.get_array().get(array)) return false;
  for (auto result : array) {
    od::value element;
    if (std::move(result).get(element)) return false;
    if (!on_element(element)) return false;
  }
  return true;
}
inline bool is_array(od::value value) {
  od::json_type type;
  return !value.type().get(type) && type == od::json_type::array;
}

}  // namespace trellis::host::json_fields
