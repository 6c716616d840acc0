// Settings files: TOML, JSON and YAML by the first byte. They are read, or refused with file and line.
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <string_view>

#include "config/config.hpp"
#include "config/document.hpp"

using namespace trellis::host;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  static constexpr std::string_view kExtensions[] = {".toml", ".json", ".yaml"};
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  try {
    const Document document = parse_document(text, kExtensions[bytes[0] % 3], "file");
    if (!document.root.is_object()) std::abort();
    boost::json::serialize(document.root);
    for (const auto& [path, line] : document.lines) {
      if (line < 1) std::abort();
      document.where(path);
    }
  } catch (const ConfigError& error) {
    if (!std::string_view(error.what()).starts_with("file")) std::abort();
  }
  return 0;
}
