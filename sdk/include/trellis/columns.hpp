// SQL text, and structs as rows: which field is which column, and how two rows with the same key become one.
#pragma once
#include <trellis/detail/column.hpp>
#include <tuple>

namespace trellis {

/// A statement with $1, $2 … for both databases, or one text for each. Prepared once per connection. The texts are
/// literals: they outlive the call.
class Sql {
 public:
  constexpr Sql(const char* both) : postgresql_(both), sqlite_(both) {}
  constexpr Sql(const char* postgresql, const char* sqlite) : postgresql_(postgresql), sqlite_(sqlite) {}

  constexpr std::string_view text(bool postgresql) const { return postgresql ? postgresql_ : sqlite_; }

 private:
  const char* postgresql_;
  const char* sqlite_;
};

// ---- columns

enum class Merge { Key = TL_KEY, Plain = TL_PLAIN, Sum = TL_SUM, Max = TL_MAX, First = TL_FIRST };

namespace detail {
template <class>
struct MemberOf;
template <class R, class T>
struct MemberOf<T R::*> {
  using type = T;
};
template <auto TrellisField>
consteval std::string_view member_name() {  // "…TrellisField = &Row::guild_id…" as g++ and clang print it
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(text.find("TrellisField = ") + 15);
  text = text.substr(0, text.find_first_of(";]"));
  while (text.back() == ')' || text.back() == ' ') text.remove_suffix(1);
  text = text.substr(text.rfind(':') + 1);
  if (text.back() == '_') text.remove_suffix(1);
  return text;
}
}  // namespace detail

/// A column is a field of the row's struct, and has its name (a trailing underscore is dropped: class_).
template <Merge Rule, auto Field>
struct Column {
  static constexpr Merge merge = Rule;
  static constexpr auto field = Field;
  using type = typename detail::MemberOf<decltype(Field)>::type;
  static constexpr std::string_view name = detail::member_name<Field>();
  static_assert(detail::is_column<type>,
                "a column is a bool, number, enum, std::string, id, Day, Time, Json, bytes, or std::optional of one");
  static_assert(Rule != Merge::Key || !(detail::is_optional<type> || std::floating_point<type> ||
                                        std::same_as<type, Json> || detail::is_blob<type>),
                "a key column is an id, a whole number, text, a Day, a Time, an enum or a bool");
  static_assert(Rule != Merge::Sum || (std::is_arithmetic_v<type> && !std::same_as<type, bool>),
                "a sum column is a number");
};

template <auto... Field>
inline constexpr std::tuple<Column<Merge::Key, Field>...> key{};  // identify the row
template <auto... Field>
inline constexpr std::tuple<Column<Merge::Plain, Field>...> column{};  // the newest value stays
template <auto... Field>
inline constexpr std::tuple<Column<Merge::Sum, Field>...> sum{};  // added up
template <auto... Field>
inline constexpr std::tuple<Column<Merge::Max, Field>...> max{};  // the greatest stays
template <auto... Field>
inline constexpr std::tuple<Column<Merge::First, Field>...> first{};  // set when the row is new, kept afterwards
template <class... Group>
constexpr auto columns(Group... group) {
  return std::tuple_cat(group...);
}

/// A struct with `static constexpr auto columns = trellis::columns(key<…>, sum<…>, …)`. Give each field a default.
template <class Row>
concept MappedRow = requires { Row::columns; } && std::default_initializable<Row>;

namespace detail {
template <class C>
using KeyOf = std::conditional_t<C::merge == Merge::Key, std::tuple<typename C::type>, std::tuple<>>;
template <class... C>
auto keys_of(const std::tuple<C...>&) -> decltype(std::tuple_cat(std::declval<KeyOf<C>>()...));
template <class Row>
using Keys = decltype(keys_of(Row::columns));
template <class Row>
using Columns = std::remove_cvref_t<decltype(Row::columns)>;

/// Calls f(column, index) for each column.
template <class Row, class F>
constexpr void each_column(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f(std::tuple_element_t<I, Columns<Row>>{}, I), ...);
  }(std::make_index_sequence<std::tuple_size_v<Columns<Row>>>{});
}
}  // namespace detail
}  // namespace trellis
