#include "config/env_file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::host {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}
bool is_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name)
    if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) return false;
  return true;
}

/// The value of a line, or why it is none.
const char* read_value(std::string_view text, std::string& out) {
  if (text.empty()) return nullptr;
  const char quote = text[0];
  if (quote != '"' && quote != '\'') {
    // A # begins a comment only after white space: passwords have them.
    std::size_t end = 0;
    while (end < text.size() && !(text[end] == '#' && (end == 0 || is_space(text[end - 1])))) ++end;
    out = trim(text.substr(0, end));
    return nullptr;
  }
  std::size_t i = 1;
  for (; i < text.size() && text[i] != quote; ++i) {
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      const char c = text[++i];
      if (c == 'n') {
        out += '\n';
      } else if (c == 't') {
        out += '\t';
      } else if (c == '"' || c == '\\' || c == '$') {
        out += c;
      } else {
        out += '\\', out += c;
      }
    } else {
      out += text[i];
    }
  }
  if (i >= text.size()) return "the quote is not closed on this line";
  const auto rest = trim(text.substr(i + 1));
  if (!rest.empty() && rest[0] != '#') return "there is something after the closing quote";
  return nullptr;
}

}  // namespace

std::map<std::string, Variable> parse_env(std::string_view text, const std::string& file,
                                          std::vector<std::string>& complaints) {
  std::map<std::string, Variable> out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("export") && line.size() > 6 && is_space(line[6])) line = trim(line.substr(6));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
      complaints.push_back(fmt::format("{}:{}: expected KEY=VALUE", file, number));
      continue;
    }
    const auto name = trim(line.substr(0, equals));
    if (!is_name(name)) {
      complaints.push_back(fmt::format("{}:{}: what stands before = is not the name of a variable", file, number));
      continue;
    }
    Variable variable{"", number};
    const char* why = read_value(trim(line.substr(equals + 1)), variable.value);
    if (!why && variable.value.find('\0') != std::string::npos) why = "the value contains a NUL byte";
    if (why) {
      complaints.push_back(fmt::format("{}:{}: {}: {}", file, number, name, why));
      continue;
    }
    out.insert_or_assign(std::string(name), std::move(variable));
  }
  return out;
}

}  // namespace trellis::host
