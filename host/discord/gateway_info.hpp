// GET /gateway/bot: where to connect and how many shards Discord wants; and what is kept of that over restarts.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "discord/discord_error.hpp"

namespace trellis::host {

class RestClient;

struct GatewayInfo {
  std::string url;  // wss://gateway.discord.gg
  std::uint32_t shards = 1;
  std::uint32_t session_total = 0, session_remaining = 0, max_concurrency = 1;  // not kept
  std::int64_t session_reset_after_ms = 0;
};

/// [any thread but the io thread; blocks] Throws DiscordError.
GatewayInfo get_gateway_bot(RestClient&, std::chrono::milliseconds timeout = std::chrono::seconds(10));
/// [any thread] Calls back on the io thread; nullopt: it did not work.
void ask_gateway_bot(RestClient&, std::function<void(std::optional<GatewayInfo>)>);

/// Keeps address and shards of what the API at `api` said. Throws std::runtime_error.
void keep_gateway_info(const std::filesystem::path& file, const std::string& api, const GatewayInfo&);
/// What was kept. Nothing when there is none, it is damaged, or another API said it.
std::optional<GatewayInfo> kept_gateway_info(const std::filesystem::path& file, const std::string& api);

}  // namespace trellis::host
