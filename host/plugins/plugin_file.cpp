#include "plugins/plugin_file.hpp"

#include <fmt/ranges.h>

#include <cstring>

namespace trellis::host {

namespace {

std::vector<EmbeddedFile> embedded_files(const ElfImage& image) {
  std::vector<EmbeddedFile> files;
  const std::string_view section = image.section(".trellis.files");
  struct Head {
    std::uint32_t name, zero;
    std::uint64_t content;
  };
  for (std::size_t at = 0; at + sizeof(Head) <= section.size();) {
    Head head;
    std::memcpy(&head, section.data() + at, sizeof head);
    at += sizeof head;
    if (head.name == 0 || head.zero != 0 || head.name > section.size() - at ||
        head.content > section.size() - at - head.name)
      image.fail("has damaged embedded files (section .trellis.files)");
    files.push_back(
        {std::string(section.substr(at, head.name)), std::string(section.substr(at + head.name, head.content))});
    at = (at + head.name + head.content + 7) / 8 * 8;
  }
  return files;
}

std::string text_of(const char* text, std::size_t size) { return {text, strnlen(text, size)}; }

}  // namespace

PluginFile inspect_plugin_file(const std::filesystem::path& path) {
  const ElfImage image(path);
  PluginFile file;
  file.path = path;
  const std::string_view manifest = image.note("Trellis", 1);
  if (manifest.empty())
    image.fail(
        "is not a Trellis plugin (it has no manifest note); was it made with TRELLIS_PLUGIN(...) and "
        "trellis_add_plugin()?");
  std::memcpy(&file.manifest, manifest.data(), std::min(manifest.size(), sizeof file.manifest));
  file.id = text_of(file.manifest.id, sizeof file.manifest.id);
  file.version = text_of(file.manifest.version, sizeof file.manifest.version);
  file.fitness = examine(image);
  file.libraries = image.dynamic().libraries;
  file.files = embedded_files(image);
  const std::string_view build_id = image.note("GNU", 3);
  for (unsigned char byte : build_id) file.build_id += fmt::format("{:02x}", byte);
  if (build_id.empty()) {
    file.build_id = fmt::format("{:016x}", std::hash<std::string_view>{}(image.bytes()));
    file.fitness.warnings.push_back(
        "has no build id, by which builds are told apart; link it with -Wl,--build-id=sha1");
  }
  auto& refusals = file.fitness.refusals;
  if (file.manifest.abi_major != TL_ABI_MAJOR) {
    // What follows the major is laid out as that major says; nothing else in it can be trusted.
    refusals = {fmt::format("was built for ABI {}, this host serves ABI {}; {}", file.manifest.abi_major, TL_ABI_MAJOR,
                            file.manifest.abi_major > TL_ABI_MAJOR
                                ? "update the host or take an older build of the plugin"
                                : "build the plugin again with this host's SDK")};
    return file;
  }
  const bool good_id = !file.id.empty() && file.id.size() <= 31 && file.id[0] >= 'a' && file.id[0] <= 'z' &&
                       std::all_of(file.id.begin(), file.id.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (!good_id)
    refusals.push_back(fmt::format(
        "has the id \"{}\"; an id is a small letter and then up to 30 small letters, digits and _", file.id));
  try {
    file.needs = parse_dependencies(text_of(file.manifest.needs, sizeof file.manifest.needs));
  } catch (const std::invalid_argument& error) {
    refusals.push_back(fmt::format("says which plugins it needs in a way that is not understood: {}", error.what()));
  }
  return file;
}

PluginFile read_plugin_file(const std::filesystem::path& path) {
  PluginFile file = inspect_plugin_file(path);
  if (file.fitness.refusals.empty()) return file;
  std::vector<std::string> lines;
  for (const std::string& why : file.fitness.refusals) lines.push_back(path.string() + " " + why);
  throw PluginError(fmt::format("{}", fmt::join(lines, "\n")));
}

std::vector<EmbeddedFile> files_of_program(const std::filesystem::path& path) { return embedded_files(ElfImage(path)); }

}  // namespace trellis::host
