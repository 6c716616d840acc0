// GET /gateway/bot: where to connect and how many shards Discord wants.
#pragma once
#include <cstdint>
#include <string>

#include "discord/discord_error.hpp"

namespace trellis::host {

struct GatewayInfo {
  std::string url;  // wss://gateway.discord.gg
  std::uint32_t shards = 1;
  std::uint32_t session_total = 0, session_remaining = 0, max_concurrency = 1;
  std::int64_t session_reset_after_ms = 0;
};

/// [any thread; blocks] `api` is the REST base (http or https). ca_file: additional trusted certificate, or empty.
/// Throws DiscordError.
GatewayInfo get_gateway_bot(const std::string& api, const std::string& token, const std::string& ca_file);

}  // namespace trellis::host
