#include "oauth_request.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace trellis::sim {

namespace json = boost::json;

namespace {

/// Nothing that is no base64.
std::string from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  bytes.resize(static_cast<std::size_t>(size));
  // The padding was decoded to zeros.
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && !bytes.empty(); --i) bytes.pop_back();
  return bytes;
}

}  // namespace

Response OAuthError::response() const {
  json::object body{{"error", error}};
  if (!description.empty()) body["error_description"] = description;
  Response response{status, json::serialize(body)};
  response.headers = {{"Cache-Control", "no-store"}, {"Pragma", "no-cache"}};
  if (challenge) response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"discord\"");
  return response;
}

Parameters::Parameters(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t mark = std::min(pair.find('='), pair.size());
    std::string key = percent_decode(pair.substr(0, mark), true);
    const bool first = values_.emplace(key, percent_decode(pair.substr(std::min(mark + 1, pair.size())), true)).second;
    if (!first) throw OAuthError{400, "invalid_request", "The parameter \"" + key + "\" is repeated."};
  }
}

std::string Parameters::operator[](std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string() : found->second;
}

void check_client(const Call& call, const Parameters& form) {
  std::string id = form["client_id"];
  std::string secret = form["client_secret"];
  const std::string& header = call.request.authorization;
  const bool basic = header.starts_with("Basic ");
  if (basic) {
    if (!secret.empty()) {
      throw OAuthError{400, "invalid_request", "The client authenticates in more than one way."};
    }
    const std::string pair = from_base64(std::string_view(header).substr(6));
    const std::size_t colon = pair.find(':');
    // Both halves are urlencoded: RFC 6749, 2.3.1.
    const std::string named = percent_decode(pair.substr(0, colon), true);
    if (colon == std::string::npos || (!id.empty() && id != named)) throw OAuthError{401, "invalid_client", "", true};
    id = named;
    secret = percent_decode(std::string_view(pair).substr(colon + 1), true);
  }
  const std::string& wanted = call.gateway.options.client_secret;
  const bool known =
      id == std::to_string(call.world.self.id) && !secret.empty() && (wanted.empty() || wanted == secret);
  if (!known) throw OAuthError{401, "invalid_client", "", basic};
}

}  // namespace trellis::sim
