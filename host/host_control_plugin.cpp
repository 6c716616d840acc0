// `trellis ctl plugin`: what it asks for, and the answers.
#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "admin/command_line.hpp"
#include "host_control.hpp"

namespace trellis::host {

namespace json = boost::json;

namespace {

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

namespace {

/// How it came to run what it runs, and what could run instead.
std::string builds_text(const PluginStatus& plugin) {
  std::string text;
  const auto line = [&](std::string_view what, std::string value) {
    for (std::size_t at = 0; (at = value.find('\n', at)) != std::string::npos; at += 5) value.replace(at, 1, "\n    ");
    if (!value.empty()) text += fmt::format("  {}: {}\n", what, value);
  };
  if (plugin.probation_left)
    line("on probation",
         fmt::format("{} s left, then it is the build to go back to", (plugin.probation_left->count() + 999) / 1000));
  const BuildRecord& builds = plugin.builds;
  const std::string& last_good = plugin.build == builds.good ? builds.previous : builds.good;
  line("goes back to", last_good.empty() ? "nothing" + (builds.no_way_back.empty()
                                                            ? std::string()
                                                            : "; the schema was changed by " + builds.no_way_back)
                                         : "build " + last_good.substr(0, 12));
  line("rolled back", plugin.last_rollback);
  line("not what is installed", plugin.fallback);
  line("last reload refused", plugin.last_refusal);
  line("needs", fmt::format("{}", fmt::join(plugin.needs, ", ")));
  line("needed by", fmt::format("{}", fmt::join(plugin.needed_by, ", ")));
  for (const Zombie& zombie : plugin.zombies)
    line("still mapped", fmt::format("an older library, build {}: {}", zombie.build.substr(0, 12), zombie.why));
  return text;
}

std::string age_text(std::int64_t us) {
  const std::int64_t s = std::max<std::int64_t>(us, 0) / 1'000'000;
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", s / 60);
  if (s < 172'800) return fmt::format("{} h", s / 3600);
  return fmt::format("{} days", s / 86'400);
}

}  // namespace

std::string plugin_text(const PluginStatus& plugin, const std::map<Stream, Position>& tails) {
  std::string text = fmt::format("{} {} (build {}), generation {}, {}", plugin.id, plugin.version,
                                 plugin.build.substr(0, 12), plugin.lane.generation, plugin.lane.state);
  if (!plugin.lane.why.empty()) text += ": " + plugin.lane.why;
  if (plugin.lane.since_us) text += ", since " + time_text(plugin.lane.since_us);
  if (plugin.lane.retry_us) text += ", tries again at " + time_text(plugin.lane.retry_us);
  text += fmt::format("\n  running since {} ({}), file {}\n", time_text(plugin.loaded_us),
                      age_text(wall_clock_us() - plugin.loaded_us), plugin.file);
  text += builds_text(plugin);
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
  for (const Gap& gap : plugin.lane.gaps) text += fmt::format("  gap: {}\n", gap.text());
  if (!plugin.not_served.empty()) text += fmt::format("  not served yet: {}\n", fmt::join(plugin.not_served, ", "));
  return text;
}

json::object position_json(Position position) { return {{"epoch", position.epoch()}, {"seq", position.seq()}}; }

json::object plugin_json(const PluginStatus& plugin, const std::map<Stream, Position>& tails) {
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
  json::array gaps;
  for (const Gap& gap : plugin.lane.gaps) {
    json::object one = json::parse(gap.json()).as_object();
    one["open"] = gap.open();
    one["shard"] = gap.stream.id;
    gaps.push_back(std::move(one));
  }
  json::array not_served(plugin.not_served.begin(), plugin.not_served.end());
  json::array zombies;
  for (const Zombie& zombie : plugin.zombies)
    zombies.push_back(json::object{{"build", zombie.build}, {"file", zombie.file.string()}, {"why", zombie.why}});
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
          {"gaps", std::move(gaps)},
          {"not_served", std::move(not_served)},
          {"file", plugin.file},
          {"loaded_us", plugin.loaded_us},
          {"probation_left_ms", plugin.probation_left ? json::value(plugin.probation_left->count()) : json::value()},
          {"good_build", plugin.builds.good},
          {"previous_build", plugin.builds.previous},
          {"no_way_back", plugin.builds.no_way_back},
          {"last_rollback", plugin.last_rollback},
          {"fallback", plugin.fallback},
          {"needs", json::array(plugin.needs.begin(), plugin.needs.end())},
          {"needed_by", json::array(plugin.needed_by.begin(), plugin.needed_by.end())},
          {"zombies", std::move(zombies)},
          {"last_refusal", plugin.last_refusal}};
}

namespace {

/// What stands behind the plugin's name. Throws std::invalid_argument for what the command does not know.
class Flags {
 public:
  Flags(const std::vector<std::string>& words, std::vector<std::string> known) {
    for (std::size_t i = 3; i < words.size(); ++i) {
      if (std::find(known.begin(), known.end(), words[i]) == known.end()) {
        const std::string near = nearest(words[i], known);
        throw std::invalid_argument(fmt::format("trellis ctl plugin {} knows no {}{}", words[1], words[i],
                                                near.empty() ? "" : "; did you mean " + near + "?"));
      }
      given_.insert(words[i]);
    }
  }
  bool operator[](const char* flag) const { return given_.contains(flag); }

