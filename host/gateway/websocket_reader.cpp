#include "gateway/websocket_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace trellis::host {
namespace {

std::uint64_t big_endian(const unsigned char* p, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | p[i];
  return value;
}

}  // namespace

WebsocketReader::WebsocketReader(std::size_t buffer_bytes, std::size_t message_ceiling)
    : base_bytes_(buffer_bytes),
      ceiling_(message_ceiling),
      buffer_(buffer_bytes + kMessagePadding),
      capacity_(buffer_bytes) {}

void WebsocketReader::reset() {
  begin_ = end_ = wanted_ = assembled_ = 0;
  in_fragments_ = failed_ = false;
  close_code_ = 0;
  error_.clear();
  payload_ = {};
  trim();
}

void WebsocketReader::trim() {
  if (capacity_ > base_bytes_ && end_ - begin_ < base_bytes_ && wanted_ < base_bytes_) {
    std::vector<char> smaller(base_bytes_ + kMessagePadding);
    std::memcpy(smaller.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    buffer_.swap(smaller);
    capacity_ = base_bytes_;
    payload_ = {};
  }
  if (!in_fragments_ && assembly_.size() > base_bytes_) std::vector<char>().swap(assembly_);
}

std::span<char> WebsocketReader::space() {
  payload_ = {};
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && (end_ == capacity_ || begin_ + wanted_ > capacity_)) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (wanted_ > capacity_ && end_ == capacity_) {  // one frame is larger than the buffer
    capacity_ = std::min(wanted_, 2 * capacity_);
    buffer_.resize(capacity_ + kMessagePadding);
  }
  return {buffer_.data() + end_, capacity_ - end_};
}

WebsocketReader::Event WebsocketReader::fail(std::string text) {
  failed_ = true;
  error_ = std::move(text);
  return Event::Error;
}

WebsocketReader::Event WebsocketReader::next() {
  if (failed_) return Event::Error;
  for (;;) {
    const auto* p = reinterpret_cast<const unsigned char*>(buffer_.data() + begin_);
    const std::size_t have = end_ - begin_;
    wanted_ = 2;
    if (have < 2) return Event::NeedMore;
    const bool fin = p[0] & 0x80;
    const unsigned opcode = p[0] & 0x0f;
    if (p[0] & 0x70) return fail("a frame with reserved bits set, though no extension was agreed");
    if (p[1] & 0x80) return fail("a masked frame, which only clients may send");
    std::uint64_t length = p[1] & 0x7f;
    std::size_t header = 2;
    if (length == 126) {
      wanted_ = header = 4;
      if (have < 4) return Event::NeedMore;
      length = big_endian(p + 2, 2);
    } else if (length == 127) {
      wanted_ = header = 10;
      if (have < 10) return Event::NeedMore;
      length = big_endian(p + 2, 8);
    }
    const bool control = opcode & 8;
    if (control) {
      if (opcode > 10) return fail("a control frame of an unknown kind");
      if (!fin || length > 125) return fail("a control frame that is fragmented or longer than 125 bytes");
    } else {
      if (opcode > 2) return fail("a data frame of an unknown kind");
      if (opcode == 0 && !in_fragments_) return fail("a continuation without a beginning");
      if (opcode != 0 && in_fragments_) return fail("a new message inside a fragmented one");
      if (length > ceiling_ || assembled_ + length > ceiling_)
        return fail(fmt::format("a message of more than {} bytes (discord.max_payload)", ceiling_));
    }
    wanted_ = header + length;
    if (have < wanted_) return Event::NeedMore;

    const std::string_view body(buffer_.data() + begin_ + header, length);
    begin_ += wanted_;
    wanted_ = 0;
    ++frames_;
    if (control) {
      payload_ = body;
      if (opcode == 9) return Event::Ping;
      if (opcode == 10) return Event::Pong;
      close_code_ = 0;
      if (length >= 2) {
        close_code_ = static_cast<std::uint16_t>(big_endian(reinterpret_cast<const unsigned char*>(body.data()), 2));
        payload_ = body.substr(2);
      }
      return Event::Close;
    }
    if (opcode != 0 && fin) {  // the usual case: a message in one frame
      binary_ = opcode == 2;
      payload_ = body;
      return Event::Message;
    }
    if (opcode != 0) {
      in_fragments_ = true;
      fragments_binary_ = opcode == 2;
      assembled_ = 0;
    }
    const std::size_t need = assembled_ + length + kMessagePadding;
    if (assembly_.size() < need) assembly_.resize(need > assembly_.size() * 2 ? need : assembly_.size() * 2);
    if (length > 0) std::memcpy(assembly_.data() + assembled_, body.data(), length);
    assembled_ += length;
    if (!fin) continue;
    in_fragments_ = false;
    binary_ = fragments_binary_;
    payload_ = {assembly_.data(), assembled_};
    assembled_ = 0;
    return Event::Message;
  }
}

void append_client_frame(std::string& out, unsigned opcode, std::string_view payload, std::uint32_t mask) {
  out.push_back(static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(payload.size() >> 8));
    out.push_back(static_cast<char>(payload.size()));
  }
  char key[4];
  std::memcpy(key, &mask, 4);
  out.append(key, 4);
  for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ key[i & 3]));
}

}  // namespace trellis::host
