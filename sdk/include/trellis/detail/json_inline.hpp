// Bodies of json.hpp.
#pragma once
#include <trellis/json.hpp>

namespace trellis {

inline std::uint32_t JsonView::type() const {
  if (!own_) {
    if (node_.doc == 0 && node_.node == 0) return TL_NULL;
    return detail::host_json()->type(node_);
  }
  constexpr std::uint32_t kTypes[] = {TL_NULL, TL_BOOL, TL_INT,        TL_REAL,
                                      TL_REAL, TL_TEXT, TL_JSON_ARRAY, TL_JSON_OBJECT};
  return kTypes[own_->data_.index()];
}

inline JsonView JsonView::operator[](std::string_view key) const {
  if (!own_) {
    if (node_.doc == 0 && node_.node == 0) return {};
    return JsonView(detail::host_json()->key(node_, detail::str(key)));
  }
  if (const auto* object = std::get_if<Json::Object>(&own_->data_))
    for (const auto& [name, value] : *object)
      if (name == key) {
        JsonView found(value);
        found.name_ = name;
        return found;
      }
  return {};
}

inline JsonView JsonView::operator[](std::size_t index) const {
  if (!own_) {
    if (node_.doc == 0 && node_.node == 0) return {};
    return JsonView(detail::host_json()->at(node_, index));
  }
  if (const auto* array = std::get_if<Json::Array>(&own_->data_); array && index < array->size())
    return JsonView((*array)[index]);
  if (const auto* object = std::get_if<Json::Object>(&own_->data_); object && index < object->size()) {
    JsonView found((*object)[index].second);
    found.name_ = (*object)[index].first;
    return found;
  }
  return {};
}

inline std::size_t JsonView::size() const {
  if (!own_) {
    if (node_.doc == 0 && node_.node == 0) return 0;
    return detail::host_json()->length(node_);
  }
  if (const auto* array = std::get_if<Json::Array>(&own_->data_)) return array->size();
  if (const auto* object = std::get_if<Json::Object>(&own_->data_)) return object->size();
  return 0;
}

inline std::string_view JsonView::name() const {
  if (own_ || (node_.doc == 0 && node_.node == 0)) return name_;
  return detail::view(detail::host_json()->name(node_));
}

namespace detail {
inline tl_value scalar(tl_json node) {
  tl_value value{};
  if (node.doc != 0 || node.node != 0) host_json()->value(node, &value);
  return value;
}
}  // namespace detail

inline std::string_view JsonView::text(std::string_view otherwise) const {
  if (own_) {
    const auto* text = std::get_if<std::string>(&own_->data_);
    return text ? std::string_view(*text) : otherwise;
  }
  const tl_value value = detail::scalar(node_);
  return value.kind == TL_TEXT ? detail::view(value.s) : otherwise;
}

inline std::int64_t JsonView::integer(std::int64_t otherwise) const {
  double real = 0;
  if (own_) {
    if (const auto* value = std::get_if<std::int64_t>(&own_->data_)) return *value;
    if (const auto* value = std::get_if<std::string>(&own_->data_))
      return detail::whole_number<std::int64_t>(*value).value_or(otherwise);
    const auto* value = std::get_if<double>(&own_->data_);
    if (!value) return otherwise;
    real = *value;
  } else {
    const tl_value value = detail::scalar(node_);
    if (value.kind == TL_INT) return value.i;
    if (value.kind == TL_TEXT) return detail::whole_number<std::int64_t>(detail::view(value.s)).value_or(otherwise);
    if (value.kind != TL_REAL) return otherwise;
    real = value.f;
  }
  return real >= -0x1p63 && real < 0x1p63 && real == std::trunc(real) ? static_cast<std::int64_t>(real) : otherwise;
}

inline double JsonView::number(double otherwise) const {
  if (own_) {
    if (const auto* value = std::get_if<double>(&own_->data_)) return *value;
    if (const auto* value = std::get_if<std::int64_t>(&own_->data_)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<std::uint64_t>(&own_->data_)) return static_cast<double>(*value);
    return otherwise;
  }
  const tl_value value = detail::scalar(node_);
  return value.kind == TL_REAL ? value.f : value.kind == TL_INT ? static_cast<double>(value.i) : otherwise;
}

inline bool JsonView::boolean(bool otherwise) const {
  if (own_) {
    const auto* value = std::get_if<bool>(&own_->data_);
    return value ? *value : otherwise;
  }
  const tl_value value = detail::scalar(node_);
  return value.kind == TL_BOOL ? value.i != 0 : otherwise;
}

template <class Tag>
Id<Tag> JsonView::id() const {
  if (own_)
    if (const auto* value = std::get_if<std::uint64_t>(&own_->data_)) return Id<Tag>(*value);
  if (is_text()) return Id<Tag>::parse(text()).value_or(Id<Tag>{});
  const std::int64_t value = integer();
  return Id<Tag>(value > 0 ? static_cast<std::uint64_t>(value) : 0);
}

inline std::string JsonView::dump() const {
  if (own_) return own_->dump();
  if (node_.doc == 0 && node_.node == 0) return "null";
  std::string text(256, '\0');
  for (;;) {
    const auto needed = static_cast<std::size_t>(detail::host_json()->text(node_, text.data(), text.size()));
    const bool fits = needed <= text.size();
    text.resize(needed);
    if (fits) return text;
  }
}

inline Json::Json(JsonView view) {
  if (view.own_) {
    *this = *view.own_;
    return;
  }
  switch (view.type()) {
    case TL_BOOL:
      data_ = view.boolean();
      break;
    case TL_INT:
      data_ = view.integer();
      break;
    case TL_REAL:
      data_ = view.number();
      break;
    case TL_TEXT:
      data_ = std::string(view.text());
      break;
    case TL_JSON_ARRAY: {
      Array& array = data_.emplace<Array>();
      array.reserve(view.size());
      for (JsonView element : view) array.emplace_back(element);
      break;
    }
    case TL_JSON_OBJECT: {
      Object& object = data_.emplace<Object>();
      object.reserve(view.size());
      for (JsonView member : view) object.emplace_back(member.name(), Json(member));
      break;
    }
    default:
      break;
  }
}

inline Json Json::parse(std::string_view text) {
  struct Document {
    tl_json root;
    ~Document() { detail::host_json()->release(root); }
  };
  std::uint64_t offset = 0;
  const tl_json root = detail::host_json()->parse(detail::str(text), &offset);
  if (root.doc == 0 && root.node == 0) {
    const std::string_view before = text.substr(0, static_cast<std::size_t>(offset));
    std::size_t line = 1, column = 1;
    for (char c : before) c == '\n' ? (++line, column = 1) : ++column;
    throw Error(Code::Invalid, "not JSON: line " + std::to_string(line) + ", column " + std::to_string(column));
  }
  const Document document{root};
  return Json(JsonView(root));
}

namespace detail {
inline void write_text(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += "0123456789abcdef"[(c >> 4) & 15];
          out += "0123456789abcdef"[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}
}  // namespace detail

inline void Json::write(std::string& out) const {
  if (const auto* flag = std::get_if<bool>(&data_)) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&data_)) {
    out += std::to_string(*integer);
  } else if (const auto* large = std::get_if<std::uint64_t>(&data_)) {
    out += std::to_string(*large);
  } else if (const auto* real = std::get_if<double>(&data_); real && std::isfinite(*real)) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, *real).ptr;
    const std::string_view written(text, static_cast<std::size_t>(end - text));
    out += written;
    if (written.find_first_of(".e") == std::string_view::npos) out += ".0";  // stays a real number when read again
  } else if (const auto* text = std::get_if<std::string>(&data_)) {
    detail::write_text(out, *text);
  } else if (const auto* array = std::get_if<Array>(&data_)) {
    out += '[';
    for (const Json& element : *array) {
      if (&element != array->data()) out += ',';
      element.write(out);
    }
    out += ']';
  } else if (const auto* object = std::get_if<Object>(&data_)) {
    out += '{';
    for (const auto& member : *object) {
      if (&member != object->data()) out += ',';
      detail::write_text(out, member.first);
      out += ':';
      member.second.write(out);
    }
    out += '}';
  } else {
    out += "null";  // and what is no number
  }
}

