// How sessions begin, end and go on.
#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "rig.hpp"

namespace trellis::test {
namespace {

namespace json = boost::json;

TEST(Session, IdentifiesAndCollects) {
  FakeGateway gateway;
  Seen<json::object> identify;
  Seen<std::string> target;
  gateway.then([&](Link& link) {
    target = link.target();
    identify = link.start("abc", "ws://127.0.0.1:1");
    link.dispatch("MESSAGE_CREATE", 2, message(7));
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.stream = {1, 4};
  rig.last_epoch = 4'000'000'000u;  // larger than the Unix seconds
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 1; })) << gateway.trouble();

  EXPECT_EQ(target(), "/?v=10&encoding=json");
  EXPECT_EQ(identify().at("token"), "the-token");
  EXPECT_EQ(identify().at("intents"), (1u << 9 | 1));
  EXPECT_EQ(identify().at("large_threshold"), 50);
  EXPECT_EQ(identify().at("shard"), (json::array{1, 4}));
  EXPECT_EQ(identify().at("properties").at("browser"), "trellis");

  const auto all = read_all(*rig.journal);
  ASSERT_EQ(all.size(), 5u);
  const std::uint32_t epoch = 4'000'000'001u;
  EXPECT_EQ(all[0].record.kind, RecordKind::Session);
  EXPECT_EQ(all[0].record.position, Position::of(epoch, 0));
  const auto session = json::parse(all[0].data);
  EXPECT_EQ(session.at("session_id"), "abc");
  EXPECT_EQ(session.at("resume_url"), "ws://127.0.0.1:1");
  EXPECT_EQ(all[1].record.kind, RecordKind::Filter);
  const auto names = json::parse(all[1].data).as_array();
  EXPECT_EQ(names.size(), 2u);
  EXPECT_EQ(all[2].type, "READY");
  EXPECT_EQ(all[2].record.position, Position::of(epoch, 1));
  EXPECT_EQ(all[2].record.guild, 0u);
  EXPECT_EQ(all[2].record.flags, 0);
  EXPECT_EQ(all[3].record.kind, RecordKind::CaughtUp) << "READY names no guilds";
  EXPECT_EQ(all[3].record.position, Position::of(epoch, 1));
  const Record& event = all[4].record;
  EXPECT_EQ(event.position, Position::of(epoch, 2));
  EXPECT_EQ(event.guild, 10u);
  EXPECT_EQ(event.channel, 20u);
  EXPECT_EQ(event.user, 30u);
  EXPECT_EQ(event.id, 7u);
  EXPECT_EQ(event.flags, 0);
  EXPECT_EQ(all[4].data, message(7));

  const auto sessions = rig.known_sessions();
  ASSERT_EQ(sessions.size(), 1u);
  EXPECT_EQ(sessions[0].epoch, epoch);
  EXPECT_EQ(sessions[0].session_id, "abc");
  const auto stats = rig.shard->stats();
  EXPECT_EQ(stats.state, ShardState::Ready);
  EXPECT_EQ(stats.dispatches, 2u);
  EXPECT_EQ(stats.identifies, 1u);
  EXPECT_EQ(stats.epoch, epoch);
}

TEST(Session, EpochIsAboveTheJournalsAndAtLeastTheTime) {
  FakeGateway gateway;
  for (int i = 0; i < 2; ++i) {
    gateway.then([&](Link& link) {
      link.start();
      link.close(4009);  // the session is over
    });
  }
  gateway.then([&](Link& link) {
    link.start();
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 3; })) << gateway.trouble();
  const auto sessions = rig.known_sessions();
  EXPECT_GE(sessions[0].epoch, 1'700'000'000u);
  EXPECT_GT(sessions[1].epoch, sessions[0].epoch);
  EXPECT_GT(sessions[2].epoch, sessions[1].epoch);
}

TEST(Session, ResumesAfterADropWithTheLastPosition) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.dispatch("MESSAGE_CREATE", 2, message(1));
    link.dispatch("TYPING_START", 3, R"({"channel_id":"1"})");  // nobody wants it, but it counts
    link.dispatch("MESSAGE_CREATE", 4, message(2));
    link.dispatch("TYPING_START", 5, R"({"channel_id":"1"})");
    link.drop();
  });
  Seen<json::object> resume;
  gateway.then([&](Link& link) {
    resume = link.expect_resume();
    link.dispatch("MESSAGE_CREATE", 4, message(2));  // a repeat
    link.dispatch("MESSAGE_CREATE", 6, message(3));
    link.dispatch("RESUMED", 7, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
  EXPECT_EQ(resume().at("session_id"), "abc");
  EXPECT_EQ(resume().at("token"), "the-token");
  EXPECT_EQ(resume().at("seq"), 5);
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 3; }));
  const auto events = dispatches(*rig.journal, "MESSAGE_CREATE");
  EXPECT_EQ(events[1].record.id, 2u);
  EXPECT_EQ(events[2].record.id, 3u);
  EXPECT_EQ(events[2].record.position.seq(), 6u);
  const auto stats = rig.shard->stats();
  EXPECT_EQ(stats.repeats, 1u);
  EXPECT_EQ(stats.filtered, 3u);  // RESUMED too
  EXPECT_EQ(stats.identifies, 1u);
  EXPECT_EQ(rig.known_sessions().size(), 1u);
}

