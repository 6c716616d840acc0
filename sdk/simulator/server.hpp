// Sockets: one thread serves REST and gateway on loopback.
#pragma once

#include "gateway.hpp"

namespace trellis::sim {

/// Listens, announces the port on stdout, and serves until SIGINT, SIGTERM or --exit-after. Throws std::runtime_error
/// with the reason if it cannot listen or a file cannot be written.
void serve(Gateway& gateway);

}  // namespace trellis::sim
