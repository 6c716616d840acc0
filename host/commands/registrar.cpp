#include "commands/registrar.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "commands/command_json.hpp"
#include "commands/form_errors.hpp"
#include "log/log.hpp"
#include "store/store.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr int kDailyLimit = 30034, kMissingAccess = 50001, kUnknownGuild = 10004;
constexpr std::chrono::milliseconds kTimeout{30'000};

const char* name_of(SyncReport::Outcome outcome) {
  switch (outcome) {
    case SyncReport::Outcome::Unchanged:
      return "unchanged";
    case SyncReport::Outcome::Written:
      return "written";
    case SyncReport::Outcome::LeftAlone:
      return "left_alone";
    case SyncReport::Outcome::Failed:
      break;
  }
  return "failed";
}

RestRequest request(const char* method, std::string target, std::string body = {}) {
  RestRequest made{"host", method, std::move(target), std::move(body)};
  made.timeout = kTimeout;
  return made;
}

std::size_t count(const SyncReport& report, CommandChange::Kind kind) {
  return static_cast<std::size_t>(std::count_if(report.changes.begin(), report.changes.end(),
                                                [&](const CommandChange& change) { return change.kind == kind; }));
}

}  // namespace

CommandRegistrar::CommandRegistrar(RegistrarOptions options) : options_(std::move(options)) {
  if (!options_.metrics) return;
  looks_ = options_.metrics->family(Metrics::Kind::Counter, "trellis_command_syncs_total",
                                    "How often the registered commands were compared with what the plugins declare.",
                                    {"outcome"});
  registered_ = options_.metrics->family(Metrics::Kind::Gauge, "trellis_commands_registered",
                                         "Commands that are registered with Discord, as far as this host knows.");
}

CommandRegistrar::~CommandRegistrar() { stop(); }

void CommandRegistrar::start() {
  {
    std::lock_guard lock(mutex_);
    if (thread_.joinable() || stop_.stop_requested()) return;
    due_ = Clock::now();
  }
  thread_ = std::thread([this] { run(stop_.get_token()); });
}