namespace detail {

/// What a type is called in complaints and descriptions.
template <class T>
constexpr std::string_view type_name() {
  if constexpr (is_optional<T>)
    return type_name<typename T::value_type>();
  else if constexpr (std::same_as<T, bool>)
    return "true or false";
  else if constexpr (std::integral<T>)
    return "a whole number";
  else if constexpr (std::floating_point<T>)
    return "a number";
  else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>)
    return "text";
  else if constexpr (is_id<T>)
    return "an id (digits)";
  else if constexpr (std::same_as<T, Day>)
    return "a day (2024-01-15)";
  else if constexpr (std::same_as<T, Time>)
    return "a time (2024-01-15T10:30:45Z)";
  else if constexpr (is_vector<T>)
    return "a list";
  else
    return "a value";
}

/// False when it is something else.
template <class T>
bool from_json(JsonView json, T& out) {
  if constexpr (is_optional<T>) {
    if (!json) return out.reset(), true;
    return from_json(json, out.emplace());
  } else if constexpr (std::same_as<T, JsonView>) {
    return out = json, true;
  } else if constexpr (std::same_as<T, Json>) {
    return out = Json(json), true;
  } else if constexpr (std::same_as<T, bool>) {
    return out = json.boolean(), json.is_boolean();
  } else if constexpr (std::integral<T>) {
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
    if constexpr (std::same_as<T, std::uint64_t>)  // beyond the signed ones they come as text
      if (json.is_text()) {
        const auto value = whole_number<std::uint64_t>(json.text());
        return out = value.value_or(0), value.has_value();
      }
    const std::int64_t value = json.integer(kNone);
    if (value == kNone || !std::in_range<T>(value)) return false;
    return out = static_cast<T>(value), true;
  } else if constexpr (std::floating_point<T>) {
    return out = static_cast<T>(json.number()), json.is_number();
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return out = T(json.text()), json.is_text();
  } else if constexpr (is_id<T>) {
    if (json.is_text()) {
      const auto id = T::parse(json.text());
      return out = id.value_or(T{}), id.has_value();
    }
    return out = T(static_cast<std::uint64_t>(json.integer())), json.is_integer() && json.integer() >= 0;
  } else if constexpr (std::same_as<T, Day>) {
    const auto day = parse_day(json.text());
    return out = day.value_or(Day{}), day.has_value();
  } else if constexpr (std::same_as<T, Time>) {
    const auto time = parse_time(json.text());
    return out = time.value_or(Time{}), time.has_value();
  } else {
    static_assert(is_vector<T>, "this type cannot be read from JSON");
    if (!json.is_array()) return false;
    for (JsonView element : json) {
      typename T::value_type value{};
      if (!from_json(element, value)) return false;
      out.push_back(std::move(value));
    }
    return true;
  }
}

}  // namespace detail

template <class T>
T JsonView::as() const {
  T value{};
  if (!detail::from_json(*this, value))
    throw Error(Code::Invalid, "expected " + std::string(detail::type_name<T>()) + ", found " + dump().substr(0, 100));
  return value;
}

}  // namespace trellis
