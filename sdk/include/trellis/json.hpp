// JSON: views to read, values to build; and Value, one value of a row, a log field or a label.
#pragma once
#include <trellis/abi.h>

#include <atomic>
#include <cmath>
#include <concepts>
#include <initializer_list>
#include <limits>
#include <trellis/error.hpp>
#include <trellis/ids.hpp>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace trellis {

class Json;

namespace detail {

/// The host's parser. Set when an instance is created; every instance of a library has the same host.
inline constinit std::atomic<const tl_json_v1*> json_table{nullptr};
inline const tl_json_v1* host_json() { return json_table.load(std::memory_order_relaxed); }

constexpr tl_str str(std::string_view text) { return {text.data(), text.size()}; }
constexpr std::string_view view(tl_str text) { return text.p ? std::string_view(text.p, text.n) : std::string_view(); }

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<Id<Tag>> = true;

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace detail

/// A borrowed look at parsed JSON. Absent members are null views, so chains never fail:
/// event.json()["member"]["nick"].text(). Lives as long as what it looks into.
class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(tl_json node) : node_(node) {}
  JsonView(const Json& own) : own_(&own) {}

  JsonView operator[](std::string_view key) const;
  JsonView operator[](std::size_t index) const;                 // of an object: its n-th member
  explicit operator bool() const { return type() != TL_NULL; }  // there, and not null

  bool is_null() const { return type() == TL_NULL; }
  bool is_object() const { return type() == TL_JSON_OBJECT; }
  bool is_array() const { return type() == TL_JSON_ARRAY; }
  bool is_text() const { return type() == TL_TEXT; }
  bool is_boolean() const { return type() == TL_BOOL; }
  bool is_integer() const { return type() == TL_INT; }
  bool is_number() const { return type() == TL_INT || type() == TL_REAL; }

  std::size_t size() const;       // of elements or members; else 0
  std::string_view name() const;  // its key, when it was reached through an object
  std::string_view text(std::string_view otherwise = {}) const;
  std::int64_t integer(std::int64_t otherwise = 0) const;  // also of "123"
  double number(double otherwise = 0) const;
  bool boolean(bool otherwise = false) const;
  template <class Tag>
  Id<Tag> id() const;  // of "123" or 123; none when it is something else
  /// A bool, number, text, id, Day, Time, Json, JsonView, or std::optional or std::vector of one.
  /// Error(Invalid) when it is something else; an absent value is only an optional's.
  template <class T>
  T as() const;
  std::string dump() const;

