#include "gateway/url.hpp"

#include <boost/url.hpp>
#include <stdexcept>

namespace trellis::host {

GatewayUrl GatewayUrl::parse(std::string_view text, Compression compression) {
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed || (parsed->scheme() != "wss" && parsed->scheme() != "ws") || parsed->host().empty()) {
    throw std::invalid_argument(fmt::format("\"{}\" is not a gateway address: it must look like wss://host", text));
  }
  GatewayUrl url;
  url.tls = parsed->scheme() == "wss";
  url.host = parsed->host_address();
  url.port = parsed->has_port() ? std::string(parsed->port()) : url.tls ? "443" : "80";
  const std::string path(parsed->encoded_path());
  url.target = (path.empty() ? "/" : path) + "?v=10&encoding=json";
  if (compression != Compression::None) url.target.append("&compress=").append(name_of(compression));
  return url;
}

}  // namespace trellis::host
