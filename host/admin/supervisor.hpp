// `trellis run --supervise`: a parent that starts the host again when it crashed.
#pragma once

namespace trellis::host {

/// Runs this program with the same arguments but --supervise, and again while it is killed by a signal or exits with 1
/// (not 8: somebody told it to end), after 0.5 s, 1 s, 2 s … 30 s (from 0.5 s again once it lived for a minute).
/// SIGTERM, SIGINT and SIGHUP are passed on, and then it is not started again. The child gets SIGTERM when this process
/// dies. Returns the last exit code; 128
/// + N for signal N. [the only thread of the process]
int supervise(int argc, char** argv);

}  // namespace trellis::host
