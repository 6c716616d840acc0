// GET /gateway/bot: where to connect and how many shards Discord wants.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "discord/discord_error.hpp"

namespace trellis::host {

class RestClient;

struct GatewayInfo {
  std::string url;  // wss://gateway.discord.gg
  std::uint32_t shards = 1;
  std::uint32_t session_total = 0, session_remaining = 0, max_concurrency = 1;
  std::int64_t session_reset_after_ms = 0;
};

/// [any thread but the io thread; blocks] Throws DiscordError.
GatewayInfo get_gateway_bot(RestClient&);
/// [any thread] Calls back on the io thread; nullopt: it did not work.
void ask_gateway_bot(RestClient&, std::function<void(std::optional<GatewayInfo>)>);

}  // namespace trellis::host
