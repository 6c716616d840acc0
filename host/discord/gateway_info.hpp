// GET /gateway/bot: where to connect and how many shards Discord wants.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace trellis::host {

struct GatewayInfo {
  std::string url;  // wss://gateway.discord.gg
  std::uint32_t shards = 1;
  std::uint32_t session_total = 0, session_remaining = 0, max_concurrency = 1;
  std::int64_t session_reset_after_ms = 0;
};

/// What Discord (or the way to it) said, with the operator's remedy: "Discord does not accept the token (401). Check
/// DISCORD_TOKEN …"
class DiscordError : public std::runtime_error {
 public:
  DiscordError(int http_status, bool may_retry, const std::string& text)
      : std::runtime_error(text), status_(http_status), may_retry_(may_retry) {}
  int status() const { return status_; }         // 0: no answer
  bool may_retry() const { return may_retry_; }  // false: a wrong token or address stays wrong

 private:
  int status_;
  bool may_retry_;
};

/// [any thread; blocks] `api` is the REST base (http or https). ca_file: additional trusted certificate, or empty.
/// Throws DiscordError.
GatewayInfo get_gateway_bot(const std::string& api, const std::string& token, const std::string& ca_file);

}  // namespace trellis::host
