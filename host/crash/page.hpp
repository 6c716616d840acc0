// The crash page: a small file, mapped into the process, that says which plugin's code each thread runs. A fatal signal
// adds what happened, and the next start reads it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crash/report.hpp"
#include "journal/position.hpp"

namespace trellis::host {

struct CrashFile;
struct CrashThread;

/// The page of this process. Its mapping stays until the process ends, because a signal may come at any time.
class CrashPage {
 public:
  /// Maps the file and reads what the last run left in it. Throws std::system_error.
  explicit CrashPage(const std::filesystem::path& file);
  /// How the last run ended, when a fatal signal ended it.
  const std::optional<CrashReport>& last() const { return last_; }
  /// Forgets that, and notes from now on what this process does. Call it when last() is stored somewhere: until then
  /// nothing is changed, so that a start that fails loses nothing.
  void arm();
  /// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT are noted in the armed page before they end the process as
  /// they always did. Under AddressSanitizer SIGABRT alone: the others are its own.
  static void catch_fatal_signals();

 private:
  CrashFile* file_;
  std::optional<CrashReport> last_;
};

/// One mapped generation of a plugin, by which crashes are blamed. Whoever may call into the library keeps it.
/// [any thread] Without an armed page it means nothing, and costs nothing.
class CrashIdentity {
 public:
  CrashIdentity(std::string_view plugin, std::uint64_t generation, std::string_view build,
                const std::filesystem::path& library);
  ~CrashIdentity();
  CrashIdentity(const CrashIdentity&) = delete;
  CrashIdentity& operator=(const CrashIdentity&) = delete;

 private:
  friend class InPlugin;
  CrashFile* page_;
  std::uint32_t index_ = 0;
};

/// This thread runs code of the plugin while this lives. A few stores; scopes nest, as plugins call each other.
class InPlugin {
 public:
  /// An event's handlers. The identity may be null.
  InPlugin(const CrashIdentity* plugin, Stream stream, Position position, std::uint32_t type) noexcept;
  /// Anything else; of the name kCrashNameBytes are kept. position: of a job's run, when it was due.
  InPlugin(const CrashIdentity* plugin, CrashKind kind, std::string_view name, Position position = {}) noexcept;
  ~InPlugin();
  InPlugin(const InPlugin&) = delete;
  InPlugin& operator=(const InPlugin&) = delete;

 private:
  CrashThread* thread_ = nullptr;
};

}  // namespace trellis::host
