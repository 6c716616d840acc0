#include "form.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace trellis::sim {

namespace json = boost::json;

namespace {
std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
}  // namespace

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

Form::Form(FormErrors& errors, const json::value& value, std::string path) : errors_(errors), path_(std::move(path)) {
  if (value.is_object()) {
    object_ = &value.get_object();
  } else {
    errors_.add(path_, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
  }
}

const json::value* Form::at(std::string_view key) const {
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

bool Form::null(std::string_view key) const {
  const json::value* value = at(key);
  return value != nullptr && value->is_null();
}

std::string Form::path(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void Form::error(std::string_view key, std::string_view code, std::string_view message) {
  errors_.add(path(key), code, message);
}

bool Form::required(std::string_view key) {
  const json::value* value = at(key);
  if (value != nullptr && !value->is_null()) return true;
  if (object_ != nullptr) error(key, "BASE_TYPE_REQUIRED", "This field is required");
  return false;
}

std::optional<std::string> Form::text(std::string_view key, std::size_t min, std::size_t max) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  std::string found;
  if (value->is_string()) {
    found = std::string(view(value->get_string()));
  } else if (value->is_number()) {
    found = json::serialize(*value);
  } else {
    error(key, "STRING_TYPE_CONVERT", fmt::format("Could not interpret \"{}\" as string.", json::serialize(*value)));
    return std::nullopt;
  }
  const std::size_t length = characters(found);
  if (length < min && length == 0) {
    error(key, "BASE_TYPE_REQUIRED", "This field is required");
  } else if (length < min) {
    error(key, "BASE_TYPE_BAD_LENGTH", fmt::format("Must be between {} and {} in length.", min, max));
  } else if (length > max) {
    if (min > 0)
      error(key, "BASE_TYPE_BAD_LENGTH", fmt::format("Must be between {} and {} in length.", min, max));
    else
      error(key, "BASE_TYPE_MAX_LENGTH", fmt::format("Must be {} or fewer in length.", max));
  }
  return found;
}

std::optional<std::int64_t> Form::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  std::int64_t found = 0;
  bool read = true;
  if (value->is_int64()) {
    found = value->get_int64();
  } else if (value->is_uint64()) {
    found = INT64_MAX;
  } else if (value->is_double() && value->get_double() == std::floor(value->get_double()) &&
             std::abs(value->get_double()) < 9e15) {
    found = static_cast<std::int64_t>(value->get_double());
  } else if (value->is_string()) {
    const std::string_view text = view(value->get_string());
    const auto result = std::from_chars(text.data(), text.data() + text.size(), found);
    read = !text.empty() && result.ec == std::errc{} && result.ptr == text.data() + text.size();
  } else {
    read = false;
  }
  if (!read) {
    error(key, "NUMBER_TYPE_COERCE", fmt::format("Value {} is not int.", json::serialize(*value)));
    return std::nullopt;
  }
  if (found < min) {
    error(key, "NUMBER_TYPE_MIN", fmt::format("int value should be greater than or equal to {}.", min));
  }
  if (found > max) {
    error(key, "NUMBER_TYPE_MAX", fmt::format("int value should be less than or equal to {}.", max));
  }
  return found;
}

std::optional<double> Form::number(std::string_view key) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_number()) return value->to_number<double>();
  error(key, "NUMBER_TYPE_COERCE", fmt::format("Value {} is not float.", json::serialize(*value)));
  return std::nullopt;
}

std::optional<bool> Form::boolean(std::string_view key) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  error(key, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
  return std::nullopt;
}

std::optional<Snowflake> Form::id(std::string_view key) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  Snowflake found = 0;
  if (value->is_string()) {
    const std::string_view text = view(value->get_string());
    const auto result = std::from_chars(text.data(), text.data() + text.size(), found);
    if (!text.empty() && result.ec == std::errc{} && result.ptr == text.data() + text.size()) return found;
  } else if (value->is_int64() && value->get_int64() >= 0) {
    return static_cast<Snowflake>(value->get_int64());
  } else if (value->is_uint64()) {
    return value->get_uint64();
  }
  error(key, "NUMBER_TYPE_COERCE", fmt::format("Value {} is not snowflake.", json::serialize(*value)));
  return std::nullopt;
}

std::optional<std::int64_t> Form::time(std::string_view key) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string()) {
    if (const auto found = parse_time(view(value->get_string()))) return found;
  }
  error(key, "DATE_TIME_TYPE_PARSE", fmt::format("Could not parse {}. Should be ISO8601.", json::serialize(*value)));
  return std::nullopt;
}

const json::array* Form::array(std::string_view key, std::size_t min, std::size_t max) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_array()) {
    error(key, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
    return nullptr;
  }
  const std::size_t size = value->get_array().size();
  if (size < min && min > 0) {
    error(key, "BASE_TYPE_BAD_LENGTH", fmt::format("Must be between {} and {} in length.", min, max));
  } else if (size > max) {
    error(key, min > 0 ? "BASE_TYPE_BAD_LENGTH" : "BASE_TYPE_MAX_LENGTH",
          min > 0 ? fmt::format("Must be between {} and {} in length.", min, max)
                  : fmt::format("Must be {} or fewer in length.", max));
  }
  return &value->get_array();
}

const json::object* Form::object(std::string_view key) {
  const json::value* value = at(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (value->is_object()) return &value->get_object();
  error(key, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
  return nullptr;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  const auto day = parse_day(text);
  if (!day || text.size() < 19 || (text[10] != 'T' && text[10] != ' ')) return std::nullopt;
  const auto two = [&](std::size_t at) -> int {
    if (at + 2 > text.size()) return -1;
    const char a = text[at];
    const char b = text[at + 1];
    return a < '0' || a > '9' || b < '0' || b > '9' ? -1 : (a - '0') * 10 + (b - '0');
  };
  const int hour = two(11);
  const int minute = two(14);
  const int second = two(17);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  std::int64_t ms = *day * kDayMs + hour * 3'600'000LL + minute * 60'000LL + second * 1000LL;
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    std::int64_t scale = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      ms += (text[at] - '0') * scale;
  }
  const std::string_view zone = text.substr(at);
  if (zone.empty() || zone == "Z") return ms;
  if (zone[0] != '+' && zone[0] != '-') return std::nullopt;
  const int hours = two(at + 1);
  const int minutes = zone.size() >= 6 ? two(at + 4) : zone.size() == 5 ? two(at + 3) : 0;
  if (hours < 0 || minutes < 0) return std::nullopt;
  const std::int64_t offset = hours * 3'600'000LL + minutes * 60'000LL;
  return zone[0] == '+' ? ms - offset : ms + offset;
}

}  // namespace trellis::sim
