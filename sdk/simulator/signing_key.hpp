// The key an application's interactions are signed with when they are delivered over HTTP.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace trellis::sim {

class SigningKey {
 public:
  /// An Ed25519 key from its seed of 32 bytes. Throws std::invalid_argument for another length.
  explicit SigningKey(std::string_view seed);

  /// 64 hexadecimal digits: an application's `verify_key`.
  const std::string& public_hex() const { return public_hex_; }
  /// The signature of `message`, 128 hexadecimal digits.
  std::string sign(std::string_view message) const;

 private:
  std::shared_ptr<void> key_;
  std::string public_hex_;
};

/// 32 bytes that follow from `text`.
std::string seed_of(std::string_view text);

/// The bytes of hexadecimal digits; empty if it is something else.
std::string from_hex(std::string_view text);
std::string to_hex(std::string_view bytes);

}  // namespace trellis::sim
