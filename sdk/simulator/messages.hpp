// Messages that REST can name: what a bot wrote, and what it touched of the stream.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "clock.hpp"

namespace trellis::sim {

struct Reaction {
  Snowflake emoji_id = 0;  ///< 0: a Unicode emoji
  std::string emoji;       ///< name
  std::vector<Snowflake> users;
};

struct StoredMessage {
  Snowflake id = 0;
  Snowflake channel = 0;
  Snowflake guild = 0;   ///< 0: a direct message
  Snowflake author = 0;  ///< user, or webhook
  Snowflake owner = 0;   ///< webhook or interaction that wrote it and may edit it; 0: an account
  bool ephemeral = false;
  std::int64_t pinned_ms = 0;  ///< 0: not pinned
  std::vector<Reaction> reactions;
  boost::json::object object;  ///< as REST gives it, but for reactions and pinned

  /// The REST object.
  boost::json::object json(Snowflake me) const;
};

class MessageStore {
 public:
  /// Messages kept per channel; the oldest go first.
  static constexpr std::size_t kPerChannel = 5000;

  bool empty() const { return channels_.empty(); }
  StoredMessage* find(Snowflake channel, Snowflake id);
  /// The channel of a message wherever it is; 0 if it is not here.
  Snowflake channel_of(Snowflake id) const;
  StoredMessage& add(StoredMessage message);
  void erase(Snowflake channel, Snowflake id);
  void erase_channel(Snowflake channel) { channels_.erase(channel); }
  /// Of one channel by rising id; null if there are none.
  std::map<Snowflake, StoredMessage>* in(Snowflake channel);

 private:
  std::unordered_map<Snowflake, std::map<Snowflake, StoredMessage>> channels_;
};

}  // namespace trellis::sim
