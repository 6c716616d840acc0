// OAuth2: what people granted the application, the codes on their way, and the tokens that stand for it.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "clock.hpp"
#include "world.hpp"

namespace trellis::sim {

/// An authorisation with its current tokens.
struct Grant {
  Snowflake id = 0;
  std::uint32_t user = 0;  ///< index
  std::vector<std::string> scopes;
  Snowflake guild = 0;  ///< the bot was added to it, 0: not asked for
  std::string access;
  std::string refresh;  ///< empty: client credentials
  std::int64_t expires_ms = 0;
  std::int64_t expires_clock_ms = 0;

  bool has(std::string_view scope) const;
  std::string scope_text() const;
};

/// A code that was not exchanged yet.
struct AuthorizationCode {
  std::uint32_t user = 0;
  std::vector<std::string> scopes;
  Snowflake guild = 0;
  std::string redirect_uri;
  std::string challenge;  ///< of PKCE, S256; empty: none
  std::int64_t expires_ms = 0;
};

struct OAuth {
  // Who sits at the browser; set by /_sim/oauth.
  std::uint32_t person = 0;
  bool denies = false;
  Snowflake guild = 0;  ///< chosen for the bot; 0: what the link says, or the person's first

  std::map<std::string, AuthorizationCode, std::less<>> codes;
  std::map<Snowflake, Grant> grants;

  /// By access token; null if there is none or it has expired.
  const Grant* find_access(std::string_view token, std::int64_t now_ms) const;
  Grant* find_refresh(std::string_view token);
  /// By either of its tokens.
  Grant* find_any(std::string_view token);

  /// For /_sim/oauth and the truth.
  boost::json::array json(const World& world) const;
};

/// The words of a scope parameter; nothing if one is unknown or there are none.
std::vector<std::string> read_scopes(std::string_view text);

std::string base64url(std::string_view bytes);

}  // namespace trellis::sim