TEST(Session, ResumesAfterARestartOfTheProgram) {
  FakeGateway gateway;
  std::atomic<int> close_code = -1;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.dispatch("MESSAGE_CREATE", 2, message(1));
    close_code = link.read_close();
  });
  Seen<json::object> resume;
  gateway.then([&](Link& link) {
    resume = link.expect_resume();
    link.dispatch("RESUMED", 3, "{}");
    link.dispatch("MESSAGE_CREATE", 4, message(2));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 1; }));
  rig.restart();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 2; })) << gateway.trouble();
  EXPECT_EQ(close_code, 4200);  // neither 1000 nor 1001: the session stays
  EXPECT_EQ(resume().at("session_id"), "abc");
  EXPECT_EQ(resume().at("seq"), 2);
  const auto events = dispatches(*rig.journal, "MESSAGE_CREATE");
  EXPECT_EQ(events[0].record.position.epoch(), events[1].record.position.epoch());
  EXPECT_EQ(rig.shard->stats().identifies, 0u);
}

TEST(Session, ResumeAddressIsUsedAndGivenUpWhenItRefuses) {
  FakeGateway main, other;
  other.then([&](Link& link) {
    EXPECT_EQ(link.target(), "/?v=10&encoding=json");
    link.expect_resume();
    link.dispatch("RESUMED", 2, "{}");
    link.drop();
  });
  other.then_refuse(503);
  Seen<json::object> resume;
  main.then([&](Link& link) {
    link.start("abc", other.url());
    link.drop();
  });
  main.then([&](Link& link) {
    resume = link.expect_resume();
    link.dispatch("RESUMED", 3, "{}");
    link.dispatch("MESSAGE_CREATE", 4, message(1));
    link.read_close();
  });
  Rig rig(main);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 1; }))
      << main.trouble() << other.trouble();
  EXPECT_EQ(other.connections(), 2);
  EXPECT_EQ(resume().at("session_id"), "abc");
  EXPECT_EQ(resume().at("seq"), 2);
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
}

TEST(Session, ResumeAddressThatDoesNotConnectIsGivenUp) {
  FakeGateway main;
  std::string dead;
  {
    FakeGateway gone;
    dead = gone.url();
  }
  main.then([&](Link& link) {
    link.start("abc", dead);
    link.drop();
  });
  main.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("RESUMED", 2, "{}");
    link.read_close();
  });
  Rig rig(main);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << main.trouble();
}

/// Hosts for resuming that take the connection and do no good with it.
class DeadResumeHosts : public testing::TestWithParam<std::pair<const char*, FakeGateway::Script>> {};

