#include "plugins/probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstring>
#include <iostream>
#include <iterator>

#include "abi/tables.hpp"
#include "commands/declarations.hpp"
#include "lanes/instance.hpp"
#include "log/log.hpp"
#include "metrics/metrics.hpp"
#include "plugins/declared.hpp"
#include "plugins/library.hpp"
#include "schedule/scheduler.hpp"

extern char** environ;

namespace trellis::host {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr rlim_t kCpuSeconds = 10;
constexpr std::size_t kOutputMax = 64 * 1024;
constexpr int kRefused = 5, kSetupRefused = 6;

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  void close(int end) {
    if (ends[end] >= 0) ::close(std::exchange(ends[end], -1));
  }
};

/// Writes `request` to the child and reads what it says, until it ends both or the time is up. False: the time is up.
bool converse(Pipe& to, Pipe& from, std::string_view request, std::string& output, Clock::time_point until) {
  ::fcntl(to.ends[1], F_SETFL, O_NONBLOCK);
  while (from.ends[0] >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd watched[2] = {{from.ends[0], POLLIN, 0}, {to.ends[1], POLLOUT, 0}};
    if (::poll(watched, to.ends[1] >= 0 ? 2 : 1, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    if (to.ends[1] >= 0 && watched[1].revents) {
      const ssize_t written = ::write(to.ends[1], request.data(), request.size());
      if (written > 0) request.remove_prefix(static_cast<std::size_t>(written));
      if (request.empty() || (written < 0 && errno != EAGAIN)) to.close(1);
    }
    if (watched[0].revents) {
      char buffer[4096];
      const ssize_t got = ::read(from.ends[0], buffer, sizeof buffer);
      if (got <= 0) from.close(0);
      if (got > 0 && output.size() < kOutputMax) output.append(buffer, static_cast<std::size_t>(got));
    }
  }
  return true;
}

void check_declared(const Instance& instance) {
  try {
    declared_by(instance.ledger, instance.plugin);
  } catch (const PluginError& error) {
    throw PluginError(fmt::format("declares what a host does not take: {}", error.what()));
  }
}

/// What a start does with its migrations and tables, in a new database.
void try_tables(Instance& instance, const std::string& scratch) {
  try {
    const auto store = open_store("sqlite:" + scratch);
    const auto space = store->open(instance.plugin);
    const auto connection = space->connect();
    migrate(*connection, store->is_postgresql(), instance.files);
    instance.bind(*connection);
  } catch (const std::exception& error) {
    throw PluginError(
        fmt::format("has a migration or a table that is refused, in a new SQLite database: {}", error.what()));
  }
}

}  // namespace

void probe_plugin(const std::filesystem::path& library, const Document& settings, const std::vector<std::string>& has,
                  const std::filesystem::path& scratch, std::chrono::milliseconds limit) {
  json::object lines;
  for (const auto& [path, line] : settings.lines) lines[path] = line;
  const std::string request = json::serialize(json::object{{"library", library.string()},
                                                           {"settings", settings.root},
                                                           {"file", settings.file},
                                                           {"lines", std::move(lines)},
                                                           {"has", json::array(has.begin(), has.end())},
                                                           {"scratch", scratch.string()}});
  Pipe to, from;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.ends[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, from.ends[1], 1);
  char program[] = "trellis", command[] = "probe-plugin";
  char* arguments[] = {program, command, nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw PluginError(fmt::format("the probe of {} could not be started: {}", library.string(), std::strerror(error)));
  to.close(0);
  from.close(1);
  std::string output;
  const bool ended = converse(to, from, request, output, Clock::now() + limit);
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  while (output.ends_with('\n')) output.pop_back();
  if (!ended)
    throw PluginError(
        fmt::format("{} did not finish loading within {} s, in a child process; a constructor or its setup hangs",
                    library.string(), limit.count() / 1000));
  if (WIFSIGNALED(status))
    throw PluginError(fmt::format("{} crashed while it was loaded ({}), in a child process", library.string(),
                                  ::strsignal(WTERMSIG(status))));
  if (WEXITSTATUS(status) == kSetupRefused && !output.empty()) throw SetupRefused(output);
  if (WEXITSTATUS(status) != 0)
    throw PluginError(output.empty() ? fmt::format("{} ended the child process that loaded it (exit code {})",
                                                   library.string(), WEXITSTATUS(status))
                                     : output);
}

int answer_probe() {
  // What a plugin may use up before it has proved itself.
#ifndef TRELLIS_ASAN  // its shadow memory alone is larger
  constexpr rlim_t kMemoryBytes = rlim_t{4} << 30;
  const rlimit memory{kMemoryBytes, kMemoryBytes};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit cpu{kCpuSeconds, kCpuSeconds}, none{0, 0};
  ::setrlimit(RLIMIT_CPU, &cpu);
  ::setrlimit(RLIMIT_CORE, &none);
  start_log("error", "text", {});  // the rest is said again when it is loaded
  try {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const json::object request = json::parse(input).as_object();
    auto settings = std::make_shared<Document>();
    settings->root = request.at("settings");
    settings->file = request.at("file").as_string();
    for (const auto& line : request.at("lines").as_object())
      settings->lines[std::string(line.key())] = static_cast<int>(line.value().as_int64());
    std::vector<std::string> has;
    for (const auto& what : request.at("has").as_array()) has.emplace_back(what.as_string());
    PluginServices services;
    services.find_table = find_abi_table;
    services.now_us = [] { return std::int64_t{0}; };
    services.check_schedule = Scheduler::check;
    services.check_declarations = check_declarations;
    services.has = [&](std::string_view what) { return std::find(has.begin(), has.end(), what) != has.end(); };
    Metrics metrics;
    services.metric = [&](const MetricSpec& spec) {
      return metrics.family(static_cast<Metrics::Kind>(spec.kind), spec.name, spec.help, spec.labels);
    };
    services.count = [](std::uint64_t, double, const std::vector<std::string>&) {};
    const auto library = std::make_shared<Library>(std::string(request.at("library").as_string()));
    Instance instance(library->file().id, library, library->file().files, settings, services);
    try {
      instance.set_up(library->entry());
    } catch (const DeclarationError&) {
      throw;
    } catch (const PluginError& error) {
      std::cout << error.what() << std::endl;
      return kSetupRefused;
    }
    check_declared(instance);
    if (const std::string scratch(request.at("scratch").as_string()); !scratch.empty()) try_tables(instance, scratch);
  } catch (const std::exception& error) {
    std::cout << error.what() << std::endl;
    return kRefused;
  }
  return 0;
}

}  // namespace trellis::host
