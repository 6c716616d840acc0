// The HTTP routes, without sockets.
#pragma once

#include <string>
#include <string_view>

#include "gateway.hpp"

namespace trellis::sim {

struct Request {
  std::string method;
  std::string target;  ///< path and query
  std::string authorization;
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string body;  ///< JSON
};

Response handle(Gateway& gateway, const Request& request);

}  // namespace trellis::sim
