#include "journal/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace trellis::host {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // bit-reversed

using Table = std::array<std::uint32_t, 256>;

/// tables[k][b]: the CRC of byte b followed by k zero bytes.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
    }
  }
  return tables;
}
constexpr auto kTables = make_tables();

std::uint64_t load64(const unsigned char* p) {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

#if defined(__x86_64__) || defined(__aarch64__)

/// shifts[k][b]: what byte k of a CRC register with value b becomes when `count` zero bytes follow.
struct Shift {
  std::array<Table, 4> tables;
  explicit Shift(std::size_t count) {
    for (std::size_t k = 0; k < 4; ++k) {
      for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte << (8 * k);
        for (std::size_t i = 0; i < count; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
        tables[k][byte] = crc;
      }
    }
  }
  std::uint32_t operator()(std::uint32_t crc) const {
    return tables[0][crc & 0xff] ^ tables[1][crc >> 8 & 0xff] ^ tables[2][crc >> 16 & 0xff] ^ tables[3][crc >> 24];
  }
};

// The instruction takes three cycles but starts one each cycle: three stretches at a time, joined afterwards.
constexpr std::size_t kLong = 1024, kShort = 128;
struct Shifts {
  Shift by_long{kLong}, by_short{kShort};
};
const Shifts& shifts() {
  static const Shifts instance;
  return instance;
}

#if defined(__x86_64__)
#define TRELLIS_CRC_TARGET __attribute__((target("sse4.2")))
#define TRELLIS_CRC_8(crc, value) static_cast<std::uint32_t>(_mm_crc32_u64(crc, value))
#define TRELLIS_CRC_1(crc, value) _mm_crc32_u8(crc, value)
bool have_instruction() { return __builtin_cpu_supports("sse4.2"); }
#else
#define TRELLIS_CRC_TARGET __attribute__((target("+crc")))
#define TRELLIS_CRC_8(crc, value) __crc32cd(crc, value)
#define TRELLIS_CRC_1(crc, value) __crc32cb(crc, value)
bool have_instruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

template <std::size_t kStretch>
TRELLIS_CRC_TARGET inline std::uint32_t three_stretches(std::uint32_t crc, const unsigned char* p, const Shift& shift) {
  std::uint32_t second = 0, third = 0;
  for (std::size_t i = 0; i < kStretch; i += 8) {
    crc = TRELLIS_CRC_8(crc, load64(p + i));
    second = TRELLIS_CRC_8(second, load64(p + kStretch + i));
    third = TRELLIS_CRC_8(third, load64(p + 2 * kStretch + i));
  }
  return shift(shift(crc) ^ second) ^ third;
}

TRELLIS_CRC_TARGET std::uint32_t crc32c_instruction(std::uint32_t crc, const void* bytes, std::size_t count) {
  static const Shifts& shift = shifts();
  const auto* p = static_cast<const unsigned char*>(bytes);
  crc = ~crc;
  for (; count >= 3 * kLong; count -= 3 * kLong, p += 3 * kLong) crc = three_stretches<kLong>(crc, p, shift.by_long);
  for (; count >= 3 * kShort; count -= 3 * kShort, p += 3 * kShort) {
    crc = three_stretches<kShort>(crc, p, shift.by_short);
  }
  for (; count >= 8; count -= 8, p += 8) crc = TRELLIS_CRC_8(crc, load64(p));
  for (; count > 0; --count, ++p) crc = TRELLIS_CRC_1(crc, *p);
  return ~crc;
}

#else
bool have_instruction() { return false; }
std::uint32_t crc32c_instruction(std::uint32_t crc, const void* bytes, std::size_t count) {
  return crc32c_portable(crc, bytes, count);
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, const void* bytes, std::size_t count) {
  const auto* p = static_cast<const unsigned char*>(bytes);
  crc = ~crc;
  for (; count >= 8; count -= 8, p += 8) {
    std::uint64_t value = load64(p) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][value >> (8 * k) & 0xff];
  }
  for (; count > 0; --count, ++p) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t count) {
  static const bool instruction = have_instruction();
  return instruction ? crc32c_instruction(crc, bytes, count) : crc32c_portable(crc, bytes, count);
}

}  // namespace trellis::host
