// `trellis run --supervise`: a parent that starts the host again when it crashed.
#pragma once

namespace trellis::host {

/// Runs this program with the same arguments but --supervise, and again while it is killed by a signal or exits with 1
/// (not 8: somebody told it to end), after 0.5 s, 1 s, 2 s … 30 s (from 0.5 s again once it lived for a minute). Once a
/// child has said that it runs, also while one exits with 6 or 7: the store worked for this host, and will again.
/// SIGTERM, SIGINT and SIGHUP are passed on, and then it is not started again. The child gets SIGTERM when this process
/// dies. Returns the last exit code; 128 + N for signal N. [the only thread of the process]
int supervise(int argc, char** argv);

/// In the child: who its supervisor is. Takes the variable that says so out of the environment. [before other threads]
void find_supervisor();
/// Tells it that this host runs. Nothing without one. [any thread]
void tell_supervisor();

}  // namespace trellis::host
