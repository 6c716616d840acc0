// A disk that loses power, and one that is full, for a program under test.
//
// The program runs with a layer (LD_PRELOAD, faulty_disk_layer.cpp) that notes every change to files in some folders
// that has not been synced, with the bytes from before. After the program was killed, lose_power() makes of the folders
// what a power failure may leave:
//   - what was synced (fsync, fdatasync of the file) stays;
//   - of every write since then, by chance, all survives, or nothing, or its first sectors of 512 bytes; each write for
//     itself, so a later one may survive an earlier one. The same goes for changes of a file's size;
//   - of names that were made, renamed and removed since their folder was last synced (fsync of the folder), the first
//     few survive, in the order in which they were made;
//   - of what is written through memory (SQLite's -shm, the crash page) every page of 4 KiB is as it was when it was
//     mapped, or as it is now;
//   - new folders are there at once: no file system in use forgets those and keeps what is in them.
// The same seed and the same notes give the same outcome.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::e2e {

namespace faulty_disk {
struct Control;
}

class FaultyDisk {
 public:
  /// `notes`: a folder of its own, on the file system of the others. Folders need not exist yet; nothing below
  /// `except` is watched.
  FaultyDisk(std::filesystem::path notes, std::vector<std::filesystem::path> folders,
             std::vector<std::filesystem::path> except = {});
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// For the program under test.
  std::map<std::string, std::string> environment() const;

  struct Loss {
    std::uint64_t writes = 0, lost = 0, torn = 0;  // lost: with those that are torn
    std::uint64_t names = 0, names_lost = 0;
    std::uint64_t bytes_lost = 0;
  };
  /// After every program with the layer has been killed, and before anybody opens a file. Throws if that cannot be.
  Loss lose_power(std::uint64_t seed);

  /// Bytes of notes about what a file may lose: 0 after it was synced.
  std::uint64_t open_notes(const std::filesystem::path& file) const;

  /// Bytes by which the folders' files may still grow, and what the program sees as free; nullopt: as many as there
  /// really are. [while the program runs]
  void set_room(std::optional<std::uint64_t>);
  /// How often the room was not enough.
  std::int64_t refused() const;

  /// From now on a sync of a file whose name ends so does not return, until go_on(). [while the program runs]
  void hold_syncs_of(std::string_view ending);
  void go_on();
  /// How many do not return at the moment.
  std::int64_t held() const;

 private:
  const std::filesystem::path notes_;
  const std::vector<std::filesystem::path> folders_, except_;
  faulty_disk::Control* control_ = nullptr;
};

}  // namespace trellis::e2e
