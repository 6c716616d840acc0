#include "interactions.hpp"

#include <fmt/format.h>

#include "gateway.hpp"
#include "interaction_data.hpp"
#include "json_in.hpp"
#include "objects.hpp"
#include "permissions.hpp"

namespace trellis::sim {

namespace json = boost::json;

std::string Interactions::send(Gateway& gateway, std::string_view body, bool& ok) {
  ok = false;
  const auto failed = [](std::string_view why) { return json::serialize(json::object{{"error", why}}); };
  const auto value = parse_json(body);
  if (!value || !value->is_object()) return failed("the body must be a JSON object; see trellis-sim --help");
  Interaction one;
  json::object d;
  try {
    d = make_interaction(gateway, value->get_object(), one);
  } catch (const ScriptError& error) {
    return failed(error.what());
  }
  one.id = gateway.rest.new_id();
  one.token = gateway.rest.new_token();
  one.sent_ms = gateway.now();
  one.sent_clock_ms = wall_clock_ms();
  d["id"] = id_text(one.id);
  d["token"] = one.token;
  const bool http = gateway.endpoint.in_use();
  const std::size_t sessions = http ? 0 : gateway.announce("INTERACTION_CREATE", json::serialize(d), one.guild);
  const json::object answer{{"id", id_text(one.id)}, {"token", one.token}, {"sessions", sessions}, {"http", http}};
  all_.emplace(one.id, std::move(one));
  if (all_.size() > kKept) all_.erase(all_.begin());
  if (http) gateway.endpoint.deliver(gateway, d);
  ok = true;
  return json::serialize(answer);
}

Interaction* Interactions::find(Snowflake id, std::string_view token) {
  const auto found = all_.find(id);
  return found == all_.end() || found->second.token != token ? nullptr : &found->second;
}

const Interaction* Interactions::find_id(Snowflake id) const {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

Interaction* Interactions::find_id(Snowflake id) {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

Interaction* Interactions::find_token(std::string_view token) {
  // The newest ones are asked for.
  for (auto at = all_.rbegin(); at != all_.rend(); ++at) {
    if (at->second.token == token) return &at->second;
  }
  return nullptr;
}

bool Interactions::late(const Interaction& one, std::int64_t now_ms) const {
  return one.failed || now_ms - one.sent_ms > options_.interaction_deadline;
}

bool Interactions::expired(const Interaction& one, std::int64_t now_ms) const {
  return now_ms - one.sent_ms > static_cast<std::int64_t>(options_.token_lifetime * 1000);
}

void Interactions::note(Interaction& one, std::string_view what, json::object data, std::int64_t now_ms) {
  data["after_ms"] = now_ms - one.sent_ms;
  if (what == "callback") {
    one.outcome["callback"] = std::move(data);
    return;
  }
  json::value& list = one.outcome[what];
  if (!list.is_array()) list.emplace_array();
  list.get_array().push_back(std::move(data));
}

json::object Interactions::json(const Interaction& one, std::int64_t now_ms) const {
  json::object out{{"id", id_text(one.id)},
                   {"token", one.token},
                   {"type", static_cast<int>(one.type)},
                   {"name", one.name},
                   {"channel_id", id_text(one.channel)},
                   {"at", time_text(one.sent_clock_ms)},
                   {"answered", one.callback != 0},
                   {"failed", one.callback == 0 && late(one, now_ms)},
                   {"loading", one.loading},
                   {"callback", nullptr},
                   {"edits", json::array{}},
                   {"followups", json::array{}},
                   {"deletes", json::array{}},
                   {"refused", json::array{}}};
  if (one.guild != 0) out["guild_id"] = id_text(one.guild);
  for (const auto& [key, value] : one.outcome) out[key] = value;
  return out;
}

json::array Interactions::json(std::int64_t now_ms) const {
  json::array list;
  for (const auto& [id, one] : all_) list.push_back(json(one, now_ms));
  return list;
}

}  // namespace trellis::sim
