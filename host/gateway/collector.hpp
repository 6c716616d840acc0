// From payloads to records: the path that every event takes.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.hpp"
#include "gateway/envelope.hpp"
#include "gateway/hot_fields.hpp"
#include "gateway/shard.hpp"
#include "journal/journal.hpp"

namespace trellis::host {

/// [the shard's thread] Appends what somebody wants to the journal's batch and applies it to the cache; the caller
/// flushes. What is not a dispatch is handed back.
class Collector {
 public:
  /// Read by any thread.
  struct Counters {
    std::atomic<std::uint64_t> dispatches{0}, filtered{0}, repeats{0}, malformed{0};
    std::atomic<std::int64_t> last_dispatch_us{0};
    std::atomic<std::uint32_t> seq{0}, epoch{0};
    std::atomic<std::uint64_t> intents{0};
  };

  enum class Kind {
    Dispatch,  // collected, filtered or a repeat
    Ready,     // a new session has begun and is in the batch
    Resumed,
    Heartbeat,       // op 1: Discord wants one now
    Reconnect,       // op 7
    InvalidSession,  // op 9; number: 1 = it may be resumed
    Hello,           // op 10; number: heartbeat_interval in ms
    HeartbeatAck,    // op 11
    Unknown,         // another op, in number: to be ignored
    SeqOverflow,     // s does not fit a position: the session must end
    Broken,          // not a gateway payload
  };
  struct Taken {
    Kind kind;
    std::int64_t number = 0;
  };

  Collector(Stream, Journal&, Cache&, const GatewayFilter&, const Shard::Hooks&, std::string who);

  /// One payload of the gateway; kMessagePadding readable bytes behind it.
  Taken take(std::string_view payload, std::int64_t now_us);

  /// The session that can be resumed; none: identify.
  const std::optional<Session>& session() const { return session_; }
  void drop_session();
  /// The next session is asked for with these intents.
  void identified(std::uint64_t intents) { identified_ = intents; }
  /// Latest s received in this session, filtered ones too: for heartbeats. 0: none.
  std::uint32_t last_seq() const { return last_seq_; }

  /// What is read from now on may have waited long: it is replayed, or reading stood still.
  void behind(bool so) { behind_ = so; }
  /// Hands out the interactions that are in the log now. [after a flush]
  void hand_out_interactions();

  /// When dispatches were filtered since the last record: leaves a Skip record, so that a RESUME starts behind them.
  void note_skipped();
  /// Writes down what is collected, when it changed since the last time.
  void note_filter();
  /// When all guilds of this session have been heard of and that is not written down yet.
  void note_caught_up();

  /// Dispatches of these types go there too, wanted or not, once the cache knows what they say.
  void answers_to(std::span<const std::string_view> types,
                  std::function<void(std::string_view, std::string_view)> take);

  /// Gives back memory that large payloads took.
  void trim() { hot_fields_.trim(); }

  const Counters& counters() const { return counters_; }

 private:
  Taken dispatch(std::string_view payload, Envelope, std::int64_t now_us);
  void collect(std::string_view payload, Envelope&, std::uint32_t type, std::int64_t now_us);
  bool is_new_guild(std::uint64_t guild) const;
  void begin_session(std::string_view ready, std::int64_t now_us);

  Stream stream_;
  Journal& journal_;
  Cache& cache_;
  const GatewayFilter& filter_;
  const Shard::Hooks& hooks_;
  std::string who_;
  HotFields hot_fields_;
  EnvelopeParser envelope_parser_;
  std::optional<Session> session_;
  std::uint32_t epoch_ = 0, last_seq_ = 0, filtered_in_a_row_ = 0;
  std::uint64_t identified_ = 0;
  std::uint32_t ready_type_, resumed_type_, interaction_type_, guild_create_type_;
  std::string filter_written_;
  struct Pending {
    std::string data;
    std::int64_t received_us;
    bool behind;
  };
  std::vector<Pending> interactions_;
  bool behind_ = false;
  std::vector<std::uint32_t> answer_types_;
  std::function<void(std::string_view type, std::string_view data)> take_answer_;
  Counters counters_;
};

}  // namespace trellis::host
