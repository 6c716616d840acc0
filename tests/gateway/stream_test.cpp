// What comes over the wire: frames, envelopes, garbage, and a journal that is full.
#include <fstream>

#include "rig.hpp"

namespace trellis::test {
namespace {

namespace json = boost::json;

constexpr std::string_view kHello = R"({"t":null,"s":null,"op":10,"d":{"heartbeat_interval":45000}})";
constexpr std::string_view kReady = R"({"session_id":"abc","resume_gateway_url":""})";

bool arrives(Rig& rig, std::size_t messages) {
  return wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() >= messages; });
}

TEST(Stream, FilteredDispatchesLeaveASkipEveryThousand) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    std::string burst;
    for (int s = 2; s <= 2501; ++s) burst += server_frame(0x81, envelope("TYPING_START", s, R"({"channel_id":"1"})"));
    link.send_raw(burst);
    link.dispatch("MESSAGE_CREATE", 2502, message(1));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 1)) << gateway.trouble();
  std::vector<std::uint32_t> skips;
  for (const auto& kept : read_all(*rig.journal)) {
    if (kept.record.kind == RecordKind::Skip) skips.push_back(kept.record.position.seq());
  }
  EXPECT_EQ(skips, (std::vector<std::uint32_t>{1001, 2001}));
  EXPECT_EQ(rig.shard->stats().filtered, 2500u);
}

TEST(Stream, FramesMayArriveByteByByte) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    const std::string frames =
        server_frame(0x81, envelope("MESSAGE_CREATE", 2, message(1))) +
        server_frame(0x81, envelope("MESSAGE_CREATE", 3, message(2, R"(,"x":")" + std::string(300, 'y') + '"')));
    for (const char byte : frames) link.send_raw({&byte, 1});
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 2)) << gateway.trouble();
}

TEST(Stream, FragmentsWithPingsBetweenThem) {
  FakeGateway gateway;
  std::atomic<int> pongs = 0;
  gateway.then([&](Link& link) {
    link.start();
    const std::string text = envelope("MESSAGE_CREATE", 2, message(1));
    std::string frames = server_frame(0x01, text.substr(0, 10));
    frames += server_frame(0x89, "are you there");
    frames += server_frame(0x00, text.substr(10, 20));
    frames += server_frame(0x00, "");
    frames += server_frame(0x8a, "");  // a pong nobody asked for
    frames += server_frame(0x80, text.substr(30));
    link.send_raw(frames);
    link.send(R"({"t":null,"s":null,"op":1,"d":null})");
    link.read_any();  // its heartbeat comes after the pong
    pongs = link.pongs.load();
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 1)) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "MESSAGE_CREATE")[0].data, message(1));
  EXPECT_TRUE(wait_until([&] { return pongs == 1; }));
}

TEST(Stream, MessagesLargerThanEveryBuffer) {
  FakeGateway gateway;
  const std::string large = message(1, R"(,"big":")" + std::string(3 << 20, 'x') + '"');
  gateway.then([&](Link& link) {
    link.start();
    link.dispatch("MESSAGE_CREATE", 2, large);
    link.dispatch("MESSAGE_CREATE", 3, message(2));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 2)) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "MESSAGE_CREATE")[0].data, large);
}

