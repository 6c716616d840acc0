#include "outgoing.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/url.hpp>
#include <charconv>

namespace trellis::sim {

std::optional<Address> parse_address(std::string_view url, std::string& why) {
  const auto parsed = boost::urls::parse_uri({url.data(), url.size()});
  if (!parsed || parsed->host().empty()) {
    why = "Not a well formed URL.";
    return std::nullopt;
  }
  if (parsed->scheme() != "http") {
    why =
        fmt::format("Scheme \"{}\" is not supported. Scheme must be one of ('http',).", std::string(parsed->scheme()));
    return std::nullopt;
  }
  Address address;
  address.host = std::string(parsed->encoded_host_and_port());
  const std::string name(parsed->host_address());
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(name == "localhost" ? "127.0.0.1" : name, error);
  if (error || !ip.is_loopback()) {
    why = "Not a well formed URL. The simulator talks to this machine only.";
    return std::nullopt;
  }
  address.ip = ip.to_string();
  if (parsed->has_port()) {
    const std::string port(parsed->port());
    const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (read.ec != std::errc{} || address.port == 0) {
      why = "Not a well formed URL.";
      return std::nullopt;
    }
  }
  address.target = std::string(parsed->encoded_path());
  if (address.target.empty()) address.target = "/";
  if (parsed->has_query()) address.target += "?" + std::string(parsed->encoded_query());
  return address;
}

}  // namespace trellis::sim
