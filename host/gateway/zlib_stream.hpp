// Discord's zlib-stream: one inflate context per connection; a payload ends where a message ends in 00 00 FF FF.
#pragma once
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace trellis::host {

class ZlibStream {
 public:
  enum class Result {
    More,      // the payload goes on in the next message
    Payload,   // payload()
    Bad,       // not a zlib stream; the connection cannot be read on
    TooLarge,  // beyond the ceiling
  };

  explicit ZlibStream(std::size_t payload_ceiling = 64 << 20);
  ~ZlibStream();
  ZlibStream(const ZlibStream&) = delete;
  ZlibStream& operator=(const ZlibStream&) = delete;

  /// Takes one WebSocket message.
  Result feed(std::string_view message);
  /// Lives until the next feed(); kMessagePadding bytes behind it may be read.
  std::string_view payload() const { return {out_.data(), size_}; }

  /// Another connection.
  void reset();
  /// Gives back the memory that one large payload took.
  void trim();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::size_t ceiling_;
  std::vector<char> out_;
  std::size_t size_ = 0;
  unsigned suffix_ = ~0u;  // last four bytes seen
  bool complete_ = true, failed_ = false;
};

}  // namespace trellis::host
