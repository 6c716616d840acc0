// A certificate for one's own desk.
#pragma once

#include <string>

namespace trellis::sim {

struct Certificate {
  std::string chain;  ///< PEM
  std::string key;    ///< PEM
};

/// Makes a self-signed certificate for localhost and 127.0.0.1 that clients can take as their trusted root.
Certificate make_certificate();

}  // namespace trellis::sim
