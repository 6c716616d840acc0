// Preloaded (LD_PRELOAD) under a program: notes what it writes to some folders and has not synced, and lets their disk
// be full. faulty_disk.hpp says what that is for. No exceptions, nothing of the C++ library's: this runs inside of
// malloc's and everybody else's calls.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "faulty_disk_log.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {
using namespace trellis::e2e::faulty_disk;

constexpr int kFilesMax = 1 << 16;
constexpr std::size_t kPathMax = 4096;
constexpr int kPartsMax = 64;

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;  // an operation and its note are one
const char* g_folders = nullptr;
const char* g_notes = nullptr;
Control* g_control = nullptr;
ino_t g_inodes[kFilesMax];  // by descriptor: what was opened there, 0 = nothing of ours
unsigned g_kept = 0;

struct Lock {
  Lock() { pthread_mutex_lock(&g_mutex); }
  ~Lock() { pthread_mutex_unlock(&g_mutex); }
};

[[noreturn]] void give_up(const char* what) {
  fprintf(stderr, "faulty_disk_layer: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) void begin() {
  const char* notes = getenv(kNotes);
  const char* folders = getenv(kFolders);
  if (!notes || !folders) return;
  char path[kPathMax];
  snprintf(path, sizeof path, "%s/control", notes);
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0));
  if (fd < 0) give_up(path);
  void* memory = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) give_up(path);
  syscall(SYS_close, fd);
  g_control = static_cast<Control*>(memory);
  g_folders = strdup(folders);
  g_notes = strdup(notes);
}

/// Of a file or folder that is watched.
bool ours(const char* path) {
  if (!g_folders || !path || path[0] != '/') return false;
  for (const char* folder = g_folders; *folder;) {
    const bool not_this = *folder == '!';
    folder += not_this;
    const char* end = strchrnul(folder, ':');
    const auto length = static_cast<std::size_t>(end - folder);
    if (strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0)) return !not_this;
    folder = *end ? end + 1 : end;
  }
  return false;
}

/// A first look, without the lock.
bool may_be_ours(int fd) {
  return g_folders && fd >= 0 && fd < kFilesMax && __atomic_load_n(&g_inodes[fd], __ATOMIC_RELAXED);
}
/// Descriptors are used again for something else.
bool ours(int fd, struct stat& info) { return may_be_ours(fd) && fstat(fd, &info) == 0 && info.st_ino == g_inodes[fd]; }

// ---- notes ----

int open_note(ino_t inode, const char* ending, int flags) {
  char path[kPathMax];
  snprintf(path, sizeof path, "%s/%lu.%s", g_notes, static_cast<unsigned long>(inode), ending);
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600));
}

void append(ino_t inode, const char* ending, const iovec* parts, int count) {
  const int fd = open_note(inode, ending, O_WRONLY | O_CREAT | O_APPEND);
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  if (fd < 0 || syscall(SYS_writev, fd, parts, count) != static_cast<long>(bytes)) give_up("a note cannot be written");
  syscall(SYS_close, fd);
}

void empty_note(ino_t inode, const char* ending) {
  const int fd = open_note(inode, ending, O_WRONLY | O_TRUNC);
  if (fd >= 0) syscall(SYS_close, fd);
}

/// The bytes of a file that stand in a range, in memory of malloc's.
char* old_bytes(int fd, std::uint64_t offset, std::uint64_t length, std::uint64_t size, std::uint64_t& found) {
  found = offset >= size ? 0 : (length < size - offset ? length : size - offset);
  if (!found) return nullptr;
  char* bytes = static_cast<char*>(malloc(found));
  std::uint64_t done = 0;
  // A descriptor for writing only cannot be read. Others are read themselves: to close a second one of the same file
  // would take away the program's locks on it.
  int reader = fd;
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    reader = static_cast<int>(syscall(SYS_openat, AT_FDCWD, self, O_RDONLY | O_CLOEXEC, 0));
  }
  while (bytes && reader >= 0 && done < found) {
    const long got = syscall(SYS_pread64, reader, bytes + done, found - done, offset + done);
    if (got <= 0) break;
    done += static_cast<std::uint64_t>(got);
  }
  if (done != found) give_up("a file cannot be read");
  if (reader != fd) syscall(SYS_close, reader);
  return bytes;
}

void note(int fd, const struct stat& info, Entry entry, std::uint64_t old_length, const iovec* parts, int count) {
  entry.old_size = static_cast<std::uint64_t>(info.st_size);
  char* old = old_bytes(fd, entry.offset, old_length, entry.old_size, entry.old_bytes);
  iovec all[kPartsMax + 2] = {{&entry, sizeof entry}, {old, entry.old_bytes}};
  for (int i = 0; i < count; ++i) all[i + 2] = parts[i];
  append(info.st_ino, "log", all, count + 2);
  free(old);
}

