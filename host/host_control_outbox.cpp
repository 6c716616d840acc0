// `trellis ctl outbox`: effects on the outside that wait to be delivered, or were given up.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "admin/command_line.hpp"
#include "host_control.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kListed = 200, kErrorShown = 160, kBodyShown = 4096;

constexpr const char* kUsage =
    "trellis ctl outbox list [PLUGIN] [--waiting|--dead] [--json] | show PLUGIN ID | retry PLUGIN ID|--all | "
    "drop PLUGIN ID|--all";

std::string state_of(const OutboxRow& row, const Dispatcher::Status& dispatcher, std::int64_t now_us) {
  const auto& under_way = dispatcher.under_way;
  if (row.state == OutboxRow::State::Dead) return "dead since " + time_text(row.died_us);
  if (row.state == OutboxRow::State::UnderWay ||
      std::find(under_way.begin(), under_way.end(), row.id) != under_way.end())
    return "under way";
  if (row.not_before_us > now_us) return "not before " + time_text(row.not_before_us);
  return row.retry_us > now_us ? "again at " + time_text(row.retry_us) : "waiting";
}

std::string line_of(const OutboxRow& row, const Dispatcher::Status& dispatcher, std::int64_t now_us) {
  std::string error = row.error.substr(0, row.error.find('\n'));
  if (error.size() > kErrorShown) error = error.substr(0, kErrorShown) + "...";
  return fmt::format("  {}  {} {}, from {} at {}, {}{}{}\n", row.id, row.system, row.shown(), row.origin,
                     time_text(row.created_us), state_of(row, dispatcher, now_us),
                     row.attempts ? fmt::format(", tried {} times", row.attempts) : "",
                     error.empty() ? "" : ": " + error);
}

json::object object_of(const OutboxRow& row, const Dispatcher::Status& dispatcher, std::int64_t now_us) {
  return {{"id", row.id},
          {"system", row.system},
          {"what", row.shown()},
          {"queue", row.queue},
          {"from", row.origin},
          {"state", row.state == OutboxRow::State::Dead ? "dead" : "waiting"},
          {"shown_state", state_of(row, dispatcher, now_us)},
          {"created_us", row.created_us},
          {"not_before_us", row.not_before_us},
          {"expires_us", row.expires_us},
          {"attempts", row.attempts},
          {"retry_us", row.retry_us},
          {"died_us", row.died_us},
          {"error", row.error}};
}

}  // namespace

ControlAnswer Host::Impl::control_outbox(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  std::vector<std::string> names(words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)), words.end());
  const bool as_json = std::erase(names, "--json") > 0;
  const bool waiting = std::erase(names, "--waiting") > 0, dead = std::erase(names, "--dead") > 0;
  const bool list = what == "list";
  if ((!list && what != "show" && what != "retry" && what != "drop") || (waiting && dead) ||
      (list ? names.size() > 1 : names.size() != 2 || as_json || waiting || dead))
    return refuse(kUsage, kExitUsage);

  std::vector<std::string> plugins = manager->ids();
  for (const PluginConfig& plugin : plugin_configs)
    if (std::find(plugins.begin(), plugins.end(), plugin.id) == plugins.end()) plugins.push_back(plugin.id);
  if (!names.empty()) {
    if (std::find(plugins.begin(), plugins.end(), names[0]) == plugins.end()) configured(names[0]);  // or it says why
    plugins = {names[0]};
  }
  try {
    if (list)
      return list_outbox(plugins,
                         dead      ? std::optional(OutboxRow::State::Dead)
                         : waiting ? std::optional(OutboxRow::State::Waiting)
                                   : std::nullopt,
                         as_json);
    const std::string& plugin = names[0];
    const bool all = names[1] == "--all";
    if (what == "show") return show_effect(plugin, names[1]);
    if (what == "retry")
      return {kExitOk,
              all ? fmt::format("{} wait again\n", outbox->retry_all(plugin))
                  : outbox->retry(plugin, names[1]) + " waits again, behind everything else of its queue\n",
              ""};
    return {kExitOk,
            all ? fmt::format("{} dropped\n", outbox->drop_all(plugin)) : outbox->drop(plugin, names[1]) + " dropped\n",
            ""};
  } catch (const StoreError& error) {
    if (error.kind() != StoreError::Kind::Away) throw;
    return refuse(std::string("the store is away, and the outbox is in it: ") + error.what());
  }
}

