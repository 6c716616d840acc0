// Where a gateway connection goes.
#pragma once
#include <string>
#include <string_view>

#include "gateway/decompressor.hpp"

namespace trellis::host {

struct GatewayUrl {
  bool tls = true;
  std::string host, port, target;  // target: path and query of the upgrade request

  /// From "wss://gateway.discord.gg" or a resume URL; version, encoding and compression are added. Throws
  /// std::invalid_argument with a sentence.
  static GatewayUrl parse(std::string_view url, Compression);
};

}  // namespace trellis::host
