// The small parts by themselves.
#include <gtest/gtest.h>

#include <random>

#include "fake_gateway.hpp"
#include "gateway/close_codes.hpp"
#include "gateway/envelope.hpp"
#include "gateway/hot_fields.hpp"
#include "gateway/send_budget.hpp"
#include "gateway/url.hpp"
#include "gateway/websocket_reader.hpp"
#include "journal/event_types.hpp"

namespace trellis::host {
namespace {

Record fields(std::string_view type, std::string data, bool expect_good = true) {
  static HotFields reader;
  const std::size_t size = data.size();
  data.append(kMessagePadding, '}');  // what follows must not matter
  Record record{.type = event_type(type), .received_us = 5};
  EXPECT_EQ(reader.read({data.data(), size}, record), expect_good) << data;
  return record;
}

TEST(HotFields, Message) {
  const Record r =
      fields("MESSAGE_CREATE",
             R"({"id":"1467362417523687485","channel_id":"2","guild_id":"3","author":{"id":"4","bot":true},)"
             R"("timestamp":"2026-02-01T03:34:22.613000+00:00","member":{"nick":null},"mentions":[{"id":"9"}]})");
  EXPECT_EQ(r.id, 1467362417523687485u);
  EXPECT_EQ(r.channel, 2u);
  EXPECT_EQ(r.guild, 3u);
  EXPECT_EQ(r.user, 4u);
  EXPECT_EQ(r.flags, kRecordBot);
  EXPECT_EQ(r.happened_us, 1769916862613000);
}

TEST(HotFields, MessageWithoutATimestampTakesItsTimeFromTheId) {
  EXPECT_EQ(fields("MESSAGE_CREATE", R"({"id":"1467362417523687485"})").happened_us / 1000, 1769916862613);
  EXPECT_EQ(fields("MESSAGE_DELETE", R"({"id":"1467362417523687485"})").happened_us, 5);
}

TEST(HotFields, AnEditHappenedWhenItWasEdited) {
  EXPECT_EQ(fields("MESSAGE_UPDATE",
                   R"({"timestamp":"2026-01-01T00:00:00Z","edited_timestamp":"1970-01-01T00:00:01.5+00:00"})")
                .happened_us,
            1'500'000);
  EXPECT_EQ(fields("MESSAGE_UPDATE", R"({"timestamp":"2026-01-01T00:00:00Z","edited_timestamp":null})").happened_us, 5);
}

TEST(HotFields, WebhooksAreBots) {
  EXPECT_EQ(fields("MESSAGE_CREATE", R"({"id":"1","webhook_id":"8","author":{"id":"8"}})").flags, kRecordBot);
  EXPECT_EQ(fields("MESSAGE_CREATE", R"({"id":"1","webhook_id":null,"author":{"id":"8","bot":false}})").flags, 0);
}

TEST(HotFields, IdsMeanWhatTheDispatchSays) {
  EXPECT_EQ(fields("GUILD_CREATE", R"({"id":"7","owner_id":"8"})").guild, 7u);
  EXPECT_EQ(fields("CHANNEL_UPDATE", R"({"id":"7","guild_id":"8"})").channel, 7u);
  EXPECT_EQ(fields("CHANNEL_UPDATE", R"({"id":"7","guild_id":"8"})").guild, 8u);
  EXPECT_EQ(fields("THREAD_DELETE", R"({"id":"7","guild_id":"8","parent_id":"9"})").channel, 7u);
  const Record reaction =
      fields("MESSAGE_REACTION_ADD", R"({"user_id":"1","message_id":"2","member":{"user":{"id":"1","bot":true}},)"
                                     R"("emoji":{"id":"5"},"channel_id":"3","guild_id":"4"})");
  EXPECT_EQ(reaction.id, 2u);
  EXPECT_EQ(reaction.user, 1u);
  EXPECT_EQ(reaction.flags, kRecordBot);
  const Record voice =
      fields("VOICE_STATE_UPDATE", R"({"channel_id":null,"user_id":"1","guild_id":"4","session_id":"x"})");
  EXPECT_EQ(voice.channel, 0u);
  EXPECT_EQ(voice.user, 1u);
  EXPECT_EQ(fields("GUILD_MEMBER_ADD", R"({"user":{"id":"6"},"guild_id":"4"})").user, 6u);
  EXPECT_EQ(fields("GUILD_ROLE_DELETE", R"({"role_id":"6","guild_id":"4"})").id, 6u);
  EXPECT_EQ(fields("GUILD_ROLE_UPDATE", R"({"role":{"name":"r","id":"6"},"guild_id":"4"})").id, 6u);
  EXPECT_EQ(fields("TYPING_START", R"({"timestamp":1769916862,"user_id":"1"})").happened_us, 1769916862000000);
  EXPECT_EQ(fields("READY", R"({"user":{"id":"1","bot":true}})").flags, 0);
}

TEST(HotFields, EveryPrefixOfAMessageIsMalformed) {
  const std::string whole =
      R"({"id":"14","channel_id":"2","author":{"id":"4","bot":true,"name":"\"x\\"},"list":[1,2,{"a":[]}],"n":-1.5e3})";
  fields("MESSAGE_CREATE", whole);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Record r = fields("MESSAGE_CREATE", whole.substr(0, size), false);
    EXPECT_EQ(r.flags, kRecordMalformed);
    EXPECT_EQ(r.id, 0u);
  }
}

