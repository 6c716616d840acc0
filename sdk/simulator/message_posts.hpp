// Writing, editing and deleting messages over REST, and the dispatches that follow.
#pragma once

#include "message_form.hpp"

namespace trellis::sim {

/// Who writes: an account, a webhook, or an interaction through the bot's account.
struct Writer {
  std::uint32_t user = kNone;  ///< of the world; kNone: the bot
  const Webhook* webhook = nullptr;
  Snowflake owner = 0;           ///< interaction or webhook that may edit the message later
  bool bot_application = false;  ///< an interaction's answer: carries application_id and webhook_id
  std::int64_t type = 0;
  boost::json::object extra;  ///< more fields of the message
};

/// Makes the message of `draft` and dispatches MESSAGE_CREATE.
StoredMessage& post_message(const Call& call, const Place& place, const Draft& draft, const Writer& writer);

/// Changes what `draft` gives and dispatches MESSAGE_UPDATE. `loaded`: a deferred answer has come.
void edit_message(const Call& call, const Place& place, StoredMessage& message, const Draft& draft,
                  bool loaded = false);

/// Removes it and dispatches MESSAGE_DELETE.
void delete_message(const Call& call, const Place& place, const StoredMessage& message);

/// Where a stored message is.
Place place_of(const Call& call, const StoredMessage& message);

}  // namespace trellis::sim
