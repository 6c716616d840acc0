// Where Discord's REST API is.
#pragma once
#include <string>

namespace trellis::host {

struct RestAddress {
  bool tls = true;
  std::string host, port;   // to connect to
  std::string base;         // "/api/v10": what every target is put behind
  std::string host_header;  // "discord.com", with the port when it is not the usual one
  std::string shown;        // "discord.com:443", for messages

  /// From discord.api. Throws DiscordError with a sentence.
  static RestAddress parse(const std::string& api);
};

}  // namespace trellis::host
