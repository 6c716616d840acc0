#include "discord/rest_address.hpp"

#include <boost/url.hpp>

#include "discord/discord_error.hpp"

namespace trellis::host {

RestAddress RestAddress::parse(const std::string& api) {
  const auto url = boost::urls::parse_uri(api);
  if (!url || (url->scheme() != "https" && url->scheme() != "http") || url->host().empty()) {
    throw DiscordError(0, false,
                       fmt::format("discord.api is \"{}\", which is not an http or https address. The usual one is "
                                   "https://discord.com/api/v10.",
                                   api));
  }
  RestAddress address;
  address.tls = url->scheme() == "https";
  address.host = url->host_address();
  const std::string usual = address.tls ? "443" : "80";
  address.port = url->has_port() ? std::string(url->port()) : usual;
  address.base = std::string(url->encoded_path());
  while (address.base.ends_with('/')) address.base.pop_back();
  const std::string host = address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  address.shown = host + ":" + address.port;
  address.host_header = address.port == usual ? host : address.shown;
  return address;
}

}  // namespace trellis::host
