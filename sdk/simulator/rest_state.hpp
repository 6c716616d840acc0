// What bots made over REST, beside the world and its messages: webhooks, bans, files, the audit log, and the account of
// the requests.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "clock.hpp"
#include "world.hpp"

namespace trellis::sim {

struct Webhook {
  Snowflake id = 0;
  Snowflake guild = 0;
  Snowflake channel = 0;
  std::string name;
  std::string token;
};

struct Invite {
  std::string code;
  std::uint32_t channel = 0;                               ///< index
  std::int64_t created_ms = 0, max_age = 0, max_uses = 0;  ///< clock; seconds, 0: for ever; 0: any number
  bool temporary = false;
};

struct File {
  std::string name;
  std::string content_type;
  std::string content;
};

class RestState {
 public:
  /// Bytes of uploaded files kept; the oldest go first.
  static constexpr std::size_t kFileBytes = 64 * 1024 * 1024;
  static constexpr std::size_t kRequests = 10'000;
  static constexpr std::size_t kAudit = 10'000;

  /// Ids of what is made over REST: the time of the clock, unlike what the stream makes.
  Snowflake new_id();
  void add_file(Snowflake id, File file);
  const File* find_file(Snowflake id) const;
  Webhook* find_webhook(Snowflake id);
  std::string new_token();

  boost::json::object application;  ///< what the bot changed of it
  std::map<Snowflake, Webhook> webhooks;
  std::map<std::string, Invite, std::less<>> invites;                                 ///< by code
  std::vector<Emoji> own_emojis;                                                      ///< of the bot's application
  std::map<Snowflake, std::vector<boost::json::object>> commands;                     ///< server, 0: global
  std::map<Snowflake, std::deque<std::int64_t>> command_creates;                      ///< when, by server
  std::uint64_t command_overwrites = 0;                                               ///< bulk writes
  std::map<std::pair<Snowflake, Snowflake>, boost::json::array> command_permissions;  ///< by server and command
  std::map<Snowflake, std::map<std::int64_t, std::vector<Snowflake>>> poll_votes;     ///< users by message and answer
  std::map<Snowflake, std::vector<boost::json::object>> auto_moderation;              ///< rules by server
  std::map<std::pair<Snowflake, Snowflake>, std::string> bans;                        ///< (server, user) to the reason
  std::map<Snowflake, std::map<Snowflake, std::int64_t>> thread_members;  ///< thread to (user to when it joined)
  std::deque<boost::json::object> audit;                                  ///< entries, newest last
  std::map<std::pair<Snowflake, std::string>, Snowflake>
      nonces;  ///< (channel, nonce) to the message, with enforce_nonce

  // The account.
  struct Logged {
    std::int64_t at_ms = 0;  ///< clock
    std::string method;
    std::string path;  ///< below the version
    unsigned status = 0;
    int code = 0;  ///< of an error
    std::string reason;
  };
  void log(Logged request, std::string_view route);
  std::deque<Logged> requests;                    ///< the last ones
  std::map<std::string, std::uint64_t> by_route;  ///< "POST /channels/:channel/messages" to how many
  std::map<unsigned, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t> limited;  ///< 429s by scope

 private:
  Snowflake last_id_ = 0;
  std::uint64_t tokens_ = 0;
  std::map<Snowflake, File> files_;
  std::size_t file_bytes_ = 0;
};

}  // namespace trellis::sim
