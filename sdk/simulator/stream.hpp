// The life of one shard's servers as a stream of events, each given to every session of that shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "random.hpp"
#include "render.hpp"
#include "session.hpp"
#include "truth.hpp"

namespace trellis::sim {

/// Messages prepared before anybody connects, repeated with fresh ids.
struct BlastFrame {
  Message message;
  std::string with_content;
  std::string without_content;
  std::size_t id_in_content = 0;  ///< where the id's digits lie
  std::size_t id_in_bare = 0;
  std::int64_t day = 0;
};

class Stream {
 public:
  Stream(World& world, Truth& truth, ShardKey shard);

  ShardKey shard() const { return shard_; }
  const std::vector<std::uint32_t>& guilds() const { return guilds_; }
  std::vector<Session*> sessions;

  /// Lets time pass: at a fixed rate this is what permits messages.
  void advance(double seconds);

  /// Makes events until about `bytes` of them are made, the rate or the total is reached, or nobody wants any.
  /// Returns true if at least one was given to a session.
  bool produce(std::size_t bytes, std::int64_t now_ms);

  bool finished() const { return options_.total > 0 && made_ >= quota_; }
  std::uint64_t made() const { return made_; }
  std::uint64_t quota() const { return quota_; }
  bool blasting() const { return !blast_.empty(); }

  /// Messages sent lately that were not deleted; those with id 0 are empty places.
  const std::vector<Message>& recent() const { return recent_; }
  /// Deleted by somebody else: no edits and reactions follow. `id` 0 means all of the channel.
  void forget(std::uint32_t channel, Snowflake id);

  /// The n-th message of a blast from here, as it would be sent now: for compressing ahead.
  void put_blast_ahead(std::string& out, const Session& session, std::uint64_t ahead) const;
  /// Gives the next `count` blast messages to the sessions.
  void send_blast(std::uint64_t count, std::int64_t now_ms);

 private:
  bool step(std::int64_t now_ms);
  bool wanted(std::uint64_t intents) const;
  template <class Render>
  bool emit(std::string_view type, std::uint64_t intents, std::int64_t now_ms, Render&& render);
  Message next_message(std::uint64_t number, std::uint64_t of);
  bool send_message(const Message& message, std::int64_t edited_ms, std::int64_t now_ms);
  bool create_message(std::int64_t now_ms);
  bool change_voice(std::int64_t now_ms);
  bool join(std::int64_t now_ms);
  bool leave(std::int64_t now_ms);
  bool other(std::int64_t now_ms);
  void build_blast();
  Guild& any_guild() { return world_.guilds[guilds_[random_.below(guilds_.size())]]; }
  const Member& any_member(const Guild& guild) { return guild.members[random_.below(guild.members.size())]; }
  Message* any_recent();
  /// The low 21 bits of an id: they keep apart what different streams make in the same millisecond.
  std::uint64_t low_bits(std::uint64_t number) const {
    return ((shard_.count - 1 + shard_.id) & 15ULL) << 17 | ((number + shard_.id * 7919ULL) & 0x1FFFF);
  }
  /// Ids of what is born in this stream; they must not depend on how far other streams are.
  Snowflake new_id(std::int64_t created_ms) { return snowflake_at(created_ms) | 1ULL << 21 | low_bits(++born_); }

  World& world_;
  Truth& truth_;
  const Options& options_;
  ShardKey shard_;
  std::vector<std::uint32_t> guilds_;
  Random random_;
  std::vector<double> weights_;  ///< running sums, one per kind of event
  std::uint64_t quota_ = 0;      ///< messages of this shard; 0: no end
  std::uint64_t made_ = 0;
  std::uint64_t born_ = 0;
  double share_ = 1;
  double allowance_ = 0;
  std::int64_t now_in_stream_ = 0;
  std::vector<Message> recent_;
  std::size_t recent_next_ = 0;
  std::vector<std::uint32_t> last_of_channel_;  ///< place in recent_ + 1
  std::string scratch_;
  std::size_t bytes_ = 0;
  std::uint64_t& message_creates_;
  std::vector<BlastFrame> blast_;
};

}  // namespace trellis::sim
