#include "log/log.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace trellis::host {
namespace {

// Masking shorter texts would tear ordinary words apart and hide nothing.
constexpr std::size_t kSecretMin = 4;

struct Target {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
};

std::shared_ptr<const Target> make_target(std::shared_ptr<spdlog::sinks::sink> sink, bool json) {
  auto target = std::make_shared<Target>();
  target->logger = std::make_shared<spdlog::logger>("trellis", std::move(sink));
  target->logger->set_level(spdlog::level::trace);
  target->logger->set_pattern("%v");
  target->logger->flush_on(spdlog::level::trace);
  target->json = json;
  return target;
}

struct State {
  std::atomic<int> level = static_cast<int>(Level::Info);
  std::mutex mutex;
  std::shared_ptr<const Target> target = make_target(std::make_shared<spdlog::sinks::stderr_sink_mt>(), false);
  std::shared_ptr<const std::vector<std::string>> secrets = std::make_shared<std::vector<std::string>>();
};
State& state() {
  static State* instance = new State;  // never destroyed: threads may log while the process ends
  return *instance;
}

constexpr std::string_view kNames[] = {"", "DEBUG", "INFO ", "WARN ", "ERROR"};
constexpr std::string_view kJsonNames[] = {"", "debug", "info", "warn", "error"};
constexpr spdlog::level::level_enum kSpdLevels[] = {spdlog::level::off, spdlog::level::debug, spdlog::level::info,
                                                    spdlog::level::warn, spdlog::level::err};

std::string masked(std::string_view text, const std::vector<std::string>& secrets) {
  std::string out(text);
  for (const std::string& secret : secrets) {
    for (std::size_t at = out.find(secret); at != std::string::npos; at = out.find(secret, at + 3)) {
      out.replace(at, secret.size(), "***");
    }
  }
  return out;
}

using Buffer = fmt::memory_buffer;
void put(Buffer& out, std::string_view text) { out.append(text.data(), text.data() + text.size()); }

/// Nothing in a line may end it, or colour a terminal.
void put_escaped(Buffer& out, std::string_view text, bool quoted) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      put(out, "\\n");
    } else if (c == '\r') {
      put(out, "\\r");
    } else if (c == '\t') {
      put(out, "\\t");
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else if (quoted && (c == '"' || c == '\\')) {
      out.push_back('\\');
      out.push_back(c);
    } else {
      out.push_back(c);
    }
  }
}

void put_quoted(Buffer& out, std::string_view text) {
  out.push_back('"');
  put_escaped(out, text, true);
  out.push_back('"');
}

bool plain(std::string_view value) {
  if (value.empty()) return false;
  for (char c : value) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  }
  return true;
}

void put_time(Buffer& out) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

}  // namespace

void start_log(std::string_view level, std::string_view format, const std::string& file) {
  int chosen = 0;
  for (int i = 1; i <= 4; ++i) {
    if (level == kJsonNames[i]) chosen = i;
  }
  if (!chosen) throw std::invalid_argument(fmt::format("log level \"{}\": use debug, info, warn or error", level));
  if (format != "text" && format != "json") {
    throw std::invalid_argument(fmt::format("log format \"{}\": use text or json", format));
  }
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    try {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    } catch (const spdlog::spdlog_ex& e) {
      throw std::runtime_error(fmt::format("log file {}: {}; check the path and who may write there", file, e.what()));
    }
  }
  auto target = make_target(std::move(sink), format == "json");
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.target = std::move(target);
  s.level.store(chosen, std::memory_order_relaxed);
}

void hide_secret(std::string_view secret) {
  if (secret.size() < kSecretMin) return;
  State& s = state();
  std::lock_guard lock(s.mutex);
  auto secrets = std::make_shared<std::vector<std::string>>(*s.secrets);
  for (const std::string& known : *secrets) {
    if (known == secret) return;
  }
  // The longest first: one secret may be part of another.
  auto at = secrets->begin();
  while (at != secrets->end() && at->size() >= secret.size()) ++at;
  secrets->insert(at, std::string(secret));
  s.secrets = std::move(secrets);
}

bool log_enabled(Level level) { return static_cast<int>(level) >= state().level.load(std::memory_order_relaxed); }

void log(Level level, std::string_view who, std::string_view text, std::initializer_list<LogField> fields) {
  log_fields(level, who, text, fields.begin(), fields.size());
}

void log_fields(Level level, std::string_view who, std::string_view text, const LogField* fields, std::size_t count) {
  if (!log_enabled(level)) return;
  State& s = state();
  std::shared_ptr<const Target> target;
  std::shared_ptr<const std::vector<std::string>> secrets;
  {
    std::lock_guard lock(s.mutex);
    target = s.target;
    secrets = s.secrets;
  }
  const int number = std::clamp(static_cast<int>(level), 1, 4);
  // Masked before it is escaped: a secret with a quote in it would not be found afterwards.
  const auto clean = [&](std::string_view raw) { return masked(raw, *secrets); };
  Buffer line;
  if (target->json) {
    put(line, "{\"time\":\"");
    put_time(line);
    fmt::format_to(std::back_inserter(line), "\",\"level\":\"{}\",\"who\":", kJsonNames[number]);
    put_quoted(line, clean(who));
    put(line, ",\"text\":");
    put_quoted(line, clean(text));
    for (std::size_t i = 0; i < count; ++i) {
      line.push_back(',');
      put_quoted(line, clean(fields[i].name));
      line.push_back(':');
      put_quoted(line, clean(fields[i].value));
    }
    line.push_back('}');
  } else {
    put_time(line);
    line.push_back(' ');
    put(line, kNames[number]);
    line.push_back(' ');
    put_escaped(line, clean(who), false);
    put(line, ": ");
    put_escaped(line, clean(text), false);
    for (std::size_t i = 0; i < count; ++i) {
      line.push_back(' ');
      put_escaped(line, clean(fields[i].name), false);
      line.push_back('=');
      const std::string value = clean(fields[i].value);
      if (plain(value)) {
        put(line, value);
      } else {
        put_quoted(line, value);
      }
    }
  }
  target->logger->log(kSpdLevels[number], spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace trellis::host
