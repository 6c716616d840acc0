// The bot's application: what it says of itself, and where its interactions go.
#include <algorithm>

#include "application_object.hpp"
#include "call.hpp"
#include "event_types.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

json::object public_application(const Gateway& gateway) {
  const json::value* description = gateway.rest.application.if_contains("description");
  return {{"id", id_text(gateway.world.self.id)},
          {"name", "trellis"},
          {"icon", nullptr},
          {"description", description != nullptr ? *description : json::value("")},
          {"type", nullptr},
          {"bot", user_object(gateway.world, kNone)},
          {"bot_public", true},
          {"bot_require_code_grant", false},
          {"verify_key", gateway.endpoint.public_key()},
          {"flags_new", "8388608"},
          {"flags", 8388608},
          {"hook", true}};
}

namespace {

constexpr std::size_t kMaxUrl = 2048;

json::object application(const Gateway& gateway) {
  const std::uint64_t granted = gateway.options.granted_intents();
  std::uint64_t flags = 1ULL << 23;
  if ((granted & intent::kPresences) != 0) flags |= 1ULL << 12;
  if ((granted & intent::kGuildMembers) != 0) flags |= 1ULL << 14;
  if ((granted & intent::kMessageContent) != 0) flags |= 1ULL << 18;
  json::object made{{"id", id_text(gateway.world.self.id)},
                    {"name", "trellis"},
                    {"icon", nullptr},
                    {"description", ""},
                    {"type", nullptr},
                    {"bot", user_object(gateway.world, kNone)},
                    {"summary", ""},
                    {"bot_public", true},
                    {"bot_require_code_grant", false},
                    {"verify_key", gateway.endpoint.public_key()},
                    {"flags_new", id_text(flags)},
                    {"flags", flags},
                    {"hook", true},
                    {"is_monetized", false},
                    {"redirect_uris", json::array{}},
                    {"interactions_endpoint_url", nullptr},
                    {"role_connections_verification_url", nullptr},
                    {"approximate_guild_count", gateway.world.guilds.size()},
                    {"approximate_user_install_count", 0},
                    {"approximate_user_authorization_count", 0},
                    {"explicit_content_filter", 0},
                    {"eligible_oauth2_scopes", json::array{}},
                    {"owner", user_object(gateway.world, 0)},
                    {"team", nullptr}};
  for (const std::string& uri : gateway.options.redirect_uri) made["redirect_uris"].as_array().emplace_back(uri);
  for (const auto& [key, value] : gateway.rest.application) made[key] = value;
  if (gateway.endpoint.in_use()) made["interactions_endpoint_url"] = gateway.endpoint.url();
  return made;
}

Response get(Call& call) { return call.answer(application(call.gateway)); }

Response get_for_oauth(Call& call) {
  json::object found = application(call.gateway);
  found["rpc_origins"] = json::array{};
  return call.answer(found);
}

/// The fields that are kept as they were given; null takes one away.
json::object read_changes(Form& form) {
  json::object changes;
  if (const auto description = form.text("description", 0, 400)) changes["description"] = *description;
  if (const auto* tags = form.array("tags", 0, 5)) {
    for (std::size_t i = 0; i < tags->size(); ++i) {
      if ((*tags)[i].is_string() && characters((*tags)[i].get_string()) <= 20) continue;
      form.error("tags." + std::to_string(i), "BASE_TYPE_MAX_LENGTH", "Must be 20 or fewer in length.");
    }
    changes["tags"] = *tags;
  }
  for (const char* key : {"custom_install_url", "role_connections_verification_url"}) {
    const auto url = form.text(key, 0, kMaxUrl);
    if (url && !url->empty() && !url->starts_with("https://") && !url->starts_with("http://")) {
      form.error(key, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
    }
    if (url) changes[key] = *url;
    if (form.null(key)) changes[key] = nullptr;
  }
  return changes;
}

void apply(Gateway& gateway, const json::object& changes) {
  for (const auto& [key, value] : changes) {
    if (value.is_null())
      gateway.rest.application.erase(key);
    else
      gateway.rest.application[key] = value;
  }
}

Response edit(Call& call) {
  constexpr const char* kUrl = "interactions_endpoint_url";
  FormErrors errors;
  Form form(errors, call.body);
  const json::object changes = read_changes(form);
  const std::string url = form.text(kUrl, 0, kMaxUrl).value_or("");
  std::optional<Address> address;
  if (!url.empty()) {
    std::string why;
    address = parse_address(url, why);
    if (!address) form.error(kUrl, "URL_TYPE_INVALID_URL", why);
  }
  errors.check();
  Gateway& gateway = call.gateway;
  if (!address) {
    if (form.has(kUrl)) gateway.endpoint.clear();
    apply(gateway, changes);
    return call.answer(application(gateway));
  }
  Response pending;
  pending.later = [&gateway, changes, url, address](std::function<void(Response)> respond) {
    gateway.endpoint.check(gateway, *address, [&gateway, changes, url, address, respond](bool passed) {
      if (!passed) {
        FormErrors refused;
        refused.add(kUrl, "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID",
                    "The specified interactions endpoint URL could not be verified.");
        return respond(refused.form().response());
      }
      gateway.endpoint.use(url, *address);
      apply(gateway, changes);
      respond({200, json::serialize(application(gateway))});
    });
  };
  return pending;
}

}  // namespace

void add_application_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/applications/@me", get, {10, 10'000}},
                               {"PATCH", "/applications/@me", edit, {10, 10'000}},
                               {"GET", "/oauth2/applications/@me", get_for_oauth, {10, 10'000}}});
}

}  // namespace trellis::sim
