#include "oauth.hpp"

#include <algorithm>
#include <array>

#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {
/// Those that anybody may ask for; the others need Discord's approval.
constexpr std::array<std::string_view, 15> kScopes = {"identify",
                                                      "email",
                                                      "connections",
                                                      "guilds",
                                                      "guilds.join",
                                                      "guilds.members.read",
                                                      "gdm.join",
                                                      "bot",
                                                      "webhook.incoming",
                                                      "messages.read",
                                                      "applications.commands",
                                                      "applications.commands.permissions.update",
                                                      "applications.commands.update",
                                                      "applications.entitlements",
                                                      "role_connections.write"};
}  // namespace

bool Grant::has(std::string_view scope) const { return std::find(scopes.begin(), scopes.end(), scope) != scopes.end(); }

std::string Grant::scope_text() const {
  std::string text;
  for (const std::string& scope : scopes) text.append(text.empty() ? "" : " ").append(scope);
  return text;
}

const Grant* OAuth::find_access(std::string_view token, std::int64_t now_ms) const {
  for (const auto& [id, grant] : grants) {
    if (grant.access == token && now_ms < grant.expires_ms) return &grant;
  }
  return nullptr;
}

Grant* OAuth::find_refresh(std::string_view token) {
  for (auto& [id, grant] : grants) {
    if (!grant.refresh.empty() && grant.refresh == token) return &grant;
  }
  return nullptr;
}

Grant* OAuth::find_any(std::string_view token) {
  for (auto& [id, grant] : grants) {
    if (grant.access == token) return &grant;
  }
  return find_refresh(token);
}

json::array OAuth::json(const World& world) const {
  json::array list;
  for (const auto& [id, grant] : grants) {
    json::object one{{"user_id", id_text(world.users[grant.user].id)},
                     {"scope", grant.scope_text()},
                     {"expires", time_text(grant.expires_clock_ms)}};
    if (grant.guild != 0) one["guild_id"] = id_text(grant.guild);
    list.push_back(std::move(one));
  }
  return list;
}

std::vector<std::string> read_scopes(std::string_view text) {
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (std::find(kScopes.begin(), kScopes.end(), word) == kScopes.end()) return {};
    if (std::find(scopes.begin(), scopes.end(), word) == scopes.end()) scopes.emplace_back(word);
  }
  return scopes;
}

std::string base64url(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 3; ++i)
      value = value << 8 | (i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i <= left; ++i) text.push_back(kLetters[value >> (18 - 6 * i) & 63]);
  }
  return text;
}

}  // namespace trellis::sim
