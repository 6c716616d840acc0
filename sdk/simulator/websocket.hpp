// RFC 6455 as a server needs it: the accept key, frames out, frames in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace trellis::sim {

enum class Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

/// Value of Sec-WebSocket-Accept for the client's key.
std::string websocket_accept(std::string_view key);

/// Writes the header of a final, unmasked frame (at most 10 bytes) and returns its size.
std::size_t write_frame_header(char* out, Opcode opcode, std::size_t payload);

void put_frame(std::string& out, Opcode opcode, std::string_view payload);
/// `code` 0 makes a close frame without one.
void put_close_frame(std::string& out, unsigned code, std::string_view reason);

/// Takes a client's bytes apart into messages.
class FrameReader {
 public:
  struct Handler {
    std::function<void(std::string_view)> text;  ///< whole message, text or binary
    std::function<void(Opcode, std::string_view)> control;
  };

  /// Longest message accepted; longer ones make feed() fail with kTooBig.
  explicit FrameReader(std::size_t limit) : limit_(limit) {}

  enum class Result { kOk, kTooBig, kBroken };
  Result feed(std::string_view bytes, const Handler& handler);

 private:
  std::size_t limit_;
  std::string buffer_;
  std::string message_;
  bool in_message_ = false;
};

}  // namespace trellis::sim
