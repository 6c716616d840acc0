#include "plugins/plugin_file.hpp"

#include <elf.h>

#include <cstring>
#include <fstream>

namespace trellis::host {

namespace {

class Image {
 public:
  explicit Image(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) fail("is not a file");
    std::ifstream in(path, std::ios::binary);
    if (!in) fail(fmt::format("cannot be read: {}", std::strerror(errno)));
    const auto size = std::filesystem::file_size(path, error);
    if (error) fail("cannot be read: " + error.message());
    bytes_.resize(size);
    in.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    bytes_.resize(static_cast<std::size_t>(in.gcount()));
    if (bytes_.size() < sizeof(Elf64_Ehdr) || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0)
      fail("is not a shared library (no ELF header)");
    header_ = read<Elf64_Ehdr>(0);
#if defined(__x86_64__)
    constexpr auto kMachine = EM_X86_64;
#elif defined(__aarch64__)
    constexpr auto kMachine = EM_AARCH64;
#else
    constexpr auto kMachine = EM_NONE;
#endif
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || (kMachine != EM_NONE && header_.e_machine != kMachine))
      fail("was built for another kind of machine");
    if (header_.e_type != ET_DYN && header_.e_type != ET_EXEC) fail("is not a shared library");
    if ((header_.e_phnum && header_.e_phentsize != sizeof(Elf64_Phdr)) ||
        (header_.e_shnum && header_.e_shentsize != sizeof(Elf64_Shdr)))
      fail("has damaged headers");
    for (unsigned i = 0; i < header_.e_phnum; ++i) {
      const auto segment = read<Elf64_Phdr>(header_.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
      if (segment.p_type == PT_LOAD &&
          (segment.p_offset > bytes_.size() || segment.p_filesz > bytes_.size() - segment.p_offset))
        truncated();
      segments_.push_back(segment);
    }
    for (unsigned i = 0; i < header_.e_shnum; ++i)
      sections_.push_back(read<Elf64_Shdr>(header_.e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr)));
  }

  std::string_view section(std::string_view name) const {
    for (const auto& section : sections_)
      if (section.sh_type != SHT_NOBITS && name_of(section) == name) return slice(section.sh_offset, section.sh_size);
    return {};
  }

  /// The description of a note, wherever it is.
  std::string_view note(std::string_view owner, std::uint32_t type) const {
    for (const auto& segment : segments_) {
      if (segment.p_type != PT_NOTE) continue;
      const std::string_view notes = slice(segment.p_offset, segment.p_filesz);
      const std::size_t align = segment.p_align == 8 ? 8 : 4;
      for (std::size_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
        Elf64_Nhdr note;
        std::memcpy(&note, notes.data() + at, sizeof note);
        const std::size_t name_at = at + sizeof note;
        const std::size_t desc_at = round_up(name_at + note.n_namesz, align);
        if (desc_at + note.n_descsz > notes.size()) break;
        const std::string_view name(notes.data() + name_at, note.n_namesz);
        if (note.n_type == type && name.substr(0, name.find('\0')) == owner)
          return notes.substr(desc_at, note.n_descsz);
        at = round_up(desc_at + note.n_descsz, align);
      }
    }
    return {};
  }

