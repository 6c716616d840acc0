#include "log_lines.hpp"

#include <fmt/format.h>

#include <mutex>

#include "log/log.hpp"

namespace trellis::host {

namespace {

std::mutex g_mutex;
LogLines* g_current = nullptr;

std::string text_of(Level level, std::string_view text, const LogField* fields, std::size_t count) {
  static constexpr const char* kNames[] = {"", "debug", "info", "warning", "error"};
  std::string line = fmt::format("{}: {}", kNames[static_cast<int>(level)], text);
  for (std::size_t i = 0; i < count; ++i) {
    const bool quoted = fields[i].value.empty() || fields[i].value.find(' ') != std::string::npos;
    line += fmt::format(" {}={}{}{}", fields[i].name, quoted ? "\"" : "", fields[i].value, quoted ? "\"" : "");
  }
  return line;
}

void keep(Level level, std::string_view who, std::string line, std::string failure) {
  std::lock_guard lock(g_mutex);
  if (!g_current || who != "plugin " + g_current->plugin) return;
  if (level >= Level::Warn && !failure.empty()) g_current->failures.push_back(std::move(failure));
  g_current->lines.push_back(std::move(line));
}

}  // namespace

void set_log_lines(LogLines* lines) {
  std::lock_guard lock(g_mutex);
  g_current = lines;
}

std::string log_line(const LogLines& lines, std::size_t index) {
  std::lock_guard lock(g_mutex);
  return index < lines.lines.size() ? lines.lines[index] : std::string();
}

std::size_t log_line_count(const LogLines& lines) {
  std::lock_guard lock(g_mutex);
  return lines.lines.size();
}

std::vector<std::string> take_failures(LogLines& lines) {
  std::lock_guard lock(g_mutex);
  return std::exchange(lines.failures, {});
}

// ---- log/log.hpp ----

void start_log(std::string_view, std::string_view, const std::string&) {}
void hide_secret(std::string_view) {}
bool log_enabled(Level) { return true; }

/// The host's own lines; one with an event or a job and an error is about a handler that failed.
void log(Level level, std::string_view who, std::string_view text, std::initializer_list<LogField> fields) {
  std::string what, error;
  for (const LogField& field : fields) {
    if (field.name == "event" || field.name == "job") what = std::string(field.name) + " " + field.value;
    if (field.name == "error") error = field.value;
  }
  keep(level, who, text_of(level, text, fields.begin(), fields.size()),
       what.empty() || error.empty() ? std::string() : what + ": " + error);
}

/// The plugin's.
void log_fields(Level level, std::string_view who, std::string_view text, const LogField* fields, std::size_t count) {
  keep(level, who, text_of(level, text, fields, count), {});
}

}  // namespace trellis::host
