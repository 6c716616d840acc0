#include "interactions_endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "call.hpp"
#include "gateway.hpp"
#include "interaction_answer.hpp"
#include "json_in.hpp"
#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 5> kBad = {"key", "timestamp", "body", "garbage", "missing"};
constexpr std::size_t kKept = 1000;

std::string seed(const Options& options) {
  if (!options.interactions_key.empty()) return from_hex(options.interactions_key);
  return seed_of(fmt::format("trellis-sim interactions {}", options.seed));
}

bool is_pong(const Outgoing::Answer& answer) {
  if (answer.status != 200 || !answer.content_type.starts_with("application/json")) return false;
  const auto body = parse_json(answer.body);
  return body && number_at(*body, "type") == 1U;
}

}  // namespace

InteractionsEndpoint::InteractionsEndpoint(const Options& options)
    : options_(options), key_(seed(options)), other_key_(seed_of(seed(options))) {
  std::string why;
  if (options.interactions_url.empty()) return;
  address_ = parse_address(options.interactions_url, why);
  url_ = options.interactions_url;
}

void InteractionsEndpoint::use(std::string url, Address address) {
  url_ = std::move(url);
  address_ = std::move(address);
}

void InteractionsEndpoint::clear() {
  url_.clear();
  address_.reset();
}

void InteractionsEndpoint::post(Gateway& gateway, const Address& address, std::string body, std::string_view bad,
                                Done done) {
  if (gateway.outgoing == nullptr) return done({0, "", "", "there are no sockets"});
  const std::string timestamp = std::to_string(wall_clock_ms() / 1000);
  const SigningKey& key = bad == "key" ? other_key_ : key_;
  const std::string signed_text = bad == "timestamp" ? "1" + timestamp + body
                                  : bad == "body"    ? timestamp + body + " "
                                                     : timestamp + body;
  Outgoing::Headers headers{{"Content-Type", "application/json"},
                            {"User-Agent", "Discord-Interactions/1.0 (+https://discord.com)"}};
  if (bad != "missing") {
    headers.emplace_back("X-Signature-Ed25519", bad == "garbage" ? "not hexadecimal" : key.sign(signed_text));
    headers.emplace_back("X-Signature-Timestamp", timestamp);
  }
  gateway.outgoing->post(address, std::move(headers), std::move(body), options_.interaction_deadline, std::move(done));
}

std::string InteractionsEndpoint::ping(Gateway& gateway) const {
  return json::serialize(json::object{{"application_id", id_text(gateway.world.self.id)},
                                      {"entitlements", json::array{}},
                                      {"id", id_text(gateway.rest.new_id())},
                                      {"token", gateway.rest.new_token()},
                                      {"type", 1},
                                      {"user", user_object(gateway.world, 0)},
                                      {"version", 1}});
}

void InteractionsEndpoint::note_bad(std::string_view kind, const Outgoing::Answer& answer) {
  json::object entry{
      {"at", time_text(wall_clock_ms())}, {"kind", kind}, {"status", answer.status}, {"refused", answer.status == 401}};
  if (!answer.error.empty()) entry["error"] = answer.error;
  bad_.push_back(std::move(entry));
  if (bad_.size() > kKept) bad_.erase(bad_.begin());
}

void InteractionsEndpoint::check(Gateway& gateway, const Address& address, std::function<void(bool)> done) {
  ++checks_;
  const auto wrong = [&gateway](std::string_view what, const Outgoing::Answer& answer) {
    gateway.log(fmt::format("interactions endpoint: {} was answered with {} {}", what, answer.status, answer.error));
  };
  post(gateway, address, ping(gateway), "", [=, this, &gateway](const Outgoing::Answer& answer) {
    if (!is_pong(answer)) {
      wrong("a PING", answer);
      return done(false);
    }
    post(gateway, address, ping(gateway), "key", [=, this](const Outgoing::Answer& refusal) {
      note_bad("key", refusal);
      if (refusal.status != 401) wrong("a PING with a wrong signature", refusal);
      done(refusal.status == 401);
    });
  });
}

void InteractionsEndpoint::deliver(Gateway& gateway, const json::object& interaction) {
  const Snowflake id = id_of(interaction.at("id"));
  post(gateway, *address_, json::serialize(interaction), "",
       [&gateway, id](const Outgoing::Answer& answer) { take_http_answer(gateway, id, answer); });
  ++delivered_;
  if (options_.bad_signatures > 0 && delivered_ % options_.bad_signatures == 0) send_bad(gateway, "");
}

bool InteractionsEndpoint::send_bad(Gateway& gateway, std::string_view kind) {
  if (kind.empty()) kind = kBad[next_kind_++ % kBad.size()];
  const auto found = std::find(kBad.begin(), kBad.end(), kind);
  if (found == kBad.end() || !in_use()) return false;
  const std::string called = url_;
  post(gateway, *address_, ping(gateway), *found,
       [this, &gateway, called, what = *found](const Outgoing::Answer& answer) {
         note_bad(what, answer);
         if (answer.status == 0 || answer.status == 401 || url_ != called) return;
         // Who takes a forged request gets no more of them.
         gateway.log(fmt::format("interactions endpoint: a wrong signature was answered with {}, so it is removed",
                                 answer.status));
         ++removals_;
         clear();
       });
  return true;
}

json::object InteractionsEndpoint::json() const {
  json::object out{{"url", nullptr},          {"public_key", public_key()}, {"checks", checks_},
                   {"delivered", delivered_}, {"removals", removals_},      {"bad_signatures", bad_}};
  if (in_use()) out["url"] = url_;
  return out;
}

}  // namespace trellis::sim
