#include "compressor.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

using namespace trellis::sim;

namespace {

/// As a client does it: one context for the connection, each message complete after its bytes.
class Inflater {
 public:
  Inflater() { inflateInit(&stream_); }
  ~Inflater() { inflateEnd(&stream_); }
  std::string operator()(const std::string& packed) {
    EXPECT_EQ(packed.substr(packed.size() - 4), std::string("\0\0\xff\xff", 4));
    std::string out(1 << 20, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = inflate(&stream_, Z_SYNC_FLUSH);
    EXPECT_TRUE(result == Z_OK || result == Z_BUF_ERROR) << result;
    EXPECT_EQ(stream_.avail_in, 0U);
    out.resize(out.size() - stream_.avail_out);
    return out;
  }

 private:
  z_stream stream_{};
};

class Unzstd {
 public:
  ~Unzstd() { ZSTD_freeDCtx(context_); }
  std::string operator()(const std::string& packed) {
    std::string out(1 << 20, '\0');
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    while (in.pos < in.size) {
      const std::size_t result = ZSTD_decompressStream(context_, &target, &in);
      if (ZSTD_isError(result) != 0) {
        ADD_FAILURE() << ZSTD_getErrorName(result);
        break;
      }
    }
    out.resize(target.pos);
    return out;
  }

 private:
  ZSTD_DCtx* context_ = ZSTD_createDCtx();
};

std::string message(int n) {
  return R"({"t":"MESSAGE_CREATE","s":)" + std::to_string(n) + R"(,"op":0,"d":{"content":")" +
         std::string(static_cast<std::size_t>(n % 7) * 300, static_cast<char>('a' + n % 26)) + "\"}}";
}

template <class Decoder>
void check_messages(const char* name) {
  const auto compressor = make_compressor(name, 6);
  Decoder decode;
  std::size_t packed_size = 0;
  for (int n = 0; n < 500; ++n) {
    std::string packed;
    compressor->add(packed, message(n));
    packed_size += packed.size();
    ASSERT_EQ(decode(packed), message(n));
  }
  EXPECT_LT(packed_size, 500U * 60) << "later messages refer to earlier ones";
}

template <class Decoder>
void check_stretches(const char* name) {
  const auto compressor = make_compressor(name, 6);
  Decoder decode;
  const auto stretch = [&](int from, int count) {
    std::vector<std::string> packed(static_cast<std::size_t>(count));
    compressor->begin_independent();
    for (int i = 0; i < count; ++i) {
      std::string& one = packed[static_cast<std::size_t>(i)];
      if (i + 1 == count)
        compressor->add_last(one, message(from + i));
      else
        compressor->add(one, message(from + i));
    }
    return packed;
  };
  const auto first = stretch(0, 1);
  const auto prepared = stretch(100, 50);
  const auto control = stretch(7, 1);
  const auto more = stretch(200, 50);
  const auto expect = [&](const std::vector<std::string>& packed, int from) {
    for (std::size_t i = 0; i < packed.size(); ++i) ASSERT_EQ(decode(packed[i]), message(from + static_cast<int>(i)));
  };
  // What was packed later may go out earlier.
  expect(first, 0);
  expect(control, 7);
  expect(more, 200);
  expect(prepared, 100);
}

TEST(Compressor, ZlibStream) { check_messages<Inflater>("zlib-stream"); }
TEST(Compressor, ZstdStream) { check_messages<Unzstd>("zstd-stream"); }
TEST(Compressor, ZlibIndependentStretches) { check_stretches<Inflater>("zlib-stream"); }
TEST(Compressor, ZstdIndependentStretches) { check_stretches<Unzstd>("zstd-stream"); }
TEST(Compressor, OthersAreUnknown) { EXPECT_EQ(make_compressor("lz4", 6), nullptr); }

}  // namespace
