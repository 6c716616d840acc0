// Which intents bring which dispatches (Discord docs, Gateway: List of Intents).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

/// Bits that bring this dispatch; `direct` adds those for direct messages. 0: it always comes, or nobody knows it.
std::uint64_t intents_for(std::string_view dispatch, bool direct);

/// The bit of an intent by Discord's name ("MESSAGE_CONTENT"); 0: there is none.
std::uint64_t intent_named(std::string_view name);

/// Names of the bits, in order.
std::vector<std::string> intent_names(std::uint64_t bits);

inline constexpr std::uint64_t kIntentGuilds = 1u << 0, kIntentGuildMembers = 1u << 1,
                               kIntentGuildVoiceStates = 1u << 7, kIntentGuildPresences = 1u << 8;

}  // namespace trellis::host
