#include "websocket.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace trellis::sim;

namespace {

std::string masked(Opcode opcode, bool final, const std::string& text) {
  std::string out;
  out.push_back(static_cast<char>((final ? 0x80 : 0) | static_cast<int>(opcode)));
  if (text.size() < 126) {
    out.push_back(static_cast<char>(0x80 | text.size()));
  } else {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size()));
  }
  const char mask[] = {1, 2, 3, 4};
  out.append(mask, 4);
  for (std::size_t i = 0; i < text.size(); ++i) out.push_back(static_cast<char>(text[i] ^ mask[i % 4]));
  return out;
}

struct Heard {
  std::vector<std::string> texts;
  std::vector<std::pair<Opcode, std::string>> controls;
  FrameReader::Handler handler{[this](std::string_view text) { texts.emplace_back(text); },
                               [this](Opcode opcode, std::string_view text) { controls.emplace_back(opcode, text); }};
};

TEST(WebSocket, AcceptKeyOfTheRfc) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, LengthsTakeTheShortestForm) {
  char header[10];
  EXPECT_EQ(write_frame_header(header, Opcode::kText, 125), 2U);
  EXPECT_EQ(write_frame_header(header, Opcode::kText, 126), 4U);
  EXPECT_EQ(write_frame_header(header, Opcode::kText, 65535), 4U);
  EXPECT_EQ(write_frame_header(header, Opcode::kBinary, 65536), 10U);
  EXPECT_EQ(std::string(header, 10), std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
}

TEST(FrameReader, MessagesByteByByteAndFragmentedWithControlsBetween) {
  const std::string bytes = masked(Opcode::kText, false, "hel") + masked(Opcode::kPing, true, "p") +
                            masked(Opcode::kContinuation, true, "lo") +
                            masked(Opcode::kText, true, std::string(300, 'x')) +
                            masked(Opcode::kClose, true, "\x03\xe8");
  Heard heard;
  FrameReader reader(1000);
  for (const char byte : bytes) ASSERT_EQ(reader.feed({&byte, 1}, heard.handler), FrameReader::Result::kOk);
  EXPECT_EQ(heard.texts, (std::vector<std::string>{"hello", std::string(300, 'x')}));
  ASSERT_EQ(heard.controls.size(), 2U);
  EXPECT_EQ(heard.controls[0], (std::pair{Opcode::kPing, std::string("p")}));
  EXPECT_EQ(heard.controls[1], (std::pair{Opcode::kClose, std::string("\x03\xe8")}));
}

TEST(FrameReader, RefusesWhatIsTooBigOrBroken) {
  const auto feed = [](const std::string& bytes) {
    Heard heard;
    return FrameReader(100).feed(bytes, heard.handler);
  };
  EXPECT_EQ(feed(masked(Opcode::kText, true, std::string(101, 'x'))), FrameReader::Result::kTooBig);
  EXPECT_EQ(feed(masked(Opcode::kText, false, std::string(60, 'x')) +
                 masked(Opcode::kContinuation, true, std::string(60, 'x'))),
            FrameReader::Result::kTooBig);
  EXPECT_EQ(feed("\x81\x01x"), FrameReader::Result::kBroken) << "unmasked";
  EXPECT_EQ(feed(masked(Opcode::kContinuation, true, "x")), FrameReader::Result::kBroken) << "nothing to continue";
  EXPECT_EQ(feed(masked(Opcode::kPing, false, "x")), FrameReader::Result::kBroken) << "fragmented control frame";
}

}  // namespace