void note_resize(int fd, const struct stat& info, std::uint64_t size) {
  Entry entry{};
  entry.kind = Resize;
  entry.offset = entry.new_size = size;
  note(fd, info, entry, static_cast<std::uint64_t>(info.st_size) > size ? UINT64_MAX : 0, nullptr, 0);
}

ino_t folder_of(const char* path) {
  char folder[kPathMax];
  snprintf(folder, sizeof folder, "%s", path);
  char* slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  struct stat info{};
  return stat(folder, &info) == 0 ? info.st_ino : 0;
}

void note_name(const char* path, const char* format, ...) {
  char line[3 * kPathMax];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  const iovec part{line, static_cast<std::size_t>(length)};
  if (const ino_t folder = folder_of(path)) append(folder, "names", &part, 1);
}

/// A second name for what is about to lose this one.
void keep(const char* path, char* kept, std::size_t bytes) {
  snprintf(kept, bytes, "%s/%lu.kept", g_notes, static_cast<unsigned long>(folder_of(path)));
  mkdir(kept, 0700);
  const std::size_t length = strlen(kept);
  do {
    snprintf(kept + length, bytes - length, "/%d-%u", getpid(), ++g_kept);
    if (link(path, kept) == 0) return;
  } while (errno == EEXIST);
  snprintf(kept, bytes, "-");
}

/// The folder's names are safe: nobody needs the files that lost theirs.
void forget_names(ino_t folder) {
  empty_note(folder, "names");
  char path[kPathMax];
  snprintf(path, sizeof path, "%s/%lu.kept", g_notes, static_cast<unsigned long>(folder));
  DIR* kept = opendir(path);
  if (!kept) return;
  while (const dirent* entry = readdir(kept)) {
    if (entry->d_name[0] == '.') continue;
    if (strlen(path) + strlen(entry->d_name) + 2 > sizeof path) continue;
    const int at = dirfd(kept);
    struct stat info{};
    if (fstatat(at, entry->d_name, &info, 0) == 0 && info.st_nlink == 1) {
      char log[kPathMax];
      snprintf(log, sizeof log, "%s/%lu.log", g_notes, static_cast<unsigned long>(info.st_ino));
      syscall(SYS_unlinkat, AT_FDCWD, log, 0);
    }
    syscall(SYS_unlinkat, at, entry->d_name, 0);
  }
  closedir(kept);
}

// ---- room ----

