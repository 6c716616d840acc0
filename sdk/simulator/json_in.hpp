// Reading JSON that came from outside: never trusting its shape.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::sim {

/// Parses; nothing if it is not JSON.
inline std::optional<boost::json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) return std::nullopt;
  return value;
}

/// The member, or null if `value` is no object or lacks it.
inline const boost::json::value* member(const boost::json::value& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  return value.get_object().if_contains(boost::json::string_view(key.data(), key.size()));
}

inline std::string text_at(const boost::json::value& value, std::string_view key, std::string otherwise = {}) {
  const boost::json::value* found = member(value, key);
  if (found == nullptr || !found->is_string()) return otherwise;
  return std::string(found->get_string());
}

/// A whole number that is not negative.
inline std::optional<std::uint64_t> number_at(const boost::json::value& value, std::string_view key) {
  const boost::json::value* found = member(value, key);
  if (found == nullptr) return std::nullopt;
  if (found->is_uint64()) return found->get_uint64();
  if (found->is_int64() && found->get_int64() >= 0) return static_cast<std::uint64_t>(found->get_int64());
  if (found->is_double() && found->get_double() >= 0) return static_cast<std::uint64_t>(found->get_double());
  return std::nullopt;
}

inline bool flag_at(const boost::json::value& value, std::string_view key, bool otherwise = false) {
  const boost::json::value* found = member(value, key);
  return found != nullptr && found->is_bool() ? found->get_bool() : otherwise;
}

/// A snowflake given as text or number; 0 if there is none.
inline std::uint64_t id_at(const boost::json::value& value, std::string_view key) {
  const std::string text = text_at(value, key);
  if (!text.empty()) return std::strtoull(text.c_str(), nullptr, 10);
  return number_at(value, key).value_or(0);
}

/// The text of a member of the top-level object exactly as it was written, or empty. `text` must be valid JSON.
std::string_view raw_member(std::string_view text, std::string_view key);

}  // namespace trellis::sim
