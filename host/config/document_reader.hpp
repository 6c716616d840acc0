// What the readers of the three formats share. Private to config/.
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace trellis::host {

/// Deeper nesting, or more values, than any settings file has a reason for.
inline constexpr int kMaxDepth = 32;
inline constexpr std::size_t kMaxValues = 200'000;

/// Each fills root and lines of a document whose file is set, and throws ConfigError. The text is valid UTF-8.
void read_toml(std::string_view text, Document&);
void read_json(std::string_view text, Document&);
void read_yaml(std::string_view text, Document&);

inline std::string child(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}
inline std::string child(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}
/// "file:line: text"
std::string complaint(const Document&, int line, std::string_view text);

}  // namespace trellis::host
