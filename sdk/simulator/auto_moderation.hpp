// Auto moderation: what its rules find in a person's message, and what they do about it.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "message_posts.hpp"

namespace trellis::sim {

/// Why a rule strikes.
struct AutoModerationMatch {
  std::string keyword;  ///< of the rule; empty: mentions
  std::string content;  ///< the part of the message
};

/// Does the rule's `trigger_metadata` strike at this text? Keywords as Discord reads them: whole words in any case, and
/// `*` at an end for any more letters; the allow list takes words out. Spam and Discord's own word lists never strike.
std::optional<AutoModerationMatch> find_match(const boost::json::object& rule, std::string_view content);

/// Posts what a person writes unless a rule of the server blocks it, and does what the rules say, each action with its
/// AUTO_MODERATION_ACTION_EXECUTION. Returns the message, or {"blocked": true, "rule_id"}.
boost::json::object post_moderated(const Call& call, const Place& place, const Draft& draft, const Writer& writer);

/// To sessions with the intent, and only while the bot may manage the server.
void announce_moderation(const Call& call, const Guild& guild, std::string_view type, const boost::json::object& d);

}  // namespace trellis::sim
