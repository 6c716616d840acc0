// Commands of one shard that wait for their turn, and those that wait for Discord's answer. Within what Discord allows
// (Gateway: Rate Limiting): 120 payloads in 60 s together with everything else, 5 presences in 20 s, the whole list of
// a guild's members once in 30 s, 4096 bytes.
#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/gateway_command.hpp"
#include "gateway/member_chunks.hpp"
#include "gateway/send_budget.hpp"

namespace trellis::host {

/// [the shard's thread] No clock of its own.
class CommandQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Id = std::uint64_t;
  using Send = std::function<void(std::string_view payload)>;

  struct Limits {
    std::size_t waiting = 1'000;                 // commands
    std::size_t answer_bytes = 64u << 20;        // of one request for members
    std::size_t all_answers_bytes = 128u << 20;  // of all that are being collected
  };

  explicit CommandQueue(Limits limits);
  CommandQueue() : CommandQueue(Limits()) {}

  /// Ends at the deadline, if not before. Every `done` is called exactly once, from within one of these functions.
  /// False: it was refused.
  bool add(Id, GatewayCommand, Time deadline, Time now, GatewayDone done);
  void cancel(Id);
  /// Sends what may go; without a budget: there is no session to send in. The time to call it again, if there is one.
  std::optional<Time> run(Time now, SendBudget* budget, const Send& send);
  /// A dispatch that may be an answer; kMessagePadding readable bytes behind it.
  void take(std::string_view type, std::string_view data, Time now);
  /// The session goes on over another connection. What was last sent as presence goes again, if none waits: the old
  /// connection may have been dead by then, and Discord confirms none.
  void resumed() { presence_again_ = !presence_.empty(); }
  /// The session is over: all end with this.
  void fail_all(tl_status, const std::string& why);

  /// Those that are not sent.
  std::size_t waiting() const { return first_.size() + then_.size(); }
  /// With whom take() has something to do.
  static constexpr std::string_view kAnswers[] = {"GUILD_MEMBERS_CHUNK", "RATE_LIMITED", "SOUNDBOARD_SOUNDS",
                                                  "CHANNEL_INFO"};

 private:
  struct Entry {
    Id id = 0;
    GatewayCommand command;
    std::string payload, nonce;
    Time deadline, not_before;
    GatewayDone done;
    MemberChunks chunks;
  };
  void take_chunk(std::string_view data);
  void take_limit(std::string_view data, Time now);
  void take_other(GatewayCommand::Kind, std::string_view data);
  void repeat_presence(Time now);
  bool may_go(const Entry&, Time now, Time& at);
  void sent(Entry&&, Time now);

  const Limits limits_;
  const std::string nonce_base_;
  std::uint64_t nonces_ = 0;
  std::deque<Entry> first_, then_;  // voice and presence go before the rest
  std::vector<Entry> answering_;    // sent
  std::deque<Time> presences_;      // sent in the last 20 s
  std::string presence_;            // payload of the last that was sent in this session
  bool presence_again_ = false;
  std::map<std::uint64_t, Time> list_again_;  // guild -> when all its members may be asked for again
  MemberChunkReader chunk_reader_;
};

}  // namespace trellis::host
