// What `trellis ctl` asks for, and the answers.
#include <fmt/chrono.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "gateway/intents.hpp"
#include "host_impl.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kCallTimeout{30}, kUnloadTimeout{20};

constexpr std::string_view kHelp =
    "trellis ctl status [--json]            the host, its shards and plugins\n"
    "trellis ctl plugin list                loaded plugins, a line each\n"
    "trellis ctl plugin status NAME         one plugin, whole\n"
    "trellis ctl plugin reload NAME         its installed file and its settings replace what runs; no event is missed\n"
    "trellis ctl plugin load NAME           a plugin of plugins.conf that is not loaded\n"
    "trellis ctl plugin unload NAME         until the next start of the host\n"
    "trellis ctl plugin enable NAME         overrides plugins.conf, also after a restart\n"
    "trellis ctl plugin disable NAME\n"
    "trellis ctl plugin enable|disable NAME --forget   plugins.conf decides again\n"
    "trellis ctl plugin release NAME        ends the quarantine of a plugin that crashed the host, and loads it\n"
    "trellis ctl call PLUGIN METHOD [JSON]  calls a method with an object of arguments\n"
    "trellis ctl methods PLUGIN             what it can be called with\n"
    "trellis ctl jobs                       schedules and runs\n"
    "trellis ctl metrics                    in Prometheus's text format\n"
    "trellis ctl stop                       ends the host as SIGTERM does\n";

ControlAnswer refuse(std::string why, int code = kExitFailed) { return {code, "", std::move(why)}; }

const char* name_of(ShardState state) {
  switch (state) {
    case ShardState::Connecting:
      return "connecting";
    case ShardState::Identifying:
      return "identifying";
    case ShardState::Resuming:
      return "resuming";
    case ShardState::Ready:
      return "ready";
    case ShardState::Waiting:
      return "waiting";
    case ShardState::Stopped:
      return "stopped";
    case ShardState::Fatal:
      return "fatal";
  }
  return "unknown";
}

std::string time_text(std::int64_t us) {
  return us == 0 ? "-" : fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)));
}

/// How far `at` is behind `tail`, in dispatches of the same session; from another session: all of this one.
std::uint64_t behind(Position tail, Position at) {
  if (at >= tail) return 0;
  return tail.epoch() == at.epoch() ? tail.seq() - at.seq() : tail.seq();
}

