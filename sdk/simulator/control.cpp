// The simulator's own routes under /_sim/: faults, dispatches by hand, interactions, and the account of it all.
#include <fmt/format.h>

#include "gateway.hpp"
#include "json_in.hpp"
#include "objects.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Response from(Gateway::Answer answer) { return {answer.ok ? 200U : 400U, std::move(answer.text)}; }

json::array requests(const RestState& state) {
  json::array list;
  for (const RestState::Logged& one : state.requests) {
    json::object entry{
        {"at", time_text(one.at_ms)}, {"method", one.method}, {"path", one.path}, {"status", one.status}};
    if (one.code != 0) entry["code"] = one.code;
    if (!one.reason.empty()) entry["reason"] = one.reason;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

Response handle_control(Gateway& gateway, const Request& request, std::string_view path, std::string_view) {
  const bool post = path == "send" || path == "fault" || path == "interaction";
  if (request.method != (post ? "POST" : "GET")) {
    return {405, fmt::format(R"({{"error":"this is a {} route"}})", post ? "POST" : "GET")};
  }
  if (path == "send") return from(gateway.inject(request.body));
  if (path == "fault") return from(gateway.fault(request.body));
  if (path == "interaction") return from(gateway.interact(request.body));
  if (path == "interactions") return {200, json::serialize(gateway.interactions.json(gateway.now()))};
  if (path == "truth") return {200, gateway.truth_json()};
  if (path == "sessions") return {200, gateway.sessions_json()};
  if (path == "requests") return {200, json::serialize(requests(gateway.rest))};
  return {404, R"({"error":"trellis-sim --help lists the routes under /_sim"})"};
}

}  // namespace trellis::sim
