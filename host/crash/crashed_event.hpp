// An event on which a plugin crashed the process.
#pragma once
#include <string>

#include "journal/position.hpp"

namespace trellis::host {

struct CrashedEvent {
  Stream stream;
  Position position;
  bool dead = false;  // to the dead letters, without calling the plugin; else it is handled alone
  std::string text;   // how it crashed
};

/// A run of a job in which the plugin crashed the process.
struct CrashedRun {
  std::string name;         // job, or job/key; the first kCrashNameBytes of it
  std::int64_t due_us = 0;  // as the run's
  int count = 0;
  std::int64_t last_us = 0;
  bool dead = false;  // to the dead letters, without running it again
  std::string text;   // how it crashed
};

}  // namespace trellis::host
