// Inside of Cache: the tables, and the state of each stream.
#pragma once
#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cache/cache.hpp"
#include "journal/event_types.hpp"

namespace trellis::host {

class EventParser;

struct ChannelFields;
struct GuildFields;
struct MemberFields;
struct RoleFields;

struct Cache::Impl {
  Impl();
  ~Impl();

  enum class Action : std::uint8_t {
    None,
    Ready,
    GuildCreate,
    GuildUpdate,
    GuildDelete,
    ChannelUpsert,
    ChannelDelete,
    ThreadUpsert,
    ThreadListSync,
    RoleUpsert,
    RoleDelete,
    MemberAdd,
    MemberUpdate,
    MemberRemove,
    MembersChunk,
    Presence,
    VoiceState,
  };

  struct Gone {
    Position at;
    std::uint64_t guild = 0;
  };

  /// What events told of a guild since its refill began; older answers do not change that.
  struct Told {
    bool guild = false, self = false;
    boost::unordered_flat_set<std::uint64_t> channels, roles;
    bool all_threads = false;  // THREAD_LIST_SYNC of the whole guild
  };

  struct StreamState {
    explicit StreamState(Stream s) : stream(s) {}
    const Stream stream;
    std::atomic<std::uint64_t> applied{0};
    std::atomic<bool> whole{false};
    // Under `writing`.
    bool ready = false;
    boost::unordered_flat_set<std::uint64_t> expected;  // guilds of READY that were not heard of yet
    std::deque<Gone> gone;                              // by position: guilds with something to forget
    std::map<std::uint64_t, Told> refills;              // by guild
  };

  struct GuildSlot {
    GuildPtr guild;
    Stream stream;
  };

  // ---- what readers look at: locked for a look-up or the change of a pointer ----
  struct Stripe {
    mutable std::mutex mutex;
    boost::unordered_flat_map<std::uint64_t, GuildSlot> guilds;
    boost::unordered_flat_map<std::uint64_t, ChannelPtr> channels;
    boost::unordered_flat_map<std::uint64_t, RolePtr> roles;
  };
  static constexpr std::size_t kStripes = 16;
  // Ids are snowflakes: their low bits are a counter, mostly 0, and the bits above it a clock.
  static std::size_t stripe_of(std::uint64_t id) { return (id * 0x9e3779b97f4a7c15u) >> 60; }
  Stripe& stripe(std::uint64_t id) { return stripes[stripe_of(id)]; }
  std::array<Stripe, kStripes> stripes;

  GuildSlot find_guild(std::uint64_t id);
  ChannelPtr find_channel(std::uint64_t id);
  RolePtr find_role(std::uint64_t id);
  void publish(GuildPtr, Stream);
  void publish(ChannelPtr);
  void publish(RolePtr);
  void erase_guild(std::uint64_t id);
  void erase_channel(const CachedChannel&);
  void erase_role(const CachedRole&);

  /// The state of a stream; made when it is new.
  StreamState& state(Stream);
  std::mutex streams_mutex;
  std::map<Stream, std::unique_ptr<StreamState>> streams;
  std::array<std::atomic<StreamState*>, 64> recent{};  // by shard id

  // ---- what changes them; all under `writing`, one at a time ----
  std::mutex writing;
  std::array<Action, kEventTypesMax> actions{};
  bool keep_voice_states = false, keep_member_counts = false, keep_members = false, keep_presences = false;
  std::atomic<std::uint64_t> self{0};
  std::function<void(Stream)> on_whole;
  std::unique_ptr<EventParser> parser;

  // cache_events.cpp. True when the stream became whole.
  bool change(StreamState&, Action, const Record&);
  bool heard_of(StreamState&, std::uint64_t guild);
  void unavailable(StreamState&, std::uint64_t guild);
  bool ready(StreamState&, const Record&);
  bool guild_create(StreamState&, const Record&);
  void guild_update(StreamState&, const Record&);
  bool guild_delete(StreamState&, const Record&);
  void leave(StreamState&, const GuildPtr&, Position);
  void set_action(std::string_view name, Action);
  void set_actions();

  // cache_channels.cpp
  void channel_upsert(StreamState&, const Record&);
  void channel_delete(StreamState&, const Record&);
  void thread_list_sync(StreamState&, const Record&);
  /// The lists of a GUILD_CREATE; what is not in a list that was given is gone at that position. True: some are.
  bool merge_channels(CachedGuild&, const GuildFields&, Position, const Told*);

  // cache_roles.cpp
  void role_upsert(StreamState&, const Record&);
  void role_delete(StreamState&, const Record&);
  bool merge_roles(CachedGuild&, const GuildFields&, Position, const Told*);

  // cache_people.cpp
  void member_add(const Record&);
  void member_update(StreamState&, const Record&);
  void member_remove(const Record&);
  void members_chunk(const Record&);
  void presence(const Record&);
  void voice_state(const Record&);
  void set_self(CachedGuild&, const MemberFields&);
  void begin_people(CachedGuild&, const GuildFields&);
  void forget_people();  // those that nobody needs any more

  // cache_refill.cpp
  Told* told(StreamState&, std::uint64_t guild);

  void save(Stream, const std::filesystem::path& folder);
  Position load(Stream, const std::filesystem::path& folder, std::string& why);
};

}  // namespace trellis::host
