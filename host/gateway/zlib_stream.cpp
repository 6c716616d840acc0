#include "gateway/zlib_stream.hpp"

#include <zlib.h>

#include <new>

#include "gateway/websocket_reader.hpp"

namespace trellis::host {
namespace {

constexpr std::size_t kBaseBytes = 128 << 10;

}  // namespace

struct ZlibStream::Context {
  z_stream z{};
  Context() {
    if (inflateInit(&z) != Z_OK) throw std::bad_alloc();
  }
  ~Context() { inflateEnd(&z); }
};

ZlibStream::ZlibStream(std::size_t payload_ceiling)
    : context_(std::make_unique<Context>()), ceiling_(payload_ceiling), out_(kBaseBytes + kMessagePadding) {}

ZlibStream::~ZlibStream() = default;

void ZlibStream::reset() {
  inflateReset(&context_->z);
  size_ = 0;
  suffix_ = ~0u;
  complete_ = true;
  failed_ = false;
  trim();
}

void ZlibStream::trim() {
  if (out_.size() > 4 * kBaseBytes && complete_) {
    std::vector<char>(kBaseBytes + kMessagePadding).swap(out_);
    size_ = 0;
  }
}

ZlibStream::Result ZlibStream::feed(std::string_view message) {
  if (failed_) return Result::Bad;
  if (complete_) {
    size_ = 0;
    suffix_ = ~0u;
    complete_ = false;
  }
  z_stream& z = context_->z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  z.avail_in = static_cast<uInt>(message.size());
  // The loop goes round again after filling the buffer exactly: zlib may hold more output than there was room for.
  bool filled = false;
  while (z.avail_in > 0 || filled) {
    if (size_ + kMessagePadding >= out_.size()) {
      if (out_.size() > ceiling_) {
        failed_ = true;
        return Result::TooLarge;
      }
      out_.resize(out_.size() * 2);
    }
    const std::size_t room = out_.size() - kMessagePadding - size_;
    z.next_out = reinterpret_cast<Bytef*>(out_.data() + size_);
    z.avail_out = static_cast<uInt>(room);
    const int status = inflate(&z, Z_SYNC_FLUSH);
    size_ += room - z.avail_out;
    filled = z.avail_out == 0;
    if (status == Z_BUF_ERROR && z.avail_in == 0) break;  // nothing more to give
    if (status != Z_OK) {  // Z_STREAM_END too: the stream lasts as long as the connection
      failed_ = true;
      return Result::Bad;
    }
  }
  const std::size_t tail = message.size() < 4 ? message.size() : 4;
  for (std::size_t i = message.size() - tail; i < message.size(); ++i) {
    suffix_ = suffix_ << 8 | static_cast<unsigned char>(message[i]);
  }
  complete_ = suffix_ == 0x0000ffffu;
  return complete_ ? Result::Payload : Result::More;
}

}  // namespace trellis::host
