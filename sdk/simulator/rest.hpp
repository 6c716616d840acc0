// The HTTP API: which route a request takes, and everything that happens to it before and after its handler.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http.hpp"
#include "rate_limits.hpp"

namespace trellis::sim {

class Call;
class Gateway;

struct Route {
  std::string_view method;
  std::string_view pattern;  ///< `/channels/:channel/messages`; the first parameter is the major one
  Response (*handler)(Call&);
  Limit limit = {10, 10'000};
  std::string_view bucket = {};  ///< routes with the same text share a bucket; empty: method and pattern
  bool open = false;             ///< needs no bot token: the path carries one of its own
  std::string_view scope = {};   ///< Bearer tokens with this scope may use it, "any": all of them; empty: none
  bool bot = true;               ///< bots may use it
};

// Each file of handlers adds its routes; literal paths before those with parameters in the same place.
void add_account_routes(std::vector<Route>& routes);
void add_application_routes(std::vector<Route>& routes);
void add_oauth_authorize_routes(std::vector<Route>& routes);
void add_oauth_token_routes(std::vector<Route>& routes);
void add_oauth_user_routes(std::vector<Route>& routes);
void add_guild_routes(std::vector<Route>& routes);
void add_role_routes(std::vector<Route>& routes);
void add_member_routes(std::vector<Route>& routes);
void add_channel_routes(std::vector<Route>& routes);
void add_thread_routes(std::vector<Route>& routes);
void add_message_routes(std::vector<Route>& routes);
void add_reaction_routes(std::vector<Route>& routes);
void add_webhook_routes(std::vector<Route>& routes);
void add_command_routes(std::vector<Route>& routes);
void add_interaction_routes(std::vector<Route>& routes);
void add_invite_routes(std::vector<Route>& routes);
void add_auto_moderation_routes(std::vector<Route>& routes);
void add_command_permission_routes(std::vector<Route>& routes);
void add_poll_routes(std::vector<Route>& routes);
void add_soundboard_routes(std::vector<Route>& routes);
void add_sticker_routes(std::vector<Route>& routes);
void add_scheduled_event_routes(std::vector<Route>& routes);
void add_emoji_routes(std::vector<Route>& routes);

Response handle(Gateway& gateway, const Request& request);

/// "POST /channels/:channel/messages": everything there is.
std::vector<std::string> routes();

/// `/_sim/...`: what is not Discord's but the simulator's own.
Response handle_control(Gateway& gateway, const Request& request, std::string_view path, std::string_view query);

}  // namespace trellis::sim
