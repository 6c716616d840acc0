#include "gateway/intents.hpp"

namespace trellis::host {

namespace {

constexpr struct {
  std::string_view name;
  int bit;
} kIntents[] = {{"GUILDS", 0},
                {"GUILD_MEMBERS", 1},
                {"GUILD_MODERATION", 2},
                {"GUILD_EXPRESSIONS", 3},
                {"GUILD_INTEGRATIONS", 4},
                {"GUILD_WEBHOOKS", 5},
                {"GUILD_INVITES", 6},
                {"GUILD_VOICE_STATES", 7},
                {"GUILD_PRESENCES", 8},
                {"GUILD_MESSAGES", 9},
                {"GUILD_MESSAGE_REACTIONS", 10},
                {"GUILD_MESSAGE_TYPING", 11},
                {"DIRECT_MESSAGES", 12},
                {"DIRECT_MESSAGE_REACTIONS", 13},
                {"DIRECT_MESSAGE_TYPING", 14},
                {"MESSAGE_CONTENT", 15},
                {"GUILD_SCHEDULED_EVENTS", 16},
                {"AUTO_MODERATION_CONFIGURATION", 20},
                {"AUTO_MODERATION_EXECUTION", 21},
                {"GUILD_MESSAGE_POLLS", 24},
                {"DIRECT_MESSAGE_POLLS", 25}};

constexpr struct {
  std::string_view prefix;  // of the dispatch's name; the first that fits decides
  int guild, direct;        // -1: none
} kDispatches[] = {{"GUILD_ROLE_", 0, -1},
                   {"GUILD_CREATE", 0, -1},
                   {"GUILD_UPDATE", 0, -1},
                   {"GUILD_DELETE", 0, -1},
                   {"CHANNEL_PINS_UPDATE", 0, 12},
                   {"CHANNEL_INFO", -1, -1},
                   {"CHANNEL_", 0, -1},
                   {"THREAD_", 0, -1},
                   {"STAGE_INSTANCE_", 0, -1},
                   {"VOICE_CHANNEL_EFFECT_SEND", 7, -1},
                   {"VOICE_CHANNEL_", 0, -1},
                   {"GUILD_MEMBERS_CHUNK", -1, -1},
                   {"GUILD_MEMBER_", 1, -1},
                   {"GUILD_AUDIT_LOG_", 2, -1},
                   {"GUILD_BAN_", 2, -1},
                   {"GUILD_EMOJIS_", 3, -1},
                   {"GUILD_STICKERS_", 3, -1},
                   {"GUILD_SOUNDBOARD_", 3, -1},
                   {"GUILD_INTEGRATIONS_", 4, -1},
                   {"INTEGRATION_", 4, -1},
                   {"WEBHOOKS_", 5, -1},
                   {"INVITE_", 6, -1},
                   {"VOICE_STATE_", 7, -1},
                   {"PRESENCE_", 8, -1},
                   {"MESSAGE_REACTION_", 10, 13},
                   {"MESSAGE_POLL_VOTE_", 24, 25},
                   {"MESSAGE_", 9, 12},
                   {"TYPING_", 11, 14},
                   {"GUILD_SCHEDULED_EVENT_", 16, -1},
                   {"AUTO_MODERATION_RULE_", 20, -1},
                   {"AUTO_MODERATION_ACTION_", 21, -1}};

constexpr std::uint64_t bit(int number) { return number < 0 ? 0 : std::uint64_t{1} << number; }

}  // namespace

std::uint64_t intents_for(std::string_view dispatch, bool direct) {
  for (const auto& entry : kDispatches)
    if (dispatch.starts_with(entry.prefix)) return bit(entry.guild) | (direct ? bit(entry.direct) : 0);
  return 0;
}

std::uint64_t intent_named(std::string_view name) {
  for (const auto& intent : kIntents)
    if (intent.name == name) return bit(intent.bit);
  return 0;
}

std::vector<std::string> intent_names(std::uint64_t bits) {
  std::vector<std::string> names;
  for (const auto& intent : kIntents)
    if (bits & bit(intent.bit)) names.emplace_back(intent.name);
  return names;
}

}  // namespace trellis::host
