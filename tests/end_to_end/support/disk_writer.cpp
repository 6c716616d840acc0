// disk_writer {write FILE TEXT | append FILE TEXT | truncate FILE SIZE | rename FILE NAME | unlink FILE - | sync FILE
// -}... For the test of the faulty disk: does one after the other, and says in its exit code which one failed.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

bool sync_path(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  return fd >= 0 && ::fsync(fd) == 0 && ::close(fd) == 0;
}

bool write_text(const char* path, const std::string& text, bool append) {
  const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const off_t at = fd >= 0 && append ? ::lseek(fd, 0, SEEK_END) : 0;
  return fd >= 0 && ::pwrite(fd, text.data(), text.size(), at) == static_cast<ssize_t>(text.size()) && ::close(fd) == 0;
}

bool resize(const char* path, long size) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  return fd >= 0 && ::ftruncate(fd, size) == 0 && ::close(fd) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i + 2 < argc; i += 3) {
    const std::string what = argv[i];
    const char* path = argv[i + 1];
    const bool done = what == "write"      ? write_text(path, argv[i + 2], false)
                      : what == "append"   ? write_text(path, argv[i + 2], true)
                      : what == "truncate" ? resize(path, std::atol(argv[i + 2]))
                      : what == "rename"   ? std::rename(path, argv[i + 2]) == 0
                      : what == "unlink"   ? ::unlink(path) == 0
                      : what == "sync"     ? sync_path(path)
                                           : false;
    if (done) continue;
    std::fprintf(stderr, "%s %s: %s\n", argv[i], path, std::strerror(errno));
    return i / 3 + 1;
  }
  return 0;
}