ControlAnswer Host::Impl::list_outbox(const std::vector<std::string>& plugins, std::optional<OutboxRow::State> state,
                                      bool as_json) {
  const std::int64_t now = wall_clock_us();
  std::string text;
  json::array array;
  for (const std::string& plugin : plugins) {
    const auto listing = outbox->list(plugin, state, kListed);
    const Dispatcher::Status& dispatcher = listing.dispatcher;
    const auto quarantine = crashes->quarantine(plugin);
    const std::string stands = dispatcher.runs           ? dispatcher.trouble
                               : quarantine              ? "stands: the plugin is in quarantine"
                               : manager->loaded(plugin) ? "stands: the plugin is paused or stopping"
                                                         : "stands: the plugin is not loaded";
    std::uint64_t waiting = 0, dead = 0;
    std::int64_t oldest = now;
    for (const OutboxCount& count : listing.counts) {
      if (count.state == OutboxRow::State::Dead) {
        dead += count.count;
      } else {
        waiting += count.count;
        oldest = std::min(oldest, count.oldest_us);
      }
    }
    text += fmt::format("{}: {} waiting{}, {} given up, {} delivered since the start{}\n", plugin, waiting,
                        waiting ? fmt::format(" (the oldest for {} s)", (now - oldest) / 1'000'000) : "", dead,
                        dispatcher.delivered, stands.empty() ? "" : "; " + stands);
    json::array rows, open;
    for (const auto& queue : dispatcher.open) {
      text += fmt::format("  {}: refused {} times in a row; the next is tried at {}\n", queue.queue, queue.refusals,
                          time_text(queue.until_us));
      open.push_back(json::object{{"queue", queue.queue}, {"until_us", queue.until_us}, {"refusals", queue.refusals}});
    }
    for (const OutboxRow& row : listing.rows) {
      text += line_of(row, dispatcher, now);
      rows.push_back(object_of(row, dispatcher, now));
    }
    if (listing.rows.size() == kListed) text += fmt::format("  ... only the first {} are listed\n", kListed);
    array.push_back(json::object{{"plugin", plugin},
                                 {"runs", dispatcher.runs},
                                 {"trouble", stands},
                                 {"waiting", waiting},
                                 {"dead", dead},
                                 {"delivered", dispatcher.delivered},
                                 {"failed", dispatcher.failed},
                                 {"put_off", dispatcher.put_off},
                                 {"open", std::move(open)},
                                 {"rows", std::move(rows)}});
  }
  return {kExitOk, as_json ? json::serialize(array) + "\n" : text, ""};
}

ControlAnswer Host::Impl::show_effect(const std::string& plugin, const std::string& id) {
  const OutboxRow row = outbox->show(plugin, id);
  const auto dispatcher = outbox->list(plugin, OutboxRow::State::UnderWay, 0).dispatcher;
  std::string text = fmt::format("plugin {}, {} {}\n", plugin, row.system, row.shown());
  text += fmt::format("id {}, queue \"{}\", {}\n", row.id, row.queue,
                      row.repeatable ? "may be repeated" : "must not be done twice");
  text += fmt::format("from {} at {}, expires {}\n", row.origin, time_text(row.created_us), time_text(row.expires_us));
  text += fmt::format("{}, tried {} times{}\n", state_of(row, dispatcher, wall_clock_us()), row.attempts,
                      row.error.empty() ? "" : ": " + row.error);
  for (const auto& [name, value] : row.headers) text += fmt::format("header {} ({} bytes)\n", name, value.size());
  for (const auto& file : row.files)
    text += fmt::format("file {} ({}, {} bytes)\n", file.name, file.type, file.bytes.size());
  text += row.body.substr(0, kBodyShown);
  if (row.body.size() > kBodyShown) text += fmt::format("... ({} bytes)", row.body.size());
  return {kExitOk, text + "\n", ""};
}

}  // namespace trellis::host
