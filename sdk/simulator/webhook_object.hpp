// A webhook as JSON.
#pragma once

#include "call.hpp"

namespace trellis::sim {

boost::json::object webhook_object(const Call& call, const Webhook& webhook, bool with_user);

}  // namespace trellis::sim
