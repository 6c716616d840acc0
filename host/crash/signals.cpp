// The handler of fatal signals. Nothing in here allocates, locks, or calls what is not safe in a signal handler.
#include <execinfo.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>

#include "crash/layout.hpp"
#include "crash/page.hpp"

namespace trellis::host {

namespace {

std::uint64_t program_counter(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  return 0;
#endif
}

void note(CrashFile& page, int number, const siginfo_t& info, const void* context) {
  std::uint32_t none = 0;
  if (!page.state.compare_exchange_strong(none, 1)) {
    // Another thread is at it; this one's end would cut it short. A handler that hangs must not keep the process.
    for (int i = 0; i < 200 && page.state.load() < 3; ++i) {
      const timespec pause{0, 10'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return;
  }
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  page.at_us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  page.pid = ::getpid();
  page.signal = number;
  page.code = info.si_code;
  page.address = info.si_code > 0 ? reinterpret_cast<std::uint64_t>(info.si_addr) : 0;
  page.pc = program_counter(context);
  page.stack_count = 0;
  const CrashThread* thread = crash_thread_or_null();
  const bool here = thread >= page.threads && thread < page.threads + kCrashThreads;
  page.thread = here ? static_cast<std::uint32_t>(thread - page.threads) + 1 : 0;
  page.depth = here ? thread->depth.load() : 0;
  page.state.store(2);
  // Walking a damaged stack may fault again: that ends the process at once, and what is above stays.
  void* addresses[kCrashStack];
  const int count = ::backtrace(addresses, kCrashStack);
  for (int i = 0; i < count; ++i) page.stack[i] = reinterpret_cast<std::uint64_t>(addresses[i]);
  page.stack_count = static_cast<std::uint32_t>(std::max(count, 0));
  page.state.store(3);
}

void on_fatal_signal(int number, siginfo_t* info, void* context) {
  const int error = errno;
  const bool sent = info->si_code <= 0;  // by kill, raise, abort; not by the processor
  const bool by_others = sent && info->si_pid != ::getpid();
  CrashFile* page = g_crash_file.load();
  if (page && !by_others) note(*page, number, *info, context);
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  ::sigaction(number, &usual, nullptr);
  // The signal is blocked in here. A fault happens again on return, and ends the process with the right core dump; one
  // that was sent has to be sent again.
  if (sent) ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), number);
  errno = error;
}

}  // namespace

void CrashPage::catch_fatal_signals() {
  void* warm[4];
  ::backtrace(warm, 4);  // the first call loads a library
  struct sigaction action{};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
#ifdef TRELLIS_ASAN
  for (const int number : {SIGABRT}) ::sigaction(number, &action, nullptr);
#else
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::sigaction(number, &action, nullptr);
#endif
}

}  // namespace trellis::host