TEST_P(DeadResumeHosts, AreLeftForTheMainOneWhichResumes) {
  FakeGateway main, other;
  main.then([&](Link& link) {
    link.start("abc", other.url());
    link.drop();
  });
  other.then(GetParam().second);
  Seen<json::object> resume;
  main.then([&](Link& link) {
    resume = link.expect_resume();
    link.dispatch("MESSAGE_CREATE", 2, message(1));
    link.dispatch("RESUMED", 3, "{}");
    link.drop();
  });
  main.then([&](Link& link) {  // nor is it asked again
    link.expect_resume();
    link.dispatch("RESUMED", 4, "{}");
    link.read_close();
  });
  Rig rig(main);
  rig.options.times.resume_hello = std::chrono::milliseconds(100);
  rig.options.times.ready = std::chrono::seconds(2);  // the main host has to answer in it, on any machine
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 2; })) << main.trouble() << other.trouble();
  EXPECT_EQ(resume().at("session_id"), "abc");
  EXPECT_EQ(resume().at("seq"), 1);
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
  EXPECT_EQ(rig.known_sessions().size(), 1u);
  EXPECT_EQ(other.connections(), 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, DeadResumeHosts,
    testing::Values(std::pair<const char*, FakeGateway::Script>{"SaysNothing", [](Link& link) { link.read_close(); }},
                    std::pair<const char*, FakeGateway::Script>{"Drops", [](Link& link) { link.drop(); }},
                    std::pair<const char*, FakeGateway::Script>{"Closes", [](Link& link) { link.close(1001); }},
                    std::pair<const char*, FakeGateway::Script>{"SendsAway",
                                                                [](Link& link) {
                                                                  link.send(R"({"t":null,"s":null,"op":7,"d":null})");
                                                                  link.read_close();
                                                                }},
                    std::pair<const char*, FakeGateway::Script>{
                        "NeverSaysResumed",
                        [](Link& link) {
                          link.hello(10);  // it has a heartbeat or more to answer in each round
                          link.read();
                          link.read_close();
                        }}),
    [](const auto& info) { return std::string(info.param.first); });

TEST(Session, AResumeAddressThatReplaysAPartIsKept) {
  FakeGateway main, other;
  main.then([&](Link& link) {
    link.start("abc", other.url());
    link.drop();
  });
  other.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("MESSAGE_CREATE", 2, message(1));
    link.drop();
  });
  Seen<json::object> resume;
  other.then([&](Link& link) {
    resume = link.expect_resume();
    link.dispatch("RESUMED", 3, "{}");
    link.read_close();
  });
  Rig rig(main);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << main.trouble() << other.trouble();
  EXPECT_EQ(resume().at("seq"), 2);
  EXPECT_EQ(main.connections(), 1);
}

TEST(Session, InvalidSessionIsResumedOrReplaced) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.send(R"({"t":null,"s":null,"op":9,"d":true})");
    EXPECT_EQ(link.read_close(), 4200);
  });
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
    link.send(R"({"t":null,"s":null,"op":9,"d":false})");
    link.read_close();
  });
  gateway.then([&](Link& link) {
    link.start("def");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << gateway.trouble();
  EXPECT_EQ(rig.known_sessions()[1].session_id, "def");
  EXPECT_EQ(gateway.trouble(), "");
}

TEST(Session, ANewSessionBeginsAtTheMainAddress) {
  FakeGateway main, other;
  main.then([&](Link& link) {
    link.start("abc", other.url());
    link.drop();
  });
  other.then([&](Link& link) {
    link.expect_resume();
    link.send(R"({"t":null,"s":null,"op":9,"d":false})");
    link.read_close();
  });
  main.then([&](Link& link) {
    link.start("def", other.url());
    link.read_close();
  });
  Rig rig(main);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << main.trouble() << other.trouble();
}

TEST(Session, ReconnectRequestIsFollowedAtAnyTime) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.send(R"({"t":null,"s":null,"op":7,"d":null})");  // even instead of Hello
    EXPECT_EQ(link.read_close(), 4200);
  });
  gateway.then([&](Link& link) {
    link.start("abc");
    link.send(R"({"t":null,"s":null,"op":7,"d":null})");
    EXPECT_EQ(link.read_close(), 4200);
  });
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
    link.dispatch("RESUMED", 2, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
}

