#include "gateway/zstd_stream.hpp"

#include <zstd.h>

#include <new>

namespace trellis::host {

namespace {
/// Discord's window is 256 KiB. The stream itself says how large it is, and that much is allocated: 8 MiB at most.
constexpr int kWindowLogMax = 23;
}  // namespace

struct ZstdStream::Context {
  ZSTD_DCtx* z = ZSTD_createDCtx();
  Context() {
    if (!z) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, kWindowLogMax);
  }
  ~Context() { ZSTD_freeDCtx(z); }
};

ZstdStream::ZstdStream(std::size_t payload_ceiling) : context_(std::make_unique<Context>()), out_(payload_ceiling) {}

ZstdStream::~ZstdStream() = default;

void ZstdStream::reset() {
  ZSTD_DCtx_reset(context_->z, ZSTD_reset_session_only);
  out_.clear();
  failed_ = false;
  trim();
}

ZstdStream::Result ZstdStream::feed(std::string_view message) {
  if (failed_) return Result::Bad;
  out_.clear();
  ZSTD_inBuffer in{message.data(), message.size(), 0};
  for (;;) {
    const std::size_t room = out_.grow();
    char beyond = 0;  // at the ceiling: whether there is more
    ZSTD_outBuffer out{room > 0 ? out_.room() : &beyond, room > 0 ? room : 1, 0};
    const std::size_t before = in.pos;
    const std::size_t status = ZSTD_decompressStream(context_->z, &out, &in);
    if (ZSTD_isError(status)) {
      failed_ = true;
      return Result::Bad;
    }
    if (room == 0 && out.pos > 0) {
      failed_ = true;
      return Result::TooLarge;
    }
    if (room > 0) out_.filled(out.pos);
    // A full buffer: zstd may hold more output than there was room for.
    if (out.pos == out.size) continue;
    if (in.pos == in.size) return Result::Payload;
    if (in.pos == before && out.pos == 0) {
      failed_ = true;
      return Result::Bad;
    }
  }
}

}  // namespace trellis::host