class BadFrames : public testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(BadFrames, EndTheConnectionAndAreResumed) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.dispatch("MESSAGE_CREATE", 2, message(1));
    link.send_raw(GetParam().second);
    link.read_close();
  });
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("seq"), 2);
    link.dispatch("MESSAGE_CREATE", 3, message(2));
    link.dispatch("RESUMED", 4, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 2)) << gateway.trouble();
  EXPECT_EQ(gateway.trouble(), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFrames,
    testing::Values(std::pair{"Masked", std::string("\x81\x82mask{}", 8)},
                    std::pair{"Reserved", server_frame(0xc1, "{}")}, std::pair{"UnknownData", server_frame(0x83, "{}")},
                    std::pair{"UnknownControl", server_frame(0x8b, "")},
                    std::pair{"LongPing", server_frame(0x89, std::string(126, 'p'))},
                    std::pair{"FragmentedPing", server_frame(0x09, "p")},
                    std::pair{"LoneContinuation", server_frame(0x80, "{}")},
                    std::pair{"NewInsideFragments", server_frame(0x01, "{") + server_frame(0x81, "{}")},
                    std::pair{"TooLarge", std::string("\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 10)},
                    std::pair{"NotAPayload", server_frame(0x81, "<html>")}),
    [](const auto& info) { return info.param.first; });

TEST(Stream, EnvelopesInAnyOrderAndSpacing) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    link.send(R"({"op":0,"d":)" + message(1) + R"(,"s":2,"t":"MESSAGE_CREATE"})");
    link.send(R"({ "t" : "MESSAGE_CREATE" , "s" : 3 , "op" : 0 , "d" : )" + message(2) + " }");
    link.send(R"({"t":"MESSAGE_CREATE","s":4,"op":0,"d":)" + message(3) + R"(,"_trace":["a"]})");
    link.send(R"({"op":0,"s":5,"t":"MESSAGE_CREATE","d":)" + message(4) + "}\n");
    link.send(R"({"t":"MESSAGE_CREATE","s":6,"extra":{"d":1},"op":0,"d":)" + message(5) + "}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 5)) << gateway.trouble();
  const auto events = dispatches(*rig.journal, "MESSAGE_CREATE");
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].data, message(i + 1));
    EXPECT_EQ(events[i].record.id, i + 1);
    EXPECT_EQ(events[i].record.position.seq(), i + 2);
    EXPECT_EQ(events[i].record.flags, 0);
  }
}

TEST(Stream, MalformedDataIsKeptWithAFlag) {
  const std::vector<std::string> bad = {"null",
                                        "[]",
                                        "17",
                                        R"("text")",
                                        R"({"id":17,"guild_id":"10"})",
                                        R"({"id":"17","author":"me"})",
                                        R"({"id":"17","author":{"id":true}})",
                                        R"({"id":"17")",
                                        R"({"id":"17"]})",
                                        R"({"content":"unclosed)",
                                        R"({"channel_id":{}})",
                                        "{\"content\":\"\xff\xfe\"}",
                                        "garbage",
                                        "{]}"};
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    std::uint64_t seq = 1;
    for (const auto& data : bad) link.send_raw(server_frame(0x81, envelope("MESSAGE_CREATE", ++seq, data)));
    link.dispatch("MESSAGE_CREATE", ++seq, message(1));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, bad.size() + 1)) << gateway.trouble();
  const auto events = dispatches(*rig.journal, "MESSAGE_CREATE");
  for (std::size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(events[i].record.flags, kRecordMalformed) << bad[i];
    EXPECT_EQ(events[i].data, bad[i]);
  }
  EXPECT_EQ(events.back().record.flags, 0);
  EXPECT_EQ(rig.shard->stats().malformed, bad.size());
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
}

TEST(Stream, UnknownOpcodesAndNamesAndStrayDispatchesAreHarmless) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello();
    link.dispatch("MESSAGE_CREATE", 9, message(9));  // before READY: belongs to no session
    link.read();
    link.dispatch("READY", 1, kReady);
    link.send(R"({"t":null,"s":null,"op":99,"d":{"new":true}})");
    link.send(R"({"t":"NEVER_HEARD_OF","s":2,"op":0,"d":{"id":"5"}})");
    link.send(R"({"t":null,"s":null,"op":0,"d":{}})");
    link.send(R"({"t":"MESSAGE_CREATE","s":null,"op":0,"d":{}})");
    link.dispatch("MESSAGE_CREATE", 3, message(1));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(arrives(rig, 1)) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal).size(), 2u);
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
}

TEST(Stream, InteractionsAreOnlyNoted) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    link.dispatch("INTERACTION_CREATE", 2,
                  R"({"id":"77","token":"secret","guild_id":"10","channel_id":"20","member":{"user":{"id":"30"}}})");
    link.read_close();
  });
  Rig rig(gateway);
  rig.want({"INTERACTION_CREATE"});
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "INTERACTION_CREATE").size() == 1; }));
  const auto kept = dispatches(*rig.journal, "INTERACTION_CREATE")[0];
  EXPECT_EQ(kept.data, "");
  EXPECT_EQ(kept.record.id, 77u);
  EXPECT_EQ(kept.record.guild, 10u);
  EXPECT_EQ(kept.record.user, 30u);
}

// ---- TLS ----

struct CertificateFile {
  CertificateFile(const TempFolder& folder, const std::string& pem) : path((folder.path() / "ca.pem").string()) {
    std::ofstream(path) << pem;
  }
  std::string path;
};

