// `trellis ctl dead`: events and job runs that could not be handled, to look at, try again or give up.
#include <fmt/chrono.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "host_impl.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kOnePatience{30}, kAllPatience{600};
constexpr std::size_t kErrorShown = 160;

constexpr const char* kUsage =
    "trellis ctl dead list [PLUGIN] [--json] | show PLUGIN ID | retry PLUGIN ID|--all | drop PLUGIN ID|--all";

ControlAnswer refuse(std::string why, int code = kExitFailed) { return {code, "", std::move(why)}; }

std::string time_text(std::int64_t us) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)));
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() > kErrorShown) line = line.substr(0, kErrorShown) + "...";
  return line;
}

std::string tries_text(const DeadLetter& letter) {
  return letter.tries == 0
             ? ""
             : fmt::format(", tried again {} times, last at {}", letter.tries, time_text(letter.tried_us));
}

std::string line_of(const std::string& plugin, const DeadLetter& letter) {
  return fmt::format("{}  {}  {} {}, died {}{}: {}\n", plugin, letter.name(), letter.kind, letter.type,
                     time_text(letter.died_us), tries_text(letter), first_line(letter.error));
}

json::object object_of(const std::string& plugin, const DeadLetter& letter) {
  json::object object{{"plugin", plugin},          {"id", letter.name()},   {"kind", letter.kind},
                      {"type", letter.type},       {"error", letter.error}, {"generation", letter.generation},
                      {"died_us", letter.died_us}, {"tries", letter.tries}, {"tried_us", letter.tried_us}};
  if (letter.kind == "job") {
    object["due_us"] = letter.position.value;
  } else {
    object["shard"] = letter.stream.id;
    object["shards"] = letter.stream.count;
    object["position"] = json::object{{"epoch", letter.position.epoch()}, {"seq", letter.position.seq()}};
  }
  return object;
}

/// What the store says, also about a plugin that is paused, wedged or not loaded.
std::vector<DeadLetter> letters_of(Store& store, const std::string& plugin) {
  return read_dead_letters(*store.open(plugin)->connect(true));
}

}  // namespace

ControlAnswer Host::Impl::control_dead(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  std::vector<std::string> names(words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)), words.end());
  const bool as_json = std::erase(names, "--json") > 0;
  if (what != "list" && what != "show" && what != "retry" && what != "drop") return refuse(kUsage, kExitUsage);
  if (what == "list" ? names.size() > 1 : names.size() != 2 || as_json) return refuse(kUsage, kExitUsage);

  std::vector<std::string> plugins = manager->ids();
  for (const PluginConfig& plugin : plugin_configs)
    if (std::find(plugins.begin(), plugins.end(), plugin.id) == plugins.end()) plugins.push_back(plugin.id);
  if (!names.empty()) {
    if (std::find(plugins.begin(), plugins.end(), names[0]) == plugins.end()) configured(names[0]);  // or it says why
    plugins = {names[0]};
  }
  try {
    if (what == "list") {
      std::string text;
      json::array list;
      for (const std::string& plugin : plugins)
        for (const DeadLetter& letter : letters_of(*store, plugin)) {
          text += line_of(plugin, letter);
          if (as_json) list.push_back(object_of(plugin, letter));
        }
      return {kExitOk, as_json ? json::serialize(list) + "\n" : text.empty() ? "no dead letters\n" : text, ""};
    }
    const std::string& plugin = plugins[0];
    std::vector<DeadLetter> letters = letters_of(*store, plugin);
    const bool all = names[1] == "--all";
    if (!all || what == "show") std::erase_if(letters, [&](const auto& letter) { return letter.name() != names[1]; });
    if (letters.empty() && !all)
      return refuse(fmt::format("plugin {} has no dead letter {}; `trellis ctl dead list {}` lists them", plugin,
                                names[1], plugin));
    if (what == "show") return show_dead(plugin, letters[0]);
    return what == "retry" ? retry_dead(plugin, letters, all) : drop_dead(plugin, letters);
  } catch (const StoreError& error) {
    if (error.kind() != StoreError::Kind::Away) throw;
    return refuse(std::string("the store is away, and dead letters are in it: ") + error.what());
  }
}

ControlAnswer Host::Impl::show_dead(const std::string& plugin, const DeadLetter& same) {
  const auto found = read_dead_letter(*store->open(plugin)->connect(true), same);
  if (!found) return refuse(fmt::format("plugin {} has no dead letter {} any more", plugin, same.name()));
  std::string text =
      fmt::format("plugin {}, {} {}, generation {}\n", plugin, found->kind, found->type, found->generation);
  if (found->kind == "job")
    text += "due " + time_text(static_cast<std::int64_t>(found->position.value));
  else
    text += fmt::format("shard {}/{}, position {}, received {}", found->stream.id, found->stream.count,
                        found->position.text(), time_text(found->received_us));
  text +=
      fmt::format("\ndied {}{}\n{}\n{}\n", time_text(found->died_us), tries_text(*found), found->error, found->data);
  return {kExitOk, text, ""};
}

ControlAnswer Host::Impl::retry_dead(const std::string& plugin, const std::vector<DeadLetter>& letters, bool all) {
  const auto lane = manager->lane(plugin);
  if (!lane) return refuse("plugin " + plugin + " is not loaded; its dead letters can be listed, shown and dropped");
  const auto now = std::chrono::steady_clock::now();
  if (!all) {
    const RequestAnswer answer = lane->retry_dead_letter(letters[0], now + kOnePatience);
    if (answer.status < 0) return refuse(letters[0].name() + ": " + answer.error);
    return {kExitOk, letters[0].name() + (letters[0].kind == "job" ? " is started again\n" : " is handled\n"), ""};
  }
  const DeadRetries report = lane->retry_dead_letters([](const DeadLetter&) { return true; }, now + kAllPatience);
  std::string text = fmt::format("{} done, {} failed again, {} not tried", report.done, report.failed, report.left);
  if (report.failed == 0 && report.left == 0) return {kExitOk, text + "\n", ""};
  return {kExitFailed, "", fmt::format("{}; the last error: {}", text, report.error)};
}

ControlAnswer Host::Impl::drop_dead(const std::string& plugin, const std::vector<DeadLetter>& letters) {
  std::size_t dropped = 0;
  {
    const auto connection = store->open(plugin)->connect();
    for (const DeadLetter& letter : letters) dropped += delete_dead_letter(*connection, letter);
  }
  if (const auto lane = manager->lane(plugin)) lane->recount_dead_letters();
  return {kExitOk, fmt::format("{} dropped\n", dropped), ""};
}

}  // namespace trellis::host
