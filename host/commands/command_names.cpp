#include "commands/command_names.hpp"

#include <fmt/format.h>
#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <array>
#include <optional>

namespace trellis::host {

namespace {

constexpr std::size_t kNameMax = 32;

/// The next code point; none: this is no UTF-8.
std::optional<char32_t> next(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80             ? 1
                             : (first & 0xE0) == 0xC0 ? 2
                             : (first & 0xF0) == 0xE0 ? 3
                             : (first & 0xF8) == 0xF0 ? 4
                                                      : 0;
  if (length == 0 || at + length > text.size()) return std::nullopt;
  char32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xC0) != 0x80) return std::nullopt;
    code = code << 6 | (byte & 0x3F);
  }
  at += length;
  return code;
}

/// What is a letter or a digit anywhere in the world. glibc brings the tables; null: this system has not installed
/// them.
locale_t all_letters() {
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", static_cast<locale_t>(nullptr));
  return locale;
}

/// Signs that belong to the letters of Devanagari and Thai.
bool is_joined(char32_t c) {
  return (c >= 0x0900 && c <= 0x097F) || (c >= 0xA8E0 && c <= 0xA8FF) || (c >= 0x0E01 && c <= 0x0E3A) ||
         (c >= 0x0E40 && c <= 0x0E5B);
}

bool fits(char32_t c) {
  if (c == '-' || c == '_' || c == '\'') return true;
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  if (is_joined(c) || !all_letters()) return true;
  return ::iswalnum_l(static_cast<wint_t>(c), all_letters()) != 0;
}

bool is_capital(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return all_letters() && ::towlower_l(static_cast<wint_t>(c), all_letters()) != static_cast<wint_t>(c);
}

}  // namespace

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string check_length(std::string_view text, std::size_t low, std::size_t high) {
  for (std::size_t at = 0; at < text.size();)
    if (!next(text, at)) return "must be UTF-8";
  const std::size_t length = characters(text);
  if (length >= low && length <= high) return {};
  if (length == 0) return fmt::format("must not be empty: 1 to {} characters", high);
  return fmt::format("must have {} to {} characters, not {}", low, high, length);
}

std::string check_slash_name(std::string_view name) {
  if (std::string why = check_length(name, 1, kNameMax); !why.empty()) return why;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t begin = at;
    const char32_t c = *next(name, at);
    const std::string_view shown = name.substr(begin, at - begin);
    if (is_capital(c)) return fmt::format("must be in lower case, and has \"{}\"", shown);
    if (!fits(c)) return fmt::format("may only have letters, digits, - and _, and has \"{}\"", shown);
  }
  return {};
}

std::string check_menu_name(std::string_view name) {
  if (std::string why = check_length(name, 1, kNameMax); !why.empty()) return why;
  if (name.front() == ' ' || name.back() == ' ') return "must not begin or end with a blank";
  return {};
}

bool is_locale(std::string_view name) {
  static constexpr std::array<std::string_view, 34> kLocales{
      "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu",
      "nl", "no", "pl", "pt-BR", "ro",    "fi",    "sv-SE",  "vi", "tr", "cs", "el", "bg",
      "ru", "uk", "hi", "th",    "zh-CN", "ja",    "zh-TW",  "ko", "ar", "he"};
  return std::find(kLocales.begin(), kLocales.end(), name) != kLocales.end();
}

}  // namespace trellis::host
