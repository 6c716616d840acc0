// Faults of the HTTP side: bad gateways, slow and lost answers, limits and bans that come from nowhere.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::sim {

struct RestFault {
  enum class Kind { kError, kSlow, kReset, kClose, kLimit };
  Kind kind = Kind::kError;
  std::string method;       ///< empty: any
  std::string path;         ///< part of the path; empty: any
  std::uint64_t count = 1;  ///< requests it still hits
  bool after = false;       ///< the request is carried out first, so that its outcome is unknown to the client
  unsigned status = 502;
  std::int64_t length_ms = 1000;  ///< of slowness, or until a retry
  std::string scope = "user";
};

class RestFaults {
 public:
  /// Takes a fault called rest_error, rest_slow, rest_reset, rest_close or rest_limit, or forgets them all with
  /// rest_clear. False: the name is none of these.
  bool add(std::string_view name, const boost::json::value& body);
  /// The fault that hits this request, counted.
  std::optional<RestFault> take(std::string_view method, std::string_view path);

 private:
  std::vector<RestFault> faults_;
};

}  // namespace trellis::sim
