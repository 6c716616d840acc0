// What comes compressed, and what only looks so.
#include "gateway/websocket_reader.hpp"
#include "packers.hpp"
#include "rig.hpp"

namespace trellis::test {
namespace {

constexpr std::string_view kHello = R"({"t":null,"s":null,"op":10,"d":{"heartbeat_interval":45000}})";
constexpr std::string_view kReady = R"({"session_id":"abc","resume_gateway_url":""})";

bool arrives(Rig& rig, std::size_t messages) {
  return wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() >= messages; });
}

TEST(Zlib, MessagesCutAtEveryByte) {
  FakeGateway gateway;
  const std::string text = envelope("MESSAGE_CREATE", 0, message(1));
  const std::size_t cuts = Deflater()(text).size() + 8;
  std::atomic<int> sent = 0;
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.target(), "/?v=10&encoding=json&compress=zlib-stream");
    Deflater deflate;
    link.send_binary(deflate(kHello));
    link.read();
    link.send_binary(deflate(envelope("READY", 1, kReady)));
    std::uint64_t seq = 1;
    for (std::size_t cut = 0; cut <= cuts; ++cut) {
      ++seq;
      const std::string packed = deflate(envelope("MESSAGE_CREATE", seq, message(seq)));
      const std::size_t at = std::min(cut, packed.size());
      // One payload as two messages; every other time as two fragments of one message too.
      if (at > 0 && at < packed.size()) {
        link.send_raw(server_frame(0x82, packed.substr(0, at)));
        link.send_raw(server_frame(0x82, packed.substr(at)));
        ++seq;
        const std::string again = deflate(envelope("MESSAGE_CREATE", seq, message(seq)));
        link.send_raw(server_frame(0x02, again.substr(0, at % again.size())));
        link.send_raw(server_frame(0x80, again.substr(at % again.size())));
      } else {
        link.send_binary(packed);
      }
    }
    sent = static_cast<int>(seq - 1);
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.compression = Compression::Zlib;
  rig.start();
  ASSERT_TRUE(wait_until([&] {
    return sent > 0 && dispatches(*rig.journal, "MESSAGE_CREATE").size() == static_cast<std::size_t>(sent);
  })) << gateway.trouble();
  std::uint64_t id = 2;
  for (const auto& kept : dispatches(*rig.journal, "MESSAGE_CREATE")) {
    EXPECT_EQ(kept.data, message(id));
    ++id;
  }
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
}

class Compressed : public testing::TestWithParam<Compression> {};

INSTANTIATE_TEST_SUITE_P(As, Compressed, testing::Values(Compression::Zlib, Compression::Zstd),
                         [](const auto& info) { return info.param == Compression::Zlib ? "Zlib" : "Zstd"; });

TEST_P(Compressed, IsAskedForInTheAddressAndReadAsItCame) {
  FakeGateway gateway;
  Seen<std::string> target;
  constexpr int kMessages = 300;
  gateway.then([&](Link& link) {
    target = link.target();
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    link.read();
    link.send_binary(pack(envelope("READY", 1, kReady)));
    std::string burst;  // many messages in one read, one of them empty
    for (std::uint64_t seq = 2; seq < kMessages + 2; ++seq)
      burst += server_frame(0x82, pack(envelope("MESSAGE_CREATE", seq, message(seq))));
    link.send_raw(burst);
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.compression = GetParam();
  rig.start();
  ASSERT_TRUE(arrives(rig, kMessages)) << gateway.trouble();
  EXPECT_EQ(target(), "/?v=10&encoding=json&compress=" + std::string(name_of(GetParam())));
  std::uint64_t id = 2;
  for (const auto& kept : dispatches(*rig.journal, "MESSAGE_CREATE")) EXPECT_EQ(kept.data, message(id++));
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
}

TEST_P(Compressed, LargePayloadsAndAFreshContextPerConnection) {
  FakeGateway gateway;
  std::string large = message(1, R"(,"big":")" + std::string(5 << 20, 'x') + '"');
  for (std::size_t i = 0; i < large.size() - 300; i += 997) large[i + 200] = static_cast<char>('a' + i % 26);
  const std::string payload = message(1, R"(,"big":")" + large.substr(100, 5 << 20) + '"');
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    link.read();
    link.send_binary(pack(envelope("READY", 1, kReady)));
    link.send_binary(pack(envelope("MESSAGE_CREATE", 2, payload)));
    link.send_binary(pack(envelope("MESSAGE_CREATE", 3, message(2))).substr(0, 20));
    link.drop();
  });
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    EXPECT_EQ(link.read().at("d").at("seq"), 2);
    link.send_binary(pack(envelope("MESSAGE_CREATE", 3, message(2))));
    link.send_binary(pack(envelope("RESUMED", 4, "{}")));
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.compression = GetParam();
  rig.start();
  ASSERT_TRUE(arrives(rig, 2)) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "MESSAGE_CREATE")[0].data, payload);
}

