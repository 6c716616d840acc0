// CRC32C (Castagnoli), with the processor's instruction where there is one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace trellis::host {

/// [any thread] Goes on from `crc`, the result for the bytes before; 0 at the start.
std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t count);

/// The same without special instructions: what old processors get.
std::uint32_t crc32c_portable(std::uint32_t crc, const void* bytes, std::size_t count);

}  // namespace trellis::host
