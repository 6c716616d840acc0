#include "websocket.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

namespace trellis::sim {

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 32> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::size_t write_frame_header(char* out, Opcode opcode, std::size_t payload) {
  out[0] = static_cast<char>(0x80 | static_cast<unsigned>(opcode));
  if (payload < 126) {
    out[1] = static_cast<char>(payload);
    return 2;
  }
  const int bytes = payload <= 0xFFFF ? 2 : 8;
  out[1] = bytes == 2 ? 126 : 127;
  for (int i = 0; i < bytes; ++i) {
    out[2 + i] = static_cast<char>(static_cast<std::uint64_t>(payload) >> (8 * (bytes - 1 - i)));
  }
  return static_cast<std::size_t>(2 + bytes);
}

void put_frame(std::string& out, Opcode opcode, std::string_view payload) {
  char header[10];
  out.append(header, write_frame_header(header, opcode, payload.size()));
  out.append(payload);
}

void put_close_frame(std::string& out, unsigned code, std::string_view reason) {
  std::string payload;
  if (code != 0) {
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code));
    payload.append(reason.substr(0, 120));
  }
  put_frame(out, Opcode::kClose, payload);
}

FrameReader::Result FrameReader::feed(std::string_view bytes, const Handler& handler) {
  buffer_.append(bytes);
  std::size_t at = 0;
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(at);
    if (rest.size() < 2) break;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
    const bool final = (byte(0) & 0x80) != 0;
    const auto opcode = static_cast<Opcode>(byte(0) & 0x0F);
    if ((byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0) return Result::kBroken;
    std::uint64_t size = byte(1) & 0x7F;
    std::size_t head = 2;
    if (size >= 126) {
      const std::size_t extra = size == 126 ? 2 : 8;
      if (rest.size() < 2 + extra) break;
      size = 0;
      for (std::size_t i = 0; i < extra; ++i) size = (size << 8) | byte(2 + i);
      head += extra;
    }
    const bool control = static_cast<unsigned>(opcode) >= 8;
    if (control ? (size > 125 || !final) : message_.size() + size > limit_) {
      return control ? Result::kBroken : Result::kTooBig;
    }
    if (rest.size() < head + 4 + size) break;
    std::string payload(rest.substr(head + 4, static_cast<std::size_t>(size)));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ rest[head + i % 4]);
    at += head + 4 + static_cast<std::size_t>(size);
    if (control) {
      handler.control(opcode, payload);
      continue;
    }
    if ((opcode == Opcode::kContinuation) != in_message_ || static_cast<unsigned>(opcode) > 2) return Result::kBroken;
    message_ += payload;
    in_message_ = !final;
    if (final) {
      const std::string whole = std::move(message_);
      message_.clear();
      handler.text(whole);
    }
  }
  buffer_.erase(0, at);
  return Result::kOk;
}

}  // namespace trellis::sim
