// Which intent brings which dispatch (Discord docs, Gateway: List of Intents).
#include "gateway/intents.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trellis::host {
namespace {

constexpr std::uint64_t bits(std::initializer_list<int> numbers) {
  std::uint64_t sum = 0;
  for (const int number : numbers) sum |= std::uint64_t{1} << number;
  return sum;
}

struct Documented {
  std::uint64_t in_servers, direct;
  std::vector<std::string> dispatches;
};

const std::vector<Documented>& documented() {
  static const std::vector<Documented> all{
      {bits({0}),
       0,
       {"GUILD_CREATE",
        "GUILD_UPDATE",
        "GUILD_DELETE",
        "GUILD_ROLE_CREATE",
        "GUILD_ROLE_UPDATE",
        "GUILD_ROLE_DELETE",
        "CHANNEL_CREATE",
        "CHANNEL_UPDATE",
        "CHANNEL_DELETE",
        "THREAD_CREATE",
        "THREAD_UPDATE",
        "THREAD_DELETE",
        "THREAD_LIST_SYNC",
        "THREAD_MEMBER_UPDATE",
        "THREAD_MEMBERS_UPDATE",
        "STAGE_INSTANCE_CREATE",
        "STAGE_INSTANCE_UPDATE",
        "STAGE_INSTANCE_DELETE",
        "VOICE_CHANNEL_STATUS_UPDATE",
        "VOICE_CHANNEL_START_TIME_UPDATE"}},
      {bits({0}), bits({12}), {"CHANNEL_PINS_UPDATE"}},
      {bits({1}), 0, {"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"}},
      {bits({2}), 0, {"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"}},
      {bits({3}),
       0,
       {"GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_SOUNDBOARD_SOUND_CREATE",
        "GUILD_SOUNDBOARD_SOUND_UPDATE", "GUILD_SOUNDBOARD_SOUND_DELETE", "GUILD_SOUNDBOARD_SOUNDS_UPDATE"}},
      {bits({4}), 0, {"GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE"}},
      {bits({5}), 0, {"WEBHOOKS_UPDATE"}},
      {bits({6}), 0, {"INVITE_CREATE", "INVITE_DELETE"}},
      {bits({7}), 0, {"VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND"}},
      {bits({8}), 0, {"PRESENCE_UPDATE"}},
      {bits({9}), bits({12}), {"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"}},
      {bits({10}),
       bits({13}),
       {"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL",
        "MESSAGE_REACTION_REMOVE_EMOJI"}},
      {bits({11}), bits({14}), {"TYPING_START"}},
      {bits({16}),
       0,
       {"GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE",
        "GUILD_SCHEDULED_EVENT_USER_ADD", "GUILD_SCHEDULED_EVENT_USER_REMOVE"}},
      {bits({20}), 0, {"AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE", "AUTO_MODERATION_RULE_DELETE"}},
      {bits({21}), 0, {"AUTO_MODERATION_ACTION_EXECUTION"}},
      {bits({24}), bits({25}), {"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"}},
      {0,
       0,
       {"READY", "RESUMED", "RATE_LIMITED", "INTERACTION_CREATE", "USER_UPDATE", "VOICE_SERVER_UPDATE",
        "GUILD_MEMBERS_CHUNK", "CHANNEL_INFO", "SOUNDBOARD_SOUNDS", "APPLICATION_COMMAND_PERMISSIONS_UPDATE",
        "ENTITLEMENT_CREATE", "ENTITLEMENT_UPDATE", "ENTITLEMENT_DELETE", "SUBSCRIPTION_CREATE", "SUBSCRIPTION_UPDATE",
        "SUBSCRIPTION_DELETE"}}};
  return all;
}

TEST(Intents, EachDispatchNeedsThoseThatAreDocumented) {
  for (const Documented& group : documented())
    for (const std::string& dispatch : group.dispatches) {
      EXPECT_EQ(intents_for(dispatch, false), group.in_servers) << dispatch;
      EXPECT_EQ(intents_for(dispatch, true), group.in_servers | group.direct) << dispatch;
    }
}

TEST(Intents, HaveTheirNames) {
  EXPECT_EQ(intent_names(bits({0, 8, 15, 21})),
            (std::vector<std::string>{"GUILDS", "GUILD_PRESENCES", "MESSAGE_CONTENT", "AUTO_MODERATION_EXECUTION"}));
  EXPECT_EQ(intent_named("GUILD_MEMBERS"), bits({1}));
  EXPECT_EQ(intent_named("guild_members"), 0u);
}

}  // namespace
}  // namespace trellis::host
