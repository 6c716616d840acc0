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

}  // namespace trellis::host
