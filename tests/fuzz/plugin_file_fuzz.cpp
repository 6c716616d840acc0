// A plugin's file, read by hand: whatever it is, it is read or refused in a sentence.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "plugins/plugin_file.hpp"
#include "scratch_folder.hpp"

using namespace trellis::host;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::filesystem::path path = scratch_folder() / "plugin.so";
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  ::close(fd);
  try {
    const PluginFile file = read_plugin_file(path);
    std::size_t sum = file.id.size() + file.version.size() + file.build_id.size();
    for (const auto& embedded : file.files) {
      sum += embedded.name.size();
      for (const char c : embedded.content) sum += static_cast<unsigned char>(c);
    }
    static volatile std::size_t sink;
    sink = sum;
  } catch (const std::exception& error) {
    if (!*error.what()) std::abort();
  }
  return 0;
}
