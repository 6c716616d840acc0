// trellis.answer/1: what a request's handler answers with.
#include "abi/tables.hpp"

namespace trellis::host {

namespace {

tl_status not_served(tl_turn id) {
  Turn* turn = Turn::find(id);
  return turn ? turn->fail(TL_UNAVAILABLE,
                           "this version of the host serves methods and jobs only; there is nobody to reply to yet")
              : TL_REFUSED;
}

tl_status reply(tl_turn id, tl_str, const tl_file*, std::uint64_t) { return not_served(id); }
tl_status follow_up(tl_turn id, tl_str, const tl_file*, std::uint64_t) { return not_served(id); }

tl_status finish(tl_turn id, std::uint32_t status, tl_str type, tl_str body, const tl_file*, std::uint64_t) {
  Turn* turn = Turn::find(id);
  if (!turn || !turn->may_wait) return turn ? turn->fail(TL_REFUSED, "an event has nobody to answer") : TL_REFUSED;
  turn->answer.http_status = status;
  turn->answer.type = view(type);
  turn->answer.body = view(body);
  return TL_OK;
}

tl_status stream(tl_turn id, std::uint32_t, tl_str, tl_str) { return not_served(id); }
tl_status write(tl_turn id, tl_str) { return not_served(id); }

}  // namespace

const tl_answer_v1 kAnswerTable = {sizeof(tl_answer_v1), 0, reply, follow_up, finish, stream, write};

}  // namespace trellis::host
