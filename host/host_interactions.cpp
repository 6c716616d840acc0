// What people ask of the bot: who serves it, and who the bot's owners are.
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <charconv>

#include "host_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kAskAgain{30};
constexpr std::int64_t kAccepted = 2;  // Discord docs, Teams: Membership State

const json::value* member(const json::value* value, std::string_view key) {
  const json::object* object = value ? value->if_object() : nullptr;
  return object ? object->if_contains(json::string_view(key.data(), key.size())) : nullptr;
}

std::string text(const json::value* value) {
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

void add_id(std::set<std::uint64_t>& ids, const json::value* value) {
  const std::string digits = text(value);
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (id != 0) ids.insert(id);
}

/// The owner of an application, or the people of its team who may change it.
std::set<std::uint64_t> owners_of(const json::value& application) {
  std::set<std::uint64_t> ids;
  const json::value* team = member(&application, "team");
  if (!team || !team->is_object()) {
    add_id(ids, member(member(&application, "owner"), "id"));
    return ids;
  }
  add_id(ids, member(team, "owner_user_id"));
  const json::value* members = member(team, "members");
  if (!members || !members->is_array()) return ids;
  for (const json::value& one : members->get_array()) {
    const json::value* state = member(&one, "membership_state");
    if (!state || !state->is_int64() || state->get_int64() != kAccepted) continue;
    if (text(member(&one, "role")) == "read_only") continue;
    add_id(ids, member(member(&one, "user"), "id"));
  }
  return ids;
}

}  // namespace

void Host::Impl::open_interactions() {
  InteractionsOptions options;
  options.io = io.get_executor();
  options.send = [this](RestRequest request, std::function<void(RestAnswer)> done) {
    rest->send(std::move(request), std::move(done));
  };
  options.lane = [this](const std::string& plugin) { return manager->lane(plugin); };
  options.now_us = wall_clock_us;
  options.metrics = &metrics;
  interactions = std::make_unique<Interactions>(std::move(options));
  if (!config.discord.owners.empty()) interactions->set_owners(config.discord.owners);
  application_timer = std::make_unique<boost::asio::steady_timer>(io);
}

/// Again until it is answered: nothing waits for it but commands for owners.
void Host::Impl::ask_for_application() {
  RestRequest request{"host", "GET", "/applications/@me"};
  request.timeout = kAskAgain;
  rest->send(std::move(request), [this](const RestAnswer& answer) {
    json::error_code error;
    const json::value application = json::parse(answer.ok() ? answer.body : "null", error);
    if (!error && application.is_object()) {
      know_application(text(member(&application, "id")));
      if (config.discord.owners.empty()) interactions->set_owners(owners_of(application));
      return;
    }
    if (stop_asked()) return;
    log_warn("discord", "the application cannot be read; it is tried again",
             {{"error", answer.error}, {"again_in_s", kAskAgain.count()}});
    application_timer->expires_after(kAskAgain);
    application_timer->async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled && !stop_asked()) ask_for_application();
    });
  });
}

void Host::Impl::know_application(std::string id) {
  if (id.empty()) return;
  rest->set_application(id);
  {
    std::lock_guard lock(application_mutex);
    known_application = std::move(id);
  }
  application_known.notify_all();
}

std::string Host::Impl::application_id(std::stop_token stop) {
  std::unique_lock lock(application_mutex);
  application_known.wait_for(lock, stop, kAskAgain, [&] { return !known_application.empty(); });
  return known_application;
}

}  // namespace trellis::host
