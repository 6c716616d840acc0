// What the preloaded layer (faulty_disk_layer.cpp) writes down and FaultyDisk reads. Plain types only.
#pragma once
#include <cstdint>

namespace trellis::e2e::faulty_disk {

// Environment of the program under test. A folder with a ! before it is not meant; the first that fits counts.
inline constexpr char kFolders[] = "FAULTY_DISK_FOLDERS";  // absolute, separated by colons; with all below them
inline constexpr char kNotes[] = "FAULTY_DISK_NOTES";      // a folder on the same file system

/// The file "control" in the notes, mapped by both sides.
struct Control {
  std::int64_t room;     // bytes that files may still grow by; negative: the real disk decides
  std::int64_t refused;  // times that it was not enough
  std::int64_t holds;    // 1: a sync of a file whose name ends so does not return
  char held_name[64];
  std::int64_t held;  // how many do not at the moment
};

enum Kind : std::uint32_t {
  Write = 1,   // `bytes` at `offset`; before them stood `old_bytes`
  Zeroes = 2,  // the same with nothing but zeroes, which are not written down
  Resize = 3,  // to `new_size`; `old_bytes` stood after it
  Mapped = 4,  // may be written through memory from now on: the new bytes are those in the file
};

/// In "<inode>.log": all that was done to a file since it was last synced, each noted before it is done. The old bytes
/// follow, then (of a Write) the new ones.
struct Entry {
  std::uint32_t kind;
  std::uint32_t reserved;
  std::uint64_t offset, bytes, old_bytes;
  std::uint64_t old_size, new_size;  // of the file
};

// In "<inode>.names", of a folder: a line "create PATH", "rename FROM TO KEPT" or "unlink PATH KEPT" (tabs between) for
// each name that changed since the folder was last synced. KEPT is a second name of the file that lost this one, in the
// folder "<inode>.kept"; "-" if there was none.

}  // namespace trellis::e2e::faulty_disk
