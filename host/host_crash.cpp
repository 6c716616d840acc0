// What earlier crashes mean for this start: rule by rule in crash/judge.hpp.
#include "host_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

void Host::Impl::note_last_crash() {
  crashes = std::make_unique<CrashHistory>(*host_namespace);
  try {
    crash_page = std::make_unique<CrashPage>(state->path() / "crash.page");
  } catch (const std::system_error& error) {
    log_warn("host", "a crash could not be blamed on a plugin: there is no crash page", {{"because", error.what()}});
    return;
  }
  if (crash_page->last()) crashes->take_in(*crash_page->last());
  crash_page->arm();
  CrashPage::catch_fatal_signals();
}

std::string Host::Impl::kept_out(const PluginConfig& plugin) const {
  if (const auto quarantine = crashes->quarantine(plugin.id)) {
    log_error("plugin " + plugin.id, "not loaded: " + quarantine_text(*quarantine));
    return "is in quarantine";
  }
  if (!command_line.safe) return {};
  Config shipped = config;
  shipped.plugins.dir.clear();
  const auto file = plugin.path.empty() ? plugin_folder(config) / (plugin.id + ".so") : plugin.path;
  std::error_code error;
  if (std::filesystem::equivalent(file.parent_path(), plugin_folder(shipped), error)) return {};
  log_warn("plugin " + plugin.id, "not loaded: --safe leaves out what does not come with this program",
           {{"file", file.string()}});
  return "is left out by --safe";
}

}  // namespace trellis::host