TEST(HotFields, RandomBytesNeverHurt) {
  std::mt19937 random(1);
  HotFields reader;
  const std::string seed =
      R"({"id":"14","channel_id":"2","author":{"id":"4","bot":true},"list":[1,2,{"a":[]}],"t":"x"})";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    for (int change = static_cast<int>(random() % 5); change >= 0; --change) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 5);
          break;
        default:
          text.insert(at, 1, "{}[]\",:\\0"[random() % 9]);
      }
      if (text.empty()) text = "{";
    }
    const std::size_t size = text.size();
    text.append(kMessagePadding, '"');
    Record record{.type = event_type("MESSAGE_CREATE")};
    const bool good = reader.read({text.data(), size}, record);
    EXPECT_EQ(good, !(record.flags & kRecordMalformed));
  }
}

TEST(Timestamp, Forms) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_timestamp("1970-01-01T01:00:00+01:00"), 0);
  EXPECT_EQ(parse_timestamp("1969-12-31T20:30:00.000001-03:30"), 1);
  EXPECT_EQ(parse_timestamp("2024-02-29T12:00:00.123456789+00:00"), 1709208000123456);
  EXPECT_EQ(parse_timestamp("2000-03-01T00:00:00Z"), 951868800000000);
  for (const char* bad : {"", "2024-02-29", "2024-13-01T00:00:00Z", "2024-02-29T12:00:00", "2024-02-29T12:00:00.Z",
                          "2024-02-29T12:00:00+0000", "yesterday at twelve o'clock"}) {
    EXPECT_EQ(parse_timestamp(bad), std::nullopt) << bad;
  }
}

TEST(Envelope, ScanAndParseAgree) {
  const std::string d = R"({"id":"1","t":"x","s":5})";
  for (const std::string& text :
       {R"({"t":"MESSAGE_CREATE","s":3,"op":0,"d":)" + d + "}", R"({"op":0,"s":3,"t":"MESSAGE_CREATE","d":)" + d + "}",
        std::string(R"({"t":null,"s":null,"op":11,"d":null})"),
        std::string(R"({"t":null,"s":null,"op":9,"d":false})")}) {
    Envelope quick, full;
    ASSERT_TRUE(scan_envelope(text, quick)) << text;
    std::string padded = text + std::string(kMessagePadding, ' ');
    EnvelopeParser parser;
    ASSERT_TRUE(parser.parse({padded.data(), text.size()}, full)) << text;
    EXPECT_EQ(quick.op, full.op);
    EXPECT_EQ(quick.seq, full.seq);
    EXPECT_EQ(quick.type, full.type);
    EXPECT_EQ(quick.data, full.data);
  }
  for (const char* text : {"", "{}", "[]", "{\"d\":1}", R"({"t":"MESSAGE_CREATE","s":3,"op":0,"d":{)", "null"}) {
    Envelope envelope;
    std::string padded = text + std::string(kMessagePadding, ' ');
    EnvelopeParser parser;
    EXPECT_FALSE(scan_envelope(text, envelope) || parser.parse({padded.data(), std::strlen(text)}, envelope)) << text;
  }
}

