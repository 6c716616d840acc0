#include "multipart.hpp"

#include <algorithm>
#include <cctype>

namespace trellis::sim {

namespace {

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The parameter of a header value such as `form-data; name="files[0]"; filename="a.png"`.
std::optional<std::string> parameter(std::string_view header, std::string_view key) {
  std::size_t at = header.find(';');
  while (at < header.size()) {
    std::size_t mark = header.find('=', ++at);
    if (mark == std::string_view::npos) return std::nullopt;
    const std::string_view name = trim(header.substr(at, mark - at));
    std::string value;
    if (++mark < header.size() && header[mark] == '"') {
      for (++mark; mark < header.size() && header[mark] != '"'; ++mark) {
        if (header[mark] == '\\' && mark + 1 < header.size()) ++mark;
        value.push_back(header[mark]);
      }
      at = header.find(';', mark);
    } else {
      at = header.find(';', mark);
      value = std::string(trim(header.substr(mark, at == std::string_view::npos ? at : at - mark)));
    }
    if (same_ignoring_case(name, key)) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(plus && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::optional<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty()) return std::nullopt;
  const std::string mark = "--" + *boundary;
  std::vector<Part> parts;
  std::size_t at = body.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  for (;;) {
    at += mark.size();
    if (body.substr(at, 2) == "--") return parts;
    if (body.substr(at, 2) != "\r\n") return std::nullopt;
    at += 2;
    const std::size_t blank = body.find("\r\n\r\n", at);
    if (blank == std::string_view::npos) return std::nullopt;
    Part part;
    std::string_view headers = body.substr(at, blank - at);
    while (!headers.empty()) {
      const std::size_t end = std::min(headers.find("\r\n"), headers.size());
      const std::string_view line = headers.substr(0, end);
      headers.remove_prefix(std::min(end + 2, headers.size()));
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) return std::nullopt;
      const std::string_view name = trim(line.substr(0, colon));
      const std::string_view value = trim(line.substr(colon + 1));
      if (same_ignoring_case(name, "content-type")) part.content_type = std::string(value);
      if (same_ignoring_case(name, "content-disposition")) {
        part.name = parameter(value, "name").value_or("");
        part.filename = parameter(value, "filename").value_or("");
      }
    }
    const std::size_t begin = blank + 4;
    const std::size_t end = body.find("\r\n" + mark, begin);
    if (end == std::string_view::npos) return std::nullopt;
    part.content = body.substr(begin, end - begin);
    parts.push_back(std::move(part));
    at = end + 2;
  }
}

}  // namespace trellis::sim