/// Of `bytes` at `offset`, how many the disk takes.
std::uint64_t taken(std::uint64_t offset, std::uint64_t bytes, std::uint64_t size, bool in_part) {
  const std::int64_t room = __atomic_load_n(&g_control->room, __ATOMIC_RELAXED);
  if (room < 0 || offset + bytes <= size) return bytes;
  const std::uint64_t growth = offset + bytes - (offset > size ? offset : size);
  std::uint64_t granted = growth;
  if (growth > static_cast<std::uint64_t>(room)) {
    granted = in_part ? static_cast<std::uint64_t>(room) : 0;
    __atomic_fetch_add(&g_control->refused, 1, __ATOMIC_RELAXED);
  }
  std::int64_t expected = room;  // the test may have changed it meanwhile
  __atomic_compare_exchange_n(&g_control->room, &expected, room - static_cast<std::int64_t>(granted), false,
                              __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return bytes - (growth - granted);
}

// ---- operations ----

ssize_t write_parts(int fd, const struct stat& info, const iovec* given, int count, std::uint64_t offset) {
  if (count < 0 || count > kPartsMax) give_up("a write of too many parts");
  iovec parts[kPartsMax];
  std::uint64_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += given[i].iov_len;
  const std::uint64_t room = taken(offset, bytes, static_cast<std::uint64_t>(info.st_size), true);
  if (room == 0 && bytes > 0) {
    errno = ENOSPC;
    return -1;
  }
  std::uint64_t left = room;
  int used = 0;
  for (; used < count && left > 0; ++used) {
    parts[used] = given[used];
    if (parts[used].iov_len > left) parts[used].iov_len = left;
    left -= parts[used].iov_len;
  }
  Entry entry{};
  entry.kind = Write;
  entry.offset = offset;
  entry.bytes = room;
  entry.new_size = offset + room;
  note(fd, info, entry, room, parts, used);
  return syscall(SYS_pwritev, fd, parts, used, static_cast<long>(offset), 0L);
}

ssize_t write_here(int fd, const struct stat& info, const iovec* parts, int count) {
  const int flags = fcntl(fd, F_GETFL);
  const off_t at = flags & O_APPEND ? info.st_size : lseek(fd, 0, SEEK_CUR);
  const ssize_t done = write_parts(fd, info, parts, count, static_cast<std::uint64_t>(at));
  if (done > 0) lseek(fd, at + done, SEEK_SET);
  return done;
}

int resize(int fd, off_t size) {
  struct stat info{};
  const Lock lock;
  if (!ours(fd, info)) return static_cast<int>(syscall(SYS_ftruncate, fd, size));
  note_resize(fd, info, static_cast<std::uint64_t>(size));
  return static_cast<int>(syscall(SYS_ftruncate, fd, size));
}

int take_room(int fd, int mode, off_t offset, off_t length) {
  struct stat info{};
  const Lock lock;
  if (!ours(fd, info)) return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
  const auto begin = static_cast<std::uint64_t>(offset), bytes = static_cast<std::uint64_t>(length);
  if (taken(begin, bytes, static_cast<std::uint64_t>(info.st_size), false) < bytes) {
    errno = ENOSPC;
    return -1;
  }
  if (mode == 0) {
    if (offset + length > info.st_size) note_resize(fd, info, begin + bytes);
  } else if (mode == FALLOC_FL_ZERO_RANGE) {
    Entry entry{};
    entry.kind = Zeroes;
    entry.offset = begin;
    entry.bytes = bytes;
    entry.new_size = begin + bytes;
    note(fd, info, entry, bytes, nullptr, 0);
  } else {
    errno = EOPNOTSUPP;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
}

/// As a disk does that has much to do: for as long as the test says so. Without the lock, others go on.
void wait_while_held(int fd) {
  if (!__atomic_load_n(&g_control->holds, __ATOMIC_ACQUIRE)) return;
  char self[64], path[kPathMax];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(self, path, sizeof path);
  const auto ending = static_cast<ssize_t>(strlen(g_control->held_name));
  if (length < ending || strncmp(path + length - ending, g_control->held_name, static_cast<std::size_t>(ending)) != 0)
    return;
  __atomic_add_fetch(&g_control->held, 1, __ATOMIC_RELAXED);
  while (__atomic_load_n(&g_control->holds, __ATOMIC_ACQUIRE)) usleep(1000);
  __atomic_sub_fetch(&g_control->held, 1, __ATOMIC_RELAXED);
}

/// Nothing reaches the real disk: the machine stays on.
int sync(int fd, long number) {
  struct stat info{};
  if (!ours(fd, info)) return static_cast<int>(syscall(number, fd));  // a real one may take long
  wait_while_held(fd);
  const Lock lock;
  if (S_ISDIR(info.st_mode)) {
    forget_names(info.st_ino);
  } else {
    empty_note(info.st_ino, "log");
  }
  return 0;
}

/// Before a file is opened in a way that may make or empty it. True: it is new.
bool note_open(const char* path, bool creates, bool truncates) {
  struct stat info{};
  if (stat(path, &info) != 0) {
    if (creates) note_name(path, "create\t%s\n", path);
    return true;
  }
  if (truncates && S_ISREG(info.st_mode) && info.st_size > 0) {
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
    if (fd < 0) return false;
    note_resize(fd, info, 0);
    syscall(SYS_close, fd);
  }
  return false;
}

int opened(int fd, bool is_new) {
  struct stat info{};
  if (fd < 0 || fd >= kFilesMax || fstat(fd, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))
    return fd;
  __atomic_store_n(&g_inodes[fd], info.st_ino, __ATOMIC_RELAXED);
  if (is_new) empty_note(info.st_ino, "log");  // of an earlier file with this number
  return fd;
}

int open_at(int folder, const char* path, int flags, mode_t mode) {
  if (!ours(path)) return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
  const Lock lock;
  const bool is_new = note_open(path, flags & O_CREAT, flags & O_TRUNC);
  return opened(static_cast<int>(syscall(SYS_openat, folder, path, flags, mode)), is_new);
}

FILE* open_stream(const char* path, const char* mode, const char* function) {
  using Function = FILE* (*)(const char*, const char*);
  const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, function));
  if (!ours(path)) return real(path, mode);
  const Lock lock;
  const bool is_new = note_open(path, mode[0] != 'r', mode[0] == 'w');
  FILE* stream = real(path, mode);
  if (stream) opened(fileno(stream), is_new);
  return stream;
}

