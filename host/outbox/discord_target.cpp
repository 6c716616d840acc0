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

std::string with_nonce(const OutboxRow& row, const std::string& nonce) {
  json::error_code error;
  json::value body = json::parse(row.body.empty() ? "{}" : row.body, error);
  if (error || !body.is_object()) return row.body;
  json::object& message = body.as_object();
  if (has_own_nonce(message)) return row.body;
  message["nonce"] = nonce;
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

RestRequest DiscordTarget::request_of(const OutboxRow& row) {
  RestRequest request;
  request.owner = row.plugin;
  request.method = row.verb;
  request.target = row.target;
  request.body = row.body;
  for (std::size_t i = 0; i < row.files.size(); ++i)
    request.parts.push_back({fmt::format("files[{}]", i), row.files[i].name, row.files[i].type, row.files[i].bytes});
  for (const auto& [name, value] : row.headers)
    if (name == kReason) request.reason = value;
  request.repeatable = row.repeatable;
  if (row.timeout_us > 0)
    request.timeout = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(row.timeout_us));
  return request;
}

RestRequest DiscordTarget::call_of(const OutboxRow& row, const std::string& nonce) {
  RestRequest request = request_of(row);
  if (!makes_message(row)) return request;
  std::string body = with_nonce(row, nonce);
  if (body == request.body) return request;
  request.body = std::move(body);
  request.repeatable = true;
  return request;
}

void DiscordTarget::deliver(const OutboxRow& row, std::function<void(Outcome)> done) {
  RestRequest request = request_of(row);
  if (makes_message(row)) request.body = with_nonce(row, row.key());
  send_(std::move(request),
        [&row, done = std::move(done)](const RestAnswer& answer) { done(outcome_of(row, answer)); });
}

Outcome DiscordTarget::outcome_of(const OutboxRow& row, const RestAnswer& answer) {
  constexpr unsigned kUnauthorized = 401, kNotFound = 404;
  constexpr int kInvalidWebhookToken = 50027;
  constexpr std::int64_t kTokenAgainUs = 60'000'000;
  if (answer.ok() || (answer.http == kNotFound && row.verb == "DELETE")) return Outcome::done();
  if (answer.maybe_done) return Outcome::unknown(answer.error);
  if (answer.http == kUnauthorized && answer.code != kInvalidWebhookToken)
    return Outcome::retry(answer.error, kTokenAgainUs);
  if (answer.may_retry()) return Outcome::retry(answer.error, std::chrono::microseconds(answer.retry_after).count());
  if (answer.http / 100 == 4 || answer.status == TL_INVALID) return Outcome::refused(answer.error);
  return Outcome::retry(answer.error);
}

}  // namespace trellis::host
