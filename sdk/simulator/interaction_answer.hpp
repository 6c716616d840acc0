// The first answer to an interaction, whichever way it came.
#pragma once

#include "call.hpp"
#include "interactions.hpp"
#include "outgoing.hpp"

namespace trellis::sim {

/// Judges the body of `call` as the first answer, carries it out and notes it. Throws ApiError or InvalidForm, noted
/// too. Returns what a callback with_response shows.
boost::json::object answer_interaction(const Call& call, Interaction& one);

/// The same for what came back from the application's endpoint: 200 with an answer, or 202 when the answer comes over
/// the callback route; anything else fails the interaction.
void take_http_answer(Gateway& gateway, Snowflake id, const Outgoing::Answer& answer);

}  // namespace trellis::sim
