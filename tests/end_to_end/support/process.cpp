#include "process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace trellis::e2e {

void wait_until(std::string_view what, const std::function<bool()>& condition,
                const std::function<std::string()>& state, std::chrono::seconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (auto pause = std::chrono::milliseconds(2); !condition();
       pause = std::min(pause * 2, {std::chrono::milliseconds(50)})) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error(
          fmt::format("waited {} s in vain: {}{}", patience.count(), what, state ? "; " + state() : std::string()));
    std::this_thread::sleep_for(pause);
  }
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

Process::Process(const Command& command) {
  static std::atomic<int> next{0};
  const auto logs = command.folder / "logs";
  std::filesystem::create_directories(logs);
  const auto name = fmt::format("{:03}-{}", ++next, command.program.filename().string());
  out_ = logs / (name + ".out");
  err_ = logs / (name + ".err");

  std::vector<std::string> environment, arguments{command.program.string()};
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text(*variable);
    if (text.starts_with("DISCORD_") || text.starts_with("TRELLIS_")) continue;
    if (!command.environment.contains(std::string(text.substr(0, text.find('='))))) environment.emplace_back(text);
  }
  for (const auto& [key, value] : command.environment) environment.push_back(key + "=" + value);
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  for (const std::string& argument : arguments) command_line_ += (command_line_.empty() ? "" : " ") + argument;
  std::vector<char*> argv, envp;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  for (std::string& variable : environment) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    // A test that is killed for its time takes its programs along.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    const int in = ::open("/dev/null", O_RDONLY);
    const int out = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    const int err = ::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (in < 0 || out < 0 || err < 0 || ::chdir(command.folder.c_str()) != 0) ::_exit(127);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  for (const auto& text : {out(), err()}) {
    EXPECT_EQ(text.find(kToken), std::string::npos) << "the token was printed by: " << command_line_;
    EXPECT_EQ(text.find("ERROR: AddressSanitizer"), std::string::npos)
        << text.substr(text.find("ERROR: AddressSanitizer"));
    EXPECT_EQ(text.find("runtime error:"), std::string::npos) << text.substr(text.find("runtime error:"));
  }
}

void Process::collect(int status) { code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

bool Process::running() {
  if (code_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  collect(status);
  return false;
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

int Process::wait(std::chrono::seconds patience) {
  wait_until("the end of " + command_line_, [&] { return !running(); }, [&] { return err(); }, patience);
  return *code_;
}

std::string Process::out() const { return read_file(out_); }
std::string Process::err() const { return read_file(err_); }

Finished run_to_end(const Command& command, std::chrono::seconds patience) {
  Process process(command);
  const int code = process.wait(patience);
  return {code, process.out(), process.err()};
}

}  // namespace trellis::e2e
