#include "plugins/library.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <fstream>

#include "log/log.hpp"

namespace trellis::host {

namespace {

std::atomic<std::uint64_t> g_copies = 0, g_zombies = 0;

std::filesystem::path copy_privately(const std::filesystem::path& installed, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::error_code unknown;
  if (std::filesystem::exists(installed, unknown) && !std::filesystem::is_regular_file(installed, unknown))
    throw PluginError(installed.string() + " is not a file");
  std::ifstream in(installed, std::ios::binary);
  if (!in) throw PluginError(fmt::format("{} cannot be read: {}", installed.string(), std::strerror(errno)));
  const auto name = fmt::format("{}.{}.{}.so", installed.stem().string(), ::getpid(), g_copies.fetch_add(1) + 1);
  const std::filesystem::path copy = folder / name;
  std::error_code ignored;
  std::filesystem::remove(copy, ignored);  // of an earlier process with the same number
  {
    std::ofstream out(copy, std::ios::binary);
    if (in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
    if (!out.flush()) throw PluginError(fmt::format("{} cannot be written: {}", copy.string(), std::strerror(errno)));
  }
  ::chmod(copy.c_str(), 0500);
  return copy;
}

}  // namespace

struct Library::Handle {
  boost::dll::shared_library library;
};

bool is_mapped(const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with(path.string())) return true;
  return false;
}

std::uint64_t Library::zombies() { return g_zombies.load(); }

void Library::map() {
  handle_ = std::make_unique<Handle>();
  // Never lazy: a missing symbol must be a refusal now, not a crash later.
  handle_->library.load(file_.path.string(), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  entry_ =
      &handle_->library.get<tl_status(const tl_entry_args*, tl_plugin*, char*, std::uint64_t)>("trellis_plugin_v1");
}

Library::Library(const std::filesystem::path& file) : file_(read_plugin_file(std::filesystem::absolute(file))) {
  try {
    map();
  } catch (const std::exception& error) {
    throw PluginError(fmt::format("{} cannot be loaded: {}", file.string(), error.what()));
  }
}

Library::Library(const std::filesystem::path& installed, const std::filesystem::path& folder,
                 const std::function<void(const PluginFile&)>& before_mapping)
    : copied_(true) {
  const std::filesystem::path copy = std::filesystem::absolute(copy_privately(installed, folder));
  try {
    file_ = read_plugin_file(copy);
    if (before_mapping) before_mapping(file_);
    map();
  } catch (const std::exception& error) {
    handle_.reset();
    std::filesystem::remove(copy);
    const bool refused = dynamic_cast<const PluginError*>(&error) != nullptr;
    std::string text =
        refused ? error.what() : fmt::format("{} cannot be loaded: {}", installed.string(), error.what());
    for (std::size_t at; (at = text.find(copy.string())) != std::string::npos;)
      text.replace(at, copy.string().size(), installed.string());
    throw PluginError(text);
  }
}

Library::~Library() {
  if (!handle_) return;
  handle_->library.unload();
  handle_.reset();
  if (is_mapped(file_.path)) {
    ++g_zombies;
    log_warn("plugin " + file_.id,
             "its library stays mapped after it was closed; the memory is lost until the host ends",
             {{"file", file_.path.string()}});
    return;
  }
  if (!copied_) return;
  std::error_code ignored;
  std::filesystem::remove(file_.path, ignored);
}

}  // namespace trellis::host
