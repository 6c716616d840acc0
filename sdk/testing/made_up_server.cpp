#include "made_up_server.hpp"

#include <fmt/chrono.h>

#include <boost/json/array.hpp>

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::int64_t kDiscordEpochMs = 1'420'070'400'000;
constexpr std::int64_t kMembers = 25;
constexpr std::uint64_t kMemberRole = 400, kModeratorRole = 401, kBotRole = 402;
// View, send, embed, attach, read the history, react, connect, speak, use voice activity, threads.
constexpr std::uint64_t kEveryoneMay = 1ull << 6 | 1ull << 10 | 1ull << 11 | 1ull << 14 | 1ull << 15 | 1ull << 16 |
                                       1ull << 20 | 1ull << 21 | 1ull << 25 | 1ull << 35 | 1ull << 38;
// Kick, manage messages, time out.
constexpr std::uint64_t kModeratorsMay = 1ull << 1 | 1ull << 13 | 1ull << 40;
// Manage channels, messages, nicknames, roles and webhooks.
constexpr std::uint64_t kBotMay = 1ull << 4 | 1ull << 13 | 1ull << 27 | 1ull << 28 | 1ull << 29;

std::string text(std::uint64_t id) { return std::to_string(id); }

std::string time_text(std::int64_t us) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+00:00", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)),
                     us % 1'000'000);
}

json::object user(std::uint64_t id) {
  static constexpr struct {
    std::uint64_t id;
    const char* name;
  } kNames[] = {{2, "Trellis"}, {7, "Ada"}, {8, "Brian"}, {9, "Chen"}, {10, "Dora"}};
  std::string name = "User " + text(id);
  for (const auto& known : kNames)
    if (known.id == id) name = known.name;
  json::object user{
      {"id", text(id)}, {"username", name}, {"global_name", name}, {"discriminator", "0"}, {"avatar", nullptr}};
  if (id == kMadeUpBot) user["bot"] = true;
  return user;
}

/// Ada owns the server, Brian moderates it, the bot has a role that may manage what is below it.
json::object member(std::uint64_t id) {
  json::array roles;
  if (id == kMadeUpBot) roles.emplace_back(text(kBotRole));
  if (id == 8) roles.emplace_back(text(kModeratorRole));
  json::object member{{"nick", nullptr},
                      {"roles", std::move(roles)},
                      {"joined_at", "2024-01-01T00:00:00.000000+00:00"},
                      {"deaf", false},
                      {"mute", false},
                      {"flags", 0}};
  if (id) member["user"] = user(id);
  return member;
}

json::object role(std::uint64_t id, const char* name, int position, std::uint64_t permissions, bool managed) {
  return {{"id", text(id)}, {"name", name},       {"color", 0},           {"position", position},
          {"hoist", false}, {"managed", managed}, {"mentionable", false}, {"permissions", text(permissions)}};
}

json::object channel(std::uint64_t id, int type, const char* name, int position) {
  return {{"id", text(id)},
          {"type", type},
          {"name", name},
          {"position", position},
          {"parent_id", nullptr},
          {"nsfw", false},
          {"topic", nullptr},
          {"rate_limit_per_user", 0},
          {"permission_overwrites", json::array()},
          {"last_message_id", nullptr}};
}

}  // namespace

std::uint64_t MadeUpIds::next(std::int64_t now_us) {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now_us / 1000 - kDiscordEpochMs, 0));
  last_ = std::max(ms << 22, last_ + 1);
  return last_;
}

json::object made_up_ready() {
  return {{"v", 10},
          {"user", user(kMadeUpBot)},
          {"guilds", json::array{json::object{{"id", text(kMadeUpServer)}, {"unavailable", true}}}},
          {"session_id", "0123456789abcdef0123456789abcdef"},
          {"resume_gateway_url", "wss://gateway.invalid"},
          {"application", json::object{{"id", text(kMadeUpBot)}, {"flags", 0}}}};
}

json::object made_up_guild(std::int64_t now_us) {
  constexpr int kText = 0, kVoice = 2, kPublicThread = 11;
  json::object thread = channel(300, kPublicThread, "a thread", 0);
  thread["parent_id"] = "100";
  thread["guild_id"] = text(kMadeUpServer);
  thread["owner_id"] = "7";
  thread["member_count"] = 2;
  thread["message_count"] = 0;
  thread["thread_metadata"] = json::object{{"archived", false},
                                           {"auto_archive_duration", 1440},
                                           {"locked", false},
                                           {"archive_timestamp", time_text(now_us)}};
  return {{"id", text(kMadeUpServer)},
          {"name", "Test Server"},
          {"icon", nullptr},
          {"owner_id", "7"},
          {"system_channel_id", "100"},
          {"joined_at", time_text(now_us)},
          {"large", false},
          {"unavailable", false},
          {"member_count", kMembers},
          {"channels", json::array{channel(100, kText, "general", 0), channel(101, kText, "random", 1),
                                   channel(200, kVoice, "Lounge", 2), channel(201, kVoice, "Stage", 3)}},
          {"threads", json::array{std::move(thread)}},
          {"members", json::array{member(kMadeUpBot), member(7), member(8), member(9), member(10)}},
          {"voice_states", json::array()},
          {"presences", json::array()},
          {"roles", json::array{role(kMadeUpServer, "@everyone", 0, kEveryoneMay, false),
                                role(kMemberRole, "Member", 1, 0, false),
                                role(kModeratorRole, "Moderator", 3, kModeratorsMay, false),
                                role(kBotRole, "Trellis", 2, kBotMay, true)}},
          {"emojis", json::array()},
          {"features", json::array()}};
}

json::object made_up_message(std::uint64_t id, std::uint64_t guild, std::uint64_t channel, std::uint64_t author,
                             std::string_view content, std::int64_t now_us) {
  return {{"id", text(id)},
          {"channel_id", text(channel)},
          {"guild_id", text(guild)},
          {"author", user(author)},
          {"member", member(0)},
          {"content", json::string_view(content.data(), content.size())},
          {"timestamp", time_text(now_us)},
          {"edited_timestamp", nullptr},
          {"tts", false},
          {"mention_everyone", false},
          {"mentions", json::array()},
          {"mention_roles", json::array()},
          {"attachments", json::array()},
          {"embeds", json::array()},
          {"pinned", false},
          {"type", 0},
          {"flags", 0}};
}

json::object made_up_voice_state(std::uint64_t guild, std::uint64_t channel, std::uint64_t who) {
  json::object state{{"guild_id", text(guild)},
                     {"channel_id", nullptr},
                     {"user_id", text(who)},
                     {"member", member(who)},
                     {"session_id", "voice-" + text(who)},
                     {"deaf", false},
                     {"mute", false},
                     {"self_deaf", false},
                     {"self_mute", false},
                     {"self_video", false},
                     {"suppress", false},
                     {"request_to_speak_timestamp", nullptr}};
  if (channel) state["channel_id"] = text(channel);
  return state;
}

}  // namespace trellis::host
