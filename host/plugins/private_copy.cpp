#include "plugins/private_copy.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>

#include "lanes/instance.hpp"

namespace trellis::host {

namespace {

std::atomic<std::uint64_t> g_copies = 0;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw PluginError(fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Of which file, and in which state: changes when it is replaced or written to.
std::array<std::uint64_t, 5> mark_of(const std::filesystem::path& path) {
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0) return {};
  return {now.st_dev, now.st_ino, static_cast<std::uint64_t>(now.st_size),
          static_cast<std::uint64_t>(now.st_mtim.tv_sec), static_cast<std::uint64_t>(now.st_mtim.tv_nsec)};
}

}  // namespace

std::filesystem::path copy_privately(const std::filesystem::path& installed, const std::filesystem::path& folder,
                                     const std::function<void()>& meanwhile) {
  std::filesystem::create_directories(folder);
  std::error_code unknown;
  if (std::filesystem::exists(installed, unknown) && !std::filesystem::is_regular_file(installed, unknown))
    throw PluginError(installed.string() + " is not a file");
  const auto before = mark_of(installed);
  const std::string content = content_of(installed);
  if (meanwhile) meanwhile();
  const std::filesystem::path copy =
      folder / fmt::format("{}.{}.{}.so", installed.stem().string(), ::getpid(), g_copies.fetch_add(1) + 1);
  std::error_code ignored;
  std::filesystem::remove(copy, ignored);  // of an earlier process with the same number
  {
    std::ofstream out(copy, std::ios::binary);
    if (!out.write(content.data(), static_cast<std::streamsize>(content.size())) || !out.flush()) {
      const int why = errno;
      std::filesystem::remove(copy, ignored);
      throw PluginError(fmt::format("{} cannot be written: {}", copy.string(), std::strerror(why)));
    }
  }
  ::chmod(copy.c_str(), 0500);
  // Times are too coarse to show every change: the bytes are compared, too.
  if (mark_of(installed) != before || content_of(installed) != content) {
    std::filesystem::remove(copy, ignored);
    throw PluginError(
        fmt::format("{} changed while it was copied: something is still installing it. Copy the new file "
                    "beside it and rename it into place, then try again",
                    installed.string()));
  }
  return copy;
}

}  // namespace trellis::host
