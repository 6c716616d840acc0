// One gateway session: what it may see, what it was sent, and how far its connection has read.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "render.hpp"
#include "replay_log.hpp"

namespace trellis::sim {

class Peer;
class Stream;

struct ShardKey {
  std::uint32_t id = 0;
  std::uint32_t count = 1;
  auto operator<=>(const ShardKey&) const = default;
};

struct Session {
  explicit Session(std::uint64_t replay_limit) : log(replay_limit) {}

  std::string id;
  std::string token;
  ShardKey shard;
  std::uint64_t intents = 0;
  Audience audience;
  bool zlib_payloads = false;  ///< IDENTIFY asked for `compress`; without effect on a compressed transport
  Stream* stream = nullptr;
  ReplayLog log;
  std::uint64_t cursor = 1;              ///< next sequence number the attached connection gets
  Peer* peer = nullptr;                  ///< null while away
  bool resuming = false;                 ///< RESUMED is due once the cursor has caught up
  std::vector<std::uint32_t> backfill;   ///< servers whose GUILD_CREATE is still to come, last one first
  std::int64_t next_guild_ms = 0;        ///< not before it comes the next of them
  std::deque<std::int64_t> presence_ms;  ///< when the presence was changed lately
  std::string presence;                  ///< the last one set, JSON
  std::int64_t away_since_ms = 0;
  std::uint64_t away_from = 0;  ///< last_seq when the connection went
  std::uint64_t resumes = 0;
  std::uint64_t heartbeats = 0;

  void append(std::string_view type, std::string_view d, std::int64_t now_ms) { log.append(type, d, now_ms); }
  std::uint64_t waiting() const { return log.last_seq() + 1 - cursor; }
};

}  // namespace trellis::sim
