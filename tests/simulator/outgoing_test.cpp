#include "outgoing.hpp"

#include <gtest/gtest.h>

#include "signing_key.hpp"

using namespace trellis::sim;

TEST(SigningKey, SignsAsRfc8032Says) {
  const SigningKey one(from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  EXPECT_EQ(one.public_hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(
      one.sign(""),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
      "24655141438e7a100b");
  const SigningKey two(from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  EXPECT_EQ(two.public_hex(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(
      two.sign("\x72"),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
      "eeb00d291612bb0c00");
}

TEST(SigningKey, SeedsHave32BytesAndHexIsHex) {
  EXPECT_THROW(SigningKey("short"), std::invalid_argument);
  EXPECT_EQ(from_hex("0aFF"), std::string("\x0a\xff"));
  EXPECT_EQ(from_hex("0aF"), "");
  EXPECT_EQ(from_hex("0aXX"), "");
  EXPECT_EQ(to_hex(seed_of("a")), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
}

TEST(OutgoingAddress, OnlyHttpOnThisMachine) {
  std::string why;
  const auto address = parse_address("http://localhost:8080/a/b?c=d", why);
  ASSERT_TRUE(address) << why;
  EXPECT_EQ(address->ip, "127.0.0.1");
  EXPECT_EQ(address->host, "localhost:8080");
  EXPECT_EQ(address->port, 8080);
  EXPECT_EQ(address->target, "/a/b?c=d");
  const auto six = parse_address("http://[::1]", why);
  ASSERT_TRUE(six) << why;
  EXPECT_EQ(six->ip, "::1");
  EXPECT_EQ(six->port, 80);
  EXPECT_EQ(six->target, "/");
  for (const char* wrong : {"", "nonsense", "/path", "https://127.0.0.1/", "ftp://127.0.0.1/", "http://example.org/",
                            "http://10.0.0.1/", "http://127.0.0.1:99999/", "http:///", "http://127.0.0.1:0/"}) {
    why.clear();
    EXPECT_FALSE(parse_address(wrong, why)) << wrong;
    EXPECT_NE(why, "") << wrong;
  }
}
