// Discord's limits of what is sent, said before it is sent. Not for authors.
#pragma once
#include <string>
#include <string_view>
#include <trellis/error.hpp>

namespace trellis {

namespace detail {

/// Code points, which is what Discord counts.
constexpr std::size_t characters(std::string_view utf8) {
  std::size_t count = 0;
  for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

inline void at_most(std::size_t count, std::size_t most, std::string_view what, std::string_view unit) {
  if (count <= most) return;
  std::string text(what);
  text.append(" has at most ").append(std::to_string(most)).append(" ").append(unit);
  throw Error(Code::TooLarge, text + "; these are " + std::to_string(count));
}
/// The text itself, or Error(TooLarge).
inline std::string_view within(std::string_view text, std::size_t most, std::string_view what) {
  at_most(characters(text), most, what, "characters");
  return text;
}

}  // namespace detail

/// [any] The text, cut to so many characters with "…" as the last one: for what others wrote and Discord limits.
inline std::string shortened(std::string_view text, std::size_t most) {
  if (detail::characters(text) <= most) return std::string(text);
  if (most == 0) return {};
  std::size_t at = 0;
  for (std::size_t count = 0; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 && ++count == most) break;
  return std::string(text.substr(0, at)) + "…";
}

}  // namespace trellis
