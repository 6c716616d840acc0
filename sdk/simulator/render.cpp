#include "render.hpp"

#include <array>
#include <boost/json.hpp>
#include <string_view>

#include "text.hpp"

namespace trellis::sim {

void put_member(std::string& out, const User& user, std::string_view member_json) {
  put(out, R"({"user":)", user.json, ',', member_json.substr(1));
}

namespace {

void put_plain_channel(std::string& out, const World& world, std::uint32_t index, bool with_guild);

}  // namespace

void put_channel(std::string& out, const World& world, std::uint32_t index, bool with_guild) {
  const auto& changes = world.channels[index].changes;
  if (!changes) return put_plain_channel(out, world, index, with_guild);
  std::string plain;
  put_plain_channel(plain, world, index, with_guild);
  boost::json::object object = boost::json::parse(plain).as_object();
  for (const auto& [key, value] : *changes) object[key] = value;
  out += boost::json::serialize(object);
}

namespace {

void put_plain_channel(std::string& out, const World& world, std::uint32_t index, bool with_guild) {
  const Channel& channel = world.channels[index];
  const Guild& guild = world.guilds[channel.guild];
  const auto put_parent = [&] {
    put(out, R"(,"parent_id":)");
    if (channel.parent == kNone)
      put(out, "null");
    else
      put(out, '"', world.channels[channel.parent].id, '"');
  };
  const auto put_last = [&] {
    put(out, R"(,"last_message_id":)");
    if (channel.last_message == 0)
      put(out, "null");
    else
      put(out, '"', channel.last_message, '"');
  };
  put(out, R"({"version":1)");
  if (is_thread(channel.kind)) {
    put(out, R"(,"type":)", static_cast<int>(channel.kind),
        R"(,"total_message_sent":3,"thread_metadata":{"locked":false)");
    if (channel.kind == ChannelKind::kPrivateThread) put(out, R"(,"invitable":true)");
    put(out, R"(,"create_timestamp":")");
    put_time(out, channel.created_ms);
    put(out, R"(","auto_archive_duration":4320,"archived":false,"archive_timestamp":")");
    put_time(out, channel.created_ms);
    put(out, R"("},"rate_limit_per_user":0)");
    put_parent();
    put(out, R"(,"owner_id":")", channel.owner == kNone ? world.self.id : world.users[channel.owner].id,
        R"(","name":)");
    put_string(out, channel.name);
    put(out, R"(,"message_count":3,"member_ids_preview":[],"member_count":2)");
    put_last();
    put(out, R"(,"id":")", channel.id, '"');
    if (with_guild) put(out, R"(,"guild_id":")", guild.id, '"');
    put(out, R"(,"flags":0})");
    return;
  }
  const bool voice = channel.kind == ChannelKind::kVoice || channel.kind == ChannelKind::kStage;
  const bool forum = channel.kind == ChannelKind::kForum || channel.kind == ChannelKind::kMedia;
  if (voice) put(out, R"(,"voice_background_display":null,"user_limit":0)");
  put(out, R"(,"type":)", static_cast<int>(channel.kind));
  if (forum) put(out, R"(,"topic":null,"template":"","default_sort_order":null,"default_reaction_emoji":null)");
  if (channel.kind == ChannelKind::kForum) put(out, R"(,"default_forum_layout":0)");
  if (forum) {
    put(out, R"(,"available_tags":[{"name":"question","moderated":false,"id":")", channel.id + 1,
        R"(","emoji_name":null,"emoji_id":null}])");
  }
  if (!voice && !forum && channel.kind != ChannelKind::kCategory) put(out, R"(,"topic":"about everything")");
  if (voice) put(out, R"(,"status":null,"rtc_region":null)");
  if (channel.kind != ChannelKind::kCategory) put(out, R"(,"rate_limit_per_user":0)");
  put(out, R"(,"position":)", channel.position, R"(,"permission_overwrites":[)");
  if (channel.position % 4 == 3) {
    put(out, R"({"type":0,"id":")", guild.id, R"(","deny":"2048","allow":"1024"})");
  }
  put(out, ']');
  put_parent();
  put(out, R"(,"nsfw":false,"name":)");
  put_string(out, channel.name);
  if (channel.kind != ChannelKind::kCategory) put_last();
  if (!voice && !forum && channel.kind != ChannelKind::kCategory) put(out, R"(,"last_pin_timestamp":null)");
  put(out, R"(,"id":")", channel.id, '"');
  if (with_guild) put(out, R"(,"guild_id":")", guild.id, '"');
  put(out, R"(,"flags":0)");
  if (voice) put(out, R"(,"bitrate":64000)");
  out.push_back('}');
}

}  // namespace

