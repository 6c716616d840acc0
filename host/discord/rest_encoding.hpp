// A request as it goes over the wire.
#pragma once
#include <string>

#include "discord/rest_address.hpp"
#include "discord/rest_request.hpp"
#include "discord/rest_route.hpp"

namespace trellis::host {

struct RestMessage {
  std::string head, body;  // the head with the empty line that ends it
};

/// What is wrong with it, as a sentence; empty: nothing. Nothing that passes can reach another host, another path than
/// its route says, or add headers.
std::string check_request(const RestRequest&);

/// [any thread] Of a request that passed. The token is sent where the route wants it.
RestMessage encode(const RestRequest&, const RestRoute&, const RestAddress&, const std::string& token);

}  // namespace trellis::host
