// Reads the fields of a request's body the way Discord does: each with its limits, and every error with its path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api_error.hpp"
#include "clock.hpp"

namespace trellis::sim {

/// Characters (code points) of UTF-8 text.
std::size_t characters(std::string_view text);

class Form {
 public:
  /// `value` must live as long as the form; what is no object becomes an error.
  Form(FormErrors& errors, const boost::json::value& value, std::string path = {});

  bool has(std::string_view key) const { return at(key) != nullptr; }
  bool null(std::string_view key) const;
  /// The member, null if it is missing.
  const boost::json::value* at(std::string_view key) const;

  // Each returns nothing for what is missing or null, and notes an error for what is wrong.
  std::optional<std::string> text(std::string_view key, std::size_t min, std::size_t max);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<Snowflake> id(std::string_view key);
  /// An ISO 8601 time in Unix milliseconds.
  std::optional<std::int64_t> time(std::string_view key);
  const boost::json::array* array(std::string_view key, std::size_t min, std::size_t max);
  const boost::json::object* object(std::string_view key);
  /// Notes BASE_TYPE_REQUIRED if the field is missing or null; true if it is there.
  bool required(std::string_view key);

  void error(std::string_view key, std::string_view code, std::string_view message);
  std::string path(std::string_view key) const;
  FormErrors& errors() { return errors_; }

 private:
  FormErrors& errors_;
  const boost::json::object* object_ = nullptr;
  std::string path_;
};

/// Milliseconds of "2026-06-01T12:00:00.123Z" (any offset); nothing if it is not such a time.
std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace trellis::sim
