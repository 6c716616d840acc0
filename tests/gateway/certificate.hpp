// A key and a certificate that signs itself, for one host name, as PEM.
#pragma once
#include <string>

namespace trellis::test {

struct Certificate {
  std::string key, certificate;

  explicit Certificate(const std::string& host);
};

}  // namespace trellis::test