TEST(Tls, WorksWithATrustedCertificate) {
  FakeGateway gateway({.tls = true});
  gateway.then([&](Link& link) {
    link.start();
    std::string burst;
    for (int s = 2; s <= 3001; ++s) burst += server_frame(0x81, envelope("MESSAGE_CREATE", s, message(s)));
    link.send_raw(burst);
    link.send_raw(burst);  // all of it repeats
    EXPECT_EQ(link.read_close(), 4200);
  });
  Rig rig(gateway);
  rig.journal_options.segment_bytes = 8 << 20;
  const CertificateFile file(rig.folder, gateway.certificate());
  rig.options.ca_file = file.path;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().repeats == 3000; })) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "MESSAGE_CREATE").size(), 3000u);
  rig.stop();
  EXPECT_TRUE(wait_until([&] { return gateway.played() == 1; })) << gateway.trouble();
}

TEST(Tls, RefusesAnUnknownAuthority) {
  FakeGateway gateway({.tls = true});
  gateway.then([&](Link& link) { link.start(); });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().last_error.find("certificate") != std::string::npos; }));
  EXPECT_NE(rig.shard->stats().last_error.find("discord.ca_file"), std::string::npos);
  EXPECT_EQ(gateway.played(), 0);
}

TEST(Tls, RefusesACertificateForAnotherHost) {
  FakeGateway gateway({.tls = true, .host_in_certificate = "elsewhere.example"});
  gateway.then([&](Link& link) { link.start(); });
  Rig rig(gateway);
  const CertificateFile file(rig.folder, gateway.certificate());
  rig.options.ca_file = file.path;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().last_error.find("mismatch") != std::string::npos; }))
      << rig.shard->stats().last_error;
  EXPECT_EQ(gateway.played(), 0);
}

TEST(Tls, ABadCertificateFileIsNamed) {
  TempFolder folder;
  const CertificateFile file(folder, "nothing of the kind");
  Rig rig(std::string("wss://localhost:1"));
  rig.options.ca_file = file.path;
  try {
    rig.start();
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(file.path), std::string::npos) << error.what();
  }
}

// ---- a full journal ----

TEST(FullJournal, ReadingStandsHeartbeatsGoOnNothingIsLost) {
  FakeGateway gateway;
  const std::string bulk(60'000, 'x');
  constexpr int kEvents = 100;
  std::atomic<int> beats_while_full = 0;
  std::atomic<bool> may_go_on = false;
  Rig rig(gateway);
  gateway.then([&](Link& link) {
    link.answer_beats = false;  // no ACK either: while nothing is read, that must not matter
    link.hello(60);
    while (link.read_any().at("op") != 2) {
    }
    link.dispatch("READY", 1, kReady);
    std::jthread writer([&] {  // blocks when the client does not read
      for (int i = 0; i < kEvents; ++i) {
        link.send_raw(server_frame(0x81, envelope("MESSAGE_CREATE", i + 2, message(i, R"(,"bulk":")" + bulk + '"'))));
      }
    });
    while (!may_go_on) {
      link.read_any();
      if (rig.shard->stats().paused) ++beats_while_full;
    }
    link.answer_beats = true;
    link.read_close();
  });
  rig.journal_options.segment_bytes = 1 << 20;
  rig.journal_options.budget_bytes = 2 << 20;
  rig.journal_options.keep_us = 0;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().paused; })) << gateway.trouble();
  ASSERT_TRUE(wait_until([&] { return beats_while_full >= 4; })) << gateway.trouble();
  EXPECT_NE(rig.shard->stats().last_error.find("journal"), std::string::npos);
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
  may_go_on = true;
  // Plugins catch up: what they have passed may go, and the rest comes in.
  std::vector<std::uint64_t> ids;
  Position passed;
  ASSERT_TRUE(wait_until([&] {
    for (const auto& kept : read_all(*rig.journal, passed)) {
      passed = kept.record.position;
      if (kept.type == "MESSAGE_CREATE") ids.push_back(kept.record.id);
    }
    rig.journal->release(passed);
    return ids.size() == kEvents;
  })) << ids.size();
  for (int i = 0; i < kEvents; ++i) EXPECT_EQ(ids[i], static_cast<std::uint64_t>(i));
  EXPECT_TRUE(wait_until([&] { return !rig.shard->stats().paused; }));
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
  rig.stop();
}

}  // namespace
}  // namespace trellis::test
