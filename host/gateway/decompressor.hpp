// How the gateway's traffic is compressed: one context per connection, never kept over two.
#pragma once
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace trellis::host {

enum class Compression { None, Zlib, Zstd };

/// For "&compress=": "zlib-stream"; empty without compression.
std::string_view name_of(Compression);

inline constexpr std::size_t kPayloadCeiling = 64 << 20;

class Decompressor {
 public:
  enum class Result {
    More,      // the payload goes on in the next message
    Payload,   // payload()
    Bad,       // nothing that can be decompressed; the connection cannot be read on
    TooLarge,  // beyond the ceiling; the same
  };

  virtual ~Decompressor() = default;
  /// Takes one WebSocket message.
  virtual Result feed(std::string_view message) = 0;
  /// Lives until the next feed(); kMessagePadding bytes behind it may be read.
  virtual std::string_view payload() const = 0;
  /// Another connection.
  virtual void reset() = 0;
  /// Gives back the memory that one large payload took.
  virtual void trim() = 0;
};

/// Null for None. A payload that becomes larger than the ceiling is not decompressed to its end: what a few bytes may
/// unpack to is nothing a host should have to hold.
std::unique_ptr<Decompressor> make_decompressor(Compression, std::size_t payload_ceiling = kPayloadCeiling);

/// What is decompressed, growing up to a ceiling.
class PayloadBuffer {
 public:
  explicit PayloadBuffer(std::size_t ceiling);
  char* room() { return bytes_.data() + size_; }
  /// How much fits behind; never 0 unless the ceiling is reached.
  std::size_t grow();
  void filled(std::size_t bytes) { size_ += bytes; }
  void clear() { size_ = 0; }
  void trim();
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  const std::size_t ceiling_;
  std::vector<char> bytes_;
  std::size_t size_ = 0;
};

}  // namespace trellis::host
