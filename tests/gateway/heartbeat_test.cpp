// Heartbeats: when they are sent, and what their absence means.
#include "rig.hpp"

namespace trellis::test {
namespace {

namespace json = boost::json;

TEST(Heartbeat, ComesInTimeCarriesSeqAndLeavesASkip) {
  FakeGateway gateway;
  std::vector<json::value> carried;
  std::atomic<bool> done = false;
  gateway.then([&](Link& link) {
    link.hello(40);
    while (true) {
      const auto message = link.read_any();
      if (message.at("op") == 2) break;
      link.send(R"({"t":null,"s":null,"op":11,"d":null})");
    }
    link.dispatch("READY", 1, R"({"session_id":"abc","resume_gateway_url":""})");
    for (int s = 2; s < 9; ++s) link.dispatch("TYPING_START", s, R"({"channel_id":"1"})");
    while (carried.size() < 4 || carried.back() != 8) {
      const auto message = link.read_any();
      carried.push_back(message.at("d"));
      link.send(R"({"t":null,"s":null,"op":11,"d":null})");
    }
    done = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.journal->tail().seq() == 8; })) << gateway.trouble();
  const auto all = read_all(*rig.journal);
  EXPECT_EQ(all.back().record.kind, RecordKind::Skip);
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().heartbeat_rtt_us >= 0; }));
  ASSERT_TRUE(wait_until([&] { return done.load(); })) << gateway.trouble();
  EXPECT_EQ(carried.back(), 8);
}

TEST(Heartbeat, IsSentAtOnceWhenAsked) {
  FakeGateway gateway;
  std::atomic<bool> came = false;
  gateway.then([&](Link& link) {
    link.start();
    link.send(R"({"t":null,"s":null,"op":1,"d":null})");
    const auto beat = link.read_any();
    EXPECT_EQ(beat.at("op"), 1);
    EXPECT_EQ(beat.at("d"), 1);
    came = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return came.load(); })) << gateway.trouble();
}

TEST(Heartbeat, OneThatWasAskedForIsNoMeasureOfSilence) {
  std::atomic<bool> done = false;
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello(500);
    link.read();  // IDENTIFY
    link.dispatch("READY", 1, R"({"session_id":"abc","resume_gateway_url":""})");
    link.send(R"({"t":null,"s":null,"op":1,"d":null})");
    EXPECT_EQ(link.read_any().at("op"), 1);
    EXPECT_EQ(link.read_any().at("op"), 1) << "its turn comes before the answer to the other";
    for (int i = 0; i < 2; ++i) link.send(R"({"t":null,"s":null,"op":11,"d":null})");
    done = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return done.load() || gateway.trouble() != ""; }));
  EXPECT_EQ(gateway.trouble(), "");
}

TEST(Heartbeat, ASilentGatewayIsLeftAndResumed) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.answer_beats = false;
    link.hello(100);
    while (link.read_any().at("op") != 2) {
    }
    link.dispatch("READY", 1, R"({"session_id":"abc","resume_gateway_url":""})");
    EXPECT_EQ(link.read_close(), 4200);
    EXPECT_GE(link.beats, 1);
  });
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
    link.dispatch("RESUMED", 2, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
  EXPECT_EQ(gateway.trouble(), "");
}

TEST(Heartbeat, AnyFrameIsALifeSign) {
  FakeGateway gateway;
  std::atomic<bool> done = false;
  gateway.then([&](Link& link) {
    link.answer_beats = false;
    link.hello(50);
    while (link.read_any().at("op") != 2) {
    }
    link.dispatch("READY", 1, R"({"session_id":"abc","resume_gateway_url":""})");
    int seq = 1;
    while (link.beats < 6) {  // never an ACK, but an event after each heartbeat
      link.read_any();
      link.dispatch("TYPING_START", ++seq, "{}");
    }
    done = true;
    link.answer_beats = true;
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return done.load(); })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().reconnects, 0u);
}

TEST(Heartbeat, AGatewayThatSaysNothingAtAllIsLeft) {
  FakeGateway gateway;
  gateway.then([&](Link& link) { link.read_close(); });  // no Hello
  gateway.then([&](Link& link) {
    link.hello();
    link.read();
    link.read_close();  // no READY
  });
  gateway.then([&](Link& link) {
    link.start();
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.hello = rig.options.times.ready = std::chrono::milliseconds(100);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Ready; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().reconnects, 2u);
}

TEST(Heartbeat, AGatewayThatOnlyAnswersHeartbeatsIsLeftInTheEnd) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello(20);
    link.read();        // IDENTIFY
    link.read_close();  // heartbeats are answered, READY does not come
  });
  gateway.then([&](Link& link) {
    link.start();
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.ready = std::chrono::milliseconds(100);
  rig.options.times.ready_rounds = 3;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Ready; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().reconnects, 1u);
}

}  // namespace
}  // namespace trellis::test
