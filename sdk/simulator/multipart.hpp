// multipart/form-data (RFC 7578), as clients send files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::sim {

struct Part {
  std::string name;
  std::string filename;  ///< empty if it is no file
  std::string content_type;
  std::string_view content;  ///< lies in the body
};

/// The parts of `body`; nothing if it is not what `content_type` (with its boundary) says.
std::optional<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body);

/// Undoes %XX; `plus` also turns + into a space.
std::string percent_decode(std::string_view text, bool plus = false);

}  // namespace trellis::sim
