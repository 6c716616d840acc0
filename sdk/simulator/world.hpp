// The made-up Discord: servers, channels, people, and who is where. Everything follows from the seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "clock.hpp"
#include "messages.hpp"
#include "options.hpp"
#include "random.hpp"
#include "scheduled_events.hpp"

namespace trellis::sim {

inline constexpr std::uint32_t kNone = UINT32_MAX;

enum class ChannelKind : std::uint8_t {
  kText = 0,
  kVoice = 2,
  kCategory = 4,
  kNews = 5,
  kNewsThread = 10,
  kPublicThread = 11,
  kPrivateThread = 12,
  kStage = 13,
  kForum = 15,
  kMedia = 16,
};

constexpr bool is_thread(ChannelKind kind) {
  return kind == ChannelKind::kNewsThread || kind == ChannelKind::kPublicThread || kind == ChannelKind::kPrivateThread;
}

/// An account. `json` is the user object, ready to be put into any payload.
struct User {
  Snowflake id = 0;
  bool bot = false;
  std::string json;
};

/// A user's membership of one server. `json` is the member object without `user`.
struct Member {
  std::uint32_t user = 0;
  std::string json;
};

struct Channel {
  Snowflake id = 0;
  ChannelKind kind = ChannelKind::kText;
  std::uint32_t guild = 0;
  std::uint32_t parent = kNone;  ///< index of the category, or of a thread's channel
  std::uint32_t position = 0;
  std::uint32_t owner = kNone;  ///< user who made the thread; kNone: the bot
  std::string name;
  Snowflake last_message = 0;
  std::int64_t created_ms = 0;
  std::shared_ptr<const boost::json::object> changes;  ///< fields that differ from what the above makes; null: none
};

struct Role {
  Snowflake id = 0;
  bool managed = false;  ///< the bot's own
  std::string json;
};

struct Emoji {
  Snowflake id = 0;
  std::string name;
  std::string json;
};

/// Of the soundboard; `json` with `user_id` instead of `user`.
struct Sound {
  Snowflake id = 0;
  std::string name;
  std::string json;
};

struct Sticker {
  Snowflake id = 0;
  std::string name;
  std::string json;
};

struct VoiceState {
  std::uint32_t user = 0;
  std::uint32_t channel = 0;
  bool self_mute = false;
  bool self_deaf = false;
  bool mute = false;  ///< by the server
  bool deaf = false;
  std::string session;
};

struct Guild {
  Snowflake id = 0;
  std::string name;
  std::uint32_t owner = 0;  ///< user
  std::vector<Role> roles;  ///< the first is @everyone
  std::vector<Emoji> emojis;
  std::vector<Sound> sounds;
  std::vector<Sticker> stickers;
  std::vector<std::uint32_t> channels;  ///< without threads
  std::vector<std::uint32_t> threads;
  std::vector<std::uint32_t> writable;  ///< where messages are written: text, news, voice, stage, threads
  std::vector<std::uint32_t> voice;
  std::string self_member;      ///< membership of the bot that logs in, without `user`
  std::vector<Member> members;  ///< the bots first; they never leave
  std::vector<VoiceState> voice_states;
  Snowflake webhook = 0;
  std::int64_t joined_ms = 0;
  bool unavailable = false;
  std::int64_t injected_members = 0;  ///< joins minus leaves that came through /_sim/send

  /// Members including the bot that logs in.
  std::uint64_t count() const {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(members.size()) + 1 + injected_members);
  }
};

class World {
 public:
  explicit World(const Options& options);

  const Options& options;
  User self;  ///< the bot that logs in; also its application's id
  std::vector<User> users;
  std::vector<Guild> guilds;
  std::vector<Channel> channels;
  MessageStore messages;
  std::map<Snowflake, std::vector<ScheduledEvent>> scheduled_events;  ///< by server
  std::vector<std::string> contents;                                  ///< message texts, JSON-escaped, without quotes
  std::int64_t start_ms = 0;                                          ///< earliest time of the stream
  std::int64_t span_ms = 0;                                           ///< 0: real time

  /// Adds an account and returns its index.
  std::uint32_t add_user(Random& random, bool bot, Snowflake id);
  /// Member object of `user` in the server, with its roles rolled anew.
  std::string member_json(Random& random, const Guild& guild, std::int64_t joined_ms, bool with_nick) const;
  std::uint32_t add_thread(Random& random, std::uint32_t guild, Snowflake id, std::int64_t created_ms);

  std::uint32_t add_channel(std::uint32_t guild, ChannelKind kind, std::uint32_t parent, std::string name, Snowflake id,
                            std::int64_t created_ms);
  void remove_channel(std::uint32_t channel);
  void remove_member(Guild& guild, std::uint32_t user);
  /// Is it a channel that its server cannot lose?
  bool needed(std::uint32_t channel) const;

  std::uint32_t index_of(const Channel& channel) const;
  /// kNone for the bot itself.
  std::uint32_t index_of(const User& user) const;
  const Guild* find_guild(Snowflake id) const;
  Guild* find_guild(Snowflake id);
  const Channel* find_channel(Snowflake id) const;
  const User* find_user(Snowflake id) const;
  /// The membership of `user`, or null.
  const Member* find_member(const Guild& guild, std::uint32_t user) const;

  static std::uint32_t shard_of(Snowflake guild, std::uint32_t count) {
    return static_cast<std::uint32_t>((guild >> 22) % count);
  }

 private:
  Snowflake new_id(std::int64_t created_ms) { return snowflake_at(created_ms) | (++ids_ & 0x3FFFFF); }
  void build_guild(Random& random, std::uint32_t index);
  void build_contents(Random& random);

  std::uint64_t ids_ = 0;
  std::unordered_map<Snowflake, std::uint32_t> guild_index_;
  std::unordered_map<Snowflake, std::uint32_t> channel_index_;
  std::unordered_map<Snowflake, std::uint32_t> user_index_;
};

}  // namespace trellis::sim
