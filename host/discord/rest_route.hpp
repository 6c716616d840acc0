// What a request is to Discord's rate limits: its route, the resource it is about, and which limits leave it out.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::host {

struct RestRoute {
  std::string key;           // "PATCH /channels/{id}": no ids, tokens or emoji, so of bounded variety; for metrics too
  std::string major;         // the channel, the server, or "id/token" of a webhook or interaction; empty: none
  std::string shown;         // "PATCH /channels/81384788765712384": for logs and errors; never a token
  bool authorized = true;    // false: the token in the path is the authority, the bot's is not sent
  bool interaction = false;  // of an interaction's token: the limit over all routes does not count it
  /// Of new messages through a webhook or an interaction: what they count for, "webhook 1" or "channel 2", in a limit
  /// of Discord's that no header tells of. Empty: none.
  std::string meter = {};
  std::string webhook = {};     // the webhook's or the application's id, of paths that begin with one
  bool tells_webhooks = false;  // its answer may say to which channel a webhook writes
};

/// [any thread] `target`: path and query as sent ("/channels/1/messages?limit=5"). `body`: JSON or empty; tells a
/// channel's rename from its other changes. `application`: the bot's application id, by which an interaction's webhook
/// is known; empty: not known yet. `channel`: where an interaction's message appears; may be empty. now_ms:
/// milliseconds since 1970, for the age of messages.
///
/// Requests that Discord is known to limit apart from their route get a key of their own: deleting messages that are
/// older than two weeks, changing a channel's name or topic.
RestRoute rest_route(std::string_view method, std::string_view target, std::string_view body,
                     std::string_view application, std::int64_t now_ms, std::string_view channel = {});

}  // namespace trellis::host
