// One REST request on its way through a handler: its parts, and what handlers look up first.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api_error.hpp"
#include "form.hpp"
#include "gateway.hpp"
#include "http.hpp"
#include "multipart.hpp"
#include "objects.hpp"
#include "permissions.hpp"
#include "rest_state.hpp"

namespace trellis::sim {

/// Where messages are written: a server's channel or thread, or a direct message.
struct Place {
  Snowflake id = 0;
  Guild* guild = nullptr;         ///< null: a direct message
  std::uint32_t channel = kNone;  ///< index, kNone: a direct message
  std::uint32_t person = kNone;   ///< of a direct message
};

class Call {
 public:
  Call(Gateway& gateway, const Request& request)
      : gateway(gateway), world(gateway.world), state(gateway.rest), request(request) {}

  Gateway& gateway;
  World& world;
  RestState& state;
  const Request& request;
  std::vector<std::string> params;  ///< of the route, in order
  std::string_view query;
  boost::json::value body;       ///< null without one
  std::vector<Part> parts;       ///< files of a multipart request
  std::string reason;            ///< for the audit log, decoded
  const Grant* grant = nullptr;  ///< the Bearer token's; null: the bot

  /// Who asks: index, kNone for the bot.
  std::uint32_t caller() const { return grant == nullptr ? kNone : grant->user; }

  /// Reads body and reason, or refuses the request.
  void read();

  // Parameters of the path, and of the query.
  Snowflake id(std::size_t param) const;
  std::optional<std::string> query_text(std::string_view key) const;
  bool query_flag(std::string_view key) const;
  /// Refuses what lies outside.
  std::int64_t query_number(std::string_view key, std::int64_t otherwise, std::int64_t min, std::int64_t max) const;
  Snowflake query_id(std::string_view key) const;

  // What the path names, or Discord's 404 (and 403, where the bot cannot see it).
  Guild& guild(std::size_t param) const;
  std::uint32_t channel(std::size_t param) const;  ///< of a server
  Place place(std::size_t param) const;
  StoredMessage& message(const Place& place, Snowflake id) const;
  std::uint32_t user(std::size_t param) const;  ///< index, kNone for the bot itself
  std::uint32_t member(const Guild& guild, std::size_t param) const;
  Role& role(Guild& guild, Snowflake id) const;

  /// 50013, or 50001 if the channel cannot even be seen.
  void need(std::uint32_t channel, std::uint64_t permissions) const;
  void need(const Guild& guild, std::uint64_t permissions) const;
  /// 50013 unless the bot's highest role is above this one.
  void need_above(const Guild& guild, std::int64_t position) const;

  /// A limit that no header tells of (2 in 10 minutes for a channel's name).
  void hidden_limit(std::string_view what, Snowflake resource, std::size_t count, std::int64_t window_ms) const;

  /// Notes what a moderator would find in the audit log, and dispatches it.
  void audit(const Guild& guild, int action, Snowflake target, boost::json::array changes = {},
             boost::json::object options = {}) const;

  /// Brings what the stream wrote lately into the store, so that it can be listed and named.
  void adopt_recent(const Place& place) const;

  Response answer(const boost::json::value& value, unsigned status = 200) const;
  Response nothing() const { return {204, ""}; }
};

}  // namespace trellis::sim
