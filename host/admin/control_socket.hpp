// The Unix socket in the state directory behind `trellis ctl`: one request with words, lines of answer, an exit code.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trellis::host {

struct ControlAnswer {
  int exit_code = 0;
  std::string out;  // for stdout, as it is
  std::string err;  // for stderr: one sentence
};
/// Runs on a thread of the server's own; several may run at a time; may take long (a reload).
using ControlHandler = std::function<ControlAnswer(const std::vector<std::string>& words)>;

/// Serves state.dir/trellis.sock with mode 0600. A stale socket file of a dead host is replaced.
class ControlServer {
 public:
  ControlServer(std::filesystem::path socket, ControlHandler);  // throws std::system_error
  ~ControlServer();                                             // close(), and waits for the handlers that run

  /// Nobody can connect any more, the file is removed, and what has not begun does not begin. Does not wait.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The client's side. Throws std::runtime_error with a sentence when no host listens there.
ControlAnswer ask_host(const std::filesystem::path& socket, const std::vector<std::string>& words);

}  // namespace trellis::host
