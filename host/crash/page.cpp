#include "crash/page.hpp"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <new>
#include <system_error>

#include "crash/layout.hpp"

namespace trellis::host {

std::atomic<CrashFile*> g_crash_file{nullptr};

namespace {

std::mutex g_mutex;  // of the tables of plugins and modules

/// Constant-initialised and without a destructor, so that the signal handler may read it at any time.
struct Place {
  CrashFile* page;
  CrashThread* thread;
};
constinit thread_local Place t_place{nullptr, nullptr};

constexpr std::size_t kSignalStack = 64 * 1024;

/// A stack of its own for the signal handler: a handler that recursed too deeply has none left.
struct Leaver {
  void* stack = nullptr;
  ~Leaver() {
    if (t_place.thread) t_place.thread->used.store(0, std::memory_order_release);
    t_place = {nullptr, nullptr};
    if (!stack) return;
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    ::sigaltstack(&off, nullptr);
    ::munmap(stack, kSignalStack);
  }
  void give_stack() {
#ifndef TRELLIS_ASAN  // it has given one already
    if (stack) return;
    stack_t given{};
    if (::sigaltstack(nullptr, &given) == 0 && !(given.ss_flags & SS_DISABLE)) return;
    void* memory = ::mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t own{};
    own.ss_sp = memory;
    own.ss_size = kSignalStack;
    if (::sigaltstack(&own, nullptr) == 0)
      stack = memory;
    else
      ::munmap(memory, kSignalStack);
#endif
  }
};
thread_local Leaver t_leaver;

/// The thread comes into the page. Null: it is full.
CrashThread* join(CrashFile* page) noexcept {
  t_leaver.give_stack();
  t_place = {page, nullptr};
  for (CrashThread& thread : page->threads) {
    std::uint32_t none = 0;
    if (!thread.used.compare_exchange_strong(none, 1, std::memory_order_acquire)) continue;
    thread.depth.store(0, std::memory_order_relaxed);
    t_place.thread = &thread;
    break;
  }
  return t_place.thread;
}

CrashThread* place_of_this_thread() noexcept {
  CrashFile* page = g_crash_file.load(std::memory_order_relaxed);
  if (t_place.page == page) [[likely]]
    return t_place.thread;
  return page ? join(page) : nullptr;
}

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view text) noexcept {
  const std::size_t size = std::min(text.size(), N - 1);
  std::memcpy(to, text.data(), size);
  to[size] = 0;
}

}  // namespace

CrashThread* crash_thread_or_null() noexcept { return t_place.thread; }

CrashPage::CrashPage(const std::filesystem::path& path) {
  const auto fail = [&](int error) -> std::system_error { return {error, std::generic_category(), path.string()}; };
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) throw fail(errno);
  // Every block must be there: a store into a mapped hole of a full disk ends the process.
  struct stat status{};
  int error = ::fstat(fd, &status) != 0 ? errno : 0;
  const bool of_this_size = static_cast<std::size_t>(status.st_size) == sizeof(CrashFile);
  if (!error && !of_this_size && ::ftruncate(fd, 0) != 0) error = errno;
  if (!error) error = ::posix_fallocate(fd, 0, sizeof(CrashFile));
  void* memory = MAP_FAILED;
  if (!error) {
    memory = ::mmap(nullptr, sizeof(CrashFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) error = errno;
  }
  ::close(fd);
  if (error) throw fail(error);
  file_ = static_cast<CrashFile*>(memory);
  if (std::memcmp(file_->magic, kCrashMagic, sizeof kCrashMagic) == 0 && file_->size == sizeof(CrashFile) &&
      file_->state.load() >= 2)
    last_ = read_crash(*file_);
}

void CrashPage::arm() {
  std::memset(static_cast<void*>(file_), 0, sizeof *file_);
  std::memcpy(file_->magic, kCrashMagic, sizeof kCrashMagic);
  file_->size = sizeof *file_;
  file_->pid = ::getpid();
  {
    std::lock_guard lock(g_mutex);
    note_modules(*file_);
  }
  g_crash_file.store(file_);
}

void note_modules(CrashFile& page) {
  struct Walk {
    CrashFile& page;
    std::uint32_t count = 0;
  } walk{page};
  page.modules_count.store(0);
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        Walk& to = *static_cast<Walk*>(data);
        if (to.count == kCrashModules) return 1;
        CrashModule& module = to.page.modules[to.count];
        module.bias = info->dlpi_addr;
        module.begin = ~std::uint64_t{0};
        module.end = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          module.begin = std::min<std::uint64_t>(module.begin, info->dlpi_addr + segment.p_vaddr);
          module.end = std::max<std::uint64_t>(module.end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
        }
        if (module.end == 0) return 0;
        if (info->dlpi_name && info->dlpi_name[0]) {
          copy_text(module.path, info->dlpi_name);
        } else {  // the program itself
          const ssize_t length = ::readlink("/proc/self/exe", module.path, sizeof module.path - 1);
          module.path[std::max<ssize_t>(length, 0)] = 0;
        }
        ++to.count;
        return 0;
      },
      &walk);
  page.modules_count.store(walk.count);
}

CrashIdentity::CrashIdentity(std::string_view plugin, std::uint64_t generation, std::string_view build,
                             const std::filesystem::path& library)
    : page_(g_crash_file.load()) {
  if (!page_) return;
  std::lock_guard lock(g_mutex);
  for (std::uint32_t i = 0; i < kCrashPlugins; ++i) {
    CrashPlugin& entry = page_->plugins[i];
    if (entry.used.load()) continue;
    entry.generation = generation;
    copy_text(entry.plugin, plugin);
    copy_text(entry.build, build);
    copy_text(entry.library, library.string());
    entry.used.store(1);
    index_ = i + 1;
    break;
  }
  note_modules(*page_);
}

CrashIdentity::~CrashIdentity() {
  if (!index_) return;
  std::lock_guard lock(g_mutex);
  page_->plugins[index_ - 1].used.store(0);
}

InPlugin::InPlugin(const CrashIdentity* plugin, Stream stream, Position position, std::uint32_t type) noexcept {
  if (!plugin || !plugin->index_ || !(thread_ = place_of_this_thread())) return;
  const std::uint32_t depth = thread_->depth.load(std::memory_order_relaxed);
  if (depth < kCrashFrames) {
    CrashFrame& frame = thread_->frames[depth];
    frame.plugin = plugin->index_;
    frame.kind = static_cast<std::uint32_t>(CrashKind::Event);
    frame.type = type;
    frame.stream = stream.id;
    frame.streams = stream.count;
    frame.position = position.value;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);  // only this thread's signal handler looks
  thread_->depth.store(depth + 1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

InPlugin::InPlugin(const CrashIdentity* plugin, CrashKind kind, std::string_view name, Position position) noexcept {
  if (!plugin || !plugin->index_ || !(thread_ = place_of_this_thread())) return;
  const std::uint32_t depth = thread_->depth.load(std::memory_order_relaxed);
  if (depth < kCrashFrames) {
    CrashFrame& frame = thread_->frames[depth];
    frame.plugin = plugin->index_;
    frame.kind = static_cast<std::uint32_t>(kind);
    frame.position = position.value;
    copy_text(frame.name, name);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread_->depth.store(depth + 1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

InPlugin::~InPlugin() {
  if (!thread_) return;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread_->depth.store(thread_->depth.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

}  // namespace trellis::host
