// How a field of a row becomes a tl_value and comes back. Not for authors.
#pragma once
#include <cstddef>
#include <deque>
#include <span>
#include <trellis/error.hpp>
#include <trellis/json.hpp>

namespace trellis::detail {

template <class>
inline constexpr bool is_blob = false;
template <>
inline constexpr bool is_blob<std::vector<std::byte>> = true;

template <class T>
constexpr std::uint32_t value_kind() {
  if constexpr (is_optional<T>)
    return value_kind<typename T::value_type>();
  else if constexpr (std::same_as<T, bool>)
    return TL_BOOL;
  else if constexpr (std::integral<T> || std::is_enum_v<T>)
    return TL_INT;
  else if constexpr (std::floating_point<T>)
    return TL_REAL;
  else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>)
    return TL_TEXT;
  else if constexpr (std::same_as<T, Json> || std::same_as<T, JsonView>)
    return TL_JSON;
  else if constexpr (is_id<T>)
    return TL_ID;
  else if constexpr (std::same_as<T, Time>)
    return TL_TIME;
  else if constexpr (std::same_as<T, Day>)
    return TL_DAY;
  else if constexpr (is_blob<T>)
    return TL_BLOB;
  else
    return TL_NULL;
}

/// Fields of rows. They own what they hold, so no views.
template <class T>
inline constexpr bool is_column =
    value_kind<T>() != TL_NULL && !std::same_as<T, std::string_view> && !std::same_as<T, JsonView>;
template <class T>
inline constexpr bool is_column<std::optional<T>> = is_column<T>;

/// `texts` keeps what the value has no text of its own for.
template <class T>
tl_value to_value(const T& field, std::deque<std::string>& texts) {
  tl_value value{};
  if constexpr (is_optional<T>) {
    if (field) value = to_value(*field, texts);
  } else {
    value.kind = value_kind<T>();
    if constexpr (std::floating_point<T>)
      value.f = field;
    else if constexpr (std::same_as<T, std::string>)
      value.s = str(field);
    else if constexpr (is_blob<T>)
      value.s = {reinterpret_cast<const char*>(field.data()), field.size()};
    else if constexpr (std::same_as<T, Json>)
      value.s = str(texts.emplace_back(field.dump()));
    else if constexpr (is_id<T>)
      value.i = static_cast<std::int64_t>(field.value());
    else if constexpr (std::same_as<T, Time> || std::same_as<T, Day>)
      value.i = field.time_since_epoch().count();
    else
      value.i = static_cast<std::int64_t>(field);
    if constexpr (std::same_as<T, std::string> || is_blob<T>)
      if (!value.s.p) value.s.p = "";
  }
  return value;
}

