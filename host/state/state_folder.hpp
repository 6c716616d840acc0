// The state directory: journals, cache snapshots, private copies of plugins, the control socket; one host at a time.
#pragma once
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "journal/position.hpp"

namespace trellis::host {

/// Another host uses it: a sentence that names it and what to do.
class Occupied : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class StateFolder {
 public:
  /// Makes it (0700) and locks it for as long as this lives. Throws Occupied, or std::system_error.
  explicit StateFolder(std::filesystem::path);
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Made once, kept in the folder: a restart with the same folder is the same host.
  const std::string& host_id() const { return host_id_; }

  std::filesystem::path socket() const { return path_ / "trellis.sock"; }
  std::filesystem::path generations() const { return path_ / "generations"; }
  std::filesystem::path builds() const { return path_ / "builds"; }
  std::filesystem::path gateway() const { return path_ / "gateway.json"; }  // what Discord said of it last
  std::filesystem::path cache() const { return path_ / "cache"; }
  std::filesystem::path journal(std::uint32_t shard, std::uint32_t shards) const {
    return path_ / "journal" / (std::to_string(shard) + "-of-" + std::to_string(shards));
  }
  /// Streams that there are journals of.
  std::vector<Stream> streams() const;
  /// Deletes the journal and the snapshots of a stream.
  void forget(Stream) const;

 private:
  std::filesystem::path path_;
  std::string host_id_;
  int lock_ = -1;
};

}  // namespace trellis::host