void put_threads(std::string& out, const World& world, const Guild& guild, bool with_guild) {
  out.push_back('[');
  for (std::size_t i = 0; i < guild.threads.size(); ++i) {
    if (i > 0) out.push_back(',');
    put_channel(out, world, guild.threads[i], with_guild);
  }
  out.push_back(']');
}

void put_soundboard(std::string& out, const Guild& guild) {
  out.push_back('[');
  for (std::size_t i = 0; i < guild.sounds.size(); ++i) put(out, i == 0 ? "" : ",", guild.sounds[i].json);
  out.push_back(']');
}

void put_voice_state(std::string& out, const World& world, const Guild& guild, const VoiceState& state,
                     bool with_guild) {
  const User& user = state.user == kNone ? world.self : world.users[state.user];
  out.push_back('{');
  if (with_guild) {
    const Member* member = state.user == kNone ? nullptr : world.find_member(guild, state.user);
    if (member != nullptr || state.user == kNone) {
      put(out, R"("member":)");
      put_member(out, user, member != nullptr ? std::string_view(member->json) : std::string_view(guild.self_member));
      out.push_back(',');
    }
  }
  put(out, R"("user_id":")", user.id, R"(","suppress":false,"session_id":")", state.session,
      R"(","self_video":false,"self_mute":)", state.self_mute, R"(,"self_deaf":)", state.self_deaf,
      R"(,"request_to_speak_timestamp":null,"mute":)", state.mute, ',');
  if (with_guild) put(out, R"("guild_id":")", guild.id, R"(",)");
  put(out, R"("discoverable":true,"deaf":)", state.deaf, R"(,"channel_id":)");
  if (state.channel == kNone)
    put(out, "null}");
  else
    put(out, '"', world.channels[state.channel].id, R"("})");
}

void put_presence(std::string& out, const User& user, Snowflake guild, std::uint64_t roll, std::int64_t now_ms) {
  constexpr std::array<std::string_view, 4> kStatus = {"online", "idle", "dnd", "offline"};
  const std::string_view status = kStatus[roll % 4];
  put(out, R"({"user":{"id":")", user.id, R"("},"status":")", status, R"(","processed_at_timestamp":)", now_ms,
      R"(,"guild_id":")", guild, R"(","client_status":{)");
  if (status != "offline") put(out, (roll & 4) != 0 ? R"("mobile":")" : R"("desktop":")", status, '"');
  put(out, R"(},"activities":[)");
  if (status != "offline" && (roll & 24) == 8) {
    put(out, R"({"type":0,"timestamps":{"start":)", now_ms - 60000, R"(},"name":"Some Game","id":"ec0b28a579ecb4bd",)",
        R"("created_at":)", now_ms, '}');
  } else if (status != "offline" && (roll & 24) == 16) {
    put(out, R"({"type":4,"state":"be right back","name":"Custom Status","id":"custom","created_at":)", now_ms, '}');
  }
  put(out, "]}");
}

void put_guild_fields(std::string& out, const World& world, const Guild& guild) {
  const auto put_first = [&](ChannelKind kind) {
    for (const std::uint32_t index : guild.channels) {
      if (world.channels[index].kind == kind) {
        put(out, '"', world.channels[index].id, '"');
        return;
      }
    }
    put(out, "null");
  };
  put(out, R"({"preferred_locale":"en-US","system_channel_flags":0,"banner":null,"rules_channel_id":null,)",
      R"("max_stage_video_channel_users":50,"vanity_url_code":null,"icon":"0d1c5a7d9b2e4f608192a3b4c5d6e7f8","stickers":[)");
  for (std::size_t i = 0; i < guild.stickers.size(); ++i) put(out, i == 0 ? "" : ",", guild.stickers[i].json);
  put(out, R"(],"nsfw":false,"home_header":null,"id":")", guild.id,
      R"(","application_id":null,"premium_tier":1,"name":)");
  put_string(out, guild.name);
  put(out, R"(,"hub_type":null,"owner_id":")", world.users[guild.owner].id,
      R"(","afk_channel_id":null,"system_channel_id":)");
  put_first(ChannelKind::kText);
  put(out, R"(,"description":null,"max_video_channel_users":25,"latest_onboarding_question_id":null,)",
      R"("premium_progress_bar_enabled":false,"verification_level":1,"discovery_splash":null,"features":["COMMUNITY","NEWS"],)",
      R"("region":"deprecated","inventory_settings":null,"incidents_data":null,"explicit_content_filter":2,)",
      R"("public_updates_channel_id":)");
  put_first(ChannelKind::kNews);
  put(out, R"(,"max_members":25000000,"splash":null,"afk_timeout":300,"nsfw_level":0,"mfa_level":1,)",
      R"("default_message_notifications":1,"premium_subscription_count":2,"safety_alerts_channel_id":null,)",
      R"("premium_features":null,"widget_enabled":false,"widget_channel_id":null,"roles":[)");
  for (std::size_t i = 0; i < guild.roles.size(); ++i) put(out, i == 0 ? "" : ",", guild.roles[i].json);
  put(out, R"(],"emojis":[)");
  for (std::size_t i = 0; i < guild.emojis.size(); ++i) put(out, i == 0 ? "" : ",", guild.emojis[i].json);
  put(out, ']');
}

