#include "json_in.hpp"

namespace trellis::sim {

namespace {

void skip_space(std::string_view text, std::size_t& at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
}

void skip_string(std::string_view text, std::size_t& at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  ++at;
}

void skip_value(std::string_view text, std::size_t& at) {
  int depth = 0;
  do {
    skip_space(text, at);
    if (at >= text.size()) return;
    const char c = text[at];
    if (c == '"') {
      skip_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      --depth;
      ++at;
    } else if (c == ',' || c == ':') {
      ++at;
    } else {
      while (at < text.size() && std::string_view(",:]} \t\r\n").find(text[at]) == std::string_view::npos) ++at;
    }
  } while (depth > 0);
}

}  // namespace

std::string_view raw_member(std::string_view text, std::string_view key) {
  std::size_t at = 0;
  skip_space(text, at);
  if (at >= text.size() || text[at] != '{') return {};
  ++at;
  while (at < text.size()) {
    skip_space(text, at);
    if (at >= text.size() || text[at] != '"') return {};
    const std::size_t name = at + 1;
    skip_string(text, at);
    const bool found = text.substr(name, at - 1 - name) == key;
    skip_space(text, at);
    ++at;  // the colon
    skip_space(text, at);
    const std::size_t value = at;
    skip_value(text, at);
    if (found) return text.substr(value, at - value);
    skip_space(text, at);
    if (at < text.size() && text[at] == ',') ++at;
  }
  return {};
}

}  // namespace trellis::sim
