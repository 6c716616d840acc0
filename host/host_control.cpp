// What `trellis ctl` asks for, and the answers.
#include "host_control.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "admin/control_help.hpp"
#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kCallTimeout{30};

}  // namespace

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

ControlAnswer Host::Impl::control(const std::vector<std::string>& words) {
  try {
    const std::string& first = words.at(0);
    if (first == "help") return {kExitOk, std::string(kControlHelp), ""};
    if (first == "status") return control_status(words.size() > 1 && words[1] == "--json");
    if (first == "plugin") return control_plugin(words);
    if (first == "gateway") {
      if (words.size() == 2 && words[1] == "reidentify") return {kExitOk, begin_anew(), ""};
      if (words.size() == 1) return control_gateway(false);
      if (words.size() == 2 && words[1] == "--json") return control_gateway(true);
      return refuse("trellis ctl gateway [--json], or trellis ctl gateway reidentify", kExitUsage);
    }
    if (first == "call") return control_call(words);
    if (first == "dead") return control_dead(words);
    if (first == "commands") return control_commands(words);
    if (first == "outbox") return control_outbox(words);
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
    std::vector<std::string> known{"status", "plugin", "gateway",  "call",    "methods", "jobs",
                                   "dead",   "outbox", "commands", "metrics", "stop",    "help"};
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
      const auto intents = intent_names(shard.intents);
      const auto cut_loose = line.release->cut_loose();
      if (!cut_loose.empty())
        text += fmt::format("  cut loose, too far behind for the journal to be kept: {}\n", fmt::join(cut_loose, ", "));
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
                                    {"intents", json::array(intents.begin(), intents.end())},
                                    {"cut_loose", json::array(cut_loose.begin(), cut_loose.end())},
                                    {"last_error", shard.last_error},
                                    {"journal_bytes", journal.bytes},
                                    {"tail", position_json(journal.tail)}});
    }
  }
  json::array old_streams;
  {
    std::lock_guard lock(lines_mutex);
    for (const auto& old : old_journals) {
      tails[old->stream()] = old->tail();
      text += fmt::format("shard {}/{}: no more; plugins finish what came over it, up to {}\n", old->stream().id,
                          old->stream().count, old->tail().text());
      old_streams.push_back(json::object{
          {"shard", old->stream().id}, {"shards", old->stream().count}, {"tail", position_json(old->tail())}});
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
  for (const auto& [id, left] : those_left_out()) {
    text += fmt::format("{}: left out: {}\n", id, left.why);
    plugins.push_back(json::object{{"id", id}, {"state", "left_out"}, {"why", left.why}, {"streams", json::array()}});
  }
  const auto cached = cache.stats();
  text += fmt::format("cache: {} guilds, {} channels, {} members, {} voice states\n", cached.guilds, cached.channels,
                      cached.members, cached.voice_states);
  if (cached.cold_guilds)
    text += fmt::format("cache: {} guilds are not known yet: they are asked of Discord\n", cached.cold_guilds);
  const auto asked = interactions->status();
  text += fmt::format("interactions: {} received, {} answered, {} after two seconds or more, {} too late, {} open\n",
                      asked.received, asked.answered, asked.deferred, asked.late, asked.open);
  if (!as_json) return {kExitOk, text, ""};
  json::object all{{"version", version_text()},
                   {"started_us", started_us},
                   {"store", store->printable_url()},
                   {"dispatches", dispatches},
                   {"shards", std::move(shards)},
                   {"old_streams", std::move(old_streams)},
                   {"plugins", std::move(plugins)},
                   {"zombies", Library::zombies().size()},
                   {"interactions", json::object{{"received", asked.received},
                                                 {"answered", asked.answered},
                                                 {"deferred", asked.deferred},
                                                 {"late", asked.late},
                                                 {"open", asked.open}}},
                   {"cache", json::object{{"guilds", cached.guilds},
                                          {"channels", cached.channels},
                                          {"roles", cached.roles},
                                          {"members", cached.members},
                                          {"cached_members", cached.cached_members},
                                          {"cold_guilds", cached.cold_guilds}}}};
  return {kExitOk, json::serialize(all) + "\n", ""};
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
