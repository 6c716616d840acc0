// The parameters of OAuth2's two endpoints, and their errors.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "call.hpp"

namespace trellis::sim {

/// RFC 6749, 5.2. `challenge`: the client tried HTTP Basic.
struct OAuthError {
  unsigned status = 400;
  std::string error;
  std::string description;
  bool challenge = false;

  Response response() const;
};

/// Parameters of a query or an urlencoded form. Throws OAuthError for one that comes twice.
class Parameters {
 public:
  explicit Parameters(std::string_view text);
  /// Empty if it is missing: RFC 6749, 3.1.
  std::string operator[](std::string_view key) const;
  bool has(std::string_view key) const { return values_.contains(key); }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// Is the client who it says, by HTTP Basic or by fields? Throws OAuthError.
void check_client(const Call& call, const Parameters& form);

}  // namespace trellis::sim
