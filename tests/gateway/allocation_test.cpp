// An event costs no allocation once buffers have their size: frame, decompression, envelope, hot fields, journal,
// cache.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "cache/cache.hpp"
#include "fake_gateway.hpp"
#include "gateway/collector.hpp"
#include "gateway/decompressor.hpp"
#include "gateway/websocket_reader.hpp"
#include "journal/event_types.hpp"
#include "packers.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace trellis::host {
namespace {

std::string event(std::uint64_t seq) {
  const std::string id = std::to_string(1'467'362'417'523'687'485 + seq);
  if (seq % 3 == 0)
    return test::envelope("TYPING_START", seq, R"({"channel_id":"2","user_id":"5","timestamp":1769916862})");
  return test::envelope("MESSAGE_CREATE", seq,
                        R"({"type":0,"tts":false,"timestamp":"2026-02-01T03:34:22.613000+00:00","mentions":[],"id":")" +
                            id + R"(","content":")" + std::string(seq * 31 % 700, 'x') +
                            R"(","channel_id":"20","author":{"username":"u","id":"30"},"guild_id":"10"})");
}

class Allocations : public testing::TestWithParam<Compression> {};

INSTANTIATE_TEST_SUITE_P(With, Allocations, testing::Values(Compression::Zlib, Compression::Zstd),
                         [](const auto& info) { return info.param == Compression::Zlib ? "Zlib" : "Zstd"; });

TEST_P(Allocations, NoneForAnEvent) {
  constexpr std::uint64_t kWarmUp = 5'000, kMeasured = 20'000;
  std::string folder = (std::filesystem::temp_directory_path() / "trellis-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  {
    // The wire's bytes beforehand, so that only the reading side is measured.
    const auto packer = test::make_packer(GetParam());
    test::Packer& pack = *packer;
    std::string wire = test::server_frame(0x82, pack(test::envelope("READY", 1, R"({"session_id":"abc"})")));
    std::size_t measured_from = 0;
    for (std::uint64_t seq = 2; seq < kWarmUp + kMeasured; ++seq) {
      if (seq == kWarmUp) measured_from = wire.size();
      wire += test::server_frame(0x82, pack(event(seq)));
    }

    Journal journal({.folder = std::filesystem::path(folder) / "journal"}, Stream{});
    Cache cache;
    GatewayFilter filter;
    filter.wanted[event_type("MESSAGE_CREATE")] = true;
    const Shard::Hooks hooks;
    Collector collector({}, journal, cache, filter, hooks, "test");
    WebsocketReader reader;
    const auto decompressor = make_decompressor(GetParam());
    std::uint64_t allocations_before = 0;
    for (std::size_t at = 0; at < wire.size();) {
      if (at >= measured_from && allocations_before == 0) allocations_before = allocations;
      const auto room = reader.space();
      const std::size_t n = std::min({room.size(), wire.size() - at, std::size_t{40'000}});
      wire.copy(room.data(), n, at);
      at += n;
      reader.filled(n);
      for (auto next = reader.next(); next != WebsocketReader::Event::NeedMore; next = reader.next()) {
        ASSERT_EQ(next, WebsocketReader::Event::Message);
        ASSERT_EQ(decompressor->feed(reader.payload()), Decompressor::Result::Payload);
        ASSERT_NE(collector.take(decompressor->payload(), 1).kind, Collector::Kind::Broken);
      }
      ASSERT_FALSE(journal.flush());
    }
    ASSERT_EQ(collector.last_seq(), kWarmUp + kMeasured - 1);
    ASSERT_GE(journal.tail().seq(), kWarmUp + kMeasured - 3);
    const std::uint64_t made = allocations - allocations_before;
    // A new segment of the journal may take a few.
    EXPECT_LT(made, 50u) << "for " << kMeasured << " events";
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace trellis::host
