#include "compressor.hpp"

#include <zlib.h>
#include <zstd.h>

#include <stdexcept>

namespace trellis::sim {

namespace {

/// Raw deflate behind a zlib header written by hand: the stream never ends, so nobody ever checks its Adler sum, and a
/// raw context can be reset in the middle, which makes independent stretches.
class ZlibStream final : public Compressor {
 public:
  explicit ZlibStream(int level) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("zlib: deflateInit2 failed");
    }
  }
  ~ZlibStream() override { deflateEnd(&stream_); }
  ZlibStream(const ZlibStream&) = delete;
  ZlibStream& operator=(const ZlibStream&) = delete;

  void add(std::string& out, std::string_view message) override {
    if (!started_) {
      out.append("\x78\x9c", 2);
      started_ = true;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    stream_.avail_in = static_cast<uInt>(message.size());
    do {
      const std::size_t at = out.size();
      const std::size_t room = message.size() / 2 + 128;
      out.resize(at + room);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + at);
      stream_.avail_out = static_cast<uInt>(room);
      deflate(&stream_, Z_SYNC_FLUSH);
      out.resize(at + room - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  void begin_independent() override { deflateReset(&stream_); }
  void add_last(std::string& out, std::string_view message) override { add(out, message); }

 private:
  z_stream stream_{};
  bool started_ = false;
};

/// The real gateway's window is 256 KiB.
class ZstdStream final : public Compressor {
 public:
  ZstdStream() : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::runtime_error("zstd: no context");
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, 18);
  }
  ~ZstdStream() override { ZSTD_freeCCtx(context_); }
  ZstdStream(const ZstdStream&) = delete;
  ZstdStream& operator=(const ZstdStream&) = delete;

  void add(std::string& out, std::string_view message) override { compress(out, message, ZSTD_e_flush); }
  void begin_independent() override {}
  void add_last(std::string& out, std::string_view message) override { compress(out, message, ZSTD_e_end); }

 private:
  void compress(std::string& out, std::string_view message, ZSTD_EndDirective mode) {
    ZSTD_inBuffer in{message.data(), message.size(), 0};
    std::size_t left = 0;
    do {
      const std::size_t at = out.size();
      const std::size_t room = message.size() / 2 + 256;
      out.resize(at + room);
      ZSTD_outBuffer target{out.data() + at, room, 0};
      left = ZSTD_compressStream2(context_, &target, &in, mode);
      if (ZSTD_isError(left) != 0) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(left));
      out.resize(at + target.pos);
    } while (left != 0);
  }

  ZSTD_CCtx* context_;
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(std::string_view name, int zlib_level) {
  if (name == "zlib-stream") return std::make_unique<ZlibStream>(zlib_level);
  if (name == "zstd-stream") return std::make_unique<ZstdStream>();
  return nullptr;
}

std::string zlib_packed(std::string_view payload, int level) {
  uLongf size = compressBound(payload.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(payload.data()),
                payload.size(), level) != Z_OK) {
    throw std::runtime_error("zlib could not compress a payload");
  }
  packed.resize(size);
  return packed;
}

}  // namespace trellis::sim
