#include "program.hpp"

#include <elf.h>
#include <link.h>
#include <trellis/abi.h>

#include <cstring>

namespace trellis::host {

namespace {

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

std::string id_in(const char* notes, std::size_t size) {
  for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
    ElfW(Nhdr) head;
    std::memcpy(&head, notes + at, sizeof head);
    const char* name = notes + at + sizeof head;
    const char* description = name + padded(head.n_namesz);
    at += sizeof head + padded(head.n_namesz) + padded(head.n_descsz);
    if (at > size) break;
    if (head.n_type != 1 || head.n_namesz != 8 || std::memcmp(name, "Trellis", 8) != 0) continue;
    tl_manifest manifest{};
    std::memcpy(&manifest, description, std::min<std::size_t>(head.n_descsz, sizeof manifest));
    return {manifest.id, strnlen(manifest.id, sizeof manifest.id)};
  }
  return {};
}

int look(dl_phdr_info* object, std::size_t, void* result) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    std::string id = id_in(reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr), segment.p_memsz);
    if (id.empty()) continue;
    *static_cast<std::string*>(result) = std::move(id);
    break;
  }
  return 1;  // the first object is the program
}

}  // namespace

std::string plugin_of_program() {
  std::string id;
  dl_iterate_phdr(look, &id);
  return id.empty() ? "plugin" : id;
}

}  // namespace trellis::host