class CloseCodes : public testing::TestWithParam<std::pair<int, bool>> {};

TEST_P(CloseCodes, LeadToResumeOrIdentify) {
  const auto [code, resumes] = GetParam();
  FakeGateway gateway;
  gateway.then([&, code = code](Link& link) {
    link.start("abc");
    if (code == 0) return link.drop();
    link.close(code);
  });
  std::atomic<int> op = 0;
  gateway.then([&](Link& link) {
    link.hello();
    op = link.read().at("op").to_number<int>();
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] {
    const auto state = rig.shard->stats().state;
    return gateway.connections() == 2 && (state == ShardState::Resuming || state == ShardState::Identifying);
  })) << gateway.trouble();
  rig.stop();
  ASSERT_TRUE(wait_until([&] { return gateway.played() == 2; })) << gateway.trouble();
  EXPECT_EQ(op, resumes ? 6 : 2);
}

INSTANTIATE_TEST_SUITE_P(All, CloseCodes,
                         testing::Values(std::pair{0, true}, std::pair{1000, true}, std::pair{1001, true},
                                         std::pair{4000, true}, std::pair{4001, true}, std::pair{4002, true},
                                         std::pair{4003, false}, std::pair{4005, false}, std::pair{4007, false},
                                         std::pair{4008, true}, std::pair{4009, false}, std::pair{4242, true}),
                         [](const auto& info) { return "Code" + std::to_string(info.param.first); });

class FatalCodes : public testing::TestWithParam<std::pair<int, const char*>> {};

TEST_P(FatalCodes, StopTheShardWithARemedy) {
  const auto [code, word] = GetParam();
  FakeGateway gateway;
  gateway.then([&, code = code](Link& link) {
    link.hello();
    link.read();
    link.close(code);
  });
  Rig rig(gateway);
  rig.filter.intents = 1u << 15 | 1u << 1 | 1;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.fatal_code == code; })) << gateway.trouble();
  EXPECT_NE(rig.fatal_text.find(word), std::string::npos) << rig.fatal_text;
  EXPECT_EQ(rig.shard->stats().state, ShardState::Fatal);
  rig.stop();
  EXPECT_EQ(gateway.connections(), 1);
}

INSTANTIATE_TEST_SUITE_P(All, FatalCodes,
                         testing::Values(std::pair{4004, "DISCORD_TOKEN"}, std::pair{4010, "shard"},
                                         std::pair{4011, "2500"}, std::pair{4012, "update"}, std::pair{4013, "intents"},
                                         std::pair{4014, "Server Members Intent (GUILD_MEMBERS), Message Content"}),
                         [](const auto& info) { return "Code" + std::to_string(info.param.first); });

/// Each time after a pause: who hurries on after "rate limited" is limited again.
TEST(Session, RateLimitedAgainAndAgainIsWaitedOutEachTime) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.close(4008);
  });
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> came;
  for (int i = 0; i < 3; ++i) {
    gateway.then([&](Link& link) {
      {
        std::lock_guard lock(mutex);
        came.push_back(std::chrono::steady_clock::now());
      }
      EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
      link.dispatch("RESUMED", 2, "{}");
      link.close(4008);
    });
  }
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("RESUMED", 3, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.too_fast = std::chrono::milliseconds(50);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 4; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
  EXPECT_EQ(gateway.trouble(), "");
  for (std::size_t i = 1; i < came.size(); ++i) EXPECT_GE(came[i] - came[i - 1], std::chrono::milliseconds(50));
}