TEST(WebsocketReader, AnyCutOfTheBytesGivesTheSameMessages) {
  std::string bytes;
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    const std::string text(static_cast<std::size_t>(i * 37 % 900), static_cast<char>('a' + i % 26));
    expected.push_back(text);
    if (i % 3 == 0) {
      bytes += test::server_frame(0x01, text.substr(0, text.size() / 2));
      bytes += test::server_frame(0x89, "ping");
      bytes += test::server_frame(0x80, text.substr(text.size() / 2));
    } else {
      bytes += test::server_frame(0x81, text);
    }
  }
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    WebsocketReader reader(256);  // small, so that it must move and grow
    std::vector<std::string> got;
    std::size_t at = 0;
    int pings = 0;
    while (at < bytes.size()) {
      const auto room = reader.space();
      ASSERT_FALSE(room.empty());
      const std::size_t n = std::min({room.size(), bytes.size() - at, static_cast<std::size_t>(random() % 500 + 1)});
      bytes.copy(room.data(), n, at);
      at += n;
      reader.filled(n);
      for (auto event = reader.next(); event != WebsocketReader::Event::NeedMore; event = reader.next()) {
        if (event == WebsocketReader::Event::Message) got.emplace_back(reader.payload());
        if (event == WebsocketReader::Event::Ping) ++pings;
        ASSERT_NE(event, WebsocketReader::Event::Error);
      }
      if (random() % 50 == 0) reader.trim();
    }
    EXPECT_EQ(got, expected);
    EXPECT_EQ(pings, 20);
  }
}

TEST(WebsocketReader, CloseWithAndWithoutACode) {
  WebsocketReader reader;
  const std::string bytes = test::server_frame(0x88, std::string("\x0f\xa4token", 7));
  bytes.copy(reader.space().data(), bytes.size());
  reader.filled(bytes.size());
  ASSERT_EQ(reader.next(), WebsocketReader::Event::Close);
  EXPECT_EQ(reader.close_code(), 4004);
  EXPECT_EQ(reader.payload(), "token");
  reader.reset();
  const std::string bare = test::server_frame(0x88, "");
  bare.copy(reader.space().data(), bare.size());
  reader.filled(bare.size());
  ASSERT_EQ(reader.next(), WebsocketReader::Event::Close);
  EXPECT_EQ(reader.close_code(), 0);
}

TEST(SendBudget, KeepsPlacesForHeartbeats) {
  SendBudget budget;
  budget.reserve_for(std::chrono::milliseconds(41'250));
  const SendBudget::Time start{};
  int others = 0;
  while (budget.take(start, false)) ++others;
  EXPECT_EQ(others, 117);
  EXPECT_TRUE(budget.take(start, true));
  EXPECT_TRUE(budget.take(start, true));
  EXPECT_TRUE(budget.take(start, true));
  EXPECT_FALSE(budget.take(start, true));
  EXPECT_FALSE(budget.take(start + std::chrono::seconds(59), true));
  EXPECT_TRUE(budget.take(start + std::chrono::seconds(60), false));
}

TEST(Url, Parts) {
  const auto url = GatewayUrl::parse("wss://gateway-us-east1-b.discord.gg", Compression::Zlib);
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "gateway-us-east1-b.discord.gg");
  EXPECT_EQ(url.port, "443");
  EXPECT_EQ(url.target, "/?v=10&encoding=json&compress=zlib-stream");
  const auto plain = GatewayUrl::parse("ws://[::1]:9000/gw?v=6", Compression::None);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.host, "::1");
  EXPECT_EQ(plain.port, "9000");
  EXPECT_EQ(plain.target, "/gw?v=10&encoding=json");
  EXPECT_EQ(GatewayUrl::parse("wss://a", Compression::Zstd).target, "/?v=10&encoding=json&compress=zstd-stream");
  EXPECT_THROW(GatewayUrl::parse("https://discord.com", Compression::None), std::invalid_argument);
  EXPECT_THROW(GatewayUrl::parse("discord", Compression::None), std::invalid_argument);
}

}  // namespace
}  // namespace trellis::host
