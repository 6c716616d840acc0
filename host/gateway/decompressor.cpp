#include "gateway/decompressor.hpp"

#include <algorithm>

#include "gateway/websocket_reader.hpp"
#include "gateway/zlib_stream.hpp"
#include "gateway/zstd_stream.hpp"

namespace trellis::host {

namespace {
constexpr std::size_t kBaseBytes = 128 << 10;
}  // namespace

std::string_view name_of(Compression compression) {
  switch (compression) {
    case Compression::None:
      return "";
    case Compression::Zlib:
      return "zlib-stream";
    case Compression::Zstd:
      return "zstd-stream";
  }
  return "";
}

std::unique_ptr<Decompressor> make_decompressor(Compression compression, std::size_t payload_ceiling) {
  switch (compression) {
    case Compression::None:
      return nullptr;
    case Compression::Zlib:
      return std::make_unique<ZlibStream>(payload_ceiling);
    case Compression::Zstd:
      return std::make_unique<ZstdStream>(payload_ceiling);
  }
  return nullptr;
}

PayloadBuffer::PayloadBuffer(std::size_t ceiling)
    : ceiling_(ceiling), bytes_(std::min(kBaseBytes, ceiling) + kMessagePadding) {}

std::size_t PayloadBuffer::grow() {
  if (size_ + kMessagePadding == bytes_.size() && size_ < ceiling_)
    bytes_.resize(std::min(2 * size_, ceiling_) + kMessagePadding);
  return bytes_.size() - kMessagePadding - size_;
}

void PayloadBuffer::trim() {
  if (bytes_.size() <= 4 * kBaseBytes) return;
  std::vector<char>(kBaseBytes + kMessagePadding).swap(bytes_);
  size_ = 0;
}

}  // namespace trellis::host
