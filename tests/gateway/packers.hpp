// Discord's side of compressed streams: one for each connection.
#pragma once
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <string>
#include <string_view>

#include "gateway/decompressor.hpp"

namespace trellis::test {

class Packer {
 public:
  virtual ~Packer() = default;
  virtual std::string operator()(std::string_view text) = 0;
};

class Deflater final : public Packer {
 public:
  Deflater() { deflateInit(&z_, Z_DEFAULT_COMPRESSION); }
  ~Deflater() override { deflateEnd(&z_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  std::string operator()(std::string_view text) override {
    std::string out(text.size() + 1024, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z_.avail_in = static_cast<uInt>(text.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    deflate(&z_, Z_SYNC_FLUSH);
    out.resize(out.size() - z_.avail_out);
    return out;
  }

 private:
  z_stream z_{};
};

class ZstdPacker final : public Packer {
 public:
  explicit ZstdPacker(int window_log = 18) : z_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(z_, ZSTD_c_windowLog, window_log);
  }
  ~ZstdPacker() override { ZSTD_freeCCtx(z_); }
  ZstdPacker(const ZstdPacker&) = delete;
  ZstdPacker& operator=(const ZstdPacker&) = delete;
  std::string operator()(std::string_view text) override {
    std::string out(ZSTD_compressBound(text.size()) + 1024, '\0');
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_compressStream2(z_, &to, &in, ZSTD_e_flush);
    out.resize(to.pos);
    return out;
  }

 private:
  ZSTD_CCtx* z_;
};

inline std::unique_ptr<Packer> make_packer(host::Compression compression) {
  if (compression == host::Compression::Zstd) return std::make_unique<ZstdPacker>();
  return std::make_unique<Deflater>();
}

}  // namespace trellis::test