void CommandRegistrar::stop() {
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void CommandRegistrar::changed() {
  {
    std::lock_guard lock(mutex_);
    due_ = Clock::now() + options_.debounce;
    ++changes_;
  }
  due_changed_.notify_all();
}

void CommandRegistrar::run(std::stop_token stop) {
  auto retry = options_.first_retry;
  std::string said;  // the last failure, so that it is not said again and again
  while (!stop.stop_requested()) {
    std::uint64_t changes = 0;
    {
      std::unique_lock lock(mutex_);
      if (!due_) {
        due_changed_.wait(lock, stop, [&] { return due_.has_value(); });
        continue;
      }
      const auto due = *due_;
      if (Clock::now() < due) {
        due_changed_.wait_until(lock, stop, due, [&] { return due_ != due; });
        continue;
      }
      due_.reset();
      changes = changes_;
    }
    if (!options_.automatic) continue;
    SyncReport report;
    {
      std::lock_guard one(syncing_);
      report = look(false, stop);
    }
    if (stop.stop_requested()) return;
    note(report);
    if (report.ok()) {
      retry = options_.first_retry;
      said.clear();
      continue;
    }
    const std::string why = fmt::format("{}", fmt::join(report.errors, "; "));
    const auto wait = std::max(retry, report.not_before);
    const std::string again =
        report.again ? fmt::format("tried again in {} s", std::chrono::ceil<std::chrono::seconds>(wait).count())
                     : "tried again when a plugin changes, or with `trellis ctl commands sync`";
    if (why != said)
      for (const std::string& error : report.errors)
        log_error("commands", "the commands could not be registered", {{"because", error}, {"next", again}});
    said = why;
    if (!report.again) continue;
    std::lock_guard lock(mutex_);
    if (changes_ == changes) {  // else a change has set its own time
      due_ = Clock::now() + wait;
      retry = std::min(retry * 2, options_.last_retry);
    } else {
      retry = options_.first_retry;
    }
  }
}

void CommandRegistrar::note(const SyncReport& report) {
  if (options_.metrics) {
    const std::string_view label[] = {name_of(report.outcome)};
    options_.metrics->add(looks_, 1, label);
  }
  std::string text = name_of(report.outcome);
  if (report.outcome == SyncReport::Outcome::LeftAlone) text = "no plugin has commands, and none are registered";
  if (!report.errors.empty()) text += fmt::format(": {}", fmt::join(report.errors, "; "));
  {
    std::lock_guard lock(mutex_);
    last_ = text;
  }
  for (const std::string& problem : report.problems) log_warn("commands", problem);
  if (report.outcome == SyncReport::Outcome::Written)
    log_info("commands", "registered",
             {{"where", where()},
              {"new", count(report, CommandChange::Kind::Create)},
              {"changed", count(report, CommandChange::Kind::Change)},
              {"removed", count(report, CommandChange::Kind::Remove)}});
  for (const std::string& server : report.left_servers)
    log_info("commands", "removed from a server that is no development guild any more", {{"server", server}});
}

SyncReport CommandRegistrar::sync(bool dry_run) {
  SyncReport report;
  {
    std::lock_guard one(syncing_);
    report = look(dry_run, stop_.get_token());
  }
  if (!dry_run) note(report);
  return report;
}

CommandSet CommandRegistrar::wanted() const { return merged(options_.wish(), !options_.server.empty()); }

std::string CommandRegistrar::last() const {
  std::lock_guard lock(mutex_);
  return last_;
}

std::string CommandRegistrar::where() const {
  return options_.server.empty() ? "in all servers" : "in server " + options_.server;
}

std::string CommandRegistrar::target(const std::string& server) const {
  return server.empty() ? fmt::format("/applications/{}/commands", application_id_)
                        : fmt::format("/applications/{}/guilds/{}/commands", application_id_, server);
}

bool CommandRegistrar::application(SyncReport& report, std::stop_token stop) {
  if (application_id_.empty()) application_id_ = options_.application(stop);
  if (!application_id_.empty()) return true;
  report.outcome = SyncReport::Outcome::Failed;
  report.errors.push_back("Discord has not said yet which application this bot belongs to");
  report.again = true;
  return false;
}

void CommandRegistrar::failed(SyncReport& report, const RestAnswer& answer, const std::string& what) const {
  report.outcome = SyncReport::Outcome::Failed;
  report.again = answer.may_retry() || answer.status == TL_CANCELLED;
  report.not_before = answer.retry_after;
  std::string why = answer.error;
  if (answer.code == kDailyLimit) {
    why =
        "Discord takes at most 200 new commands a day in one place, and that is used up; commands that are "
        "registered go on working";
    report.again = true;
    report.not_before = std::max(report.not_before, options_.after_daily_limit);
  } else if ((answer.code == kMissingAccess || answer.code == kUnknownGuild) && !options_.server.empty()) {
    why += fmt::format(
        " The bot is not in server {}, or was not invited with the scope applications.commands; see "
        "discord.development_guild.",
        options_.server);
  }
  report.errors.push_back(fmt::format("{}: {}", what, why));
}

SyncReport CommandRegistrar::look(bool dry_run, std::stop_token stop) {
  SyncReport report;
  try {
    const bool in_server = !options_.server.empty();
    const CommandWish wish = options_.wish();
    const auto places = options_.places();
    CommandSet set = merged(wish, in_server);
    report.problems = set.problems;
    const bool others = std::ranges::any_of(
        places, [&](const auto& place) { return !place.first.empty() && place.first != options_.server; });
    if (set.commands.empty() && wish.unknown.empty() && !places.contains(options_.server) && !others) {
      report.outcome = SyncReport::Outcome::LeftAlone;
      return report;
    }
    if (!application(report, stop)) return report;
    const RestAnswer answer = options_.call(request("GET", target(options_.server) + "?with_localizations=true"), stop);
    if (!answer.ok()) {
      failed(report, answer, "what is registered could not be read");
      return report;
    }
    json::error_code error;
    const json::value parsed = json::parse(answer.body, error);
    if (error || !parsed.is_array()) {
      report.errors.push_back("Discord did not answer with a list of commands");
      report.again = true;
      return report;
    }
    const json::array& registered = parsed.get_array();
    keep(set, registered, !wish.unknown.empty());
    report.changes = differences(set, registered, in_server);
    const auto note_place = [&] {
      const auto known = places.find(options_.server);
      const auto size = static_cast<std::int64_t>(set.commands.size());
      if ((known == places.end() ? 0 : known->second) != size) options_.set_place(options_.server, size);
      if (options_.metrics) options_.metrics->set(registered_, static_cast<double>(size));
    };
    report.outcome = report.changes.empty() ? SyncReport::Outcome::Unchanged : SyncReport::Outcome::Written;
    if (!dry_run) {
      if (!report.changes.empty()) {
        const RestAnswer written =
            options_.call(request("PUT", target(options_.server), json::serialize(set.body())), stop);
        if (!written.ok()) {
          failed(report, written, "Discord refused the commands");
          if (auto placed = placed_errors(written.body, set); !placed.empty()) report.errors = std::move(placed);
          return report;
        }
      }
      note_place();
    }
    leave_other_places(report, dry_run, places, stop);
  } catch (const StoreError& error) {
    report.outcome = SyncReport::Outcome::Failed;
    report.again = true;
    report.errors.push_back(fmt::format("the store is away: {}", error.what()));
  }
  return report;
}

/// Commands of a server that was the development guild once would be there twice.
void CommandRegistrar::leave_other_places(SyncReport& report, bool dry_run,
                                          const std::map<std::string, std::int64_t>& places, std::stop_token stop) {
  for (const auto& [server, commands] : places) {
    if (server.empty() || server == options_.server) continue;
    if (!dry_run) {
      const RestAnswer answer = options_.call(request("PUT", target(server), "[]"), stop);
      const bool gone = answer.http == 403 || answer.http == 404;  // the bot has left it, and its commands with it
      if (!answer.ok() && !gone) {
        failed(report, answer, fmt::format("the commands of server {} could not be removed", server));
        return;
      }
      options_.set_place(server, 0);
    }
    report.left_servers.push_back(server);
    if (report.outcome == SyncReport::Outcome::Unchanged) report.outcome = SyncReport::Outcome::Written;
  }
}

}  // namespace trellis::host