/// A command whose answer has come in pieces, over a connection that broke in between.
TEST(Session, AnAnswerInPiecesOutlivesItsConnection) {
  FakeGateway gateway;
  Seen<std::string> nonce;
  const auto chunk = [&](int index) {
    return fmt::format(R"({{"guild_id":"10","members":[{{"n":{}}}],"chunk_index":{},"chunk_count":2,"nonce":"{}"}})",
                       index, index, nonce());
  };
  gateway.then([&](Link& link) {
    link.start("abc");
    const json::object asked = link.read();
    EXPECT_EQ(asked.at("op"), 8);
    nonce = json::value_to<std::string>(asked.at("d").at("nonce"));
    link.dispatch("GUILD_MEMBERS_CHUNK", 2, chunk(0));
    link.drop();
  });
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("GUILD_MEMBERS_CHUNK", 2, chunk(0));  // a repeat
    link.dispatch("GUILD_MEMBERS_CHUNK", 3, chunk(1));
    link.dispatch("RESUMED", 4, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  Seen<GatewayAnswer> answer;
  std::atomic<bool> answered = false;
  std::string why;
  const auto command = read_gateway_command("request_members", R"({"guild_id":"10","query":"","limit":0})", why);
  ASSERT_TRUE(command) << why;
  rig.shard->command(*command, std::chrono::steady_clock::now() + std::chrono::seconds(60), [&](GatewayAnswer got) {
    answer = std::move(got);
    answered = true;
  });
  ASSERT_TRUE(wait_until([&] { return answered.load(); })) << gateway.trouble();
  EXPECT_EQ(answer().status, TL_OK) << answer().error;
  EXPECT_EQ(json::parse(answer().body).at("members"), (json::array{{{"n", 0}}, {{"n", 1}}}));
  EXPECT_TRUE(dispatches(*rig.journal, "GUILD_MEMBERS_CHUNK").empty()) << "nobody else wants it";
  Seen<GatewayAnswer> cut;
  std::atomic<bool> ended = false;
  rig.shard->command(*command, std::chrono::steady_clock::now() + std::chrono::seconds(60), [&](GatewayAnswer got) {
    cut = std::move(got);
    ended = true;
  });
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().commands_waiting == 1; }));
  rig.stop();
  ASSERT_TRUE(ended);
  EXPECT_EQ(cut().status, TL_UNAVAILABLE);
}

TEST(Session, AServerThatGoesAwayTwiceGetsANewSession) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.close(1000);
  });
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.close(1000);
  });
  gateway.then([&](Link& link) {
    link.start("def");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << gateway.trouble();
}

TEST(Session, ResumesInVainEndInANewSession) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.drop();
  });
  for (int i = 0; i < 3; ++i) {
    gateway.then([&](Link& link) {
      link.expect_resume();
      link.drop();
    });
  }
  gateway.then([&](Link& link) {
    link.start("def");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.resume_tries = 3;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << gateway.trouble();
}

/// The resume host that says nothing is the first of them, though it was never asked.
TEST(Session, ResumesInVainCountADeadResumeHost) {
  FakeGateway main, other;
  main.then([&](Link& link) {
    link.start("abc", other.url());
    link.drop();
  });
  other.then([](Link& link) { link.drop(); });
  for (int i = 0; i < 2; ++i) {
    main.then([&](Link& link) {
      link.expect_resume();
      link.drop();
    });
  }
  main.then([&](Link& link) {
    link.start("def");
    link.read_close();
  });
  Rig rig(main);
  rig.options.times.resume_tries = 3;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << main.trouble() << other.trouble();
  EXPECT_EQ(other.connections(), 1);
}

/// Without Hello nothing can be asked, a new session no more than a RESUME: giving the session up would gain nothing.
TEST(Session, AMainHostThatNeverSaysHelloCostsNoSession) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.drop();
  });
  for (int i = 0; i < 2; ++i) {
    gateway.then([](Link& link) { link.drop(); });
    gateway.then([](Link& link) { link.close(1001); });
  }
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
    link.dispatch("RESUMED", 2, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.resume_tries = 2;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
}

