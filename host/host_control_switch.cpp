// `trellis ctl plugin load|unload|enable|disable|release`: all of it or nothing. What cannot be loaded is not enabled,
// and what could not be stored does not run.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "admin/command_line.hpp"
#include "config/document.hpp"
#include "host_control.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr std::chrono::seconds kUnloadTimeout{20};

}  // namespace

std::optional<PluginConfig> Host::Impl::find_configured(const std::string& plugin,
                                                        std::vector<std::string>* names) const {
  for (PluginConfig& entry : load_plugins(command_line, config)) {
    if (entry.id == plugin) return std::move(entry);
    if (names) names->push_back(entry.id);
  }
  return std::nullopt;
}

PluginConfig Host::Impl::configured(const std::string& plugin) const {
  std::vector<std::string> names;
  if (auto found = find_configured(plugin, &names)) return *std::move(found);
  const std::string near = nearest(plugin, names);
  throw PluginError(
      fmt::format("plugins.conf has no table [{}]{}", plugin, near.empty() ? "" : "; did you mean " + near + "?"));
}

/// Loads it when it is not, and then stores what makes it so for the next start. When either fails, everything is as it
/// was before. What was left out for its sake is loaded, too; the answer says so.
std::string Host::Impl::switch_on(const PluginConfig& plugin, const std::function<void()>& store_it) {
  const std::string& name = plugin.id;
  const auto before = enabled->ids();
  const bool was_loaded = manager->loaded(name);
  try {
    if (!was_loaded) manager->load(plugin);
    store_it();
  } catch (...) {
    if (!was_loaded)
      manager->unload(name, std::chrono::steady_clock::now() + config.reload.grace + kUnloadTimeout, true);
    if (std::find(before.begin(), before.end(), name) == before.end()) {
      try {
        enabled->switch_off(name);
        needs_changed();
      } catch (const StoreError& error) {
        log_warn("plugin " + name, "is not enabled; until the next start its events are kept all the same",
                 {{"because", error.what()}});
      }
    }
    throw;
  }
  return load_left_out();
}

/// Those left out whose needs may be met now. Tells which were loaded, and why others were not.
std::string Host::Impl::load_left_out() {
  std::string text;
  std::map<std::string, LeftOut> waiting = those_left_out();
  std::set<std::string> failed;
  for (auto at = waiting.begin(); at != waiting.end();) {
    const std::string id = at->first;
    if (failed.contains(id) || !manager->loaded(at->second.needs) || crashes->quarantine(id)) {
      ++at;
      continue;
    }
    try {
      manager->load(configured(id));
      text += fmt::format("{} needs {}, and is loaded, too\n", id, at->second.needs);
      waiting.erase(at);
      at = waiting.begin();  // others may need this one
    } catch (const std::exception& error) {
      log_error("plugin " + id, "stays left out", {{"because", error.what()}});
      text += fmt::format("{} stays left out: {}\n", id, error.what());
      at->second.why = error.what();
      failed.insert(id);
      ++at;
    }
  }
  std::lock_guard lock(left_out_mutex);
  left_out = std::move(waiting);
  return text;
}

std::map<std::string, LeftOut> Host::Impl::those_left_out() const {
  std::map<std::string, LeftOut> list;
  {
    std::lock_guard lock(left_out_mutex);
    list = left_out;
  }
  std::erase_if(list, [&](const auto& one) { return manager->loaded(one.first); });
  return list;
}

ControlAnswer Host::Impl::control_load(const std::string& name) {
  if (const auto quarantine = crashes->quarantine(name))
    return refuse(fmt::format("plugin {} is {}", name, quarantine_text(*quarantine)));
  if (manager->loaded(name)) return {kExitOk, name + " is loaded\n", ""};
  return {kExitOk, name + " is loaded\n" + switch_on(configured(name), [] {}), ""};
}

ControlAnswer Host::Impl::control_enable(const std::string& name, bool forget) {
  if (const auto quarantine = crashes->quarantine(name))
    return refuse(fmt::format("plugin {} is {}", name, quarantine_text(*quarantine)));
  if (forget) {
    const auto overrides = host_namespace->overrides();
    const bool stored = std::ranges::any_of(overrides, [&](const auto& one) { return one.plugin == name; });
    if (stored && !find_configured(name)) {
      host_namespace->forget_override(name);
      return {kExitOk, fmt::format("plugins.conf decides about {} again, and has no table [{}]\n", name, name), ""};
    }
  }
  const std::string others = switch_on(configured(name), [&] {
    forget ? host_namespace->forget_override(name) : host_namespace->set_override(name, true);
  });
  return {kExitOk, name + " is loaded\n" + others, ""};
}

ControlAnswer Host::Impl::control_release(const std::string& name) {
  const auto quarantine = crashes->quarantine(name);
  if (!quarantine) return refuse("plugin " + name + " is not in quarantine");
  const auto plugin = find_configured(name);
  const auto overrides = host_namespace->overrides();
  const bool disabled =
      std::ranges::any_of(overrides, [&](const auto& one) { return one.plugin == name && !one.enabled; });
  if (!plugin || disabled) {
    crashes->release(name);
    return {kExitOk,
            fmt::format("{} is released from quarantine; it is not loaded, {}\n", name,
                        plugin ? "because it is disabled" : "because plugins.conf has no table [" + name + "]"),
            ""};
  }
  // Before it is loaded: what crashes the host again at once is judged as one more crash, and the event is given up.
  crashes->release(name);
  try {
    const std::string others = switch_on(*plugin, [] {});
    return {kExitOk, name + " is released from quarantine, and loaded\n" + others, ""};
  } catch (...) {
    try {
      crashes->put_back(*quarantine);
    } catch (const StoreError& error) {
      log_warn("plugin " + name, "could not be put back into quarantine; the next start loads it",
               {{"because", error.what()}});
    }
    throw;
  }
}

ControlAnswer Host::Impl::control_unload(const std::string& name, bool force) {
  if (!manager->unload(name, std::chrono::steady_clock::now() + config.reload.grace + kUnloadTimeout, force))
    return refuse("plugin " + name + " is not loaded");
  return {kExitOk, name + " is not loaded any more\n", ""};
}

ControlAnswer Host::Impl::control_disable(const std::string& name, bool forget, bool force) {
  if (forget) {
    host_namespace->forget_override(name);
    return {kExitOk, "plugins.conf decides about " + name + " again, from the next start on\n", ""};
  }
  if (!manager->loaded(name)) configured(name);  // there is such a plugin
  manager->unload(name, std::chrono::steady_clock::now() + config.reload.grace + kUnloadTimeout, force,
                  [&] { host_namespace->set_override(name, false); });
  {
    std::lock_guard lock(left_out_mutex);
    left_out.erase(name);
  }
  try {
    enabled->switch_off(name);
  } catch (const StoreError& error) {
    return refuse(
        fmt::format("{} is disabled, and not loaded any more, but where it stands could not be stored, so its events "
                    "are kept until that is done: say it once more. {}",
                    name, error.what()));
  }
  needs_changed();
  return {kExitOk, name + " is not loaded any more\n", ""};
}

}  // namespace trellis::host
