// The whole simulated Discord behind its two doors: sessions, streams, faults and the truth.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "interactions.hpp"
#include "interactions_endpoint.hpp"
#include "oauth.hpp"
#include "peer.hpp"
#include "rate_limits.hpp"
#include "rest_faults.hpp"
#include "rest_state.hpp"
#include "schedule.hpp"
#include "stream.hpp"
#include "truth.hpp"
#include "world.hpp"

namespace trellis::sim {

class Gateway {
 public:
  explicit Gateway(const Options& options);

  const Options& options;
  World world;
  Truth truth;
  RestState rest;
  RateLimits limits;
  RestFaults rest_faults;
  Interactions interactions;
  InteractionsEndpoint endpoint;
  OAuth oauth;
  Outgoing* outgoing = nullptr;  ///< set by the server; null: there are no sockets

  std::string url;         ///< ws://127.0.0.1:PORT
  std::string resume_url;  ///< what READY names
  std::string http_url;    ///< http://127.0.0.1:PORT

  // From the server.
  /// To be called every few milliseconds.
  void tick();
  /// Should a handshake be refused with 503 just now? Counts.
  bool handshake_refused(bool resume_port);
  /// Is this to go wrong now: "no_hello", "no_ready" or "refuse_resume"? Counts.
  bool goes_wrong(std::string_view what, bool resume_port);
  /// Milliseconds by which the next READY is to be late; once.
  std::int64_t ready_delay() { return std::exchange(ready_delay_ms_, 0); }
  bool token_ok(std::string_view token) const {
    return !token.empty() && !token_reset_ && (options.token.empty() || token == options.token);
  }

  struct Answer {
    bool ok = true;
    std::string text;  ///< JSON
  };
  Answer fault(std::string_view body);
  Answer inject(std::string_view body);
  /// A scripted user does something.
  Answer interact(std::string_view body);
  std::string sessions_json() const;
  std::string truth_json() const;
  std::uint32_t identifies_left() const;
  /// Milliseconds until the identifies of the day are all there again.
  std::int64_t budget_reset_after() const;
  bool paused() const { return paused_; }

  // From the peers.
  std::int64_t now() const { return now_ms_; }
  void add(Peer& peer) { peers_.insert(&peer); }
  void remove(Peer& peer) { peers_.erase(&peer); }
  Session& create_session(std::string token, ShardKey shard, std::uint64_t intents, Audience audience);
  Session* find_session(const std::string& id);
  void destroy_session(Session& session);
  enum class Identify { kYes, kTooSoon, kExhausted };
  /// One identify per interval and bucket, and so many a day: one more resets the token and ends everything.
  Identify identify(std::uint32_t shard);
  /// Makes events for the session's stream; true if this session got some.
  bool produce(Session& session);
  void send_ready(Session& session);
  /// False: not yet.
  bool send_guild_create(Session& session);
  void dispatch(Session& session, std::string_view type, std::string_view d);
  /// Dispatches to the sessions whose shard and intents allow it (`guild` 0: a direct message's), and to `always`.
  /// Returns to how many.
  std::size_t announce(std::string_view type, std::string_view d, Snowflake guild, const Session* always = nullptr);
  /// The same whatever the intents are, for what concerns the bot itself.
  std::size_t announce_to_shard(std::string_view type, std::string_view d, Snowflake guild);

  /// `bare` goes to sessions without MESSAGE_CONTENT.
  void announce_by_content(std::string_view type, std::string_view d, std::string_view bare, Snowflake guild);

  // From REST: changes, and the dispatches that tell of them.
  void announce_message(std::string_view type, const StoredMessage& message);
  void announce_channel(std::string_view type, std::uint32_t channel, boost::json::object more = {});
  /// GUILD_MEMBER_UPDATE; kNone is the bot.
  void announce_member(const Guild& guild, std::uint32_t user);
  void announce_voice(const Guild& guild, const VoiceState& state);
  void change_channel(std::uint32_t channel, const boost::json::object& changes);
  /// Writing opens an archived thread again; throws ApiError if it is locked.
  void wake_thread(std::uint32_t channel);
  void delete_thread(std::uint32_t channel);
  /// `visit` gets each message that the stream wrote lately in the channel.
  template <class Visit>
  void each_recent(std::uint32_t channel, Visit&& visit) const {
    for (const auto& [shard, stream] : streams_) {
      for (const Message& message : stream->recent()) {
        if (message.id != 0 && message.channel == channel) visit(message);
      }
    }
  }
  void forget_recent(std::uint32_t channel, Snowflake id);

  void request_members(Session& session, std::string_view text);
  /// These return false for a payload of the wrong shape.
  bool update_voice(Session& session, std::string_view text);
  bool update_presence(Session& session, std::string_view text);
  /// Of the shape that Discord takes, in IDENTIFY too.
  static bool is_presence(const boost::json::value* d);
  void request_soundboard(Session& session, std::string_view text);
  void request_channel_info(Session& session, std::string_view text);
  void log(std::string_view text) const;

 private:
  Stream& stream(ShardKey shard);
  void tick_streams(double seconds);
  std::size_t set_outage(Guild& guild, bool outage);
  /// Ends every session for good; the token is never accepted again.
  void reset_token();

  Schedule schedule_;
  std::int64_t now_ms_;
  std::int64_t last_check_ms_ = 0;
  std::set<Peer*> peers_;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  std::map<ShardKey, std::unique_ptr<Stream>> streams_;
  std::map<std::uint32_t, std::int64_t> identified_ms_;
  std::map<std::pair<Snowflake, std::string>, std::int64_t> requested_ms_;
  std::uint32_t identifies_ = 0;  ///< since the budget was last full
  std::int64_t budget_until_ms_ = 0;
  std::int64_t first_login_ms_ = 0;
  std::int64_t script_from_ms_ = 0;  ///< the first login, or the first moment with an interactions endpoint
  bool token_reset_ = false;
  struct GoingWrong {
    std::uint64_t count = 0;  ///< how often still
    bool resume_port_only = false;
  };
  std::map<std::string, GoingWrong, std::less<>> going_wrong_;
  std::int64_t ready_delay_ms_ = 0;
  bool outage_over_ = false;
  bool paused_ = false;
  struct Refusal {
    std::int64_t until_ms = 0;
    std::uint64_t count = 0;
  };
  Refusal refuse_resume_;  ///< on the resume port
  Refusal refuse_all_;     ///< on both
  std::uint64_t handshakes_refused_ = 0;
  std::string id_prefix_;
  std::uint64_t next_session_ = 0;
};

}  // namespace trellis::sim
