// trellis.answer/1: what a request's handler answers with.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "abi/tables.hpp"
#include "interactions/forms.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

bool is_interaction(const Turn& turn) {
  return turn.kind == TL_COMMAND || turn.kind == TL_COMPONENT || turn.kind == TL_MODAL;
}

tl_status say(tl_turn id, tl_str body, const tl_file* files, std::uint64_t count,
              void (Asker::*how)(Said, Asker::Done)) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  if (!turn->may_wait) return turn->fail(TL_REFUSED, "an event has nobody to answer");
  if (!turn->asker)
    return turn->fail(TL_UNAVAILABLE, "there is nobody to reply to: only commands, components and forms have somebody");
  Said said;
  if (!read_said(*turn, body, files, count, said)) return turn->failed;
  OutsideAnswer answer;
  const tl_status status = wait_for_outside(
      *turn,
      [&](Asker::Done done) -> std::function<void()> {
        (turn->asker->*how)(std::move(said), std::move(done));
        return {};
      },
      answer);
  if (status < 0) return status;
  return answer.status < 0 ? turn->fail(answer.status, answer.error) : TL_OK;
}

tl_status reply(tl_turn id, tl_str body, const tl_file* files, std::uint64_t count) {
  return say(id, body, files, count, &Asker::reply);
}
tl_status follow_up(tl_turn id, tl_str body, const tl_file* files, std::uint64_t count) {
  return say(id, body, files, count, &Asker::follow_up);
}

/// {"form": name, "data": data} becomes what Discord shows.
tl_status finish_with_form(Turn& turn, tl_str body) {
  const Instance& instance = *turn.instance;
  json::error_code error;
  const json::value given = json::parse({body.p, body.n}, error);
  const json::object* named = error ? nullptr : given.if_object();
  const auto text = [&](const char* key) -> std::string {
    const json::value* value = named ? named->if_contains(key) : nullptr;
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const EntrySpec* form = instance.ledger.find(TL_MODAL, text("form"));
  if (!form) return turn.fail(TL_INVALID, fmt::format("there is no form \"{}\"", text("form")));
  if (const std::string why = turn.asker ? turn.asker->form_refused() : "nobody is there to fill it in"; !why.empty())
    return turn.fail(TL_REFUSED, why);
  try {
    turn.answer.body = json::serialize(form_body(instance.plugin, *form, text("data")));
  } catch (const std::length_error& too_long) {
    return turn.fail(TL_TOO_LARGE, too_long.what());
  }
  turn.answer.type = kFormType;
  return TL_OK;
}

tl_status finish(tl_turn id, std::uint32_t status, tl_str type, tl_str body, const tl_file* files,
                 std::uint64_t count) {
  Turn* turn = Turn::find(id);
  if (!turn || !turn->may_wait) return turn ? turn->fail(TL_REFUSED, "an event has nobody to answer") : TL_REFUSED;
  turn->answer.http_status = status;
  if (view(type) == kFormType) return finish_with_form(*turn, body);
  if (is_interaction(*turn)) {
    Said said;
    if (!read_said(*turn, body, files, count, said)) return turn->failed;
    turn->answer.body = std::move(said.body);
    turn->answer.files = std::move(said.files);
  } else {
    turn->answer.body = view(body);
  }
  turn->answer.type = view(type);
  return TL_OK;
}

tl_status not_served(tl_turn id) {
  Turn* turn = Turn::find(id);
  return turn ? turn->fail(TL_UNAVAILABLE,
                           "this version of the host serves no HTTP routes; there is nobody to stream to")
              : TL_REFUSED;
}
tl_status stream(tl_turn id, std::uint32_t, tl_str, tl_str) { return not_served(id); }
tl_status write(tl_turn id, tl_str) { return not_served(id); }

}  // namespace

const tl_answer_v1 kAnswerTable = {sizeof(tl_answer_v1), 0, reply, follow_up, finish, stream, write};

}  // namespace trellis::host
