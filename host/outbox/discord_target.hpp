// Effects on Discord: requests of its REST API.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "outbox/target.hpp"

namespace trellis::host {

/// One request, as the host's REST client is asked for it.
struct RestCall {
  std::string owner;       // the plugin
  std::string verb, path;  // "POST", "/channels/1/messages": after the API's base, with the query
  std::string body;        // JSON; empty: none
  std::string reason;      // for the audit log, as plain text; may be empty
  std::vector<OutboxRow::File> files;
  bool repeatable = false;      // the client itself may do it again
  std::int64_t timeout_us = 0;  // 0: the client's own
};
struct RestResult {
  int status = 0;                   // of HTTP; 0: no answer
  bool may_be_done = false;         // without an answer: Discord may have got it all the same
  std::int64_t retry_after_us = 0;  // of a 429 or 503
  std::string error;                // a sentence, unless the status is a success
};
/// [any thread] Calls back exactly once, on any thread.
using RestSend = std::function<void(RestCall, std::function<void(RestResult)>)>;

struct DiscordExpiry {
  std::int64_t messages_us = 15 * 60'000'000ll;  // new messages: nobody wants a welcome that comes hours later
  std::int64_t others_us = 60 * 60'000'000ll;
};

/// Effects of one channel, guild or webhook make a queue. A new message is given a nonce that Discord checks, so
/// that it can be sent again: Discord remembers nonces for some minutes.
class DiscordTarget final : public OutboxTarget {
 public:
  DiscordTarget(RestSend send, DiscordExpiry expiry) : send_(std::move(send)), expiry_(expiry) {}
  std::string accept(OutboxRow&) const override;
  void deliver(const OutboxRow&, std::function<void(Outcome)> done) override;

  /// What an answer means. For one of a DELETE, what is not there counts as deleted.
  static Outcome outcome_of(const OutboxRow&, const RestResult&);

 private:
  const RestSend send_;
  const DiscordExpiry expiry_;
};

}  // namespace trellis::host
