// How a process died, in words.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "journal/position.hpp"

namespace trellis::host {

/// What the plugin's code was running for.
enum class CrashKind : std::uint32_t {
  None,   // no plugin's code: the host itself
  Event,  // an event's handler
  Method,
  Job,
  Start,    // on_start
  Request,  // any other request
  Setup,    // loading the library, or its Setup
  Other     // a thread of the plugin's own, a destructor: known by its library on the stack
};
std::string_view name_of(CrashKind);
CrashKind crash_kind_named(std::string_view);

/// Of a name as long as it is kept.
inline constexpr std::size_t kCrashNameBytes = 63;

struct CrashReport {
  std::int64_t at_us = 0;  // wall clock; with the process id it names the crash
  int pid = 0, signal = 0;
  std::uint64_t address = 0;  // of a fault

  CrashKind kind = CrashKind::None;
  std::string plugin, build;  // empty for None
  std::uint64_t generation = 0;
  Stream stream;      // Event
  Position position;  // Event; Job: when the run was due, in us
  std::string name;   // of the event's type, the method; the job, or job/key

  /// Innermost first: "plugin levels +0x1a2b Levels::message(...)", "libc.so.6 +0x3c050".
  std::vector<std::string> stack;

  /// "SIGSEGV at address 0x0 in the handler of MESSAGE_CREATE 1764000000:12 (shard 0/1)"
  std::string what() const;
  /// what() and the stack, a line each.
  std::string text() const;
};

}  // namespace trellis::host
