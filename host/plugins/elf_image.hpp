// An ELF file, read by hand: nothing of it runs, and no damage in it can hurt.
#pragma once
#include <elf.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

/// Every function throws PluginError when the file's headers name what it does not have. Views live as long as this.
class ElfImage {
 public:
  /// Throws PluginError: it cannot be read, is no shared library of this machine, or is truncated (the loader would
  /// crash on it).
  explicit ElfImage(const std::filesystem::path&);

  /// The content of a section; empty when there is none.
  std::string_view section(std::string_view name) const;
  /// The description of a note, wherever it is; empty when there is none.
  std::string_view note(std::string_view owner, std::uint32_t type) const;

  struct Symbol {
    std::string_view name;
    bool defined, unique, exported;  // exported: others can link to it
  };
  std::vector<Symbol> dynamic_symbols() const;

  struct Dynamic {
    std::uint64_t flags = 0, flags_1 = 0;  // DT_FLAGS, DT_FLAGS_1
    bool text_relocations = false;
    std::vector<std::string> libraries;  // DT_NEEDED
    std::string search_path;             // DT_RUNPATH or DT_RPATH
  };
  Dynamic dynamic() const;
  bool executable_stack() const;

  std::string_view bytes() const { return {bytes_.data(), bytes_.size()}; }
  /// Throws PluginError: the path, and why.
  [[noreturn]] void fail(const std::string& why) const;

 private:
  template <class T>
  T read(std::uint64_t at) const;
  std::string_view slice(std::uint64_t at, std::uint64_t size) const;
  std::string_view name_of(const Elf64_Shdr&) const;
  std::string text_at(std::uint64_t address) const;
  [[noreturn]] void truncated() const;

  std::filesystem::path path_;
  std::vector<char> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace trellis::host
