// Discord as it is now: guilds, channels, threads, member counts, voice states. Fed by the shards, read by everybody.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal.hpp"
#include "journal/position.hpp"

namespace trellis::host {

struct CachedChannel {
  std::uint64_t id = 0, guild = 0, parent = 0, last_message = 0;
  std::uint32_t type = 0;
  bool nsfw = false;
  Position gone;  // when it was deleted or, a thread, archived; {0} = it is there
  std::string name;
};
struct CachedVoiceState {
  std::uint64_t user = 0, channel = 0;
  bool bot = false, muted = false, deafened = false, streaming = false;
  std::string username;
};

/// One immutable version of a guild; parts that did not change are shared between versions. Vectors are ordered by id.
struct CachedGuild {
  std::uint64_t id = 0, owner = 0, system_channel = 0;
  std::int64_t member_count = 0;
  bool unavailable = false;  // an outage: the rest is what was known before
  Position gone;             // when the bot left it; {0} = it is there
  std::string name, icon;
  std::shared_ptr<const std::vector<std::shared_ptr<const CachedChannel>>> channels;  // and threads
  std::shared_ptr<const std::vector<CachedVoiceState>> voice_states;
};
using GuildPtr = std::shared_ptr<const CachedGuild>;

class Cache {
 public:
  Cache();
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  /// [the shard's thread; at start: the thread that replays] Applies a dispatch, before readers of the journal can see
  /// it. What the cache does not care about costs one comparison. A malformed or surprising payload changes nothing it
  /// cannot read and never throws. Positions that the stream has passed are ignored, so replaying is harmless.
  void apply(Stream, const Record&);

  /// Dispatch names the cache needs whatever the plugins want (event_type numbers); all belong to the GUILDS intent
  /// unless voice states or member events are needed by a plugin. True for them in apply().
  bool wants(std::uint32_t type) const;
  /// [before the first shard starts] Voice states and member counts between GUILD_CREATEs are kept only when a plugin
  /// needs them.
  void keep_voice_states(bool);
  void keep_member_counts(bool);

  // ---- [any thread] ----
  GuildPtr guild(std::uint64_t id) const;                                // null when unknown
  std::shared_ptr<const CachedChannel> channel(std::uint64_t id) const;  // channels and threads of all guilds
  std::vector<GuildPtr> guilds() const;                                  // ordered by id, gone ones included
  /// True when every guild that READY named for the stream has been seen (or was reported unavailable or left), or a
  /// snapshot was caught up.
  bool whole(Stream) const;
  /// How many guilds that READY named have not been heard of.
  std::size_t guilds_awaited(Stream) const;
  /// [the shard's thread] They are in an outage: unavailable, and the stream is whole without them.
  void stop_awaiting_guilds(Stream);
  /// Called on the shard's thread when a stream becomes whole.
  void on_whole(std::function<void(Stream)>);
  /// All lanes have passed this position of the stream: what was deleted before it may be forgotten.
  void forget_gone(Stream, Position passed);

  struct Stats {
    std::size_t guilds = 0, channels = 0, voice_states = 0;
    std::int64_t members = 0;
  };
  Stats stats() const;

  // ---- snapshots: one file per stream in the folder, written aside and renamed ----

  /// [any thread] Writes the stream's guilds with the position they stand at. Throws std::system_error.
  void save(Stream, const std::filesystem::path& folder) const;
  /// [at start] Loads the stream's snapshot. The position to read the journal after; {0} when there is none or it
  /// cannot be used (reason in `why`).
  Position load(Stream, const std::filesystem::path& folder, std::string& why);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::host
