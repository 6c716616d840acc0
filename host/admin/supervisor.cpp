#include "admin/supervisor.hpp"

#include <fmt/chrono.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "admin/command_line.hpp"

namespace trellis::host {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirst{500}, kMost{30'000}, kGoodLife{60'000};
constexpr const char* kVariable = "TRELLIS_SUPERVISOR";
constexpr int kItRuns = SIGUSR1;

pid_t g_supervisor = 0;  // of this process; 0: it has none

void say(const std::string& text) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  std::cerr << fmt::format("{:%Y-%m-%dT%H:%M:%S}Z supervisor: {}\n", fmt::gmtime(now), text) << std::flush;
}

pid_t start(char** arguments, const sigset_t& usual_signals) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) return child;
  // One host at a time: the next supervisor's must not find this one still there.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kExitFailed);
  ::setenv(kVariable, std::to_string(parent).c_str(), 1);
  ::sigprocmask(SIG_SETMASK, &usual_signals, nullptr);
  ::execv("/proc/self/exe", arguments);
  constexpr int kNotFound = 127;
  ::_exit(kNotFound);
}

class Supervisor {
 public:
  Supervisor() {
    ::sigemptyset(&watched_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, kItRuns}) ::sigaddset(&watched_, number);
    ::sigprocmask(SIG_BLOCK, &watched_, &usual_);
  }
  ~Supervisor() { ::sigprocmask(SIG_SETMASK, &usual_, nullptr); }

  int run(std::vector<char*> arguments) {
    milliseconds delay{0};
    for (;;) {
      const auto began = Clock::now();
      child_ = start(arguments.data(), usual_);
      // Asked for once: a host that failed must not cost another session each time.
      forget(arguments, "--reidentify");
      while (child_ > 0) wait_for_signal(nullptr);
      // Whoever ran needs no leave to come back; and when somebody else has the store by now, it is theirs.
      if (has_run_) forget(arguments, "--take-over");
      const bool again = WIFSIGNALED(status_) || WEXITSTATUS(status_) == kExitFailed ||
                         (has_run_ && (WEXITSTATUS(status_) == kExitOccupied || WEXITSTATUS(status_) == kExitStore));
      const int code = WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
      if (!again || told_to_end_) return code;
      delay = Clock::now() - began >= kGoodLife ? kFirst : std::clamp(delay * 2, kFirst, kMost);
      say(fmt::format("the host {}; it is started again in {:.1f} s",
                      WIFSIGNALED(status_) ? fmt::format("was killed by signal {} ({})", WTERMSIG(status_),
                                                         ::strsignal(WTERMSIG(status_)))
                                           : fmt::format("failed (exit code {})", code),
                      static_cast<double>(delay.count()) / 1000));
      const auto until = Clock::now() + delay;
      for (auto left = delay; left.count() > 0 && !told_to_end_;
           left = std::chrono::duration_cast<milliseconds>(until - Clock::now()) + milliseconds(1)) {
        if (Clock::now() >= until) break;
        const timespec time{left.count() / 1000, left.count() % 1000 * 1'000'000};
        wait_for_signal(&time);
      }
      if (told_to_end_) return code;
    }
  }

 private:
  static void forget(std::vector<char*>& arguments, const char* option) {
    std::erase_if(arguments, [&](const char* word) { return word && std::strcmp(word, option) == 0; });
  }

  void wait_for_signal(const timespec* patience) {
    siginfo_t info{};
    const int number = patience ? ::sigtimedwait(&watched_, &info, patience) : ::sigwaitinfo(&watched_, &info);
    if (number < 0) return;
    if (number == kItRuns) {
      has_run_ = has_run_ || (child_ > 0 && info.si_pid == child_);
      return;
    }
    if (number != SIGCHLD) {
      told_to_end_ = true;
      // Ctrl-C reaches the child by itself, and a second one would mean impatience.
      if (child_ > 0 && info.si_code != SI_KERNEL) ::kill(child_, number);
      return;
    }
    int status = 0;
    if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_ && (WIFEXITED(status) || WIFSIGNALED(status))) {
      status_ = status;
      child_ = 0;
    }
  }

  sigset_t watched_{}, usual_{};
  pid_t child_ = 0;
  int status_ = 0;
  bool told_to_end_ = false;
  bool has_run_ = false;  // one of the children
};

}  // namespace

int supervise(int argc, char** argv) {
  std::vector<char*> arguments;
  for (int i = 0; i < argc; ++i)
    if (i == 0 || std::strcmp(argv[i], "--supervise") != 0) arguments.push_back(argv[i]);
  arguments.push_back(nullptr);
  return Supervisor().run(std::move(arguments));
}

void find_supervisor() {
  const char* text = ::getenv(kVariable);
  if (!text) return;
  if (const int parent = std::atoi(text); parent > 0 && parent == ::getppid()) g_supervisor = parent;
  ::unsetenv(kVariable);
}

void tell_supervisor() {
  // Should it have died, this process has another parent.
  if (g_supervisor > 0 && ::getppid() == g_supervisor) ::kill(g_supervisor, kItRuns);
}

}  // namespace trellis::host
