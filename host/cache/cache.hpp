// Discord as it is now: guilds, channels, threads, roles, voice states, members. Fed by the shards, read by everybody.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/member_table.hpp"
#include "cache/objects.hpp"
#include "journal/journal.hpp"
#include "journal/position.hpp"

namespace trellis::host {

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

  /// Dispatch names the cache needs whatever the plugins want (event_type numbers). All belong to the GUILDS intent, or
  /// come without one, unless voice states, members or presences are needed by a plugin. True for them in apply().
  bool wants(std::uint32_t type) const;
  /// Voice states, and member counts between GUILD_CREATEs, are kept only when a plugin needs them. What begins to be
  /// kept while a session runs is there from the next GUILD_CREATE on.
  void keep_voice_states(bool);
  void keep_member_counts(bool);
  /// The same for members (those Discord shows) and presences.
  void keep_members(bool);
  void keep_presences(bool);

  // ---- [any thread] ----
  GuildPtr guild(std::uint64_t id) const;                                // null when unknown
  std::shared_ptr<const CachedChannel> channel(std::uint64_t id) const;  // channels and threads of all guilds
  RolePtr role(std::uint64_t id) const;                                  // of all guilds
  std::vector<GuildPtr> guilds() const;                                  // ordered by id, gone ones included
  std::uint64_t self() const;                                            // the bot's user id; 0: not known yet
  /// User 0 or self(): the bot, always known in a guild that is. Others when members are kept. Lives as long as the
  /// guild's version.
  std::optional<MemberView> member(const CachedGuild&, std::uint64_t user) const;
  /// True when every guild that READY named for the stream has been seen (or was reported unavailable or left), a
  /// snapshot was caught up, or cold guilds were refilled.
  bool whole(Stream) const;
  /// READY named this guild, and it has not been heard of yet.
  bool awaits(Stream, std::uint64_t guild) const;
  /// How many guilds that READY named have not been heard of.
  std::size_t guilds_awaited(Stream) const;
  /// [the shard's thread] They are in an outage: unavailable, and the stream is whole without them.
  void stop_awaiting_guilds(Stream);
  /// Called on the shard's thread, or on that of refilled(), when a stream becomes whole.
  void on_whole(std::function<void(Stream)>);
  /// All lanes have passed this position of the stream: what was deleted before it may be forgotten.
  void forget_gone(Stream, Position passed);

  struct Stats {
    std::size_t guilds = 0, channels = 0, roles = 0, voice_states = 0, cached_members = 0, cold_guilds = 0;
    std::int64_t members = 0;  // as counted by Discord
  };
  Stats stats() const;
  /// Memory by what it holds, allocation by allocation, without what the allocator adds.
  struct Bytes {
    std::size_t guilds = 0, channels = 0, roles = 0, voice_states = 0, members = 0;
    std::size_t sum() const { return guilds + channels + roles + voice_states + members; }
  };
  Bytes bytes() const;

  // ---- cold guilds: a session goes on, and what was known of its guilds is lost. [any thread, one at a time] ----

  /// No READY and no whole snapshot told which guilds the stream has.
  bool lacks_guilds(Stream) const;
  void set_self(std::uint64_t user);
  /// From here on events of the guild are kept, though nothing else is known of it. False: it is known.
  bool begin_refill(Stream, std::uint64_t guild);
  /// What REST answered, asked after begin_refill(), in the form of a GUILD_CREATE. What an event has told of since
  /// then stays as the event told it. False: there was a GUILD_CREATE, GUILD_DELETE or READY meanwhile, or the text
  /// cannot be read.
  bool refill(Stream, std::uint64_t guild, std::string_view json);
  /// No refill is under way any more; those that failed stay cold, as in an outage. The stream is whole.
  void refilled(Stream);

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
