// A program that a test started: its output is captured, it never outlives the test, and it is ended by its process id.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::e2e {

/// The bot token of every test. Process asserts that no program prints it.
inline constexpr std::string_view kToken = "MTk4NjIyNDgzNDcxOTI1MjQ4.GtOkEn.nobody-may-ever-read-this-0123456789";

/// How long a test waits for what must happen: generous, because it decides nothing.
inline constexpr std::chrono::seconds kPatience{120};

/// Waits for the condition; throws with `what` (and what `state` says) when it does not come true.
void wait_until(std::string_view what, const std::function<bool()>& condition,
                const std::function<std::string()>& state = {}, std::chrono::seconds patience = kPatience);

struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::map<std::string, std::string>
      environment;               // added to this process's, which is cleared of DISCORD_* and TRELLIS_*
  std::filesystem::path folder;  // working directory; the captured output goes beside it
};

class Process {
 public:
  explicit Process(const Command&);
  /// Kills what still runs, and checks the output for the token.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  /// The exit code; 128 + N when signal N ended it. Throws when it does not end in time.
  int wait(std::chrono::seconds patience = kPatience);
  std::string out() const;
  std::string err() const;
  const std::string& command_line() const { return command_line_; }

 private:
  void collect(int status);

  pid_t pid_ = -1;
  std::optional<int> code_;
  std::filesystem::path out_, err_;
  std::string command_line_;
};

struct Finished {
  int code;
  std::string out, err;
};
Finished run_to_end(const Command&, std::chrono::seconds patience = kPatience);

std::string read_file(const std::filesystem::path&);
void write_file(const std::filesystem::path&, std::string_view text);

}  // namespace trellis::e2e
