// The address of a Unix socket whose path may be longer than the 107 bytes of sockaddr_un. Private to admin/.
#pragma once
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

namespace trellis::host {

class UnixAddress {
 public:
  /// Long paths go through an open folder: /proc/self/fd/7/trellis.sock. The address is good as long as this object.
  explicit UnixAddress(const std::filesystem::path& path) {
    std::string text = path.string();
    if (text.size() >= sizeof address_.sun_path) {
      folder_ = ::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
      text = "/proc/self/fd/" + std::to_string(folder_) + "/" + path.filename().string();
    }
    address_.sun_family = AF_UNIX;
    fits_ = text.size() < sizeof address_.sun_path;
    if (fits_) std::memcpy(address_.sun_path, text.c_str(), text.size() + 1);
  }
  ~UnixAddress() {
    if (folder_ >= 0) ::close(folder_);
  }
  UnixAddress(const UnixAddress&) = delete;
  UnixAddress& operator=(const UnixAddress&) = delete;

  bool fits() const { return fits_; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
  int folder_ = -1;
  bool fits_ = false;
};

/// What a request or an answer may be long.
inline constexpr std::size_t kMaxControlRequest = 1u << 20;
inline constexpr std::size_t kMaxControlAnswer = 64u << 20;

}  // namespace trellis::host
