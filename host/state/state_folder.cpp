#include "state/state_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "journal/segment.hpp"

namespace trellis::host {

namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string random_name() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  std::string name;
  for (unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

/// Whole and for good when this returns, or not at all: power may fail right after.
void write_durably(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path aside = path.string() + ".new";
  const File file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  std::error_code error;
  if (file.fd() < 0) {
    error = {errno, std::generic_category()};
  } else if (!(error = write_at(file.fd(), text.data(), text.size(), 0)) &&
             (::fsync(file.fd()) != 0 || ::rename(aside.c_str(), path.c_str()) != 0)) {
    error = {errno, std::generic_category()};
  }
  if (!error) error = sync_folder(path.parent_path());
  if (error) throw std::system_error(error, path.string());
}

}  // namespace

StateFolder::StateFolder(std::filesystem::path path) : path_(std::filesystem::absolute(path)) {
  std::filesystem::create_directories(path_);
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  const auto lock_file = path_ / "lock";
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) throw std::system_error(errno, std::generic_category(), lock_file.string());
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const std::string owner = first_line(lock_file);
    ::close(lock_);
    throw Occupied(fmt::format(
        "the state directory {} is used by another host ({}); stop that one, or give this one another state.dir",
        path_.string(), owner.empty() ? "unknown process" : owner));
  }
  const std::string owner = fmt::format("process {}\n", ::getpid());
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, owner.data(), owner.size(), 0) < 0)
    throw std::system_error(errno, std::generic_category(), lock_file.string());
  const auto id_file = path_ / "host_id";
  host_id_ = first_line(id_file);
  if (host_id_.size() == 32) return;
  host_id_ = random_name();
  write_durably(id_file, host_id_ + '\n');  // the store names it as its owner from now on
}

std::vector<Stream> StateFolder::streams() const {
  std::vector<Stream> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(path_ / "journal", none)) {
    Stream stream;
    int end = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), "%u-of-%u%n", &stream.id, &stream.count, &end) == 2 &&
        name == journal(stream.id, stream.count).filename().string())
      found.push_back(stream);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void StateFolder::forget(Stream stream) const {
  std::error_code ignored;  // what stays is found again at the next start
  std::filesystem::remove_all(journal(stream.id, stream.count), ignored);
  const std::string of = fmt::format("-{}-of-{}.", stream.id, stream.count);
  for (const auto& entry : std::filesystem::directory_iterator(cache(), ignored))
    if (entry.path().filename().string().find(of) != std::string::npos) std::filesystem::remove(entry.path(), ignored);
}

StateFolder::~StateFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace trellis::host
