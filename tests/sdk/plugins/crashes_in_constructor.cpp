// Ends the process when it is created: a host finds that out in a process of its own.
#include <csignal>
#include <trellis/plugin.hpp>

namespace {
class CrashesInConstructor final : public trellis::Plugin {
 public:
  explicit CrashesInConstructor(trellis::Setup&) { std::raise(SIGSEGV); }
};
}  // namespace

TRELLIS_PLUGIN(CrashesInConstructor, "crashes_in_constructor", "1.0.0")
