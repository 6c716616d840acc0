// `trellis ctl plugin`: what it asks for, and the answers.
#include <fmt/chrono.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "host_control.hpp"

namespace trellis::host {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds kUnloadTimeout{20};

/// How far `at` is behind `tail`, in dispatches of the same session; from another session: all of this one.
std::uint64_t behind(Position tail, Position at) {
  if (at >= tail) return 0;
  return tail.epoch() == at.epoch() ? tail.seq() - at.seq() : tail.seq();
}

std::string seconds_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.1f} us", seconds * 1e6)
         : seconds < 1  ? fmt::format("{:.1f} ms", seconds * 1e3)
                        : fmt::format("{:.1f} s", seconds);
}

}  // namespace

std::string time_text(std::int64_t us) {
  return us == 0 ? "-" : fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)));
}

std::string plugin_text(const PluginManager::PluginStatus& plugin, const std::map<Stream, Position>& tails) {
  std::string text = fmt::format("{} {} (build {}), generation {}, {}", plugin.id, plugin.version,
                                 plugin.build.substr(0, 12), plugin.lane.generation, plugin.lane.state);
  if (!plugin.lane.why.empty()) text += ": " + plugin.lane.why;
  if (plugin.lane.since_us) text += ", since " + time_text(plugin.lane.since_us);
  if (plugin.lane.retry_us) text += ", tries again at " + time_text(plugin.lane.retry_us);
  text += "\n  loaded " + time_text(plugin.loaded_us) + " from " + plugin.file + "\n";
  for (const auto& stream : plugin.lane.streams) {
    const auto tail = tails.find(stream.stream);
    const Lag lag = tail == tails.end() ? Lag() : lag_of(stream, tail->second, wall_clock_us());
    text += fmt::format("  shard {}/{}: handled {}, committed {}, {} behind; handlers lag {} events, {:.1f} s\n",
                        stream.stream.id, stream.stream.count, stream.position.text(), stream.committed.text(),
                        tail == tails.end() ? 0 : behind(tail->second, stream.committed), lag.events, lag.seconds);
  }
  text += fmt::format("  handlers: {} calls, half of them within {}, 99 of 100 within {}\n", plugin.lane.times.count,
                      seconds_text(plugin.lane.times.quantile(0.5)), seconds_text(plugin.lane.times.quantile(0.99)));
  const auto& writer = plugin.lane.writer;
  text += fmt::format(
      "  commits {} ({} synchronous), store errors {}, handler failures {}, dead letters {}, went back {}, requests "
      "{}\n",
      writer.commits, writer.sync_commits, writer.errors, plugin.lane.failures, plugin.lane.dead_letters,
      plugin.lane.went_back, plugin.lane.requests);
  if (writer.store_away) text += "  the store is away: " + writer.store_error + "\n";
  if (!plugin.not_served.empty()) text += fmt::format("  not served yet: {}\n", fmt::join(plugin.not_served, ", "));
  if (!plugin.last_refusal.empty()) text += "  last reload refused: " + plugin.last_refusal + "\n";
  return text;
}

json::object position_json(Position position) { return {{"epoch", position.epoch()}, {"seq", position.seq()}}; }

json::object plugin_json(const PluginManager::PluginStatus& plugin, const std::map<Stream, Position>& tails) {
  json::array streams;
  for (const auto& stream : plugin.lane.streams) {
    const auto tail = tails.find(stream.stream);
    const Lag lag = tail == tails.end() ? Lag() : lag_of(stream, tail->second, wall_clock_us());
    streams.push_back(json::object{{"shard", stream.stream.id},
                                   {"shards", stream.stream.count},
                                   {"handled", position_json(stream.position)},
                                   {"committed", position_json(stream.committed)},
                                   {"lag_events", lag.events},
                                   {"lag_seconds", lag.seconds},
                                   {"behind", tail == tails.end() ? 0 : behind(tail->second, stream.committed)}});
  }
  json::array not_served(plugin.not_served.begin(), plugin.not_served.end());
  const auto& writer = plugin.lane.writer;
  return {{"id", plugin.id},
          {"version", plugin.version},
          {"build", plugin.build},
          {"generation", plugin.lane.generation},
          {"state", plugin.lane.state},
          {"why", plugin.lane.why},
          {"since_us", plugin.lane.since_us},
          {"retry_us", plugin.lane.retry_us},
          {"events", plugin.lane.events},
          {"handler_p50_s", plugin.lane.times.quantile(0.5)},
          {"handler_p99_s", plugin.lane.times.quantile(0.99)},
          {"streams", std::move(streams)},
          {"commits", writer.commits},
          {"sync_commits", writer.sync_commits},
          {"store_errors", writer.errors},
          {"store_away", writer.store_away},
          {"failures", plugin.lane.failures},
          {"dead_letters", plugin.lane.dead_letters},
          {"went_back", plugin.lane.went_back},
          {"requests", plugin.lane.requests},
          {"not_served", std::move(not_served)},
          {"last_refusal", plugin.last_refusal}};
}

