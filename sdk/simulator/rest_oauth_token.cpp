// Codes and refresh tokens for access tokens, and their revocation.
#include <fmt/format.h>

#include <algorithm>

#include "oauth_request.hpp"
#include "render.hpp"
#include "rest.hpp"
#include "signing_key.hpp"
#include "webhook_object.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

Parameters form_of(const Call& call) {
  if (!call.request.content_type.starts_with("application/x-www-form-urlencoded")) {
    throw OAuthError{400, "unsupported_grant_type", "Grant type None is not supported"};
  }
  return Parameters(call.request.body);
}

/// A new access token, and a new refresh token in place of the old one.
void renew(const Call& call, Grant& grant, bool refreshable) {
  const auto lifetime = static_cast<std::int64_t>(call.gateway.options.access_lifetime);
  grant.access = call.state.new_token().substr(0, 30);
  grant.refresh = refreshable ? call.state.new_token().substr(0, 30) : std::string();
  grant.expires_ms = call.gateway.now() + lifetime * 1000;
  grant.expires_clock_ms = wall_clock_ms() + lifetime * 1000;
}

Grant& add_grant(const Call& call, std::uint32_t user, std::vector<std::string> scopes, Snowflake guild,
                 bool refreshable) {
  Grant grant;
  grant.id = call.state.new_id();
  grant.user = user;
  grant.scopes = std::move(scopes);
  grant.guild = guild;
  renew(call, grant, refreshable);
  return call.gateway.oauth.grants.emplace(grant.id, std::move(grant)).first->second;
}

json::object token_object(const Call& call, const Grant& grant) {
  json::object token{{"token_type", "Bearer"},
                     {"access_token", grant.access},
                     {"expires_in", call.gateway.options.access_lifetime},
                     {"scope", grant.scope_text()}};
  if (!grant.refresh.empty()) token["refresh_token"] = grant.refresh;
  return token;
}

Response with_token(const json::object& token) {
  Response response{200, json::serialize(token)};
  response.headers = {{"Cache-Control", "no-store"}, {"Pragma", "no-cache"}};
  return response;
}

json::object exchange_code(const Call& call, const Parameters& form) {
  OAuth& oauth = call.gateway.oauth;
  if (!form.has("code")) throw OAuthError{400, "invalid_request", "Missing \"code\" in request."};
  const auto found = oauth.codes.find(form["code"]);
  const OAuthError invalid{400, "invalid_grant", "Invalid \"code\" in request."};
  if (found == oauth.codes.end()) throw invalid;
  const AuthorizationCode code = std::move(found->second);
  oauth.codes.erase(found);  // once only, whatever comes of it
  if (call.gateway.now() >= code.expires_ms) throw invalid;
  if (form["redirect_uri"] != code.redirect_uri) {
    throw OAuthError{400, "invalid_grant", "Invalid \"redirect_uri\" in request."};
  }
  const std::string verifier = form["code_verifier"];
  if (code.challenge.empty() != verifier.empty() ||
      (!verifier.empty() && base64url(seed_of(verifier)) != code.challenge)) {
    throw OAuthError{400, "invalid_grant", "Invalid \"code_verifier\" in request."};
  }
  const Grant& grant = add_grant(call, code.user, code.scopes, code.guild, true);
  json::object token = token_object(call, grant);
  const Guild* guild = call.world.find_guild(code.guild);
  if (guild != nullptr && grant.has("bot")) {
    std::string text;
    put_guild(text, call.world, *guild);
    token["guild"] = object_of(text);
  }
  if (guild != nullptr && grant.has("webhook.incoming")) {
    Webhook webhook{call.state.new_id(), guild->id, call.world.channels[guild->writable.front()].id, "trellis",
                    call.state.new_token()};
    token["webhook"] = webhook_object(call, call.state.webhooks.emplace(webhook.id, webhook).first->second, false);
  }
  return token;
}

json::object refresh(const Call& call, const Parameters& form) {
  if (!form.has("refresh_token")) throw OAuthError{400, "invalid_request", "Missing \"refresh_token\" in request."};
  Grant* grant = call.gateway.oauth.find_refresh(form["refresh_token"]);
  if (grant == nullptr) throw OAuthError{400, "invalid_grant", ""};
  if (form.has("scope")) {
    // It may only become less, which Discord does not do.
    const std::vector<std::string> scopes = read_scopes(form["scope"]);
    const bool within = std::all_of(scopes.begin(), scopes.end(), [&](const auto& scope) { return grant->has(scope); });
    if (scopes.empty() || !within) throw OAuthError{400, "invalid_scope", ""};
  }
  renew(call, *grant, true);
  return token_object(call, *grant);
}

/// For the owner itself.
json::object credentials(const Call& call, const Parameters& form) {
  std::vector<std::string> scopes = read_scopes(form["scope"]);
  const Grant asked{.scopes = scopes};
  if (scopes.empty() || asked.has("bot") || asked.has("webhook.incoming")) {
    throw OAuthError{400, "invalid_scope", "The requested scope is invalid, unknown, or malformed."};
  }
  return token_object(call, add_grant(call, 0, std::move(scopes), 0, false));
}

Response token(Call& call) {
  try {
    const Parameters form = form_of(call);
    const std::string type = form["grant_type"];
    if (type != "authorization_code" && type != "refresh_token" && type != "client_credentials") {
      throw OAuthError{400, "unsupported_grant_type",
                       fmt::format("Grant type {} is not supported", type.empty() ? "None" : type)};
    }
    check_client(call, form);
    return with_token(type == "authorization_code" ? exchange_code(call, form)
                      : type == "refresh_token"    ? refresh(call, form)
                                                   : credentials(call, form));
  } catch (const OAuthError& error) {
    return error.response();
  }
}

Response revoke(Call& call) {
  try {
    const Parameters form = form_of(call);
    check_client(call, form);
    if (form["token"].empty()) throw OAuthError{400, "invalid_request", "Missing \"token\" in request."};
    // All that the person granted goes, and a token that is none is as good as revoked (RFC 7009, 2.2).
    OAuth& oauth = call.gateway.oauth;
    if (const Grant* grant = oauth.find_any(form["token"])) {
      const std::uint32_t user = grant->user;
      std::erase_if(oauth.grants, [&](const auto& one) { return one.second.user == user; });
    }
    return call.answer(json::object{});
  } catch (const OAuthError& error) {
    return error.response();
  }
}

}  // namespace

void add_oauth_token_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"POST", "/oauth2/token", token, {10, 10'000}, {}, true},
                               {"POST", "/oauth2/token/revoke", revoke, {10, 10'000}, {}, true}});
}

}  // namespace trellis::sim
