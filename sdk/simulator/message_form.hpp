// What a request wants to be in a message, checked as Discord checks it.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "call.hpp"

namespace trellis::sim {

namespace flag {
inline constexpr std::int64_t kSuppressEmbeds = 1 << 2;
inline constexpr std::int64_t kHasThread = 1 << 5;
inline constexpr std::int64_t kEphemeral = 1 << 6;
inline constexpr std::int64_t kLoading = 1 << 7;
inline constexpr std::int64_t kSuppressNotifications = 1 << 12;
inline constexpr std::int64_t kComponentsV2 = 1 << 15;
}  // namespace flag

struct AllowedMentions {
  bool everyone = true;
  bool all_users = true;
  bool all_roles = true;
  bool replied_user = true;
  std::vector<Snowflake> users;
  std::vector<Snowflake> roles;
};

/// Fields that were not given are nothing; null in an edit empties them.
struct Draft {
  std::optional<std::string> content;
  std::optional<boost::json::array> embeds;
  std::optional<boost::json::array> components;
  std::optional<boost::json::array> attachments;  ///< of an edit: those to keep
  std::optional<std::int64_t> flags;
  std::optional<boost::json::value> poll;
  bool tts = false;
  std::string nonce;
  bool enforce_nonce = false;
  AllowedMentions mentions;
  Snowflake reply_to = 0;
  bool forward = false;
  Snowflake forward_from = 0;  ///< channel
  bool fail_if_not_exists = true;
  boost::json::array stickers;
  // Webhooks
  std::optional<std::string> username;
  std::optional<std::string> avatar_url;
  std::optional<std::string> thread_name;

  bool empty() const;
};

enum class DraftOf { kMessage, kEdit, kWebhook, kInteraction };

/// Reads `body` (the request's own, or the `data` of an interaction's answer at `path`). Throws InvalidForm or
/// ApiError.
Draft read_draft(const Call& call, const boost::json::value& body, DraftOf what, const std::string& path = {},
                 std::int64_t flags_before = 0);

}  // namespace trellis::sim
