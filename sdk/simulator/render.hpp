// Discord's objects as JSON text, in the key order of the real wire and with every field it sends.
#pragma once

#include <cstdint>
#include <string>

#include "world.hpp"

namespace trellis::sim {

/// Everything a message is made of; the same value always renders the same message.
struct Message {
  enum class Author : std::uint8_t { kPerson, kBot, kWebhook, kDirect };

  Snowflake id = 0;
  std::int64_t time_ms = 0;
  std::uint32_t guild = kNone;  ///< kNone: a direct message
  std::uint32_t channel = kNone;
  std::uint32_t user = 0;
  std::uint32_t member = kNone;  ///< place among the server's members when it was written
  Author author = Author::kPerson;
  std::uint16_t content = 0;
  std::uint64_t salt = 0;  ///< decides mentions, attachments, embeds
  Snowflake reply_to = 0;  ///< 0: no reply
  std::uint32_t reply_user = 0;
  std::uint16_t reply_content = 0;
};

/// The `d` of MESSAGE_CREATE, or of MESSAGE_UPDATE when `edited_ms` is not 0. Without `with_content` the fields that
/// need MESSAGE_CONTENT are empty.
void put_message(std::string& out, const World& world, const Message& message, bool with_content,
                 std::int64_t edited_ms = 0);

/// Channel or thread object. `with_guild` adds `guild_id`, which GUILD_CREATE leaves out.
void put_channel(std::string& out, const World& world, std::uint32_t channel, bool with_guild);

/// Member object including `user`.
void put_member(std::string& out, const User& user, std::string_view member_json);

/// The fields of a guild object, opened but not closed: `{"...":...`
void put_guild_fields(std::string& out, const World& world, const Guild& guild);

struct Audience {
  bool presences = false;
  std::uint32_t large_threshold = 50;
};

/// The `d` of GUILD_CREATE for a session with these intents.
void put_guild_create(std::string& out, const World& world, const Guild& guild, const Audience& audience);

/// The REST guild object.
void put_guild(std::string& out, const World& world, const Guild& guild);

/// Voice state; `channel` kNone means disconnected. `with_guild` adds guild_id and member.
void put_voice_state(std::string& out, const World& world, const Guild& guild, const VoiceState& state,
                     bool with_guild);

/// Presence of a user; `roll` decides status and activity.
void put_presence(std::string& out, const User& user, Snowflake guild, std::uint64_t roll, std::int64_t now_ms);

void put_soundboard(std::string& out, const Guild& guild);
void put_threads(std::string& out, const World& world, const Guild& guild, bool with_guild);

}  // namespace trellis::sim