  class Iterator {
   public:
    using value_type = JsonView;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const JsonView* of, std::size_t at) : of_(of), at_(at) {}
    JsonView operator*() const { return (*of_)[at_]; }
    Iterator& operator++() { return ++at_, *this; }
    Iterator operator++(int) { return Iterator{of_, at_++}; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const JsonView* of_ = nullptr;
    std::size_t at_ = 0;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  /// TL_NULL, TL_BOOL, TL_INT, TL_REAL, TL_TEXT, TL_JSON_ARRAY or TL_JSON_OBJECT. Integers beyond 64 signed bits:
  /// TL_REAL.
  std::uint32_t type() const;

 private:
  friend class Json;
  const Json* own_ = nullptr;  // one of ours, or
  tl_json node_{0, 0};         // one of the host's
  std::string_view name_;
};

/// An owned JSON value. Objects keep the order in which members were set; integers keep all 64 bits.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : data_(value) {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Json(I value) {
    if (std::in_range<std::int64_t>(value))
      data_ = static_cast<std::int64_t>(value);
    else
      data_ = static_cast<std::uint64_t>(value);
  }
  Json(double value) : data_(value) {}
  Json(const char* value) : data_(std::string(value)) {}
  Json(std::string_view value) : data_(std::string(value)) {}
  Json(std::string value) : data_(std::move(value)) {}
  explicit Json(JsonView);  // a copy of what the view shows
  template <class Tag>
  Json(Id<Tag> id) : data_(id.text()) {}  // as a string, the way Discord writes ids
  Json(Time time) : data_(iso8601(time)) {}
  Json(Day day) : data_(iso8601(day)) {}
  template <class T>
  Json(const std::optional<T>& value) {
    if (value) *this = Json(*value);
  }
  template <class T>
  Json(const std::vector<T>& values) : data_(Array(values.begin(), values.end())) {}

  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members = {}) {
    Json json;
    Object& object = json.data_.emplace<Object>();
    object.reserve(members.size());
    for (const auto& [key, value] : members) object.emplace_back(key, value);
    return json;
  }
  static Json array(std::initializer_list<Json> elements = {}) {
    Json json;
    json.data_.emplace<Array>(elements);
    return json;
  }
  static Json parse(std::string_view);  // Error(Invalid) with line and column

  /// Makes it an object if it is null. A member that is there keeps its place.
  Json& set(std::string_view key, Json value) {
    if (is_null()) data_.emplace<Object>();
    Object& object = part<Object>("set() is for objects");
    for (auto& [name, old] : object)
      if (name == key) return old = std::move(value), *this;
    object.emplace_back(key, std::move(value));
    return *this;
  }
  Json& push(Json value) {
    if (is_null()) data_.emplace<Array>();
    part<Array>("push() is for arrays").push_back(std::move(value));
    return *this;
  }
  bool erase(std::string_view key) {
    Object* object = std::get_if<Object>(&data_);
    return object && std::erase_if(*object, [&](const auto& member) { return member.first == key; }) > 0;
  }
  /// RFC 7396: null removes, objects merge, the rest replaces.
  Json& merge(const Json& patch) {
    if (&patch == this) return *this;
    const Object* changes = std::get_if<Object>(&patch.data_);
    if (!changes) return *this = patch;
    if (!std::holds_alternative<Object>(data_)) data_.emplace<Object>();
    for (const auto& [key, value] : *changes) {
      if (value.is_null()) {
        erase(key);
        continue;
      }
      Object& object = *std::get_if<Object>(&data_);
      std::size_t at = 0;
      while (at < object.size() && object[at].first != key) ++at;
      if (at == object.size()) object.emplace_back(key, Json());
      object[at].second.merge(value);
    }
    return *this;
  }

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  JsonView operator[](std::string_view key) const { return view()[key]; }
  JsonView operator[](std::size_t index) const { return view()[index]; }
  JsonView view() const { return JsonView(*this); }
  explicit operator bool() const { return !is_null(); }
  std::size_t size() const { return view().size(); }

  std::string dump() const {  // compact, UTF-8 as it is
    std::string out;
    write(out);
    return out;
  }

  /// The order of an object's members does not matter; 1 and 1.0 are different.
  friend bool operator==(const Json& a, const Json& b) {
    const Object *x = std::get_if<Object>(&a.data_), *y = std::get_if<Object>(&b.data_);
    if (!x || !y) return a.data_ == b.data_;
    if (x->size() != y->size()) return false;
    for (const auto& [key, value] : *x) {
      bool same = false;
      for (const auto& [name, other] : *y) same = same || (name == key && other == value);
      if (!same) return false;
    }
    return true;
  }

 private:
  friend class JsonView;
  template <class T>
  T& part(const char* why) {
    if (T* found = std::get_if<T>(&data_)) return *found;
    throw Error(Code::Invalid, why);
  }
  void write(std::string& out) const;

  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> data_;
};

/// One value of a row, a parameter of a statement, a log field or a label. Texts are borrowed: it is for arguments.
class Value {
 public:
  Value(std::nullptr_t) {}
  Value(bool value) : Value(TL_BOOL, value) {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Value(I value) : Value(TL_INT, static_cast<std::int64_t>(value)) {}
  template <class E>
    requires std::is_enum_v<E>
  Value(E value) : Value(TL_INT, static_cast<std::int64_t>(value)) {}
  Value(double value) : Value(TL_REAL, 0) { raw_.f = value; }
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(std::string_view text) : Value(TL_TEXT, 0) { raw_.s = {text.data() ? text.data() : "", text.size()}; }
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const Json& json) : Value(TL_JSON, 0) { own_ = json.dump(); }
  Value(JsonView json) : Value(TL_JSON, 0) { own_ = json.dump(); }
  template <class Tag>
  Value(Id<Tag> id) : Value(TL_ID, static_cast<std::int64_t>(id.value())) {}  // the host binds it as the column has it
  Value(Time time) : Value(TL_TIME, time.time_since_epoch().count()) {}
  Value(Day day) : Value(TL_DAY, day.time_since_epoch().count()) {}
  template <class Rep, class Period>
  Value(std::chrono::duration<Rep, Period>) = delete;  // say in which unit: .count()
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value(nullptr)) {}

  tl_value raw() const {  // lives as long as this
    tl_value value = raw_;
    if (value.kind == TL_JSON) value.s = detail::str(own_);
    return value;
  }

 private:
  Value(std::uint32_t kind, std::int64_t i) { raw_.kind = kind, raw_.i = i; }
  tl_value raw_{};
  std::string own_;
};

struct Field {
  std::string_view name;
  Value value;
};

}  // namespace trellis

#include <trellis/detail/json_inline.hpp>