  struct Symbol {
    std::string_view name;
    bool defined, unique, global;
  };
  std::vector<Symbol> dynamic_symbols() const {
    std::vector<Symbol> symbols;
    for (const auto& section : sections_) {
      if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections_.size()) continue;
      const auto& strings_at = sections_[section.sh_link];
      const std::string_view strings = slice(strings_at.sh_offset, strings_at.sh_size);
      for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
        const auto symbol = read<Elf64_Sym>(section.sh_offset + at);
        if (symbol.st_name == 0 || symbol.st_name >= strings.size()) continue;
        const std::string_view name = strings.substr(symbol.st_name);
        symbols.push_back({name.substr(0, name.find('\0')), symbol.st_shndx != SHN_UNDEF,
                           ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE,
                           ELF64_ST_BIND(symbol.st_info) != STB_LOCAL});
      }
    }
    return symbols;
  }

  bool never_unloaded() const {
    for (const auto& segment : segments_) {
      if (segment.p_type != PT_DYNAMIC) continue;
      for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
        const auto entry = read<Elf64_Dyn>(segment.p_offset + at);
        if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NODELETE)) return true;
      }
    }
    return false;
  }

  std::string_view bytes() const { return {bytes_.data(), bytes_.size()}; }

  [[noreturn]] void fail(const std::string& why) const { throw PluginError(fmt::format("{} {}", path_.string(), why)); }
  [[noreturn]] void truncated() const {
    fail(fmt::format("is truncated ({} bytes; its headers name more). Copy it again, aside and then renamed",
                     bytes_.size()));
  }

 private:
  static std::size_t round_up(std::size_t at, std::size_t align) { return (at + align - 1) / align * align; }

  template <class T>
  T read(std::uint64_t at) const {
    T value;
    if (at > bytes_.size() || bytes_.size() - at < sizeof value) truncated();
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  std::string_view slice(std::uint64_t at, std::uint64_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) truncated();
    return bytes().substr(at, size);
  }
  std::string_view name_of(const Elf64_Shdr& section) const {
    if (header_.e_shstrndx >= sections_.size()) return {};
    const auto& strings_at = sections_[header_.e_shstrndx];
    const std::string_view strings = slice(strings_at.sh_offset, strings_at.sh_size);
    if (section.sh_name >= strings.size()) return {};
    const std::string_view name = strings.substr(section.sh_name);
    return name.substr(0, name.find('\0'));
  }

  std::filesystem::path path_;
  std::vector<char> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

std::vector<EmbeddedFile> embedded_files(const Image& image) {
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

PluginFile read_plugin_file(const std::filesystem::path& path) {
  const Image image(path);
  PluginFile file;
  file.path = path;
  const std::string_view manifest = image.note("Trellis", 1);
  if (manifest.empty())
    image.fail(
        "is not a Trellis plugin (it has no manifest note); was it made with TRELLIS_PLUGIN(...) and "
        "trellis_add_plugin()?");
  std::memcpy(&file.manifest, manifest.data(), std::min(manifest.size(), sizeof file.manifest));
  if (file.manifest.abi_major != TL_ABI_MAJOR)
    image.fail(fmt::format("was built for ABI {}, this host serves ABI {}; {}", file.manifest.abi_major, TL_ABI_MAJOR,
                           file.manifest.abi_major > TL_ABI_MAJOR
                               ? "update the host or take an older build of the plugin"
                               : "build the plugin again with this host's SDK"));
  file.id = text_of(file.manifest.id, sizeof file.manifest.id);
  file.version = text_of(file.manifest.version, sizeof file.manifest.version);
  const bool good_id = !file.id.empty() && file.id.size() <= 31 && file.id[0] >= 'a' && file.id[0] <= 'z' &&
                       std::all_of(file.id.begin(), file.id.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (!good_id)
    image.fail(fmt::format("has the id \"{}\"; an id is a small letter and then up to 30 small letters, digits and _",
                           file.id));
  bool has_entry = false;
  for (const auto& symbol : image.dynamic_symbols()) {
    if (symbol.unique && symbol.defined)
      image.fail(fmt::format(
          "cannot be unloaded: it has the unique symbol {}; build it with trellis_add_plugin() or -fno-gnu-unique",
          symbol.name));
    has_entry = has_entry || (symbol.defined && symbol.name == "trellis_plugin_v1");
  }
  if (!has_entry) image.fail("has no entry trellis_plugin_v1; end its source with TRELLIS_PLUGIN(...)");
  if (image.never_unloaded()) image.fail("cannot be unloaded: it was linked with -z nodelete");
  file.files = embedded_files(image);
  const std::string_view build_id = image.note("GNU", 3);
  for (unsigned char byte : build_id) file.build_id += fmt::format("{:02x}", byte);
  if (build_id.empty()) file.build_id = fmt::format("{:016x}", std::hash<std::string_view>{}(image.bytes()));
  return file;
}

std::vector<EmbeddedFile> files_of_program(const std::filesystem::path& path) { return embedded_files(Image(path)); }

}  // namespace trellis::host
