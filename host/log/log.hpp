// The host's log lines: a constant text with fields, written by spdlog.
#pragma once
#include <trellis/abi.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace trellis::host {

enum class Level { Debug = TL_DEBUG, Info = TL_INFO, Warn = TL_WARN, Error = TL_ERROR };

struct LogField {
  std::string_view name;
  std::string value;
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view n, T v) : name(n), value(std::to_string(v)) {}
};

/// level: debug info warn error; format: text json; file: empty = stderr. Texts that were given to hide_secret() never
/// appear in a line.
void start_log(std::string_view level, std::string_view format, const std::string& file);
/// [any thread] Every later line shows *** instead.
void hide_secret(std::string_view);
bool log_enabled(Level);
/// [any thread] `who` is the part that speaks: "shard 0", "plugin message_counter", "store".
void log(Level, std::string_view who, std::string_view text, std::initializer_list<LogField> = {});
void log_fields(Level, std::string_view who, std::string_view text, const LogField*, std::size_t count);

inline void log_debug(std::string_view who, std::string_view text, std::initializer_list<LogField> f = {}) {
  log(Level::Debug, who, text, f);
}
inline void log_info(std::string_view who, std::string_view text, std::initializer_list<LogField> f = {}) {
  log(Level::Info, who, text, f);
}
inline void log_warn(std::string_view who, std::string_view text, std::initializer_list<LogField> f = {}) {
  log(Level::Warn, who, text, f);
}
inline void log_error(std::string_view who, std::string_view text, std::initializer_list<LogField> f = {}) {
  log(Level::Error, who, text, f);
}

}  // namespace trellis::host
