#include "outbox/discord_target.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kNonceMax = 25;
constexpr std::string_view kReason = "x-audit-log-reason";

std::string_view without_query(std::string_view path) { return path.substr(0, path.find('?')); }

/// "/channels/1" of "/channels/1/messages/2".
std::string_view major_of(std::string_view path) {
  path = without_query(path);
  const std::size_t second = path.find('/', 1);
  return second == std::string_view::npos ? path : path.substr(0, path.find('/', second + 1));
}

bool makes_message(const OutboxRow& row) {
  const std::string_view path = without_query(row.target);
  return row.verb == "POST" && path.starts_with("/channels/") &&
         path.substr(major_of(path).size()) == std::string_view("/messages");
}

bool runs_webhook(const OutboxRow& row) { return row.verb == "POST" && row.target.starts_with("/webhooks/"); }

/// Its author keeps repeats apart, or chose not to.
bool has_own_nonce(const json::object& message) { return message.contains("nonce"); }

std::string with_nonce(const OutboxRow& row) {
  json::value body = json::parse(row.body.empty() ? "{}" : row.body);
  json::object& message = body.as_object();
  if (has_own_nonce(message)) return row.body;
  message["nonce"] = row.key();
  message["enforce_nonce"] = true;
  return json::serialize(body);
}

}  // namespace

std::string DiscordTarget::accept(OutboxRow& row) const {
  if (row.verb != "POST" && row.verb != "PUT" && row.verb != "PATCH" && row.verb != "DELETE")
    return fmt::format("\"{}\" changes nothing at Discord; send takes POST, PUT, PATCH and DELETE", row.verb);
  if (!row.target.starts_with('/') || row.target.find_first_of(" \t\r\n#") != std::string::npos)
    return fmt::format("\"{}\" is not a route of Discord's API: it begins with / and has no blanks", row.target);
  for (const auto& [name, value] : row.headers)
    if (name != kReason) return fmt::format("Discord's API takes no header {}; it takes {}", name, kReason);
  json::value body = json::object();
  if (!row.body.empty()) {
    json::error_code error;
    body = json::parse(row.body, error);
    if (error) return "what is sent to Discord is not JSON: " + error.message();
  }
  if (makes_message(row)) {
    const json::object* message = body.if_object();
    if (!message) return "a message is a JSON object";
    const json::value* enforced = message->if_contains("enforce_nonce");
    if (!has_own_nonce(*message) || (enforced && enforced->is_bool() && enforced->get_bool())) row.repeatable = true;
    if (row.delivery_id.size() > kNonceMax)
      return fmt::format("the delivery id of a message has at most {} characters", kNonceMax);
  }
  if (row.verb == "PUT" || row.verb == "DELETE") row.repeatable = true;
  if (row.queue.empty()) row.queue = "discord " + std::string(major_of(row.target));
  if (row.give_up_after_us == 0)
    row.give_up_after_us = makes_message(row) || runs_webhook(row) ? expiry_.messages_us : expiry_.others_us;
  return {};
}

void DiscordTarget::deliver(const OutboxRow& row, std::function<void(Outcome)> done) {
  RestCall call;
  call.owner = row.plugin;
  call.verb = row.verb;
  call.path = row.target;
  call.body = makes_message(row) ? with_nonce(row) : row.body;
  for (const auto& [name, value] : row.headers)
    if (name == kReason) call.reason = value;
  call.files = row.files;
  call.repeatable = row.repeatable;
  call.timeout_us = row.timeout_us;
  send_(std::move(call), [&row, done = std::move(done)](const RestResult& result) { done(outcome_of(row, result)); });
}

Outcome DiscordTarget::outcome_of(const OutboxRow& row, const RestResult& result) {
  const int status = result.status;
  const std::string why = status == 0 ? result.error : fmt::format("Discord answers {}: {}", status, result.error);
  if (status == 0) return result.may_be_done ? Outcome::unknown(why) : Outcome::retry(why, result.retry_after_us);
  if (status >= 200 && status < 300) return Outcome::done();
  if (status == 404 && row.verb == "DELETE") return Outcome::done();
  if (status == 408 || status == 429 || status == 503) return Outcome::retry(why, result.retry_after_us);
  if (status >= 500) return Outcome::unknown(why);
  return Outcome::refused(why);
}

}  // namespace trellis::host
