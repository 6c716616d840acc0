// Segment files seen from outside: read-only, without a Journal, also while a host writes them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal.hpp"

namespace trellis::host {

/// One stream's folder, as it was when this was made. Segments that a running host deletes or reuses meanwhile are left
/// out. A segment is read into memory as a whole.
class JournalFiles {
 public:
  explicit JournalFiles(std::filesystem::path folder);

  /// Something that is not as the journal writes it.
  struct Damage {
    std::filesystem::path file;
    std::uint64_t offset = 0;
    std::string what, follows;  // sentences without a full stop; "what follows" may be empty
  };
  struct Visitor {
    /// Called for every record in order, without the dictionary's and the copies; `type` is the dispatch's name. Views
    /// live until it returns. False: stop.
    std::function<bool(const Record&, std::string_view type)> record;
    std::function<void(const Damage&)> damage;
    bool live = true;  // a host may be writing: what seems unfinished at the end is looked at again for 100 ms
  };
  struct Totals {
    std::uint64_t segments = 0, file_bytes = 0, record_bytes = 0, records = 0;
    Position oldest, newest;
  };
  /// Segments that end before `from` are not opened. Every record is checked. Throws std::system_error when a file
  /// cannot be read.
  Totals walk(const Visitor&, Position from = {}) const;

  Stream stream() const { return stream_; }
  const std::filesystem::path& folder() const { return folder_; }

  /// The streams' folders in a state directory, by number. Throws std::system_error.
  static std::vector<std::filesystem::path> folders(const std::filesystem::path& state);

 private:
  std::filesystem::path folder_;
  Stream stream_;
};

}  // namespace trellis::host
