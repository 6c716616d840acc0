#include "plugins/fitness.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace trellis::host {

namespace {

constexpr std::string_view kEntry = "trellis_plugin_v1";

enum class Weight { Note, Warning, Pin };

/// Functions a plugin should not call, and why; of each group one line is said. Threads are no mistake: they only have
/// to end in time. std::terminate is none either, every noexcept function names it.
struct Suspicious {
  Weight weight;
  std::vector<std::string_view> names;
  const char* why;
};
const std::vector<Suspicious>& suspicious() {
  static const std::vector<Suspicious> kList{
      {Weight::Pin,
       {"__cxa_thread_atexit", "__cxa_thread_atexit_impl"},
       "has a thread_local variable with a destructor: each thread of the host that touches it keeps the library "
       "mapped "
       "until it ends"},
      {Weight::Pin,
       {"dlopen", "dlmopen"},
       "opens libraries itself: one that it does not close, or itself, stays mapped; link what it needs statically"},
      {Weight::Warning,
       {"fork", "vfork", "system", "popen", "daemon"},
       "makes a copy of the host's process, with locks of other threads held in it; use posix_spawn"},
      {Weight::Warning,
       {"execl", "execle", "execlp", "execv", "execve", "execveat", "execvp", "execvpe", "fexecve"},
       "replaces the host's process by another program; use posix_spawn"},
      {Weight::Warning,
       {"exit", "_exit", "_Exit", "quick_exit", "abort"},
       "ends the host; throw an exception, and only the handler fails"},
      {Weight::Warning,
       {"signal", "sigaction", "bsd_signal", "sigset", "sigaltstack"},
       "sets signal handlers, which belong to the host: one that stays behind when the library goes crashes it"},
      {Weight::Warning, {"sigprocmask"}, "changes which signals reach the host"},
      {Weight::Warning,
       {"setenv", "putenv", "unsetenv", "clearenv"},
       "changes the environment, which other threads read at the same time; settings are in plugins.conf"},
      {Weight::Warning,
       {"setlocale"},
       "changes how every thread of the host reads and writes numbers; use newlocale and uselocale"},
      {Weight::Warning, {"chdir", "fchdir", "chroot"}, "changes what relative paths mean for the whole host"},
      {Weight::Warning, {"umask"}, "changes the permissions of every file the host makes"},
      {Weight::Note,
       {"pthread_create", "thrd_create",
        "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_"
        "EEPFvvE"},
       "starts threads of its own: they must have ended when its destructor returns, or the host crashes in them"},
  };
  return kList;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "");
}

}  // namespace

Fitness examine(const ElfImage& image) {
  Fitness found;
  const ElfImage::Dynamic dynamic = image.dynamic();
  std::vector<std::string> unique, others;
  std::map<const Suspicious*, std::vector<std::string>> imports;
  bool has_entry = false;
  for (const auto& symbol : image.dynamic_symbols()) {
    if (symbol.unique && symbol.defined) unique.emplace_back(symbol.name);
    if (symbol.exported) {
      found.exports.emplace_back(symbol.name);
      if (symbol.name == kEntry)
        has_entry = true;
      else
        others.emplace_back(symbol.name);
    }
    if (!symbol.defined)
      for (const Suspicious& one : suspicious())
        if (std::ranges::find(one.names, symbol.name) != one.names.end()) imports[&one].emplace_back(symbol.name);
  }
  const auto refuse = [&](std::string why) { found.refusals.push_back(std::move(why)); };
  const auto warn = [&](std::string why) { found.warnings.push_back(std::move(why)); };
  if (!unique.empty())
    refuse(
        fmt::format("cannot be unloaded: it has the unique symbol {}; build it with trellis_add_plugin() or "
                    "-fno-gnu-unique",
                    list_of(unique)));
  if (!has_entry) refuse(fmt::format("has no entry {}; end its source with TRELLIS_PLUGIN(...)", kEntry));
  if (dynamic.flags_1 & DF_1_NODELETE) refuse("cannot be unloaded: it was linked with -z nodelete");
  if (dynamic.flags & DF_STATIC_TLS)
    refuse(
        "needs static thread-local storage, of which a running process has little left: after some reloads it could "
        "not be loaded any more; build it without -ftls-model=initial-exec");
  if (dynamic.text_relocations)
    refuse("has text relocations: its code would be writable while it is loaded; build all of it with -fPIC");
  if (image.executable_stack())
    refuse(
        "asks for an executable stack, for the whole host; link it with -z noexecstack (an assembler source without "
        "a .note.GNU-stack section causes this)");
  // Exactly the symbols of the entry are wanted: others could be taken for those of another plugin.
  if (!others.empty())
    warn(
        fmt::format("exports {}: a plugin exports {} and nothing else; build it with trellis_add_plugin(), which hides "
                    "the rest",
                    list_of(others), kEntry));
  if (dynamic.search_path.find("$ORIGIN") != std::string::npos)
    warn(
        "looks for libraries beside itself ($ORIGIN), and the host loads a copy from another folder; link them "
        "statically");
  for (const Suspicious& one : suspicious()) {
    const auto names = imports.find(&one);
    if (names == imports.end()) continue;
    const std::string said = fmt::format("{} ({})", one.why, list_of(names->second));
    (one.weight == Weight::Note ? found.notes : found.warnings).push_back(said);
    if (one.weight == Weight::Pin) found.pins.emplace_back(one.why);
  }
  return found;
}

}  // namespace trellis::host
