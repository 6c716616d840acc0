// Reads what the cache keeps out of the JSON of a dispatch.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/member_table.hpp"
#include "cache/objects.hpp"

namespace trellis::host {

/// Fields that were there and readable. Texts and lists of roles live until the parser's next call.
struct ChannelFields {
  std::uint64_t id = 0, guild = 0;
  std::optional<std::uint64_t> parent, last_message;
  std::optional<std::uint32_t> type, slow_mode_s;
  std::optional<std::int32_t> position;
  std::optional<bool> nsfw;
  std::optional<std::string_view> name, topic;
  std::optional<std::vector<tl_overwrite>> overwrites;  // by id, each once
  bool archived = false;
  void put_into(CachedChannel&) const;
};

struct RoleFields {
  std::uint64_t id = 0;
  std::optional<std::uint64_t> permissions;
  std::optional<std::uint32_t> color;
  std::optional<std::int32_t> position;
  std::optional<bool> hoist, managed, mentionable;
  std::optional<std::string_view> name;
  void put_into(CachedRole&) const;
};
struct RoleEvent {
  std::uint64_t guild = 0;
  RoleFields role;
};

struct VoiceFields {
  std::uint64_t user = 0, guild = 0, channel = 0;
  bool mute = false, deaf = false, self_mute = false, self_deaf = false, streaming = false;
  std::optional<bool> bot;
  std::optional<std::string_view> username;
  void put_into(CachedVoiceState&) const;
};

struct GuildFields {
  std::uint64_t id = 0;
  std::optional<std::uint64_t> owner, system_channel;
  std::optional<std::int64_t> member_count;
  std::optional<std::uint32_t> mfa_level, verification_level, premium_tier;
  std::optional<std::string_view> name, icon;
  bool unavailable = false;
  bool has_channels = false, has_threads = false, has_roles = false, has_voice_states = false, has_members = false;
  std::vector<ChannelFields> channels;    // and threads; by id, each once
  std::vector<RoleFields> roles;          // by id, each once
  std::vector<VoiceFields> voice_states;  // by user, each once
  std::vector<MemberFields> members;      // by user, each once
  std::vector<MemberFields> presences;    // by user, each once
  void put_into(CachedGuild&) const;      // what is no list
};

struct ThreadListFields {
  std::uint64_t guild = 0;
  bool whole_guild = true;             // else only threads of `parents`
  std::vector<std::uint64_t> parents;  // ordered
  bool has_threads = false;
  std::vector<ChannelFields> threads;  // by id
};

struct PeopleFields {
  std::uint64_t guild = 0;
  std::vector<MemberFields> members, presences;  // by user, each once
};

struct ReadyFields {
  std::uint64_t self = 0;
  std::vector<std::uint64_t> guilds;  // ordered
};

/// [one thread at a time] Nothing is returned when the text is no JSON object or breaks off.
class EventParser {
 public:
  EventParser();
  ~EventParser();

  struct Wanted {
    bool voice_states = false, members = false, presences = false;
  };
  std::optional<GuildFields> guild(std::string_view json, Wanted);
  std::optional<ChannelFields> channel(std::string_view json);
  std::optional<ThreadListFields> thread_list(std::string_view json);
  std::optional<VoiceFields> voice_state(std::string_view json);
  /// GUILD_ROLE_CREATE, _UPDATE, _DELETE
  std::optional<RoleEvent> role(std::string_view json);
  /// GUILD_MEMBER_ADD, _UPDATE, _REMOVE
  std::optional<MemberFields> member(std::string_view json);
  std::optional<MemberFields> presence(std::string_view json);
  /// GUILD_MEMBERS_CHUNK
  std::optional<PeopleFields> members_chunk(std::string_view json);
  /// Nothing, too, when READY has no list of guilds.
  std::optional<ReadyFields> ready(std::string_view json);
  /// "guild_id"; 0 when it cannot be read.
  std::uint64_t guild_id(std::string_view json);

 private:
  struct Json;
  std::unique_ptr<Json> json_;
};

}  // namespace trellis::host
