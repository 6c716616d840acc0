#include "journal/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace trellis::host {
namespace {

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4
  EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
  EXPECT_EQ(crc32c(0, std::string(32, '\0').data(), 32), 0x8a9136aau);
  EXPECT_EQ(crc32c(0, std::string(32, '\xff').data(), 32), 0x62a8ab43u);
  EXPECT_EQ(crc32c(0, "", 0), 0u);
}

TEST(Crc32c, InstructionAndTableAgree) {
  std::mt19937_64 random(1);
  std::vector<unsigned char> bytes(20'000);
  for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t from = random() % 64, count = random() % (i < 1'000 ? 500 : bytes.size() - 64);
    const auto start = static_cast<std::uint32_t>(random());
    ASSERT_EQ(crc32c(start, bytes.data() + from, count), crc32c_portable(start, bytes.data() + from, count))
        << from << " " << count;
  }
}

TEST(Crc32c, GoesOnFromAPart) {
  const std::string text = "the quick brown fox jumps over the lazy dog, again and again";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32c(crc32c(0, text.data(), cut), text.data() + cut, text.size() - cut),
              crc32c(0, text.data(), text.size()));
  }
}

}  // namespace
}  // namespace trellis::host
