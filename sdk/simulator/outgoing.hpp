// Requests that the simulator sends itself: Discord calling an application.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::sim {

/// An address on this machine.
struct Address {
  std::string host;  ///< as it goes into the Host header
  std::string ip;
  std::uint16_t port = 80;
  std::string target = "/";  ///< path and query
};

/// Reads an http:// URL of this machine (localhost or a loopback address). Otherwise nothing, and `why` says why.
std::optional<Address> parse_address(std::string_view url, std::string& why);

class Outgoing {
 public:
  struct Answer {
    unsigned status = 0;  ///< 0: none came
    std::string content_type;
    std::string body;
    std::string error;  ///< why none came
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  virtual ~Outgoing() = default;
  /// POSTs, and calls `done` exactly once, later and on the simulator's thread.
  virtual void post(const Address& to, Headers headers, std::string body, std::int64_t timeout_ms,
                    std::function<void(Answer)> done) = 0;
};

}  // namespace trellis::sim
