// Effects on Discord: requests of its REST API.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "discord/rest_request.hpp"
#include "outbox/target.hpp"

namespace trellis::host {

/// [any thread] As RestClient::send: calls back exactly once, on any thread.
using RestSend = std::function<void(RestRequest, std::function<void(RestAnswer)>)>;

struct DiscordExpiry {
  std::int64_t messages_us = 15 * 60'000'000ll;  // new messages: nobody wants a welcome that comes hours later
  std::int64_t others_us = 60 * 60'000'000ll;
};

/// Effects of one channel, guild or webhook make a queue. A new message is given a nonce that Discord checks, so
/// that it can be sent again: Discord remembers nonces for some minutes.
class DiscordTarget final : public OutboxTarget {
 public:
  DiscordTarget(RestSend send, DiscordExpiry expiry) : send_(std::move(send)), expiry_(expiry) {}
  /// The request that an operation means.
  static RestRequest request_of(const OutboxRow&);
  /// The same for a call that does not go through the outbox: a new message gets this nonce (at most 25 characters), by
  /// which Discord knows it when it has to be sent again.
  static RestRequest call_of(const OutboxRow&, const std::string& nonce);

  std::string accept(OutboxRow&) const override;
  void deliver(const OutboxRow&, std::function<void(Outcome)> done) override;

  /// What an answer means for the effect: what is not there counts as deleted, and that the host's token is refused is
  /// not the effect's fault.
  static Outcome outcome_of(const OutboxRow&, const RestAnswer&);

 private:
  const RestSend send_;
  const DiscordExpiry expiry_;
};

}  // namespace trellis::host
