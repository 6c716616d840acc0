// Reads what the cache keeps out of the JSON of a dispatch.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/cache.hpp"

namespace trellis::host {

/// Fields that were there and readable. Texts live until the parser's next call.
struct ChannelFields {
  std::uint64_t id = 0, guild = 0;
  std::optional<std::uint64_t> parent, last_message;
  std::optional<std::uint32_t> type;
  std::optional<bool> nsfw;
  std::optional<std::string_view> name;
  bool archived = false;
  void put_into(CachedChannel&) const;
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
  std::optional<std::string_view> name, icon;
  bool unavailable = false;
  bool has_channels = false, has_threads = false, has_voice_states = false;
  std::vector<ChannelFields> channels;    // and threads; by id, each once
  std::vector<VoiceFields> voice_states;  // by user, each once
};

struct ThreadListFields {
  std::uint64_t guild = 0;
  bool whole_guild = true;             // else only threads of `parents`
  std::vector<std::uint64_t> parents;  // ordered
  bool has_threads = false;
  std::vector<ChannelFields> threads;  // by id
};

/// [one thread at a time] Nothing is returned when the text is no JSON object or breaks off.
class EventParser {
 public:
  EventParser();
  ~EventParser();

  std::optional<GuildFields> guild(std::string_view json, bool voice_states);
  std::optional<ChannelFields> channel(std::string_view json);
  std::optional<ThreadListFields> thread_list(std::string_view json);
  std::optional<VoiceFields> voice_state(std::string_view json);
  /// Ids of READY's "guilds", ordered; nothing when there is no such list.
  std::optional<std::vector<std::uint64_t>> ready(std::string_view json);
  /// "guild_id"; 0 when it cannot be read.
  std::uint64_t guild_id(std::string_view json);

 private:
  struct Json;
  std::unique_ptr<Json> json_;
};

}  // namespace trellis::host
