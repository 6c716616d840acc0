#include "crash/report.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>

#include "crash/layout.hpp"
#include "crash/symbols.hpp"
#include "journal/event_types.hpp"

namespace trellis::host {

namespace {

constexpr std::string_view kKinds[] = {"host", "event", "method", "job", "start", "request", "setup", "other"};

template <std::size_t N>
std::string text_of(const char (&bytes)[N]) {
  return std::string(bytes, ::strnlen(bytes, N));
}

const char* signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name ? name : "?";
}

const CrashModule* module_at(const CrashFile& page, std::uint64_t address) {
  const std::uint32_t count = std::min(page.modules_count.load(), kCrashModules);
  for (std::uint32_t i = 0; i < count; ++i)
    if (address >= page.modules[i].begin && address < page.modules[i].end) return &page.modules[i];
  return nullptr;
}

const CrashPlugin* plugin_of(const CrashFile& page, const CrashModule& module) {
  for (const CrashPlugin& plugin : page.plugins)
    if (plugin.used.load() && text_of(plugin.library) == text_of(module.path)) return &plugin;
  return nullptr;
}

/// A file that was changed since then has other functions in these places.
bool older_than(const std::string& file, std::int64_t at_us) {
  std::error_code error;
  const auto written = std::filesystem::last_write_time(file, error);
  if (error) return false;
  const auto since = std::chrono::file_clock::to_sys(written).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count() <= at_us;
}

std::string line_of(const CrashFile& page, std::uint64_t address, bool exact) {
  const CrashModule* module = module_at(page, address);
  if (!module) return fmt::format("{:#x}", address);
  const std::string path = text_of(module->path);
  const std::uint64_t offset = address - module->bias;
  const CrashPlugin* plugin = plugin_of(page, *module);
  std::string line = fmt::format(
      "{} +{:#x}", plugin ? "plugin " + text_of(plugin->plugin) : std::filesystem::path(path).filename().string(),
      offset);
  // The others are where their calls return to.
  const std::string function = older_than(path, page.at_us) ? function_at(path, exact ? offset : offset - 1) : "";
  return function.empty() ? line : line + " " + function;
}

void blame(CrashReport& report, const CrashPlugin& plugin, CrashKind kind) {
  report.kind = kind;
  report.plugin = text_of(plugin.plugin);
  report.build = text_of(plugin.build);
  report.generation = plugin.generation;
}

}  // namespace

std::string_view name_of(CrashKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < std::size(kKinds) ? kKinds[index] : kKinds[std::size(kKinds) - 1];
}

CrashKind crash_kind_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i)
    if (kKinds[i] == name) return static_cast<CrashKind>(i);
  return CrashKind::Other;
}

CrashReport read_crash(const CrashFile& page) {
  CrashReport report;
  report.at_us = page.at_us;
  report.pid = page.pid;
  report.signal = page.signal;
  report.address = page.address;
  // The signal handler's own calls come first.
  const std::uint32_t count = std::min(page.stack_count, kCrashStack);
  std::uint32_t first = 0;
  for (std::uint32_t i = 0; i < count && first == 0; ++i)
    if (page.stack[i] == page.pc) first = i;
  if (count == 0 && page.pc) report.stack.push_back(line_of(page, page.pc, true));
  for (std::uint32_t i = first; i < count; ++i) report.stack.push_back(line_of(page, page.stack[i], i == first));

  if (page.thread > 0 && page.thread <= kCrashThreads && page.depth > 0) {
    const CrashThread& thread = page.threads[page.thread - 1];
    const CrashFrame& frame = thread.frames[std::min(page.depth, kCrashFrames) - 1];
    if (frame.plugin > 0 && frame.plugin <= kCrashPlugins) {
      blame(report, page.plugins[frame.plugin - 1], static_cast<CrashKind>(frame.kind));
      if (report.kind == CrashKind::Event) {
        report.stream = {frame.stream, frame.streams};
        report.position = {frame.position};
        report.name = event_name(frame.type);
      } else {
        report.name = text_of(frame.name);
        if (report.kind == CrashKind::Job) report.position = {frame.position};
      }
      return report;
    }
  }
  for (std::uint32_t i = first; i < count; ++i)
    if (const CrashModule* module = module_at(page, page.stack[i]))
      if (const CrashPlugin* plugin = plugin_of(page, *module)) {
        blame(report, *plugin, CrashKind::Other);
        break;
      }
  return report;
}

std::string CrashReport::what() const {
  std::string text = fmt::format("SIG{}", signal_name(signal));
  if (address || signal == SIGSEGV || signal == SIGBUS) text += fmt::format(" at address {:#x}", address);
  switch (kind) {
    case CrashKind::None:
      return text;
    case CrashKind::Event:
      return text +
             fmt::format(" in the handler of {} {} (shard {}/{})", name, position.text(), stream.id, stream.count);
    case CrashKind::Method:
    case CrashKind::Job:
      return text + fmt::format(" in the {} {}", name_of(kind), name);
    case CrashKind::Start:
      return text + " in on_start";
    case CrashKind::Setup:
      return text + " while it was loaded";
    case CrashKind::Request:
      return text + " in " + name;
    case CrashKind::Other:
      break;
  }
  return text + " in its library, outside of handlers";
}

std::string CrashReport::text() const {
  std::string all = what();
  for (const std::string& line : stack) all += "\n  " + line;
  return all;
}

}  // namespace trellis::host