TEST_P(Compressed, ABrokenStreamIsResumed) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    link.read();
    link.send_binary(pack(envelope("READY", 1, kReady)));
    link.send_binary(std::string("this is not compressed \x00\x00\xff\xff", 27));
    link.read_close();
  });
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    EXPECT_EQ(link.read().at("op"), 6);
    link.send_binary(pack(envelope("RESUMED", 2, "{}")));
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.compression = GetParam();
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
}

/// A few bytes that unpack to gigabytes: the connection ends at the ceiling, and the session goes on.
TEST_P(Compressed, ABombIsNotUnpacked) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    link.read();
    link.send_binary(pack(envelope("READY", 1, kReady)));
    link.send_binary(pack(std::string(40 << 20, ' ')));
    link.read_close();
  });
  gateway.then([&](Link& link) {
    const auto packer = make_packer(GetParam());
    Packer& pack = *packer;
    link.send_binary(pack(kHello));
    EXPECT_EQ(link.read().at("op"), 6);
    link.send_binary(pack(envelope("RESUMED", 2, "{}")));
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.compression = GetParam();
  rig.options.max_payload = 1 << 20;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
  EXPECT_NE(rig.shard->stats().last_error.find("discord.max_payload"), std::string::npos);
}

TEST_P(Compressed, ThePayloadCeilingIsExact) {
  constexpr std::size_t kCeiling = 300'000;  // no power of two, and beyond the first buffer
  for (const std::size_t size : {kCeiling - 1, kCeiling, kCeiling + 1}) {
    const auto packer = make_packer(GetParam());
    const auto decompressor = make_decompressor(GetParam(), kCeiling);
    const std::string text(size, 'x');
    const auto result = decompressor->feed((*packer)(text));
    if (size > kCeiling) {
      EXPECT_EQ(result, Decompressor::Result::TooLarge);
      EXPECT_EQ(decompressor->feed((*packer)("x")), Decompressor::Result::Bad) << "until it is reset";
    } else {
      ASSERT_EQ(result, Decompressor::Result::Payload) << size;
      EXPECT_EQ(decompressor->payload(), text);
    }
    decompressor->reset();
    EXPECT_EQ(decompressor->feed((*make_packer(GetParam()))("again")), Decompressor::Result::Payload);
    EXPECT_EQ(decompressor->payload(), "again");
  }
}

TEST_P(Compressed, EveryCutAndEveryFlippedByteEndsInAResult) {
  const auto packer = make_packer(GetParam());
  const std::string whole = (*packer)(envelope("MESSAGE_CREATE", 2, message(2)));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    make_decompressor(GetParam(), 4096)->feed(whole.substr(0, i));
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x5a);
    const auto decompressor = make_decompressor(GetParam(), 4096);
    if (decompressor->feed(flipped) == Decompressor::Result::Payload) {
      EXPECT_LE(decompressor->payload().size(), 4096u);
    }
  }
}

/// The stream names the size of its window, which the reader has to allocate.
TEST(Zstd, AWindowLargerThanAnybodyNeedsIsRefused) {
  const std::string text(1 << 20, 'x');
  ZstdPacker small(23), large(27);
  EXPECT_EQ(make_decompressor(Compression::Zstd)->feed(small(text)), Decompressor::Result::Payload);
  EXPECT_EQ(make_decompressor(Compression::Zstd)->feed(large(text)), Decompressor::Result::Bad);
}

/// A header that claims much costs nothing before the bytes are there.
TEST(Frames, AreAllocatedAsTheyCome) {
  WebsocketReader reader(4096, 64 << 20);
  const std::string frame = server_frame(0x82, std::string(30 << 20, 'x'));
  std::size_t at = 0, largest = 0;
  while (at < frame.size()) {
    const auto room = reader.space();
    const std::size_t n = std::min(room.size(), frame.size() - at);
    frame.copy(room.data(), n, at);
    reader.filled(n);
    at += n;
    largest = std::max(largest, room.size());
    if (at < 1 << 20) {
      EXPECT_LE(room.size(), 2u << 20);
    }
    if (at < frame.size()) {
      ASSERT_EQ(reader.next(), WebsocketReader::Event::NeedMore);
    }
  }
  ASSERT_EQ(reader.next(), WebsocketReader::Event::Message);
  EXPECT_EQ(reader.payload().size(), 30u << 20);
}

}  // namespace
}  // namespace trellis::test
