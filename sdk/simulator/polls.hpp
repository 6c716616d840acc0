// Polls: people's votes, and the end.
#pragma once

#include "message_posts.hpp"

namespace trellis::sim {

/// A person votes, or with `remove` takes the vote back. Returns what is wrong with that, empty: nothing.
std::string vote(Gateway& gateway, StoredMessage& message, std::int64_t answer, std::uint32_t user, bool remove);

/// Counts for good, dispatches MESSAGE_UPDATE, and posts the result.
void end_poll(const Call& call, const Place& place, StoredMessage& message);

/// Is it over?
bool poll_over(const StoredMessage& message);

}  // namespace trellis::sim
