// The application as others see it, and the bot's account as it sees itself.
#pragma once

#include <boost/json.hpp>

#include "gateway.hpp"

namespace trellis::sim {

boost::json::object public_application(const Gateway& gateway);
boost::json::object own_user(const World& world);

}  // namespace trellis::sim
