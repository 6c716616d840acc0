#include "config/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/document_reader.hpp"

namespace trellis::host {
namespace {

constexpr std::size_t kMaxFile = 16u << 20;

/// The offset of the first byte that is not UTF-8, or npos.
std::size_t invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char c = byte(i);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
    if (more == 0 || i + more >= text.size()) return i;
    for (std::size_t k = 1; k <= more; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return i;
    const unsigned char second = byte(i + 1);
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
        (c == 0xf4 && second > 0x8f))
      return i;
    i += more + 1;
  }
  return std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Edits (insert, delete, replace, swap of neighbours) from a to b.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string complaint(const Document& document, int line, std::string_view text) {
  std::string out = document.file;
  if (line > 0) out += (out.empty() ? "line " : ":") + std::to_string(line);
  if (!out.empty()) out += ": ";
  return out.append(text);
}

std::string Document::where(std::string_view path) const {
  int line = 0;
  for (std::string at(path);;) {
    if (const auto found = lines.find(at); found != lines.end()) {
      line = found->second;
      break;
    }
    if (at.empty()) break;
    const auto cut = at.find_last_of(".[");
    at.resize(cut == std::string::npos ? 0 : cut);
  }
  std::string out = file;
  if (line > 0 && !file.empty()) out += ":" + std::to_string(line);
  if (!path.empty()) out.append(out.empty() ? "" : ": ").append(path);
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 200) return "";
  std::string best;
  std::size_t fewest = 0;
  for (const auto& candidate : candidates) {
    if (candidate.size() > 200) continue;
    const std::size_t n = edits(lower(word), lower(candidate));
    if (n * 3 > std::max(word.size(), candidate.size())) continue;
    if (best.empty() || n < fewest) best = candidate, fewest = n;
  }
  return best;
}

Document parse_document(std::string_view text, std::string_view extension, std::string_view file) {
  Document document{boost::json::object(), std::string(file), {}};
  if (text.size() > kMaxFile) throw ConfigError(complaint(document, 0, "the file is larger than 16 MiB"));
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (const auto bad = invalid_utf8(text); bad != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    throw ConfigError(complaint(document, static_cast<int>(line), "the text is not valid UTF-8"));
  }
  const std::string kind = lower(extension);
  if (kind == ".toml" || kind == ".conf") {
    read_toml(text, document);
  } else if (kind == ".json") {
    read_json(text, document);
  } else if (kind == ".yaml" || kind == ".yml") {
    read_yaml(text, document);
  } else {
    throw ConfigError(complaint(
        document, 0,
        fmt::format("settings are read from .toml, .conf, .json, .yaml and .yml files, not from \"{}\"", extension)));
  }
  return document;
}

Document read_document(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw ConfigError(path.string() + ": this is a folder, not a file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ConfigError(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  std::string text;
  char part[65536];
  while (in.read(part, sizeof part), in.gcount() > 0) {
    text.append(part, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxFile) break;
  }
  if (in.bad()) throw ConfigError(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  return parse_document(text, path.extension().string(), path.string());
}

}  // namespace trellis::host