std::string plugin_text(const PluginManager::PluginStatus& plugin, const std::map<Stream, Position>& tails) {
  std::string text = fmt::format("{} {} (build {}), generation {}, {}", plugin.id, plugin.version,
                                 plugin.build.substr(0, 12), plugin.lane.generation, plugin.lane.state);
  if (!plugin.lane.why.empty()) text += ": " + plugin.lane.why;
  text += "\n  loaded " + time_text(plugin.loaded_us) + " from " + plugin.file + "\n";
  for (const auto& stream : plugin.lane.streams) {
    const auto tail = tails.find(stream.stream);
    text += fmt::format("  shard {}/{}: handled {}, committed {}, {} behind\n", stream.stream.id, stream.stream.count,
                        stream.position.text(), stream.committed.text(),
                        tail == tails.end() ? 0 : behind(tail->second, stream.committed));
  }
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
    streams.push_back(json::object{{"shard", stream.stream.id},
                                   {"shards", stream.stream.count},
                                   {"handled", position_json(stream.position)},
                                   {"committed", position_json(stream.committed)},
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

}  // namespace

ControlAnswer Host::Impl::control(const std::vector<std::string>& words) {
  try {
    const std::string& first = words.at(0);
    if (first == "help") return {kExitOk, std::string(kHelp), ""};
    if (first == "status") return control_status(words.size() > 1 && words[1] == "--json");
    if (first == "plugin") return control_plugin(words);
    if (first == "call") return control_call(words);
    if (first == "methods" && words.size() == 2) {
      if (!manager->loaded(words[1]))
        return refuse(
            fmt::format("plugin {} is not loaded; loaded are: {}", words[1], fmt::join(manager->ids(), ", ")));
      std::string text;
      for (const EntrySpec& method : manager->methods(words[1])) {
        text += method.name + "(";
        for (std::size_t i = 0; i < method.params.size(); ++i)
          text += (i ? ", " : "") + method.params[i].name + (method.params[i].required ? "" : "?");
        text += ")" + (method.text.empty() ? "" : "  " + method.text) + "\n";
      }
      return {kExitOk, text, ""};
    }
    if (first == "jobs") {
      std::string text;
      for (const auto& job : scheduler->status())
        text += fmt::format("{}/{}  {}  next {}  last {}  waiting {}  running {}{}\n", job.plugin, job.job,
                            job.schedule.empty() ? "on demand" : job.schedule, time_text(job.next_us),
                            time_text(job.last_due_us), job.waiting, job.running,
                            job.last_error.empty() ? "" : "  failed: " + job.last_error);
      return {kExitOk, text, ""};
    }
    if (first == "metrics") return {kExitOk, metrics.to_text(), ""};
    if (first == "stop") {
      ask_to_stop(kExitOk, "asked to end by trellis ctl");
      return {kExitOk, "stopping\n", ""};
    }
    std::vector<std::string> known{"status", "plugin", "call", "methods", "jobs", "metrics", "stop", "help"};
    const std::string near = nearest(first, known);
    return refuse(fmt::format("there is no `trellis ctl {}`{}; `trellis ctl help` lists what there is", first,
                              near.empty() ? "" : "; did you mean " + near + "?"),
                  kExitUsage);
  } catch (const std::exception& error) {
    return refuse(error.what());
  }
}

ControlAnswer Host::Impl::control_status(bool as_json) {
  std::map<Stream, Position> tails;
  std::string text =
      fmt::format("{}, up since {}, store {}\n", version_text(), time_text(started_us), store->printable_url());
  json::array shards;
  std::uint64_t dispatches = 0;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) {
      const Stream stream = line.journal->stream();
      const auto journal = line.journal->stats();
      const auto shard = line.shard->stats();
      tails[stream] = journal.tail;
      dispatches += shard.dispatches;
      text += fmt::format(
          "shard {}/{}: {}, dispatches {}, filtered {}, repeats {}, resumes {}, identifies {}, journal {} MiB, tail "
          "{}{}{}\n",
          stream.id, stream.count, name_of(shard.state), shard.dispatches, shard.filtered, shard.repeats, shard.resumes,
          shard.identifies, journal.bytes >> 20, journal.tail.text(),
          shard.paused ? (journal.low_disk ? ", paused: the disk is nearly full" : ", paused: the journal is full")
                       : "",
          shard.last_error.empty() ? "" : ", last error: " + shard.last_error);
      shards.push_back(json::object{{"shard", stream.id},
                                    {"shards", stream.count},
                                    {"state", name_of(shard.state)},
                                    {"dispatches", shard.dispatches},
                                    {"filtered", shard.filtered},
                                    {"repeats", shard.repeats},
                                    {"malformed", shard.malformed},
                                    {"bytes", shard.bytes},
                                    {"resumes", shard.resumes},
                                    {"identifies", shard.identifies},
                                    {"reconnects", shard.reconnects},
                                    {"paused", shard.paused},
                                    {"last_error", shard.last_error},
                                    {"journal_bytes", journal.bytes},
                                    {"tail", position_json(journal.tail)}});
    }
  }
  json::array plugins;
  for (const auto& plugin : manager->status()) {
    text += plugin_text(plugin, tails);
    plugins.push_back(plugin_json(plugin, tails));
  }
  for (const auto& quarantine : crashes->quarantines()) {  // known also while the store is away
    text += fmt::format("{}: {}\n", quarantine.plugin, quarantine_text(quarantine));
    plugins.push_back(json::object{{"id", quarantine.plugin},
                                   {"state", "quarantined"},
                                   {"why", quarantine.why},
                                   {"since_us", quarantine.since_us},
                                   {"streams", json::array()}});
  }
  const auto cached = cache.stats();
  text += fmt::format("cache: {} guilds, {} channels, {} members, {} voice states\n", cached.guilds, cached.channels,
                      cached.members, cached.voice_states);
  if (!as_json) return {kExitOk, text, ""};
  json::object all{
      {"version", version_text()},
      {"started_us", started_us},
      {"store", store->printable_url()},
      {"dispatches", dispatches},
      {"shards", std::move(shards)},
      {"plugins", std::move(plugins)},
      {"zombies", Library::zombies()},
      {"cache", json::object{{"guilds", cached.guilds}, {"channels", cached.channels}, {"members", cached.members}}}};
  return {kExitOk, json::serialize(all) + "\n", ""};
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
    for (const auto& plugin : manager->status())
      if (plugin.id == name) return {kExitOk, plugin_text(plugin, tails), ""};
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

ControlAnswer Host::Impl::control_call(const std::vector<std::string>& words) {
  if (words.size() < 3 || words.size() > 4) return refuse("trellis ctl call PLUGIN METHOD [JSON]", kExitUsage);
  RequestCall call;
  call.name = words[2];
  call.deadline_us = wall_clock_us() + std::chrono::microseconds(kCallTimeout).count();
  if (words.size() == 4) {
    json::error_code error;
    call.args = json::parse(words[3], error);
    if (error) return refuse(fmt::format("the arguments are not JSON ({}): {}", error.message(), words[3]), kExitUsage);
  }
  const RequestAnswer answer = manager->call(words[1], call);
  if (answer.status < 0) return refuse(answer.error);
  return {kExitOk, (answer.body.empty() ? "null" : answer.body) + "\n", ""};
}

}  // namespace trellis::host
