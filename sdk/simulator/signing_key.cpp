#include "signing_key.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace trellis::sim {

namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

void check(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL could not use an Ed25519 key");
}

}  // namespace

SigningKey::SigningKey(std::string_view seed) {
  if (seed.size() != 32) throw std::invalid_argument("the seed of an Ed25519 key has 32 bytes");
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(seed), seed.size());
  check(key != nullptr);
  key_ = std::shared_ptr<void>(key, [](void* one) { EVP_PKEY_free(static_cast<EVP_PKEY*>(one)); });
  std::string raw(32, '\0');
  std::size_t size = raw.size();
  check(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size) == 1 && size == 32);
  public_hex_ = to_hex(raw);
}

std::string SigningKey::sign(std::string_view message) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  check(context != nullptr);
  check(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(key_.get())) == 1);
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  check(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(message),
                       message.size()) == 1 &&
        size == 64);
  return to_hex(signature);
}

std::string seed_of(std::string_view text) {
  std::string digest(32, '\0');
  check(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(),
                   nullptr) == 1);
  return digest;
}

std::string from_hex(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    if (digit(text[i]) < 0 || digit(text[i + 1]) < 0) return {};
    bytes.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return text.size() % 2 == 0 ? bytes : std::string();
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

}  // namespace trellis::sim
