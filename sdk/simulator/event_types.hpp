// Names of gateway dispatches and the intents that let them through.
#pragma once

#include <cstdint>
#include <string_view>

namespace trellis::sim {

namespace intent {
inline constexpr std::uint64_t kGuilds = 1ULL << 0;
inline constexpr std::uint64_t kGuildMembers = 1ULL << 1;
inline constexpr std::uint64_t kVoiceStates = 1ULL << 7;
inline constexpr std::uint64_t kPresences = 1ULL << 8;
inline constexpr std::uint64_t kMessageContent = 1ULL << 15;
/// Every bit Discord knows; others close the connection with 4013.
inline constexpr std::uint64_t kAll = 0x331FFFFULL;
inline constexpr std::uint64_t kPrivileged = kGuildMembers | kPresences | kMessageContent;
}  // namespace intent

struct EventType {
  std::string_view name;
  std::uint64_t guild_intents;   ///< any of these lets a guild's event through; 0: always sent
  std::uint64_t direct_intents;  ///< the same for events without a guild
};

/// The type of that name, or null for one Discord did not have when this was written (such events are always sent).
const EventType* find_event_type(std::string_view name);

/// May a session with these intents see the event?
bool allows(std::uint64_t intents, std::string_view name, bool in_guild);

}  // namespace trellis::sim
