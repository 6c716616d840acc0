#include "gateway/close_codes.hpp"

namespace trellis::host {

CloseCode close_code(unsigned code) {
  switch (code) {
    case 0:
      return {AfterClose::Resume, "the connection was lost", {}};
    case 1000:
    case 1001:
      return {AfterClose::ResumeOnceThenIdentify, "Discord went away", {}};
    case 4000:
      return {AfterClose::Resume, "unknown error", {}};
    case 4001:
      return {AfterClose::Resume, "unknown opcode sent", {}};
    case 4002:
      return {AfterClose::Resume, "undecodable or too large payload sent", {}};
    case 4003:
      return {AfterClose::Identify, "not authenticated, or the session was invalidated", {}};
    case 4004:
      return {AfterClose::Stop, "authentication failed",
              "Discord does not accept the bot token. Check DISCORD_TOKEN; if it was reset, take the new one from "
              "https://discord.com/developers/applications, Bot, Reset Token."};
    case 4005:
      return {AfterClose::Identify, "already authenticated", {}};
    case 4007:
      return {AfterClose::Identify, "invalid sequence number", {}};
    case 4008:
      return {AfterClose::ResumeLater, "rate limited", {}};
    case 4009:
      return {AfterClose::Identify, "session timed out", {}};
    case 4010:
      return {AfterClose::Stop, "invalid shard",
              "Discord does not accept this shard id and shard count together. Check discord.shards, or set it to "
              "\"auto\"; a bot in more than 150000 servers needs a multiple of the number that Discord gave it."};
    case 4011:
      return {
          AfterClose::Stop, "sharding required",
          "The bot is in too many servers for this number of shards (2500 servers per shard). Raise discord.shards; "
          "with \"auto\" every start takes the number that Discord recommends then."};
    case 4012:
      return {AfterClose::Stop, "invalid API version",
              "Discord no longer offers gateway version 10. This version of Trellis is too old: update it."};
    case 4013:
      return {
          AfterClose::Stop, "invalid intents",
          "Discord does not know one of the intents that the enabled plugins ask for. Update the plugins or Trellis."};
    case 4014:
      return {AfterClose::Stop, "disallowed intents", {}};  // the shard knows which ones it asked for
    default:
      return {AfterClose::Resume, "unknown close code", {}};
  }
}

}  // namespace trellis::host