/// Databases answer with what they have: SQLite with text for days and times, ids come as text or as numbers.
/// False when it is something else.
template <class T>
bool from_value(const tl_value& value, T& field) {
  const bool texts = value.kind == TL_TEXT || value.kind == TL_BLOB || value.kind == TL_JSON;
  if constexpr (is_optional<T>) {
    if (value.kind == TL_NULL) return field.reset(), true;
    return from_value(value, field.emplace());
  } else if constexpr (is_id<T>) {
    if (value.kind == TL_NULL) return field = T{}, true;
    if (value.kind == TL_ID || value.kind == TL_INT) return field = T(static_cast<std::uint64_t>(value.i)), true;
    const auto id = texts ? T::parse(view(value.s)) : std::nullopt;
    return field = id.value_or(T{}), id.has_value();
  } else if constexpr (std::same_as<T, Json>) {
    if (value.kind == TL_NULL) return field = Json(), true;
    if (texts) return field = Json::parse(view(value.s)), true;
    if (value.kind == TL_REAL) return field = Json(value.f), true;
    if (value.kind == TL_BOOL) return field = Json(value.i != 0), true;
    return field = Json(value.i), value.kind == TL_INT;
  } else if constexpr (std::same_as<T, bool>) {
    return field = value.i != 0, value.kind == TL_BOOL || value.kind == TL_INT;
  } else if constexpr (std::is_enum_v<T>) {
    return field = static_cast<T>(value.i), value.kind == TL_INT;
  } else if constexpr (std::integral<T>) {
    std::int64_t number = value.i;
    if (value.kind == TL_REAL && value.f == std::trunc(value.f) && std::abs(value.f) < 0x1p63) {
      number = static_cast<std::int64_t>(value.f);
    } else if (texts) {  // PostgreSQL's sum(bigint) is a numeric
      const auto parsed = whole_number<std::int64_t>(view(value.s));
      if (!parsed) return false;
      number = *parsed;
    } else if (value.kind != TL_INT && value.kind != TL_BOOL && value.kind != TL_ID) {
      return false;
    }
    if (value.kind == TL_ID && std::same_as<T, std::uint64_t>) return field = static_cast<T>(number), true;
    return field = static_cast<T>(number), std::in_range<T>(number);
  } else if constexpr (std::floating_point<T>) {
    if (value.kind == TL_REAL) return field = static_cast<T>(value.f), true;
    if (value.kind == TL_INT) return field = static_cast<T>(value.i), true;
    if (!texts) return false;
    const std::string_view text = view(value.s);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
    return error == std::errc{} && end == text.data() + text.size();
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    if (texts) return field = T(view(value.s)), true;
    if constexpr (std::same_as<T, std::string>) {  // a view has nothing to point to
      if (value.kind == TL_INT) return field = std::to_string(value.i), true;
      if (value.kind == TL_ID) return field = std::to_string(static_cast<std::uint64_t>(value.i)), true;
      if (value.kind == TL_DAY) return field = iso8601(Day{std::chrono::days{value.i}}), true;
      if (value.kind == TL_TIME) return field = iso8601(Time{Duration{value.i}}), true;
    }
    return false;
  } else if constexpr (is_blob<T>) {
    const auto* bytes = reinterpret_cast<const std::byte*>(value.s.p);
    return field.assign(bytes, bytes + value.s.n), texts;
  } else if constexpr (std::same_as<T, Time>) {
    if (value.kind == TL_TIME) return field = Time{Duration{value.i}}, true;
    if (value.kind == TL_DAY) return field = Time{std::chrono::days{value.i}}, true;
    const auto time = texts ? parse_time(view(value.s)) : std::nullopt;
    return field = time.value_or(Time{}), time.has_value();
  } else {
    static_assert(std::same_as<T, Day>,
                  "a column is a bool, number, enum, text, id, Day, Time, Json, or optional of one");
    if (value.kind == TL_DAY) return field = Day{std::chrono::days{value.i}}, true;
    if (value.kind == TL_TIME) return field = day_of(Time{Duration{value.i}}), true;
    const auto time = texts ? parse_time(view(value.s)) : std::nullopt;
    return field = day_of(time.value_or(Time{})), time.has_value();
  }
}

template <class T>
void read_value(const tl_value& value, T& field, std::string_view column) {
  if (from_value(value, field)) return;
  static constexpr std::string_view kKinds[] = {"NULL",  "a bool", "a whole number", "a number", "text",
                                                "bytes", "JSON",   "an id",          "a time",   "a day"};
  const std::string_view found = value.kind < std::size(kKinds) ? kKinds[value.kind] : "something unknown";
  throw Error(Code::Invalid, "column \"" + std::string(column) + "\" holds " + std::string(found) + " where " +
                                 std::string(type_name<T>()) + " is expected" +
                                 (value.kind == TL_NULL ? "; make the field a std::optional" : ""));
}

/// The arguments of a statement.
template <std::size_t N>
struct Arguments {
  std::array<Value, N> values;
  std::array<tl_value, N> raw;
  template <class... A>
  explicit Arguments(const A&... arguments) : values{Value(arguments)...} {
    for (std::size_t i = 0; i < N; ++i) raw[i] = values[i].raw();
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
};

}  // namespace trellis::detail