TEST(Session, AnUnreachableGatewayIsTriedAgainAndTheSessionKept) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.drop();
  });
  for (int i = 0; i < 8; ++i) gateway.then_refuse(502);
  gateway.then([&](Link& link) {
    EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
    link.dispatch("RESUMED", 2, "{}");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.resume_tries = 2;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << gateway.trouble();
}

/// Whether it refuses, or says no Hello. The other address is tried at once, whatever the pause was to be.
TEST(Session, AnotherAddressIsAskedForWhenTheMainOneDoesNotWork) {
  for (const bool refuses : {true, false}) {
    FakeGateway one, two;
    one.then([&](Link& link) {
      link.start("abc");
      link.drop();
    });
    if (refuses)
      one.then_refuse(503);
    else
      one.then([](Link& link) { link.drop(); });
    two.then([&](Link& link) {
      EXPECT_EQ(link.expect_resume().at("session_id"), "abc");
      link.dispatch("RESUMED", 2, "{}");
      link.read_close();
    });
    Rig rig(one);
    std::atomic<int> asked = 0;
    rig.hooks.on_unreachable = [&] {
      ++asked;
      rig.shard->set_gateway_url(two.url());
    };
    rig.options.times.backoff = rig.options.times.backoff_ceiling = std::chrono::milliseconds(60'000);
    rig.start();
    ASSERT_TRUE(wait_until([&] { return rig.shard->stats().resumes == 1; })) << one.trouble() << two.trouble();
    EXPECT_EQ(asked, 1) << "not for a session that ends";
    EXPECT_EQ(rig.shard->stats().identifies, 1u);
  }
}

TEST(Session, ASequenceBeyond32BitsStartsANewSession) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start("abc");
    link.dispatch("MESSAGE_CREATE", 4'294'967'296ull, message(1));
    link.read_close();
  });
  gateway.then([&](Link& link) {
    link.start("def");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 2; })) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "MESSAGE_CREATE").size(), 0u);
}

TEST(Session, WaitsForItsPermitToIdentify) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    link.read_close();
  });
  Rig rig(gateway);
  std::mutex mutex;
  std::function<bool()> go;
  rig.options.identify_permit = [&](std::function<bool()> callback) {
    std::lock_guard lock(mutex);
    go = std::move(callback);
  };
  rig.start();
  ASSERT_TRUE(wait_until([&] {
    std::lock_guard lock(mutex);
    return go != nullptr;
  }));
  EXPECT_EQ(rig.shard->stats().identifies, 0u);
  EXPECT_EQ(rig.shard->stats().state, ShardState::Identifying);
  std::atomic<bool> sent = false;
  boost::asio::post(*rig.io, [&] { sent = go(); });
  ASSERT_TRUE(wait_until([&] { return rig.known_sessions().size() == 1; })) << gateway.trouble();
  EXPECT_TRUE(sent);
}

TEST(Session, AChangedFilterIsWrittenDown) {
  FakeGateway gateway;
  std::atomic<bool> changed = false;
  gateway.then([&](Link& link) {
    link.start();
    link.dispatch("TYPING_START", 2, R"({"channel_id":"20"})");
    link.dispatch("MESSAGE_CREATE", 3, message(1));
    while (!changed) std::this_thread::yield();
    link.dispatch("TYPING_START", 4, R"({"channel_id":"20"})");
    link.read_close();
  });
  Rig rig(gateway);
  rig.filter.intents = 1 | 1u << 9 | 1u << 11;
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 1; })) << gateway.trouble();
  rig.want({"TYPING_START"});
  rig.shard->filter_changed();
  auto filters = [&] {
    std::vector<std::string> found;
    for (const auto& kept : read_all(*rig.journal)) {
      if (kept.record.kind == RecordKind::Filter) found.push_back(kept.data);
    }
    return found;
  };
  ASSERT_TRUE(wait_until([&] { return filters().size() == 2; }));
  EXPECT_EQ(filters()[0].find("TYPING_START"), std::string::npos);
  EXPECT_NE(filters()[1].find("TYPING_START"), std::string::npos);
  changed = true;
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "TYPING_START").size() == 1; })) << gateway.trouble();
  EXPECT_EQ(dispatches(*rig.journal, "TYPING_START")[0].record.position.seq(), 4u);
  EXPECT_EQ(dispatches(*rig.journal, "TYPING_START")[0].record.channel, 20u);
}

