// Reads WebSocket messages (RFC 6455, client side) out of one large receive buffer.
//
// Own code instead of Beast's websocket stream: that reads through a buffer of 1.5 KB and needs at least one call and
// one completion per message. Here the socket fills 256 KB at once and messages are looked at where they lie: a message
// in one frame is not copied. Beast still does the HTTP of the handshake.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

/// Bytes behind every message that may be read (not: that are zero). What simdjson wants.
inline constexpr std::size_t kMessagePadding = 64;

inline constexpr std::size_t kReceiveBytes = 256 << 10;

class WebsocketReader {
 public:
  enum class Event {
    NeedMore,  // no complete frame: fill space() and come back
    Message,   // payload(): a whole data message, text or binary
    Ping,      // payload(): to be sent back
    Pong,
    Close,  // close_code(), 0 when there was none; payload(): the reason
    Error,  // error(): not WebSocket; the connection cannot be read on
  };

  explicit WebsocketReader(std::size_t buffer_bytes = kReceiveBytes, std::size_t message_ceiling = 64 << 20);

  /// Room behind what was received; never empty. Moves what is left of the last round to the front, and grows the
  /// buffer for a frame that is larger, as its bytes come. Views given out before are void.
  std::span<char> space();
  /// True when the buffer has no room left without growing: time to call next().
  bool full() const { return end_ == capacity_; }
  /// That many bytes of space() have been filled.
  void filled(std::size_t bytes) { end_ += bytes; }

  /// The next event. Views live until the next call of next() or space().
  Event next();
  std::string_view payload() const { return payload_; }
  bool binary() const { return binary_; }
  std::uint16_t close_code() const { return close_code_; }
  const std::string& error() const { return error_; }
  std::uint64_t frames() const { return frames_; }

  /// Forgets everything: another connection.
  void reset();
  /// Gives back the memory that one large message took.
  void trim();

 private:
  Event fail(std::string text);

  std::size_t base_bytes_, ceiling_;
  std::vector<char> buffer_;
  std::size_t capacity_;  // of buffer_, without the padding
  std::size_t begin_ = 0, end_ = 0, wanted_ = 0;
  std::vector<char> assembly_;  // fragments of a message
  std::size_t assembled_ = 0;
  bool in_fragments_ = false, fragments_binary_ = false, binary_ = false, failed_ = false;
  std::uint16_t close_code_ = 0;
  std::uint64_t frames_ = 0;
  std::string_view payload_;
  std::string error_;
};

/// Appends one masked frame, as clients must send them. opcode: 1 text, 8 close, 9 ping, 10 pong. payload under 64 KB.
void append_client_frame(std::string& out, unsigned opcode, std::string_view payload, std::uint32_t mask);

}  // namespace trellis::host
