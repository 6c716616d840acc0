// Interactions: what a scripted user does, the clocks that run from then on, and what the bot made of it.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "options.hpp"
#include "world.hpp"

namespace trellis::sim {

class Gateway;

enum class InteractionType { kCommand = 2, kComponent = 3, kAutocomplete = 4, kModal = 5 };

struct Interaction {
  Snowflake id = 0;
  std::string token;
  InteractionType type = InteractionType::kCommand;
  Snowflake guild = 0;  ///< 0: in a direct message
  Snowflake channel = 0;
  std::uint32_t user = 0;
  std::string name;              ///< of the command, or the custom_id
  Snowflake target_message = 0;  ///< the message whose component was used
  std::int64_t sent_ms = 0;      ///< steady
  std::int64_t sent_clock_ms = 0;
  bool context_menu = false;

  int callback = 0;             ///< its type; 0: none yet
  bool loading = false;         ///< deferred, and nothing written yet
  bool failed = false;          ///< delivered over HTTP, and what came back was no answer
  Snowflake original = 0;       ///< message of the answer
  boost::json::object modal;    ///< what was answered with, so that it can be submitted
  boost::json::object outcome;  ///< the account: callback, delivery, edits, followups, deletes, refused
};

class Interactions {
 public:
  static constexpr std::size_t kKept = 10'000;

  explicit Interactions(const Options& options) : options_(options) {}

  /// A user does what `body` describes: INTERACTION_CREATE goes out, or a request to the application's endpoint.
  /// Returns {"id", "token", "sessions", "http"}, or an error in words with `ok` false.
  std::string send(Gateway& gateway, std::string_view body, bool& ok);

  Interaction* find(Snowflake id, std::string_view token);
  const Interaction* find_id(Snowflake id) const;
  Interaction* find_id(Snowflake id);
  Interaction* find_token(std::string_view token);
  /// Is it too late for the first answer, or for the token?
  bool late(const Interaction& one, std::int64_t now_ms) const;
  bool expired(const Interaction& one, std::int64_t now_ms) const;

  /// Notes what the bot did, with the time since the user acted.
  void note(Interaction& one, std::string_view what, boost::json::object data, std::int64_t now_ms);

  boost::json::array json(std::int64_t now_ms) const;
  boost::json::object json(const Interaction& one, std::int64_t now_ms) const;

 private:
  const Options& options_;
  std::map<Snowflake, Interaction> all_;
};

}  // namespace trellis::sim
