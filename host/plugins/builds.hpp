// What is remembered of a plugin's builds from one start of the host to the next: the last file that proved itself, the
// one before it, and which builds were taken back.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/document.hpp"

namespace trellis::host {

struct BuildRecord {
  std::string good, previous;  // build ids of kept files; empty: there is none
  std::string trial;           // the build that was started and has not proved itself yet
  std::string no_way_back;     // why code from before cannot be used any more: a migration; empty: it can
  struct RolledBack {
    std::string build, why;
    std::int64_t at_us = 0;
  };
  std::vector<RolledBack> rolled_back;  // the newest last

  const RolledBack* was_rolled_back(const std::string& build) const;
};

/// A folder per plugin: record.json, and <id>.<build>.so with <id>.<build>.json (the settings it ran with). What cannot
/// be written is logged, and costs only that it is not remembered. [any thread]
class Builds {
 public:
  explicit Builds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  BuildRecord record(const std::string& plugin) const;
  /// Of a kept build. The file may have been taken away.
  std::filesystem::path file(const std::string& plugin, const std::string& build) const;
  /// Null: not known.
  std::shared_ptr<const Document> settings(const std::string& plugin, const std::string& build) const;

  /// It was started, and has to prove itself.
  void on_trial(const std::string& plugin, const std::string& build);
  /// It proved itself: the file and its settings are kept, and those of the good one before it.
  void passed(const std::string& plugin, const std::string& build, const std::filesystem::path& file,
              const Document& settings);
  /// `build` was taken back. `to`: the kept build that runs instead, and is the good one now; empty: none runs yet.
  void rolled_back(const std::string& plugin, const std::string& build, const std::string& why, std::int64_t at_us,
                   const std::string& to);
  /// An operator wants it again.
  void forgive(const std::string& plugin, const std::string& build);
  /// Kept builds do not fit the schema any more.
  void no_way_back(const std::string& plugin, const std::string& why);

 private:
  template <class Change>
  void change(const std::string& plugin, Change&&);

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
};

}  // namespace trellis::host
