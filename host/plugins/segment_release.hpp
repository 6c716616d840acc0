// When a journal's segments may go: behind the slowest enabled plugin, except one that is too far behind while another
// one is not. That one is cut loose: it no longer holds the log for everybody, and is told what it missed.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "journal/journal.hpp"
#include "plugins/enabled.hpp"

namespace trellis::host {

/// Of one journal. [one thread; what is said about it: any]
class SegmentRelease {
 public:
  /// `max_lag`: bytes. `on_cut` is called once each time a plugin is cut loose.
  SegmentRelease(Journal&, std::uint64_t max_lag, std::function<void(const std::string& plugin)> on_cut = {});

  /// What all have passed goes, except those that are cut loose.
  void release(const std::vector<Standing>&);
  /// Behind what was released, and has not read on since.
  std::set<std::string> cut_loose() const;
  /// The lowest position of those that are not cut loose.
  Position passed() const { return passed_; }

 private:
  Journal& journal_;
  const std::uint64_t max_lag_;
  const std::function<void(const std::string&)> on_cut_;
  mutable std::mutex mutex_;                   // of cut_loose_
  std::map<std::string, Position> cut_loose_;  // and up to where the log was released then
  Position passed_;
};

}  // namespace trellis::host
