// One gateway connection after the other: identify or resume, heartbeat, and every dispatch that somebody wants into
// the journal.
#pragma once
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cache/cache.hpp"
#include "gateway/decompressor.hpp"
#include "gateway/gateway_command.hpp"
#include "journal/event_types.hpp"
#include "journal/journal.hpp"

namespace trellis::host {

/// What is asked of the gateway: the union over enabled plugins and the cache.
struct GatewayFilter {
  std::atomic<bool> wanted[kEventTypesMax] = {};  // dispatches that are collected; by event_type()
  std::atomic<std::uint64_t> intents = 0;         // of the next IDENTIFY
};

/// How long the shard waits for what. The defaults are right for Discord; tests are shorter.
struct ShardTimes {
  std::chrono::milliseconds connect{10'000};  // DNS, TCP, TLS and the WebSocket handshake together
  std::chrono::milliseconds hello{60'000};
  std::chrono::milliseconds resume_hello{20'000};  // at a resume address: the main one is asked while the session lives
  std::chrono::milliseconds ready{60'000};         // from IDENTIFY to READY; from RESUME or a replayed event to RESUMED
  std::chrono::milliseconds backoff{1'000};        // after the second failure in a row; doubles
  std::chrono::milliseconds backoff_ceiling{60'000};
  std::chrono::milliseconds invalid_session_min{1'000};  // random wait before IDENTIFY after op 9
  std::chrono::milliseconds invalid_session_max{5'000};
  std::chrono::milliseconds identify_spacing{5'000};  // between two IDENTIFYs of this shard
  std::chrono::milliseconds too_fast{5'000};          // after close code 4008
  std::chrono::milliseconds disk_retry{1'000};        // while the journal is full
  std::chrono::milliseconds goodbye{1'000};           // for the gateway's answer to our close frame
  std::chrono::milliseconds guilds{15'000};           // for the next guild of READY; then the rest are in an outage
  int ready_rounds = 10;  // so many times `ready` while nothing but heartbeats is answered; once at a resume address
  int resume_tries = 5;   // connections in a row that asked for a RESUME and came no further: then IDENTIFY
};

struct ShardOptions {
  Stream stream;
  std::string token;
  bool begin_anew = false;  // a session that could be resumed is not
  std::string presence;     // JSON of an IDENTIFY's presence, until a command sets another; empty: online
  std::string gateway_url;  // of GET /gateway/bot: ws:// or wss://; set_gateway_url() changes it
  std::string ca_file;      // additional trusted certificate, PEM; empty: the system's
  Compression compression = Compression::Zlib;
  std::size_t max_payload = kPayloadCeiling;  // as it comes, and decompressed
  ShardTimes times;
  /// [the shard's thread] Calls back there when this shard may IDENTIFY, which it does before it returns true; false:
  /// it does not need to any more. Empty: at once.
  std::function<void(std::function<bool()>)> identify_permit;
};

/// The data of a Session record.
std::string session_data(const Session&);

enum class ShardState { Connecting, Identifying, Resuming, Ready, Waiting, Stopped, Fatal };

/// [the io thread, unless said otherwise]
class Shard {
 public:
  struct Hooks {
    /// A new session begins (READY came). Called before the Session record is appended, so before anybody can use its
    /// epoch. Must not wait.
    std::function<void(const Session&)> on_session;
    /// Largest epoch seen in any position row; the new epoch = max(journal, this, Unix seconds) as rule: strictly above
    /// every one seen.
    std::function<std::uint32_t()> last_epoch;
    /// The gateway said something final (4004, 4010–4014): text with the operator's remedy. The shard stays Fatal.
    std::function<void(int code, std::string text)> on_fatal;
    /// [the shard's thread] No Hello came from gateway_url: perhaps Discord has another one. Must not wait.
    std::function<void()> on_unreachable = {};
    /// The bot's application id, of READY.
    std::function<void(std::string id)> on_application = {};
    /// The "d" of an INTERACTION_CREATE that is in the log now, without its data. `behind`: it was replayed by a
    /// RESUME, or reading stood still before it, so it may be old. Must not wait.
    std::function<void(std::string_view data, std::int64_t received_us, bool behind)> on_interaction = {};
  };

  /// Throws std::runtime_error (ca_file) or std::invalid_argument (gateway_url) with a sentence. Everything referred to
  /// must outlive the shard and its executor's work.
  Shard(boost::asio::any_io_executor, ShardOptions, Journal&, Cache&, const GatewayFilter&, Hooks);
  ~Shard();

  void start();
  /// Stops reading, flushes the journal, closes the connection so that the session stays resumable (close code 4200),
  /// then calls back.
  void stop(std::function<void()> done);
  /// GatewayFilter was changed: writes a Filter record. (One is written at start and with every new session anyway.)
  void filter_changed();
  /// Ends the session and begins another one, with the intents of GatewayFilter. Costs one IDENTIFY of the day's
  /// budget, and what comes meanwhile.
  void begin_anew();

  // ---- [any thread] ----

  /// Asks something of the gateway, within its limits and once the session is ready. `done` is called once, on the
  /// shard's thread. The session's end and stop() end it.
  std::uint64_t command(GatewayCommand, std::chrono::steady_clock::time_point deadline, GatewayDone done);
  /// It ends with TL_CANCELLED, unless it has ended.
  void cancel_command(std::uint64_t id);
  /// For connections that are made from now on. It must be one.
  void set_gateway_url(std::string url);

  struct Stats {
    ShardState state = ShardState::Connecting;
    std::uint64_t dispatches = 0, filtered = 0, repeats = 0, malformed = 0, bytes = 0, reads = 0, identifies = 0,
                  resumes = 0, reconnects = 0;
    std::int64_t heartbeat_rtt_us = -1, last_dispatch_us = 0;
    std::uint32_t seq = 0, epoch = 0;
    std::uint64_t intents = 0;  // of the session; 0: there is none, or it is not known
    std::string last_error;
    std::size_t commands_waiting = 0;
    std::int64_t session_us = 0;  // since when this session is ready or was resumed; 0: it is not
    bool paused = false;          // the journal is full: reading stands, heartbeats go on
  };
  Stats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
