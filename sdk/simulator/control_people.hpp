// What people do besides writing and interactions, on request: POST /_sim/event and the like.
#pragma once

#include <string_view>

#include "http.hpp"

namespace trellis::sim {

class Gateway;

/// POST /_sim/event {"event", "user", "leave"}: a person is interested in a scheduled event, or no longer.
Response join_event(Gateway& gateway, std::string_view body);

/// POST /_sim/vote {"message", "answer", "user", "remove"}: a person votes in a poll, or takes the vote back; with
/// "end": true the poll's time is over.
Response vote_in_poll(Gateway& gateway, const Request& request);

}  // namespace trellis::sim
