// The crash page's bytes. Private to crash/: written by a process, read by the next one, and by a signal handler.
#pragma once
#include <atomic>
#include <cstdint>

#include "crash/report.hpp"

namespace trellis::host {

inline constexpr char kCrashMagic[8] = {'T', 'R', 'L', 'C', 'R', 'S', 'H', '1'};
inline constexpr std::uint32_t kCrashThreads = 128, kCrashFrames = 12, kCrashPlugins = 128, kCrashModules = 256,
                               kCrashStack = 64;

struct CrashFrame {  // one call into a plugin
  std::uint64_t position;
  std::uint32_t plugin, kind, type, stream, streams;
  char name[kCrashNameBytes + 1];
};

struct alignas(64) CrashThread {
  std::atomic<std::uint32_t> used;   // by a running thread
  std::atomic<std::uint32_t> depth;  // > 0: inside a plugin
  CrashFrame frames[kCrashFrames];
};

struct CrashPlugin {
  std::atomic<std::uint32_t> used;
  std::uint64_t generation;
  char plugin[32], build[72], library[512];
};

struct CrashModule {
  std::uint64_t begin, end, bias;
  char path[232];
};

struct CrashFile {
  char magic[8];
  std::uint64_t size;

  // The crash. state: 0 none, 1 being written, 2 all but the stack, 3 whole.
  std::atomic<std::uint32_t> state;
  std::int32_t signal, code, pid;
  std::uint32_t thread;  // index + 1; 0: one that never was inside a plugin
  std::uint32_t depth;
  std::int64_t at_us;
  std::uint64_t address, pc;
  std::uint32_t stack_count;
  std::uint64_t stack[kCrashStack];

  std::atomic<std::uint32_t> modules_count;
  CrashModule modules[kCrashModules];
  CrashPlugin plugins[kCrashPlugins];
  CrashThread threads[kCrashThreads];
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// The page that is armed, or null.
extern std::atomic<CrashFile*> g_crash_file;
/// The calling thread's place in the page; null: it never was inside a plugin. [safe in a signal handler]
CrashThread* crash_thread_or_null() noexcept;
/// Which libraries are where, for the stack of a crash.
void note_modules(CrashFile&);
/// What a page says, in words.
struct CrashReport read_crash(const CrashFile&);

}  // namespace trellis::host
