// The page where a person lets an application in, answered at once by the scripted one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "oauth_request.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

class Redirect {
 public:
  Redirect(std::string uri, const Parameters& query) : to_(std::move(uri)) {
    separator_ = to_.find('?') == std::string::npos ? '?' : '&';
    state_ = query["state"];
    has_state_ = query.has("state");
  }

  Redirect& add(std::string_view key, std::string_view value) {
    to_ += fmt::format("{}{}={}", separator_, key, escaped(value));
    separator_ = '&';
    return *this;
  }

  Response send() {
    if (has_state_) add("state", state_);
    Response response{302, "", "text/html"};
    response.headers.emplace_back("Location", to_);
    return response;
  }

  Response error(std::string_view code, std::string_view description) {
    add("error", code);
    add("error_description", description);
    return send();
  }

 private:
  std::string to_;
  char separator_ = '?';
  std::string state_;
  bool has_state_ = false;
};

/// The server that the bot is added to: what the person chose, what the link names, or the person's first.
Snowflake choose_guild(const Call& call, const Parameters& query) {
  const OAuth& oauth = call.gateway.oauth;
  if (oauth.guild != 0) return oauth.guild;
  if (const Guild* named = call.world.find_guild(std::strtoull(query["guild_id"].c_str(), nullptr, 10))) {
    return named->id;
  }
  for (const Guild& guild : call.world.guilds) {
    if (call.world.find_member(guild, oauth.person) != nullptr) return guild.id;
  }
  return call.world.guilds.front().id;
}

Response authorize(Call& call) {
  try {
    const Parameters query(call.query);
    const Options& options = call.gateway.options;
    OAuth& oauth = call.gateway.oauth;
    if (query["client_id"] != std::to_string(call.world.self.id)) {
      throw OAuthError{400, "invalid_client", "Unknown Application"};
    }
    const std::vector<std::string> scopes = read_scopes(query["scope"]);
    const auto asks = [&](std::string_view scope) {
      return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
    };
    const bool only_added = !scopes.empty() && std::all_of(scopes.begin(), scopes.end(), [](const std::string& scope) {
      return scope == "bot" || scope == "applications.commands";
    });
    if (only_added && !query.has("response_type") && !query.has("redirect_uri")) {
      // Adding a bot alone needs no code; the person ends on Discord's own page.
      Response response{302, "", "text/html"};
      response.headers.emplace_back("Location", call.gateway.http_url + "/oauth2/authorized");
      return response;
    }
    const std::string uri = query["redirect_uri"];
    const bool registered =
        std::find(options.redirect_uri.begin(), options.redirect_uri.end(), uri) != options.redirect_uri.end();
    // Never redirect to where nobody vouches for.
    if (!registered) throw OAuthError{400, "invalid_request", "Redirect URI not supported by client."};

    Redirect redirect(uri, query);
    if (query["response_type"].empty()) return redirect.error("invalid_request", "response_type is missing.");
    if (query["response_type"] != "code") {
      return redirect.error("unsupported_response_type", "Only the response type \"code\" is simulated.");
    }
    if (scopes.empty())
      return redirect.error("invalid_scope", "The requested scope is invalid, unknown, or malformed.");
    AuthorizationCode code;
    if (query.has("code_challenge")) {
      code.challenge = query["code_challenge"];
      if (query["code_challenge_method"] != "S256" || code.challenge.size() != 43) {
        return redirect.error("invalid_request", "The code challenge must be of the method S256.");
      }
    }
    if (oauth.denies) {
      return redirect.error("access_denied", "The resource owner or authorization server denied the request");
    }
    code.user = oauth.person;
    code.scopes = scopes;
    code.redirect_uri = uri;
    code.expires_ms = call.gateway.now() + static_cast<std::int64_t>(options.code_lifetime * 1000);
    if (asks("bot") || asks("webhook.incoming")) code.guild = choose_guild(call, query);
    const std::string name = call.state.new_token().substr(0, 30);
    redirect.add("code", name);
    if (asks("bot")) {
      redirect.add("guild_id", std::to_string(code.guild));
      redirect.add("permissions", query["permissions"].empty() ? "0" : query["permissions"]);
    }
    oauth.codes.emplace(name, std::move(code));
    return redirect.send();
  } catch (const OAuthError& error) {
    return error.response();
  }
}

Response authorized(Call&) { return {200, "<!DOCTYPE html><title>Authorized</title>", "text/html"}; }

}  // namespace

void add_oauth_authorize_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/oauth2/authorize", authorize, {50, 10'000}, {}, true},
                               {"GET", "/oauth2/authorized", authorized, {50, 10'000}, {}, true}});
}

}  // namespace trellis::sim
