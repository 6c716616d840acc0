// trellis.wait/1: what only requests can do.
#include <boost/json/parse.hpp>

#include "abi/tables.hpp"
#include "lanes/json_nodes.hpp"

namespace trellis::host {

namespace {

struct Reply {
  boost::json::value json;
  std::string body;
};

tl_status call(tl_turn id, const tl_operation* operation, tl_reply* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const tl_operation given = sized_copy(operation);
  if (view(given.system) != "service") {
    const std::string system(view(given.system));
    const tl_status status = turn->lane.yield(*turn, false, [] { return TL_OK; });
    return status < 0 ? status
                      : turn->fail(TL_UNAVAILABLE, "this version of the host does not talk to \"" + system + "\" yet");
  }
  const std::string_view verb = view(given.verb);
  const std::size_t dot = verb.find('.');
  if (dot == std::string_view::npos) return turn->fail(TL_INVALID, "a service call names plugin.method");
  const std::string plugin(verb.substr(0, dot));
  RequestCall request;
  request.name = verb.substr(dot + 1);
  request.depth = turn->depth + 1;
  request.deadline_us = turn->deadline_us;
  if (given.timeout_us) {
    const std::int64_t own = turn->now_us + given.timeout_us;
    request.deadline_us = request.deadline_us ? std::min(request.deadline_us, own) : own;
  }
  boost::json::error_code error;
  if (given.body.n) request.args = boost::json::parse({given.body.p, given.body.n}, error);
  if (error) return turn->fail(TL_INVALID, "the arguments of a service call must be a JSON object");
  RequestAnswer answer;
  Lane& lane = turn->lane;
  const tl_status status = lane.yield(*turn, false, [&]() -> tl_status {
    answer = lane.context().call_plugin(plugin, request);
    return TL_OK;
  });
  if (status < 0) return status;
  if (answer.status < 0) return turn->fail(answer.status, answer.error, answer.for_the_user);
  auto reply = std::make_unique<Reply>();
  reply->body = std::move(answer.body);
  boost::json::value parsed = boost::json::parse(reply->body.empty() ? "null" : reply->body, error);
  if (!error) reply->json = std::move(parsed);
  tl_reply result{sizeof(tl_reply),     0,  reinterpret_cast<std::uintptr_t>(reply.get()),
                  node_of(reply->json), {}, str(reply->body)};
  reply.release();
  const std::uint32_t size = out->size;
  std::memcpy(out, &result, std::min<std::size_t>(size, sizeof result));
  out->size = size;
  return TL_OK;
}

void release(std::uint64_t handle) { delete reinterpret_cast<Reply*>(handle); }

tl_status commit(tl_turn id) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  return turn->lane.yield(*turn, true, [] { return TL_OK; });
}

tl_status sleep(tl_turn id, std::int64_t us) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  bool late = false;
  const tl_status status = turn->lane.yield(*turn, false, [&]() -> tl_status {
    if (turn->deadline_us) {
      const std::int64_t left = std::max<std::int64_t>(turn->deadline_us - turn->lane.context().now_us(), 0);
      late = us > left;
      us = std::min(us, left);
    }
    return turn->lane.sleep(*turn, std::max<std::int64_t>(us, 0)) ? TL_OK : TL_CANCELLED;
  });
  return status >= 0 && late ? turn->fail(TL_TIMEOUT, "the deadline passed while it slept") : status;
}

tl_status outside(tl_turn id, void (*run)(void*), void* context) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  return turn->lane.yield(*turn, false, [&]() -> tl_status {
    run(context);
    return TL_OK;
  });
}

}  // namespace

const tl_wait_v1 kWaitTable = {sizeof(tl_wait_v1), 0, call, release, commit, sleep, outside};

}  // namespace trellis::host