PluginConfig Host::Impl::configured(const std::string& plugin) const {
  const auto list = load_plugins(command_line, config);
  for (const PluginConfig& entry : list)
    if (entry.id == plugin) return entry;
  std::vector<std::string> names;
  for (const PluginConfig& entry : list) names.push_back(entry.id);
  const std::string near = nearest(plugin, names);
  throw PluginError(
      fmt::format("plugins.conf has no table [{}]{}", plugin, near.empty() ? "" : "; did you mean " + near + "?"));
}

ControlAnswer Host::Impl::control_plugin(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  const auto deadline = std::chrono::steady_clock::now() + kUnloadTimeout;
  std::map<Stream, Position> tails;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) tails[line.journal->stream()] = line.journal->tail();
  }
  if (what == "list" && words.size() == 2) {
    std::string text;
    for (const auto& plugin : manager->status())
      text += fmt::format("{:<24} {:<10} generation {:<4} {:<9} {}\n", plugin.id, plugin.version,
                          plugin.lane.generation, plugin.lane.state, plugin.build.substr(0, 12));
    try {
      for (const auto& override : host_namespace->overrides())
        text += fmt::format("{:<24} {} by an operator since {}\n", override.plugin,
                            override.enabled ? "enabled" : "disabled", time_text(override.since_us));
    } catch (const StoreError& error) {
      text +=
          std::string("(what operators switched on or off is not known, the store is away: ") + error.what() + ")\n";
    }
    for (const auto& quarantine : crashes->quarantines())
      text += fmt::format("{:<24} {}\n", quarantine.plugin, quarantine_text(quarantine));
    return {kExitOk, text, ""};
  }
  if (words.size() < 3)
    return refuse("say which: trellis ctl plugin list|status|reload|load|unload|enable|disable|release NAME",
                  kExitUsage);
  const std::string& name = words[2];
  const bool forget = words.size() > 3 && words[3] == "--forget";
  if ((what == "status" || what == "reload") && !manager->loaded(name))
    if (const auto quarantine = crashes->quarantine(name))
      return refuse(fmt::format("plugin {} is {}", name, quarantine_text(*quarantine)));
  if (what == "status") {
    const bool as_json = words.size() > 3 && words[3] == "--json";
    for (const auto& plugin : manager->status())
      if (plugin.id == name)
        return {kExitOk, as_json ? json::serialize(plugin_json(plugin, tails)) + "\n" : plugin_text(plugin, tails),
                ""};
    return refuse(fmt::format("plugin {} is not loaded; loaded are: {}", name, fmt::join(manager->ids(), ", ")));
  }
  if (what == "reload") {
    if (!manager->loaded(name))
      return refuse(fmt::format("plugin {} is not loaded; loaded are: {}", name, fmt::join(manager->ids(), ", ")));
    const auto report = manager->reload(name, configured(name).settings);
    return {kExitOk,
            fmt::format(
                "{}: generation {} -> {}, build {} -> {}, version {} -> {}, events paused {:.1f} ms, old library {}\n",
                name, report.old_generation, report.generation, report.old_build.substr(0, 12),
                report.build.substr(0, 12), report.old_version, report.version,
                static_cast<double>(report.pause_us) / 1000, report.old_unmapped ? "unmapped" : "STILL MAPPED"),
            ""};
  }
  if (what == "load" || what == "enable") {
    if (what == "enable") {
      if (forget)
        host_namespace->forget_override(name);
      else
        host_namespace->set_override(name, true);
    }
    if (const auto quarantine = crashes->quarantine(name))
      return refuse(fmt::format("plugin {} is {}", name, quarantine_text(*quarantine)));
    if (!manager->loaded(name)) manager->load(configured(name));
    return {kExitOk, name + " is loaded\n", ""};
  }
  if (what == "release") {
    if (!crashes->release(name)) return refuse("plugin " + name + " is not in quarantine");
    if (!manager->loaded(name)) manager->load(configured(name));
    return {kExitOk, name + " is released from quarantine, and loaded\n", ""};
  }
  if (what == "unload" || what == "disable") {
    if (what == "disable") {
      if (forget) {
        host_namespace->forget_override(name);
        return {kExitOk, "plugins.conf decides about " + name + " again, from the next start on\n", ""};
      }
      host_namespace->set_override(name, false);
    }
    scheduler->plugin_stopped(name);
    const bool unloaded = manager->unload(name, deadline);
    scheduler->plugin_stopped(name);  // it may have started anew in between
    if (!unloaded && what == "unload") return refuse("plugin " + name + " is not loaded");
    return {kExitOk, name + " is not loaded any more\n", ""};
  }
  const std::string near =
      nearest(what, {"list", "status", "reload", "load", "unload", "enable", "disable", "release"});
  return refuse(
      fmt::format("there is no `trellis ctl plugin {}`{}", what, near.empty() ? "" : "; did you mean " + near + "?"),
      kExitUsage);
}

}  // namespace trellis::host
