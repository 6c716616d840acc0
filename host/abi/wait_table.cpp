// trellis.wait/1: what only requests can do.
#include <boost/json/parse.hpp>
#include <mutex>
#include <optional>

#include "abi/tables.hpp"
#include "lanes/json_nodes.hpp"

namespace trellis::host {

namespace {

struct Reply {
  boost::json::value json;
  std::string body;
};

void give(std::string body, std::uint32_t http, tl_reply* out) {
  auto reply = std::make_unique<Reply>();
  reply->body = std::move(body);
  boost::json::error_code error;
  boost::json::value parsed = boost::json::parse(reply->body.empty() ? "null" : reply->body, error);
  if (!error) reply->json = std::move(parsed);
  const tl_reply result{sizeof(tl_reply),     http, reinterpret_cast<std::uintptr_t>(reply.get()),
                        node_of(reply->json), {},   str(reply->body)};
  reply.release();
  const std::uint32_t size = out->size;
  std::memcpy(out, &result, std::min<std::size_t>(size, sizeof result));
  out->size = size;
}

/// Until when the operation may take, by the clock: 0 = as long as its system allows.
std::int64_t deadline_of(const Turn& turn, const tl_operation& given) {
  if (!given.timeout_us) return turn.deadline_us;
  const std::int64_t own = turn.now_us + given.timeout_us;
  return turn.deadline_us ? std::min(turn.deadline_us, own) : own;
}

tl_status call_outside(Turn& turn, const tl_operation& given, tl_reply* out) {
  OutboxRow operation;
  if (!read_operation(turn, given, operation)) return turn.failed;
  Lane& lane = turn.lane;
  if (!lane.context().call_outside) {
    const tl_status status = lane.yield(turn, false, [] { return TL_OK; });
    return status < 0
               ? status
               : turn.fail(TL_UNAVAILABLE, fmt::format("this host does not talk to \"{}\" yet", operation.system));
  }
  const std::int64_t until = deadline_of(turn, given);
  OutsideAnswer answer;
  const tl_status status = wait_for_outside(
      turn,
      [&](std::function<void(OutsideAnswer)> done) {
        if (until) operation.timeout_us = std::max<std::int64_t>(until - lane.context().now_us(), 1000);
        return lane.context().call_outside(operation, std::move(done));
      },
      answer);
  if (status < 0) return status;
  if (answer.status < 0) return turn.fail(answer.status, answer.error);
  give(std::move(answer.body), answer.http, out);
  return TL_OK;
}

tl_status call(tl_turn id, const tl_operation* operation, tl_reply* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  const tl_operation given = sized_copy(operation);
  if (view(given.system) != "service") return call_outside(*turn, given, out);
  const std::string_view verb = view(given.verb);
  const std::size_t dot = verb.find('.');
  if (dot == std::string_view::npos) return turn->fail(TL_INVALID, "a service call names plugin.method");
  const std::string plugin(verb.substr(0, dot));
  RequestCall request;
  request.name = verb.substr(dot + 1);
  request.depth = turn->depth + 1;
  request.deadline_us = deadline_of(*turn, given);
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
  give(std::move(answer.body), 0, out);
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

tl_status wait_for_outside(Turn& turn,
                           const std::function<std::function<void()>(std::function<void(OutsideAnswer)>)>& begin,
                           OutsideAnswer& answer) {
  struct Waiting {  // it may be given up before its answer comes
    std::mutex mutex;
    std::optional<OutsideAnswer> answer;
  };
  const auto waiting = std::make_shared<Waiting>();
  const auto answered = [&] {
    std::lock_guard lock(waiting->mutex);
    return waiting->answer.has_value();
  };
  Lane& lane = turn.lane;
  const tl_status status = lane.yield(turn, false, [&]() -> tl_status {
    const auto give_up = begin([waiting, weak = lane.weak_from_this()](OutsideAnswer came) {
      {
        std::lock_guard lock(waiting->mutex);
        waiting->answer = std::move(came);
      }
      if (const auto alive = weak.lock()) alive->wake_waits();
    });
    if (lane.wait_until(turn, answered)) return TL_OK;
    if (give_up) give_up();
    return TL_CANCELLED;
  });
  if (status >= 0) answer = std::move(*waiting->answer);
  return status;
}

const tl_wait_v1 kWaitTable = {sizeof(tl_wait_v1), 0, call, release, commit, sleep, outside};

}  // namespace trellis::host
