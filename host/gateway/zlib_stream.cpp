#include "gateway/zlib_stream.hpp"

#include <zlib.h>

#include <new>

namespace trellis::host {

struct ZlibStream::Context {
  z_stream z{};
  Context() {
    if (inflateInit(&z) != Z_OK) throw std::bad_alloc();
  }
  ~Context() { inflateEnd(&z); }
};

ZlibStream::ZlibStream(std::size_t payload_ceiling) : context_(std::make_unique<Context>()), out_(payload_ceiling) {}

ZlibStream::~ZlibStream() = default;

void ZlibStream::reset() {
  inflateReset(&context_->z);
  out_.clear();
  suffix_ = ~0u;
  complete_ = true;
  failed_ = false;
  trim();
}

void ZlibStream::trim() {
  if (complete_) out_.trim();
}

ZlibStream::Result ZlibStream::feed(std::string_view message) {
  if (failed_) return Result::Bad;
  if (complete_) {
    out_.clear();
    suffix_ = ~0u;
    complete_ = false;
  }
  z_stream& z = context_->z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  z.avail_in = static_cast<uInt>(message.size());
  // The loop goes round again after filling the buffer exactly: zlib may hold more output than there was room for.
  bool filled = false;
  while (z.avail_in > 0 || filled) {
    const std::size_t room = out_.grow();
    char beyond = 0;  // at the ceiling: whether there is more
    z.next_out = reinterpret_cast<Bytef*>(room > 0 ? out_.room() : &beyond);
    z.avail_out = static_cast<uInt>(room > 0 ? room : 1);
    const int status = inflate(&z, Z_SYNC_FLUSH);
    if (room == 0 && z.avail_out == 0) {
      failed_ = true;
      return Result::TooLarge;
    }
    if (room > 0) out_.filled(room - z.avail_out);
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
