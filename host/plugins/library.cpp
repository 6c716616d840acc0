#include "plugins/library.hpp"

#include <fmt/ranges.h>

#include <boost/dll/shared_library.hpp>
#include <fstream>
#include <mutex>

#include "log/log.hpp"
#include "plugins/private_copy.hpp"

namespace trellis::host {

namespace {

std::mutex g_zombies_mutex;
std::vector<Zombie> g_zombies;

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

std::vector<Zombie> Library::zombies() {
  std::lock_guard lock(g_zombies_mutex);
  // The loader lets go of some of them when something else is closed.
  std::erase_if(g_zombies, [](const Zombie& zombie) {
    if (is_mapped(zombie.file)) return false;
    std::error_code ignored;
    std::filesystem::remove(zombie.file, ignored);
    return true;
  });
  return g_zombies;
}

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
    const std::string why = file_.fitness.pins.empty() ? "it is not known why; something holds a reference to it"
                                                       : fmt::format("probably because it {}",
                                                                     fmt::join(file_.fitness.pins, ", or because it "));
    log_warn("plugin " + file_.id,
             "its library stays mapped after it was closed; the memory is lost until the host ends",
             {{"file", file_.path.string()}, {"build", file_.build_id.substr(0, 12)}, {"because", why}});
    std::lock_guard lock(g_zombies_mutex);
    g_zombies.push_back({file_.id, file_.version, file_.build_id, file_.path, why});
    return;
  }
  if (!copied_) return;
  std::error_code ignored;
  std::filesystem::remove(file_.path, ignored);
}

}  // namespace trellis::host
