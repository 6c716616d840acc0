#include "crash/symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace trellis::host {

namespace {

class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat status{};
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
      void* memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
      if (memory != MAP_FAILED) {
        data_ = static_cast<const char*>(memory);
        size_ = static_cast<std::size_t>(status.st_size);
      }
    }
    ::close(fd);
  }
  ~Mapped() {
    if (data_) ::munmap(const_cast<char*>(data_), size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  /// False: not in the file.
  template <class T>
  bool read(std::uint64_t at, T& to) const {
    if (at > size_ || size_ - at < sizeof(T)) return false;
    std::memcpy(&to, data_ + at, sizeof(T));
    return true;
  }
  std::string text(std::uint64_t at) const {
    return at < size_ ? std::string(data_ + at, ::strnlen(data_ + at, size_ - at)) : std::string();
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

std::string readable(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  const std::string result = text && status == 0 ? text : name;
  std::free(text);
  return result;
}

}  // namespace

std::string function_at(const std::string& path, std::uint64_t address) {
  const Mapped file(path);
  Elf64_Ehdr header;
  if (!file.read(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64)
    return "";
  for (const std::uint32_t wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (std::uint32_t i = 0; i < header.e_shnum; ++i) {
      Elf64_Shdr section, strings;
      if (!file.read(header.e_shoff + i * sizeof section, section)) return "";
      if (section.sh_type != wanted || section.sh_link >= header.e_shnum ||
          !file.read(header.e_shoff + section.sh_link * sizeof strings, strings))
        continue;
      for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        if (!file.read(section.sh_offset + at, symbol)) return "";
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
        if (address - symbol.st_value < symbol.st_size) return readable(file.text(strings.sh_offset + symbol.st_name));
      }
    }
  }
  return "";
}

}  // namespace trellis::host
