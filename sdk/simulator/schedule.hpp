// What happens by itself while the simulator runs: faults of --fault and the lines of --script.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.hpp"
#include "random.hpp"

namespace trellis::sim {

class Gateway;

class Schedule {
 public:
  /// Throws OptionError for a fault or a line that cannot be read.
  explicit Schedule(const Options& options);

  /// Does what is due `now_ms` after the first login.
  void run(Gateway& gateway, std::int64_t now_ms);

 private:
  struct Entry {
    std::int64_t due_ms = 0;
    std::int64_t every_ms = 0;  ///< 0: once
    bool about = false;         ///< at random, `every_ms` apart on average
    std::string what;           ///< "fault", "send" or "interaction"
    std::string body;           ///< JSON for the control route of that name
    std::string where;          ///< for messages
  };

  void add_fault(const std::string& text);
  void read_script(const std::string& path);
  std::int64_t wait(const Entry& entry);

  std::vector<Entry> entries_;
  Random random_;
};

}  // namespace trellis::sim
