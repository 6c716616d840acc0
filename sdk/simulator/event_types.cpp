#include "event_types.hpp"

#include <algorithm>
#include <array>

namespace trellis::sim {

namespace {
constexpr std::uint64_t bit(int n) { return 1ULL << n; }

// Sorted by name.
constexpr auto kTypes = std::to_array<EventType>({
    {"AUTO_MODERATION_ACTION_EXECUTION", bit(21), 0},
    {"AUTO_MODERATION_RULE_CREATE", bit(20), 0},
    {"AUTO_MODERATION_RULE_DELETE", bit(20), 0},
    {"AUTO_MODERATION_RULE_UPDATE", bit(20), 0},
    {"CHANNEL_CREATE", bit(0), 0},
    {"CHANNEL_DELETE", bit(0), 0},
    {"CHANNEL_PINS_UPDATE", bit(0), bit(12)},
    {"CHANNEL_UPDATE", bit(0), 0},
    {"GUILD_AUDIT_LOG_ENTRY_CREATE", bit(2), 0},
    {"GUILD_BAN_ADD", bit(2), 0},
    {"GUILD_BAN_REMOVE", bit(2), 0},
    {"GUILD_CREATE", bit(0), 0},
    {"GUILD_DELETE", bit(0), 0},
    {"GUILD_EMOJIS_UPDATE", bit(3), 0},
    {"GUILD_INTEGRATIONS_UPDATE", bit(4), 0},
    {"GUILD_MEMBER_ADD", bit(1), 0},
    {"GUILD_MEMBER_REMOVE", bit(1), 0},
    {"GUILD_MEMBER_UPDATE", bit(1), 0},
    {"GUILD_ROLE_CREATE", bit(0), 0},
    {"GUILD_ROLE_DELETE", bit(0), 0},
    {"GUILD_ROLE_UPDATE", bit(0), 0},
    {"GUILD_SCHEDULED_EVENT_CREATE", bit(16), 0},
    {"GUILD_SCHEDULED_EVENT_DELETE", bit(16), 0},
    {"GUILD_SCHEDULED_EVENT_UPDATE", bit(16), 0},
    {"GUILD_SCHEDULED_EVENT_USER_ADD", bit(16), 0},
    {"GUILD_SCHEDULED_EVENT_USER_REMOVE", bit(16), 0},
    {"GUILD_SOUNDBOARD_SOUNDS_UPDATE", bit(3), 0},
    {"GUILD_SOUNDBOARD_SOUND_CREATE", bit(3), 0},
    {"GUILD_SOUNDBOARD_SOUND_DELETE", bit(3), 0},
    {"GUILD_SOUNDBOARD_SOUND_UPDATE", bit(3), 0},
    {"GUILD_STICKERS_UPDATE", bit(3), 0},
    {"GUILD_UPDATE", bit(0), 0},
    {"INTEGRATION_CREATE", bit(4), 0},
    {"INTEGRATION_DELETE", bit(4), 0},
    {"INTEGRATION_UPDATE", bit(4), 0},
    {"INVITE_CREATE", bit(6), 0},
    {"INVITE_DELETE", bit(6), 0},
    {"MESSAGE_CREATE", bit(9), bit(12)},
    {"MESSAGE_DELETE", bit(9), bit(12)},
    {"MESSAGE_DELETE_BULK", bit(9), bit(12)},
    {"MESSAGE_POLL_VOTE_ADD", bit(24), bit(25)},
    {"MESSAGE_POLL_VOTE_REMOVE", bit(24), bit(25)},
    {"MESSAGE_REACTION_ADD", bit(10), bit(13)},
    {"MESSAGE_REACTION_REMOVE", bit(10), bit(13)},
    {"MESSAGE_REACTION_REMOVE_ALL", bit(10), bit(13)},
    {"MESSAGE_REACTION_REMOVE_EMOJI", bit(10), bit(13)},
    {"MESSAGE_UPDATE", bit(9), bit(12)},
    {"PRESENCE_UPDATE", bit(8), 0},
    {"STAGE_INSTANCE_CREATE", bit(0), 0},
    {"STAGE_INSTANCE_DELETE", bit(0), 0},
    {"STAGE_INSTANCE_UPDATE", bit(0), 0},
    {"THREAD_CREATE", bit(0), 0},
    {"THREAD_DELETE", bit(0), 0},
    {"THREAD_LIST_SYNC", bit(0), 0},
    {"THREAD_MEMBERS_UPDATE", bit(0) | bit(1), 0},
    {"THREAD_MEMBER_UPDATE", bit(0), 0},
    {"THREAD_UPDATE", bit(0), 0},
    {"TYPING_START", bit(11), bit(14)},
    {"VOICE_CHANNEL_EFFECT_SEND", bit(7), 0},
    {"VOICE_CHANNEL_START_TIME_UPDATE", bit(0), 0},
    {"VOICE_CHANNEL_STATUS_UPDATE", bit(0), 0},
    {"VOICE_STATE_UPDATE", bit(7), 0},
    {"WEBHOOKS_UPDATE", bit(5), 0},
});
static_assert(std::is_sorted(kTypes.begin(), kTypes.end(),
                             [](const EventType& a, const EventType& b) { return a.name < b.name; }));
}  // namespace

const EventType* find_event_type(std::string_view name) {
  const auto found = std::lower_bound(kTypes.begin(), kTypes.end(), name,
                                      [](const EventType& type, std::string_view key) { return type.name < key; });
  return found != kTypes.end() && found->name == name ? &*found : nullptr;
}

bool allows(std::uint64_t intents, std::string_view name, bool in_guild) {
  const EventType* type = find_event_type(name);
  if (type == nullptr) return true;
  const std::uint64_t needed = in_guild ? type->guild_intents : type->direct_intents;
  return needed == 0 || (intents & needed) != 0;
}

}  // namespace trellis::sim
