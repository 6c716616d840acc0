// An application's interactions endpoint: checked before it is taken, then called instead of the gateway.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "clock.hpp"
#include "options.hpp"
#include "outgoing.hpp"
#include "signing_key.hpp"

namespace trellis::sim {

class Gateway;

class InteractionsEndpoint {
 public:
  /// With --interactions-url it is in use from the start, as one that was checked long ago.
  explicit InteractionsEndpoint(const Options& options);

  const std::string& public_key() const { return key_.public_hex(); }
  bool in_use() const { return address_.has_value(); }
  const std::string& url() const { return url_; }

  /// Sends Discord's two checks: a PING that must be answered with a PONG, and one with a wrong signature that must be
  /// answered with 401. Calls `done` with whether both were.
  void check(Gateway& gateway, const Address& address, std::function<void(bool)> done);
  void use(std::string url, Address address);
  void clear();

  /// POSTs an interaction that Interactions knows, and judges the answer.
  void deliver(Gateway& gateway, const boost::json::object& interaction);

  /// Sends a PING with a wrong signature; anything but 401 ends the use of the URL. `kind`: key, timestamp, body,
  /// garbage or missing; empty: the next one of these. False: there is no such kind, or no URL.
  bool send_bad(Gateway& gateway, std::string_view kind);

  /// For the truth.
  boost::json::object json() const;

 private:
  using Done = std::function<void(Outgoing::Answer)>;
  void post(Gateway& gateway, const Address& address, std::string body, std::string_view bad, Done done);
  std::string ping(Gateway& gateway) const;
  void note_bad(std::string_view kind, const Outgoing::Answer& answer);

  const Options& options_;
  SigningKey key_;
  SigningKey other_key_;  ///< of wrong signatures
  std::string url_;
  std::optional<Address> address_;
  std::uint64_t delivered_ = 0;
  std::uint64_t checks_ = 0;
  std::uint64_t removals_ = 0;
  std::size_t next_kind_ = 0;
  boost::json::array bad_;  ///< the last wrong signatures, and what they were answered with
};

}  // namespace trellis::sim
