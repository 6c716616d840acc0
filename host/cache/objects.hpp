// What the cache knows of servers, channels, roles and members: versions that never change.
#pragma once
#include <trellis/abi.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "journal/position.hpp"

namespace trellis::host {

class MemberTable;

struct CachedRole {
  std::uint64_t id = 0, guild = 0, permissions = 0;
  std::uint32_t color = 0;  // 0xRRGGBB; 0: none
  std::int32_t position = 0;
  bool hoist = false, managed = false, mentionable = false;
  Position gone;  // when it was deleted; {0} = it is there
  std::string name;
  bool operator==(const CachedRole&) const = default;
};

struct CachedChannel {
  std::uint64_t id = 0, guild = 0, parent = 0, last_message = 0;
  std::uint32_t type = 0;
  std::int32_t position = 0;
  std::uint32_t slow_mode_s = 0;  // between two messages of one user
  bool nsfw = false;
  Position gone;  // when it was deleted or, a thread, archived; {0} = it is there
  std::string name, topic;
  std::vector<tl_overwrite> overwrites;  // by id
};

struct CachedVoiceState {
  std::uint64_t user = 0, channel = 0;
  bool bot = false, muted = false, deafened = false, streaming = false;
  std::string username;
};

/// The bot's own member of a server.
struct CachedSelf {
  std::vector<std::uint64_t> roles;  // ordered
  std::int64_t joined_us = 0, premium_since_us = 0, timed_out_until_us = 0;
  std::string username, global_name, nick, avatar;
  bool pending = false, deaf = false, mute = false;
  bool operator==(const CachedSelf&) const = default;
};

/// What is known of a member. Texts and roles live as long as the version of the guild they were read from.
struct MemberView {
  std::uint64_t user = 0;
  std::int64_t joined_us = 0, premium_since_us = 0, timed_out_until_us = 0;
  std::string_view username, global_name, nick;
  std::string avatar;
  std::span<const std::uint64_t> roles;  // ordered, without @everyone
  bool bot = false, pending = false, deaf = false, mute = false;
};

/// tl_presence's numbers.
struct CachedPresence {
  std::uint8_t status = 0, desktop = 0, mobile = 0, web = 0;
  bool operator==(const CachedPresence&) const = default;
};

using ChannelPtr = std::shared_ptr<const CachedChannel>;
using ChannelList = std::vector<ChannelPtr>;
using RolePtr = std::shared_ptr<const CachedRole>;
using RoleList = std::vector<RolePtr>;
using VoiceList = std::vector<CachedVoiceState>;

/// One immutable version of a guild; parts that did not change are shared between versions. Vectors are ordered by id.
struct CachedGuild {
  std::uint64_t id = 0, owner = 0, system_channel = 0;
  std::int64_t member_count = 0;
  std::uint32_t mfa_level = 0, verification_level = 0, premium_tier = 0;
  bool unavailable = false;         // an outage: the rest is what was known before
  bool cold = false;                // nothing is known of it yet but what events said since a RESUME without a snapshot
  bool voice_states_known = false;  // false: Discord tells those of the past only in a new session
  Position gone;                    // when the bot left it; {0} = it is there
  std::string name, icon;
  std::shared_ptr<const ChannelList> channels;  // and threads
  std::shared_ptr<const RoleList> roles;
  std::shared_ptr<const VoiceList> voice_states;
  std::shared_ptr<const CachedSelf> self;      // null: not known
  std::shared_ptr<const MemberTable> members;  // those Discord showed; empty unless a plugin needs them
};
using GuildPtr = std::shared_ptr<const CachedGuild>;

/// Announcement, public and private threads.
constexpr bool is_thread(std::uint32_t type) { return type >= 10 && type <= 12; }

/// In a list ordered by id; null: it is not in it.
template <class Ptr>
Ptr find_by_id(const std::vector<Ptr>& list, std::uint64_t id) {
  std::size_t low = 0, high = list.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (list[middle]->id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < list.size() && list[low]->id == id ? list[low] : nullptr;
}

}  // namespace trellis::host
