// Appending JSON text quickly: the simulator writes its payloads by hand, in the key order of the real wire.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace trellis::sim {

namespace detail {
inline void put_one(std::string& out, std::string_view text) { out.append(text); }
inline void put_one(std::string& out, char c) { out.push_back(c); }
template <std::same_as<bool> T>  // not what converts to bool, such as a literal
inline void put_one(std::string& out, T value) {
  out.append(value ? "true" : "false");
}
template <class T>
  requires(std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>)
inline void put_one(std::string& out, T value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}
}  // namespace detail

/// Appends text, characters, booleans and integers one after the other. Text is appended as it is, unescaped.
template <class... Parts>
void put(std::string& out, const Parts&... parts) {
  (detail::put_one(out, parts), ...);
}

/// Appends `text` as a JSON string with its quotes. Bytes above 127 are left as they are (UTF-8).
void put_string(std::string& out, std::string_view text);

}  // namespace trellis::sim