/// What the session's intents do not bring is not collected, until one is begun that has them.
TEST(Session, IntentsThatAreMissingComeWithANewSession) {
  FakeGateway gateway;
  Seen<json::object> second;
  std::atomic<int> code = 0;
  gateway.then([&](Link& link) {
    link.start("abc");
    code = link.read_close();
  });
  gateway.then([&](Link& link) {
    second = link.start("def");
    link.dispatch("TYPING_START", 2, R"({"channel_id":"20"})");
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Ready; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().intents, 1u << 9 | 1);
  const auto typing_is_collected = [&] {
    const auto reader = rig.journal->read_after({});
    while (reader->next()) {
    }
    return reader->filter().find("TYPING_START") != std::string_view::npos;
  };
  rig.want({"TYPING_START", "CHANNEL_UPDATE"});
  rig.filter.intents = 1u << 11 | 1u << 9 | 1;
  rig.shard->filter_changed();
  ASSERT_TRUE(wait_until([&] {
    const auto reader = rig.journal->read_after({});
    while (reader->next()) {
    }
    return reader->filter().find("CHANNEL_UPDATE") != std::string_view::npos;
  }));
  EXPECT_FALSE(typing_is_collected());
  rig.shard->begin_anew();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "TYPING_START").size() == 1; })) << gateway.trouble();
  EXPECT_EQ(code, 1000) << "the old session is over at once";
  EXPECT_EQ(second().at("intents"), (1u << 11 | 1u << 9 | 1));
  EXPECT_TRUE(typing_is_collected());
  EXPECT_EQ(rig.shard->stats().intents, 1u << 11 | 1u << 9 | 1);
  EXPECT_EQ(rig.shard->stats().identifies, 2u);
  ASSERT_TRUE(rig.journal->session());
  EXPECT_EQ(rig.journal->session()->intents, 1u << 11 | 1u << 9 | 1);
}

TEST(Session, BeginsAnewWhenItIsToldAtItsStart) {
  FakeGateway gateway;
  for (int i = 0; i < 2; ++i) {
    gateway.then([&](Link& link) {
      link.start();
      link.read_close();
    });
  }
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Ready; })) << gateway.trouble();
  rig.options.begin_anew = true;
  rig.restart();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Ready; })) << gateway.trouble();
  EXPECT_EQ(rig.shard->stats().identifies, 1u);
  EXPECT_EQ(rig.shard->stats().resumes, 0u);
}

std::vector<Position> caught_up(Journal& journal) {
  std::vector<Position> found;
  for (const auto& kept : read_all(journal))
    if (kept.record.kind == RecordKind::CaughtUp) found.push_back(kept.record.position);
  return found;
}
const std::string kReadyOfTwo = R"({"session_id":"abc","guilds":[{"id":"10"},{"id":"11"}]})";

TEST(Session, WhenAllGuildsCameThatIsWrittenDownOnce) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello();
    link.read();
    link.dispatch("READY", 1, kReadyOfTwo);
    link.dispatch("GUILD_CREATE", 2, R"({"id":"10","name":"a"})");
    link.drop();
  });
  gateway.then([&](Link& link) {
    link.expect_resume();
    link.dispatch("GUILD_CREATE", 3, R"({"id":"11","name":"b"})");
    link.dispatch("RESUMED", 4, "{}");
    link.dispatch("GUILD_CREATE", 5, R"({"id":"12","name":"c"})");
    link.dispatch("MESSAGE_CREATE", 6, message(7));
    link.read_close();
  });
  Rig rig(gateway);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "MESSAGE_CREATE").size() == 1; })) << gateway.trouble();
  const auto found = caught_up(*rig.journal);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].seq(), 3u) << "with the last of them";
}