void put_guild(std::string& out, const World& world, const Guild& guild) {
  put_guild_fields(out, world, guild);
  put(out, R"(,"approximate_member_count":)", guild.count(), R"(,"approximate_presence_count":)",
      guild.members.size() / 2, '}');
}

void put_guild_create(std::string& out, const World& world, const Guild& guild, const Audience& audience) {
  put_guild_fields(out, world, guild);
  const std::uint64_t count = guild.count();
  const bool large = count > audience.large_threshold;
  put(out,
      R"(,"embedded_activities":[],"activity_instances":[],"application_command_counts":{},"guild_scheduled_events":[)");
  if (const auto found = world.scheduled_events.find(guild.id); found != world.scheduled_events.end()) {
    bool comma = false;
    for (const ScheduledEvent& event : found->second) {
      if (event.over()) continue;
      put(out, comma ? "," : "", boost::json::serialize(scheduled_event_object(world, guild, event)));
      comma = true;
    }
  }
  put(out, R"(],"version":1766000000000,"unavailable":false,"lazy":true,"large":)", large, R"(,"member_count":)", count,
      R"(,"joined_at":")");
  put_time(out, guild.joined_ms);
  put(out, R"(","soundboard_sounds":)");
  put_soundboard(out, guild);
  put(out, R"(,"stage_instances":[)");
  for (const std::uint32_t index : guild.voice) {
    if (world.channels[index].kind != ChannelKind::kStage) continue;
    put(out, R"({"topic":"open stage","privacy_level":2,"invite_code":null,"id":")", world.channels[index].id + 2,
        R"(","guild_id":")", guild.id, R"(","discoverable_disabled":true,"channel_id":")", world.channels[index].id,
        R"("})");
    break;
  }
  put(out, R"(],"channels":[)");
  for (std::size_t i = 0; i < guild.channels.size(); ++i) {
    if (i > 0) out.push_back(',');
    put_channel(out, world, guild.channels[i], false);
  }
  put(out, R"(],"threads":)");
  put_threads(out, world, guild, true);

  // Who is included is Discord's rule: without presences only the bot and people in voice, otherwise everybody in
  // small servers and those online in large ones.
  put(out, R"(,"members":[)");
  put_member(out, world.self, guild.self_member);
  std::string presences;
  const bool listed = audience.presences && count <= 75'000;
  for (std::size_t i = 0; i < guild.members.size(); ++i) {
    const Member& member = guild.members[i];
    const bool online = i % 4 != 3;
    bool wanted = listed && (!large || online);
    if (!wanted) {
      for (const VoiceState& state : guild.voice_states) wanted = wanted || state.user == member.user;
    }
    if (!wanted) continue;
    out.push_back(',');
    put_member(out, world.users[member.user], member.json);
    if (listed && online) {
      if (!presences.empty()) presences.push_back(',');
      put_presence(presences, world.users[member.user], guild.id, (i % 3) | ((i % 5) << 3), world.start_ms);
    }
  }
  put(out, R"(],"voice_states":[)");
  for (std::size_t i = 0; i < guild.voice_states.size(); ++i) {
    if (i > 0) out.push_back(',');
    put_voice_state(out, world, guild, guild.voice_states[i], false);
  }
  put(out, R"(],"presences":[)", presences, "]}");
}

}  // namespace trellis::sim
