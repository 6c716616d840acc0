// What an answer of Discord's REST API means: for its limits, and for whoever asked.
#pragma once
#include <string_view>

#include "discord/http_connection.hpp"
#include "discord/rest_limits.hpp"
#include "discord/rest_request.hpp"
#include "discord/rest_route.hpp"

namespace trellis::host {

/// Nonsense in a header counts as its absence.
RateHeaders read_rate_headers(const HttpAnswer&);

/// The status in the SDK's terms, and for everything but success a sentence: "Discord refused POST /channels/1/messages
/// (400, code 50035): content: Must be 2000 or fewer in length. (BASE_TYPE_MAX_LENGTH)".
RestAnswer read_answer(HttpAnswer, const RestRoute&);

/// The beginning of a text, on one line, for messages.
std::string beginning(std::string_view text);

}  // namespace trellis::host