 private:
  std::set<std::string> given_;
};

std::string report_text(const std::string& name, const ReloadReport& report) {
  return fmt::format(
      "{}: generation {} -> {}, build {} -> {}, version {} -> {}, events paused {:.1f} ms, old library {}\n", name,
      report.old_generation, report.generation, report.old_build.substr(0, 12), report.build.substr(0, 12),
      report.old_version, report.version, static_cast<double>(report.pause_us) / 1000,
      report.old_unmapped ? "unmapped" : "STILL MAPPED");
}

std::string warnings_text(const ReloadReport& report) {
  std::string text;
  if (report.build == report.old_build) text += "the same build as before\n";
  for (const std::string& warning : report.warnings) text += "warning: it " + warning + "\n";
  return text;
}

std::string dead_letters_text(const DeadRetries& tried) {
  if (tried.done + tried.failed + tried.left == 0) return {};
  return fmt::format("its dead letters, tried again: {} done, {} failed, {} left\n", tried.done, tried.failed,
                     tried.left);
}

std::string dry_text(const std::string& name, const ReloadReport& report) {
  return fmt::format(
             "{}: would go from generation {} to {}, build {} -> {}, version {} -> {}; migrations to apply: {}\n", name,
             report.old_generation, report.generation, report.old_build.substr(0, 12), report.build.substr(0, 12),
             report.old_version, report.version,
             report.migrations.empty() ? "none" : fmt::format("{}", fmt::join(report.migrations, ", "))) +
         warnings_text(report);
}

}  // namespace

ControlAnswer Host::Impl::control_plugin(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  if (what == "list" && words.size() == 2) return control_plugin_list();
  static const std::map<std::string, std::vector<std::string>> kCommands{
      {"list", {}},
      {"status", {"--json"}},
      {"reload", {"--dry-run", "--force", "--stop-first"}},
      {"rollback", {}},
      {"load", {}},
      {"unload", {"--force"}},
      {"enable", {"--forget"}},
      {"disable", {"--forget", "--force"}},
      {"release", {}}};
  std::vector<std::string> known;
  for (const auto& [name, flags] : kCommands) known.push_back(name);
  if (words.size() < 3)
    return refuse(fmt::format("say which: trellis ctl plugin {} NAME", fmt::join(known, "|")), kExitUsage);
  if (!kCommands.contains(what)) {
    const std::string near = nearest(what, known);
    return refuse(
        fmt::format("there is no `trellis ctl plugin {}`{}", what, near.empty() ? "" : "; did you mean " + near + "?"),
        kExitUsage);
  }
  try {
    const Flags flags(words, kCommands.at(what));
    const std::string& name = words[2];
    if (what == "status" || what == "reload" || what == "rollback") {
      if (const auto quarantine = crashes->quarantine(name); quarantine && !manager->loaded(name))
        return refuse(fmt::format("plugin {} is {}", name, quarantine_text(*quarantine)));
      if (const auto left = those_left_out(); left.contains(name))
        return refuse(fmt::format("plugin {} is not loaded: {}", name, left.at(name).why));
      if (!manager->loaded(name))
        return refuse(fmt::format("plugin {} is not loaded; loaded are: {}", name, fmt::join(manager->ids(), ", ")));
    }
    if (what == "status") return control_plugin_status(name, flags["--json"]);
    if (what == "reload") {
      ReloadOptions options{configured(name), flags["--dry-run"], flags["--force"], flags["--stop-first"]};
      const ReloadReport report = manager->reload(name, options);
      return {kExitOk, options.dry_run ? dry_text(name, report) : report_text(name, report) + warnings_text(report),
              ""};
    }
    if (what == "rollback") {
      const ReloadReport report = manager->rollback(name, "by an operator");
      return {kExitOk, report_text(name, report) + dead_letters_text(report.dead_letters), ""};
    }
    if (what == "load") return control_load(name);
    if (what == "unload") return control_unload(name, flags["--force"]);
    if (what == "enable") return control_enable(name, flags["--forget"]);
    if (what == "disable") return control_disable(name, flags["--forget"], flags["--force"]);
    return control_release(name);
  } catch (const std::invalid_argument& error) {
    return refuse(error.what(), kExitUsage);
  }
}

ControlAnswer Host::Impl::control_plugin_list() {
  std::string text;
  for (const auto& plugin : manager->status())
    text += fmt::format("{:<24} {:<10} generation {:<4} {:<9} {}{}\n", plugin.id, plugin.version,
                        plugin.lane.generation, plugin.lane.state, plugin.build.substr(0, 12),
                        plugin.fallback.empty() ? "" : " (not what is installed)");
  try {
    for (const auto& override : host_namespace->overrides())
      text += fmt::format("{:<24} {} by an operator since {}\n", override.plugin,
                          override.enabled ? "enabled" : "disabled", time_text(override.since_us));
  } catch (const StoreError& error) {
    text += std::string("(what operators switched on or off is not known, the store is away: ") + error.what() + ")\n";
  }
  for (const auto& quarantine : crashes->quarantines())
    text += fmt::format("{:<24} {}\n", quarantine.plugin, quarantine_text(quarantine));
  for (const auto& [id, left] : those_left_out()) text += fmt::format("{:<24} left out: {}\n", id, left.why);
  return {kExitOk, text, ""};
}

ControlAnswer Host::Impl::control_plugin_status(const std::string& name, bool as_json) {
  std::map<Stream, Position> tails;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) tails[line.journal->stream()] = line.journal->tail();
  }
  for (const auto& plugin : manager->status())
    if (plugin.id == name)
      return {kExitOk, as_json ? json::serialize(plugin_json(plugin, tails)) + "\n" : plugin_text(plugin, tails), ""};
  return refuse("plugin " + name + " has just been unloaded");
}

}  // namespace trellis::host