TEST(Session, GuildsThatDoNotComeAreNotAwaitedForEver) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello();
    link.read();
    link.dispatch("READY", 1, kReadyOfTwo);
    link.dispatch("GUILD_CREATE", 2, R"({"id":"10","name":"a"})");
    link.read_close();
  });
  Rig rig(gateway);
  rig.options.times.guilds = std::chrono::milliseconds(50);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return caught_up(*rig.journal).size() == 1; })) << gateway.trouble();
  EXPECT_EQ(caught_up(*rig.journal)[0].seq(), 2u);
  ASSERT_TRUE(rig.cache->guild(11));
  EXPECT_TRUE(rig.cache->guild(11)->unavailable);
  EXPECT_FALSE(rig.cache->guild(10)->unavailable);
}

TEST(Session, AServerThatIsNewIsToldFromOneThatComesAgain) {
  FakeGateway gateway;
  const auto guild = [](int id) { return fmt::format(R"({{"id":"{}","name":"g","channels":[]}})", id); };
  gateway.then([&](Link& link) {
    link.hello();
    link.read();
    link.dispatch("READY", 1,
                  R"({"session_id":"abc","guilds":[{"id":"10","unavailable":true},{"id":"11","unavailable":true}]})");
    link.dispatch("GUILD_CREATE", 2, guild(10));  // the backfill
    link.dispatch("GUILD_CREATE", 3, guild(12));  // the bot is added while that goes on
    link.dispatch("GUILD_DELETE", 4, R"({"id":"10","unavailable":true})");
    link.dispatch("GUILD_CREATE", 5, guild(10));  // the outage is over
    link.dispatch("GUILD_DELETE", 6, R"({"id":"12"})");
    link.dispatch("GUILD_CREATE", 7, guild(12));  // removed, and added again
    link.dispatch("GUILD_CREATE", 8, R"({"id":"13","unavailable":true})");
    link.dispatch("GUILD_CREATE", 9, R"({"id":null})");
    link.dispatch("GUILD_CREATE", 10, guild(11));  // late
    link.close(4009);
  });
  gateway.then([&](Link& link) {  // a new session tells of them all again
    link.hello();
    link.read();
    link.dispatch("READY", 1, R"({"session_id":"def","guilds":[{"id":"10"},{"id":"12"}]})");
    link.dispatch("GUILD_CREATE", 2, guild(12));
    link.dispatch("GUILD_CREATE", 3, guild(10));
    link.read_close();
  });
  Rig rig(gateway);
  rig.want({"GUILD_DELETE"});
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal, "GUILD_CREATE").size() == 9; })) << gateway.trouble();
  std::vector<bool> joined;
  for (const auto& kept : dispatches(*rig.journal, "GUILD_CREATE"))
    joined.push_back((kept.record.flags & kRecordJoined) != 0);
  EXPECT_EQ(joined, (std::vector<bool>{false, true, false, true, true, false, false, false, false}));
}

TEST(Session, StopsWhileItWaitsForItsPermit) {
  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.hello();
    link.read_close();
  });
  Rig rig(gateway);
  std::function<void()> never;
  rig.options.identify_permit = [&](std::function<void()> callback) { never = std::move(callback); };
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Identifying; }));
  rig.stop();
  if (never) never();  // too late: must not hurt
}

TEST(Session, StopsWhileItIsNotConnected) {
  std::string dead;
  {
    FakeGateway gone;
    dead = gone.url();
  }
  Rig rig(dead);
  rig.options.times.backoff = std::chrono::milliseconds(60'000);
  rig.options.times.backoff_ceiling = std::chrono::milliseconds(60'000);
  rig.start();
  ASSERT_TRUE(wait_until([&] { return rig.shard->stats().state == ShardState::Waiting; }));
  EXPECT_NE(rig.shard->stats().last_error.find("cannot be reached"), std::string::npos)
      << rig.shard->stats().last_error;
  rig.stop();
}

}  // namespace
}  // namespace trellis::test