int rename_path(const char* from, const char* to) {
  if (!ours(to)) return static_cast<int>(syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
  const Lock lock;
  char kept[kPathMax];
  keep(to, kept, sizeof kept);
  note_name(to, "rename\t%s\t%s\t%s\n", from, to, kept);
  return static_cast<int>(syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

int remove_path(const char* path) {
  if (!ours(path)) return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  const Lock lock;
  char kept[kPathMax];
  keep(path, kept, sizeof kept);
  if (strcmp(kept, "-") != 0) note_name(path, "unlink\t%s\t%s\n", path, kept);
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

void* map(void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  struct stat info{};
  if ((flags & MAP_SHARED) && (protection & PROT_WRITE) && fd >= 0) {
    const Lock lock;
    if (ours(fd, info)) {
      Entry entry{};
      entry.kind = Mapped;
      entry.offset = static_cast<std::uint64_t>(offset);
      entry.bytes = length;
      entry.new_size = static_cast<std::uint64_t>(info.st_size);
      note(fd, info, entry, length, nullptr, 0);
    }
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, length, protection, flags, fd, offset));
}

int space(const char* path, struct statvfs* info) {
  using Function = int (*)(const char*, struct statvfs*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "statvfs"));
  const int result = real(path, info);
  const std::int64_t room = g_control ? __atomic_load_n(&g_control->room, __ATOMIC_RELAXED) : -1;
  if (result != 0 || room < 0 || !ours(path)) return result;
  const fsblkcnt_t blocks = static_cast<fsblkcnt_t>(room) / info->f_frsize;
  if (blocks < info->f_bavail) info->f_bfree = info->f_bavail = blocks;
  return result;
}

}  // namespace

// ---- what takes the place of the C library's functions ----

EXPORT int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
EXPORT int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
EXPORT FILE* fopen(const char* path, const char* mode) { return open_stream(path, mode, "fopen"); }
EXPORT FILE* fopen64(const char* path, const char* mode) { return open_stream(path, mode, "fopen64"); }

EXPORT ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  struct stat info{};
  const iovec part{const_cast<void*>(bytes), count};
  if (!may_be_ours(fd)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
  const Lock lock;
  if (!ours(fd, info)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
  return write_parts(fd, info, &part, 1, static_cast<std::uint64_t>(offset));
}
EXPORT ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) {
  return pwrite(fd, bytes, count, offset);
}
EXPORT ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  struct stat info{};
  const Lock lock;
  if (!ours(fd, info)) return syscall(SYS_pwritev, fd, parts, count, offset, 0L);
  return write_parts(fd, info, parts, count, static_cast<std::uint64_t>(offset));
}
EXPORT ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) {
  return pwritev(fd, parts, count, offset);
}
EXPORT ssize_t write(int fd, const void* bytes, size_t count) {
  struct stat info{};
  if (!ours(fd, info)) return syscall(SYS_write, fd, bytes, count);  // a pipe may take long
  const iovec part{const_cast<void*>(bytes), count};
  const Lock lock;
  return write_here(fd, info, &part, 1);
}
EXPORT ssize_t writev(int fd, const iovec* parts, int count) {
  struct stat info{};
  if (!ours(fd, info)) return syscall(SYS_writev, fd, parts, count);
  const Lock lock;
  return write_here(fd, info, parts, count);
}

EXPORT int ftruncate(int fd, off_t size) { return resize(fd, size); }
EXPORT int ftruncate64(int fd, off_t size) { return resize(fd, size); }
EXPORT int fallocate(int fd, int mode, off_t offset, off_t length) { return take_room(fd, mode, offset, length); }
EXPORT int fallocate64(int fd, int mode, off_t offset, off_t length) { return take_room(fd, mode, offset, length); }
EXPORT int posix_fallocate(int fd, off_t offset, off_t length) {
  return take_room(fd, 0, offset, length) == 0 ? 0 : errno;
}
EXPORT int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

EXPORT int fsync(int fd) { return sync(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return sync(fd, SYS_fdatasync); }

EXPORT int rename(const char* from, const char* to) noexcept { return rename_path(from, to); }
EXPORT int unlink(const char* path) noexcept { return remove_path(path); }
EXPORT int remove(const char* path) noexcept {
  struct stat info{};
  if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) return rmdir(path);
  return remove_path(path);
}

EXPORT void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  return map(address, length, protection, flags, fd, offset);
}
EXPORT void* mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  return map(address, length, protection, flags, fd, offset);
}

EXPORT int statvfs(const char* path, struct statvfs* info) noexcept { return space(path, info); }
EXPORT int statvfs64(const char* path, struct statvfs64* info) noexcept {
  return space(path, reinterpret_cast<struct statvfs*>(info));
}
