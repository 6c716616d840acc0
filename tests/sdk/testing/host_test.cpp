// What the test host does with handlers that fail, jobs that wait, voice, and time.
#include <gtest/gtest.h>

#include <trellis/testing.hpp>

using namespace trellis;

namespace {

using trellis::testing::Failure;
using trellis::testing::Host;
using trellis::testing::kGeneral;
using trellis::testing::kLounge;
using trellis::testing::kStage;
using trellis::testing::Restart;

constexpr UserId kAda{7};

struct Step {
  std::int64_t number = 0;
  Time at;
  std::int64_t times = 0;
  static constexpr auto columns = trellis::columns(key<&Step::number>, column<&Step::at>, sum<&Step::times>);
};

/// Does what the messages say.
class Obedient final : public Plugin {
 public:
  explicit Obedient(Setup& setup) : steps_(setup.table<Step>("steps")) {
    setup.needs(Intent::MessageContent);
    if (setup.settings().get("voice", false)) setup.on(this, &Obedient::voice);
    slow_start_ = setup.settings().get("slowStart", false);
    setup.on(this, &Obedient::message);
    long_ = setup.job("long", on_demand(), this, &Obedient::run_long);
    failing_ = setup.job("failing", on_demand(), this, &Obedient::run_failing);
    calling_ = setup.job("calling", on_demand(), this, &Obedient::run_calling);
    setup.job("hourly", every(1h), this, &Obedient::run_hourly);
    setup.method("wait", this, &Obedient::wait, param("seconds"));
    setup.method("refuse", this, &Obedient::refuse);
    setup.method("who", this, &Obedient::who, param("channel"));
    setup.needs(Keep::VoiceStates);
    setup.on_start(this, &Obedient::start);
  }

 private:
  void start(Request& request) {
    if (slow_start_) request.sleep(5min);
    watched_ = request.kv().get("watched").has_value();
  }

  void message(const MessageCreate& message, Work& work) {
    const std::string_view words = message.content();
    if (words == "fail") throw Error(Code::Failed, "I was told to");
    if (words == "long") long_.start(work, "k", Json::object({{"steps", 3}}));
    if (words == "cancel") long_.cancel(work, "k");
    if (words == "failing") failing_.start(work, "", Json::object());
    if (words == "calling") calling_.start(work, "", Json::object());
    if (words == "send") work.send(discord::create_message(message.channel_id(), "Hello!"));
    if (words == "watch") {
      watched_ = true;
      work.kv().set("watched", true);
    }
    if (words == "forget") forgetful_ = true;  // a member that nothing brings back
    if (words == "count" && watched_) steps_.put(work, {1000, work.now(), 1});
    if (words == "count forgetfully" && forgetful_) steps_.put(work, {2000, work.now(), 1});
    if (words == "violate") work.execute("INSERT INTO steps (number, times) VALUES (1, NULL)");
  }
  void voice(const VoiceStateUpdate& event, Work& work) {
    steps_.put(work, {static_cast<std::int64_t>(event.state().channel_id.value()), work.now(), 1});
  }
  void run_long(JobRun& run) {
    const std::int64_t steps = run.args()["steps"].integer();
    for (std::int64_t step = run.progress()["done"].integer(); step < steps; ++step) {
      steps_.put(run, {step, run.now(), 1});
      run.save(Json::object({{"done", step + 1}}));
      run.sleep(10min);
    }
  }
  void run_failing(JobRun&) { throw Error(Code::Failed, "nobody is there"); }
  void run_calling(JobRun& run) { run.call(http::get("https://example.invalid")); }
  void run_hourly(JobRun& run) { steps_.put(run, {9000, run.now(), 1}); }
  Json wait(Request& request, int seconds) {
    request.sleep(std::chrono::seconds{seconds});
    return Json(request.now());
  }
  Json refuse(Request&) { throw Refused("Not today."); }
  Json who(Request& request, ChannelId channel) {
    Json list = Json::array();
    for (const VoiceState& state : request.cache().voice_states(channel)) list.push(Json(state.username));
    return list;
  }

  Table<Step> steps_;
  Job long_, failing_, calling_;
  bool watched_ = false, forgetful_ = false, slow_start_ = false;
};

std::string steps(Host& host, const char* where = "number < 9000") {
  std::string text;
  const std::string sql = "SELECT number, at, times FROM steps WHERE " + std::string(where) + " ORDER BY number";
  for (auto [number, at, times] : host.query<std::int64_t, Time, std::int64_t>(sql.c_str()))
    text += std::to_string(number) + " " + iso8601(at).substr(11, 5) + " " + std::to_string(times) + "\n";
  return text;
}

std::string said_by(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TRELLIS_PLUGIN(Obedient, "obedient", "1.0.0")

TEST(TestHost, AHandlerThatFailsFailsTheTest) {
  auto host = trellis::testing::host<Obedient>();
  const std::string said = said_by([&] { host.message(kAda, kGeneral, "fail"); });
  EXPECT_NE(said.find("MESSAGE_CREATE: I was told to"), std::string::npos) << said;
  host.message(kAda, kGeneral, "watch").message(kAda, kGeneral, "count");
  EXPECT_EQ(steps(host), "1000 12:00 1\n");
}

TEST(TestHost, SqlThatFailsFailsTheTest) {
  auto host = trellis::testing::host<Obedient>();
  const std::string said = said_by([&] { host.message(kAda, kGeneral, "violate"); });
  EXPECT_NE(said.find("times"), std::string::npos) << said;
}

TEST(TestHost, EffectsAreInTheOutbox) {
  auto host = trellis::testing::host<Obedient>();
  host.message(kAda, kGeneral, "send");
  const auto sent = host.outbox();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0]["body"]["content"].text(), "Hello!");
}

