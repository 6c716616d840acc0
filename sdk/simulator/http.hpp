// One HTTP request and its answer, without sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace trellis::sim {

struct Request {
  std::string method;
  std::string target;  ///< path and query
  std::string authorization;
  std::string content_type;
  std::string user_agent;
  std::string reason;  ///< X-Audit-Log-Reason as it was sent
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string body;  ///< JSON, unless content_type says otherwise; empty with 204
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  // What the connection does with it; set by faults.
  std::int64_t delay_ms = 0;
  bool reset = false;        ///< the connection is reset instead of an answer
  bool close_after = false;  ///< closed after the answer although it promised to stay open
  /// Set: the answer is not known yet. To be called once, with what takes it.
  std::function<void(std::function<void(Response)>)> later;
};

}  // namespace trellis::sim
