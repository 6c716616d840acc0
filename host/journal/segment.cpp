#include "journal/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace trellis::host {
namespace {
std::error_code last_error() { return {errno, std::generic_category()}; }
}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

bool journal_format::segment_name(std::string_view name, std::uint64_t& number) {
  if (name.size() != 20 || name.substr(16) != ".log") return false;
  number = 0;
  for (char c : name.substr(0, 16)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    number = number << 4 | static_cast<unsigned>(digit);
  }
  return true;
}

std::shared_ptr<const Mapping> Mapping::open(const std::filesystem::path& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0 || info.st_size <= 0) return nullptr;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* base = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd(), 0);
  if (base == MAP_FAILED) return nullptr;
  return std::make_shared<const Mapping>(static_cast<const char*>(base), size);
}

Mapping::~Mapping() { ::munmap(const_cast<char*>(base_), size_); }

std::shared_ptr<File> make_file(const std::filesystem::path& path, std::uint64_t bytes, std::error_code& error) {
  auto file = std::make_shared<File>(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file->fd() < 0) {
    error = last_error();
    return nullptr;
  }
  int result;
  do {
    result = ::fallocate(file->fd(), 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  // Some file systems cannot take room ahead. There a full disk shows when a batch is written: an error code as well.
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
    result = ::ftruncate(file->fd(), static_cast<off_t>(bytes));
  }
  if (result != 0) {
    error = last_error();
    ::unlink(path.c_str());
    return nullptr;
  }
  error.clear();
  return file;
}

std::shared_ptr<File> open_file(const std::filesystem::path& path, std::error_code& error) {
  auto file = std::make_shared<File>(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file->fd() < 0) {
    error = last_error();
    return nullptr;
  }
  error.clear();
  return file;
}

std::error_code write_at(int fd, const void* bytes, std::size_t count, std::uint64_t offset) {
  const auto* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::pwrite(fd, from, count, static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return last_error();
    }
    if (written == 0) return std::make_error_code(std::errc::no_space_on_device);
    from += written;
    count -= static_cast<std::size_t>(written);
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

std::error_code sync_folder(const std::filesystem::path& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.fd() < 0 || ::fsync(file.fd()) != 0) return last_error();
  return {};
}

std::int64_t clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace trellis::host