TEST(TestHost, JobsSleepByTheTestsClock) {
  auto host = trellis::testing::host<Obedient>();
  host.message(kAda, kGeneral, "long");
  EXPECT_EQ(steps(host), "");
  host.advance(0s);
  EXPECT_EQ(steps(host), "0 12:00 1\n");
  host.advance(15min);
  EXPECT_EQ(steps(host), "0 12:00 1\n1 12:10 1\n");
  host.advance(2h);
  EXPECT_EQ(steps(host), "0 12:00 1\n1 12:10 1\n2 12:20 1\n");
}

TEST(TestHost, JobsGoOnWhereTheySaved) {
  auto host = trellis::testing::host<Obedient>();
  host.everywhere([](Host& host) {
    host.message(kAda, kGeneral, "long").advance(0s).advance(10min).advance(1h);
    EXPECT_EQ(
        (host.query<std::int64_t, std::int64_t>("SELECT count(*), sum(times) FROM steps WHERE number < 9000").one()),
        (std::tuple<std::int64_t, std::int64_t>{3, 3}))
        << host.restarted();
  });
}

TEST(TestHost, JobsCanBeCancelled) {
  auto host = trellis::testing::host<Obedient>();
  host.message(kAda, kGeneral, "long").advance(1s).message(kAda, kGeneral, "cancel").advance(2h);
  EXPECT_EQ(steps(host), "0 12:00 1\n");
}

TEST(TestHost, AJobThatFailsFailsTheTest) {
  auto host = trellis::testing::host<Obedient>();
  host.message(kAda, kGeneral, "failing");
  const std::string said = said_by([&] { host.advance(1s); });
  EXPECT_NE(said.find("job failing: nobody is there"), std::string::npos) << said;
  host.message(kAda, kGeneral, "calling");
  const std::string called = said_by([&] { host.advance(1s); });
  EXPECT_NE(called.find("does not talk to \"http\""), std::string::npos) << called;
}

TEST(TestHost, SchedulesRunByTheTestsClock) {
  auto host = trellis::testing::host<Obedient>();
  host.advance(59min);
  EXPECT_EQ(steps(host, "number = 9000"), "");
  host.advance(1min).advance(3h);
  EXPECT_EQ(steps(host, "number = 9000"), "9000 16:00 4\n");
}

TEST(TestHost, AMethodThatSleepsTakesTime) {
  auto host = trellis::testing::host<Obedient>();
  EXPECT_EQ(host.method("wait", Json::object({{"seconds", 90}})).view().text(), "2024-01-15T12:01:30Z");
  EXPECT_EQ(iso8601(host.now()), "2024-01-15T12:01:30Z");
  EXPECT_THROW(host.method("refuse"), Refused);
  auto slow = trellis::testing::host<Obedient>(R"({"slowStart": true})");
  EXPECT_EQ(iso8601(slow.now()), "2024-01-15T12:05:00Z");
  EXPECT_EQ(said_by([&] { host.method("refuse"); }), "Not today.");
}

TEST(TestHost, VoiceStatesAreInTheCache) {
  auto host = trellis::testing::host<Obedient>(R"({"voice": true})");
  const auto who = [&](ChannelId channel) { return host.method("who", Json::object({{"channel", channel}})).dump(); };
  host.join_voice(kAda, kLounge).join_voice(UserId{8}, kLounge);
  EXPECT_EQ(who(kLounge), R"(["Ada","Brian"])");
  host.join_voice(kAda, kStage).leave_voice(UserId{8});
  EXPECT_EQ(who(kLounge), "[]");
  EXPECT_EQ(who(kStage), R"(["Ada"])");
  EXPECT_EQ(steps(host), "0 12:00 1\n200 12:00 2\n201 12:00 1\n");
  host.restart();
  EXPECT_EQ(who(kStage), R"(["Ada"])");
}

TEST(TestHost, EverywhereFindsAMemberThatNothingBringsBack) {
  auto host = trellis::testing::host<Obedient>();
  const auto scenario = [](const char* first, const char* then, const char* where) {
    return [=](Host& host) {
      host.message(kAda, kGeneral, first).message(kAda, kGeneral, then);
      if (steps(host, where) != std::string(where).substr(9) + " 12:00 1\n")
        throw std::runtime_error("it has forgotten");
    };
  };
  host.everywhere(scenario("watch", "count", "number = 1000"));
  const std::string said = said_by([&] { host.everywhere(scenario("forget", "count forgetfully", "number = 2000")); });
  EXPECT_EQ(said, "restarted after step 1 (message), everything committed: it has forgotten");
}

TEST(TestHost, WithoutItsIntentAMessageHasNoContent) {
  struct Blind final : trellis::Plugin {
    explicit Blind(trellis::Setup& setup) {
      setup.on(
          [](const MessageCreate& message, Work& work) { work.log().info("read", {{"content", message.content()}}); });
    }
  };
  auto host = trellis::testing::host<Blind>();
  host.message(kAda, kGeneral, "hello");
  const auto log = host.log();
  EXPECT_TRUE(std::any_of(log.begin(), log.end(), [](const std::string& line) {
    return line.starts_with("info: read content=\"\"");
  })) << ::testing::PrintToString(log);
}

TEST(TestHost, TwoHostsDoNotMeet) {
  auto one = trellis::testing::host<Obedient>();
  auto other = trellis::testing::host<Obedient>();
  one.message(kAda, kGeneral, "watch").message(kAda, kGeneral, "count");
  other.message(kAda, kGeneral, "count");
  EXPECT_EQ(steps(one), "1000 12:00 1\n");
  EXPECT_EQ(steps(other), "");
  EXPECT_NE(said_by([&] { one.event("MESSAGE_CREATE", Json::array()); }).find("JSON object"), std::string::npos);
}
