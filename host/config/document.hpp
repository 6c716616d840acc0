// A parsed settings file (TOML, JSON or YAML) as one JSON document that remembers where each value stood.
#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

struct Document {
  boost::json::value root;           // always an object
  std::string file;                  // as the operator wrote it; empty: made up by the program
  std::map<std::string, int> lines;  // path ("trackedChannels.123[0]") -> line, 1-based

  /// "etc/plugins.d/counter.json:7: trackedChannels.123[0]", with the line of the nearest parent when the path itself
  /// has none.
  std::string where(std::string_view path) const;
};

/// By extension: .toml .conf, .json, .yaml .yml. Throws ConfigError with file, line and what is wrong there. Dates of
/// TOML become text.
Document read_document(const std::filesystem::path&);
Document parse_document(std::string_view text, std::string_view extension, std::string_view file);

/// The candidate that is most alike (edit distance, at most a third of the length), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace trellis::host
