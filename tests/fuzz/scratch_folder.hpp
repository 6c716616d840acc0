// A folder for the fuzzers' files, in memory where there is such a place.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace trellis::host {

inline const std::filesystem::path& scratch_folder() {
  struct Folder {
    Folder() {
      std::error_code error;
      const bool memory = std::filesystem::is_directory("/dev/shm", error);
      std::string name = (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()).string();
      name += "/trellis-fuzz-XXXXXX";
      if (!::mkdtemp(name.data())) std::abort();
      path = name;
    }
    ~Folder() {
      std::error_code error;
      std::filesystem::remove_all(path, error);
    }
    std::filesystem::path path;
  };
  static const Folder folder;
  return folder.path;
}

}  // namespace trellis::host
