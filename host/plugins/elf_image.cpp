#include "plugins/elf_image.hpp"

#include <cstring>
#include <fstream>

#include "lanes/instance.hpp"

namespace trellis::host {

namespace {
std::size_t round_up(std::size_t at, std::size_t align) { return (at + align - 1) / align * align; }
}  // namespace

void ElfImage::fail(const std::string& why) const { throw PluginError(fmt::format("{} {}", path_.string(), why)); }

void ElfImage::truncated() const {
  fail(fmt::format("is truncated ({} bytes; its headers name more). Copy it again, aside and then renamed",
                   bytes_.size()));
}

template <class T>
T ElfImage::read(std::uint64_t at) const {
  T value;
  if (at > bytes_.size() || bytes_.size() - at < sizeof value) truncated();
  std::memcpy(&value, bytes_.data() + at, sizeof value);
  return value;
}

std::string_view ElfImage::slice(std::uint64_t at, std::uint64_t size) const {
  if (at > bytes_.size() || bytes_.size() - at < size) truncated();
  return bytes().substr(at, size);
}

std::string_view ElfImage::name_of(const Elf64_Shdr& section) const {
  if (header_.e_shstrndx >= sections_.size()) return {};
  const auto& strings_at = sections_[header_.e_shstrndx];
  const std::string_view strings = slice(strings_at.sh_offset, strings_at.sh_size);
  if (section.sh_name >= strings.size()) return {};
  const std::string_view name = strings.substr(section.sh_name);
  return name.substr(0, name.find('\0'));
}

ElfImage::ElfImage(const std::filesystem::path& path) : path_(path) {
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

std::string_view ElfImage::section(std::string_view name) const {
  for (const auto& section : sections_)
    if (section.sh_type != SHT_NOBITS && name_of(section) == name) return slice(section.sh_offset, section.sh_size);
  return {};
}

std::string_view ElfImage::note(std::string_view owner, std::uint32_t type) const {
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
      if (note.n_type == type && name.substr(0, name.find('\0')) == owner) return notes.substr(desc_at, note.n_descsz);
      at = round_up(desc_at + note.n_descsz, align);
    }
  }
  return {};
}

std::vector<ElfImage::Symbol> ElfImage::dynamic_symbols() const {
  std::vector<Symbol> symbols;
  for (const auto& section : sections_) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections_.size()) continue;
    const auto& strings_at = sections_[section.sh_link];
    const std::string_view strings = slice(strings_at.sh_offset, strings_at.sh_size);
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = read<Elf64_Sym>(section.sh_offset + at);
      if (symbol.st_name == 0 || symbol.st_name >= strings.size()) continue;
      const std::string_view name = strings.substr(symbol.st_name);
      const bool defined = symbol.st_shndx != SHN_UNDEF;
      const auto bind = ELF64_ST_BIND(symbol.st_info);
      symbols.push_back({name.substr(0, name.find('\0')), defined, bind == STB_GNU_UNIQUE,
                         defined && bind != STB_LOCAL && symbol.st_shndx != SHN_ABS &&
                             ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT});
    }
  }
  return symbols;
}

/// The text at an address of the mapped library; "" when nothing of the file is there.
std::string ElfImage::text_at(std::uint64_t address) const {
  for (const auto& segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    const std::string_view rest =
        slice(segment.p_offset, segment.p_filesz).substr(static_cast<std::size_t>(address - segment.p_vaddr));
    return std::string(rest.substr(0, rest.find('\0')));
  }
  return {};
}

ElfImage::Dynamic ElfImage::dynamic() const {
  Dynamic found;
  std::uint64_t strings = 0;
  std::vector<std::uint64_t> libraries, paths;
  for (const auto& segment : segments_) {
    if (segment.p_type != PT_DYNAMIC) continue;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = read<Elf64_Dyn>(segment.p_offset + at);
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_FLAGS) found.flags = entry.d_un.d_val;
      if (entry.d_tag == DT_FLAGS_1) found.flags_1 = entry.d_un.d_val;
      if (entry.d_tag == DT_TEXTREL) found.text_relocations = true;
      if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
      if (entry.d_tag == DT_NEEDED) libraries.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) paths.push_back(entry.d_un.d_val);
    }
  }
  found.text_relocations = found.text_relocations || (found.flags & DF_TEXTREL);
  for (const std::uint64_t at : libraries) found.libraries.push_back(text_at(strings + at));
  if (!paths.empty()) found.search_path = text_at(strings + paths.front());
  return found;
}

bool ElfImage::executable_stack() const {
  for (const auto& segment : segments_)
    if (segment.p_type == PT_GNU_STACK) return (segment.p_flags & PF_X) != 0;
  return true;  // the loader takes it for one that asks
}

}  // namespace trellis::host
