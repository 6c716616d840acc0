// Requests: parameters from signatures, answers, waiting.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

constexpr Method<std::int64_t(GuildId, UserId)> kLevelOf{"leveling", "level_of"};

struct Asked final : Plugin {
  explicit Asked(Setup& setup) {
    setup.method("all", this, &Asked::all, param("guild"), param("days").min(1).max(30),
                 param("kind").choices({"a", "b"}), param("on"), param("day"), param("ratio"), param("raw"));
    setup.method(kLevelOf, this, &Asked::level_of, param("guild"), param("user"));
    setup.method("nothing", this, &Asked::nothing);
    setup.method("script", this, &Asked::run);
    setup.method("helper", this, &Asked::helper);
    setup.on([](const MessageCreate&, Work& work) { work.log().info("seen", {{"now", work.now()}}); });
    setup.command("say", "Says it", this, &Asked::say, param("text").max(100), param("whom"))
        .guilds_only()
        .ephemeral()
        .needs(Permission::ManageGuild)
        .limit(5, 60s, Per::Guild);
    setup.command("lambda", "A function", [](Command&, int n) { return std::to_string(n); }, param("n").min(0));
    setup.job("nightly", cron("0 3 * * *", "Europe/Berlin"), this, &Asked::nightly)
        .run_missed()
        .at_once(4, 2)
        .timeout(1h);
    job = setup.job("later", on_demand(), this, &Asked::nightly);
    setup.route("GET /x/{guild}", this, &Asked::route, param("guild")).open().text("About x");
    setup.on_start(this, &Asked::start);
  }
  Json all(Request&, GuildId guild, std::optional<int> days, std::string_view kind, bool on, Day day,
           std::optional<double> ratio, JsonView raw) {
    return Json::array({guild, days, kind, on, day, ratio, Json(raw)});
  }
  std::int64_t level_of(Request&, GuildId guild, UserId user) {
    return static_cast<std::int64_t>(guild.value() * 100 + user.value());
  }
  void nothing(Request&) {}
  Json run(Request& request) { return script(*this, request); }
  Json helper(Work& work) { return Json(work.now()); }
  Message say(Command&, std::string text, std::optional<UserId> whom) {
    return Message(whom ? "<@" + whom->text() + "> " + text : text).mention(UserId{5});
  }
  void nightly(JobRun& run) {
    run.save(Json::object({{"due", run.due()}}));
    job.start(run, "7/8", Json::object({{"a", 1}}));
  }
  HttpAnswer route(HttpRequest&, GuildId guild) { return {Json::object({{"id", guild}}), 202}; }
  void start(Request&) {}

  Job job;
  static inline std::function<Json(Asked&, Request&)> script;
};

class RequestTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(host_.create(detail::create<Asked>), TL_OK) << host_.reason; }
  tl_status script(std::function<Json(Asked&, Request&)> run) {
    Asked::script = std::move(run);
    return host_.request("script");
  }
  fake::Host host_;
};

}  // namespace

TEST_F(RequestTest, ParametersComeFromTheSignature) {
  EXPECT_EQ(
      host_.request(
          "all", R"({"guild": "7", "days": 30, "kind": "b", "on": true, "day": "2024-01-15", "raw": [1, {"x": 2}]})"),
      TL_OK)
      << host_.failure;
  EXPECT_EQ(host_.answer->body, R"(["7",30,"b",true,"2024-01-15",null,[1,{"x":2}]])");
  EXPECT_EQ(host_.answer->type, "application/json");

  const auto& params = host_.entry("all").params;
  ASSERT_EQ(params.size(), 7u);
  EXPECT_EQ(params[0].raw.value_kind, static_cast<std::uint32_t>(TL_ID));
  EXPECT_EQ(params[0].raw.required, 1u);
  EXPECT_EQ(params[1].raw.required, 0u);
  EXPECT_EQ(params[1].raw.min, 1);
  EXPECT_EQ(params[1].raw.max, 30);
  EXPECT_EQ(params[2].choices, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(params[4].raw.value_kind, static_cast<std::uint32_t>(TL_DAY));
  EXPECT_EQ(params[6].raw.value_kind, static_cast<std::uint32_t>(TL_JSON));
}

TEST_F(RequestTest, WhatIsMissingOrWrongIsSaidToWhoeverAsked) {
  EXPECT_EQ(host_.request("all", R"({"days": 3})"), TL_REFUSED);
  EXPECT_EQ(host_.failure, "\"guild\" is required.");
  EXPECT_TRUE(host_.failure_is_for_the_user);
  EXPECT_EQ(host_.request("level_of", R"({"guild": "7", "user": "x"})"), TL_REFUSED);
  EXPECT_EQ(host_.failure, "\"user\" must be an id (digits), not \"x\".");
}

TEST_F(RequestTest, TypedMethods) {
  EXPECT_EQ(host_.request("level_of", R"({"guild": "7", "user": "5"})"), TL_OK);
  EXPECT_EQ(host_.answer->body, "705");
  EXPECT_EQ(host_.request("level_of", R"(["8", "6"])"), TL_OK) << "by position, as a Method sends them";
  EXPECT_EQ(host_.answer->body, "806");

  host_.on_call = [](const fake::Sent& sent, std::string& json) {
    EXPECT_EQ(sent.system, "service");
    EXPECT_EQ(sent.verb, "leveling.level_of");
    EXPECT_EQ(sent.body, R"(["1","2"])");
    return json = "42", tl_status{TL_OK};
  };
  EXPECT_EQ(script([](Asked&, Request& r) { return r.call(kLevelOf(GuildId{1}, UserId{2})); }), TL_OK);
  EXPECT_EQ(host_.answer->body, "42");
}

TEST_F(RequestTest, WhatTheOtherPluginRefusesIsRefusedHere) {
  host_.on_call = [](const fake::Sent&, std::string& text) { return text = "No such member.", tl_status{TL_REFUSED}; };
  EXPECT_EQ(script([](Asked&, Request& r) { return r.call(kLevelOf(GuildId{1}, UserId{2})); }), TL_REFUSED);
  EXPECT_EQ(host_.failure, "No such member.");
  EXPECT_TRUE(host_.failure_is_for_the_user);
}

TEST_F(RequestTest, NothingIsNullAndWorkIsEnough) {
  EXPECT_EQ(host_.request("nothing"), TL_OK);
  EXPECT_EQ(host_.answer->body, "null");
  EXPECT_EQ(host_.request("helper"), TL_OK);
  EXPECT_EQ(host_.answer->body, "\"2023-11-14T22:13:20Z\"");
}

TEST_F(RequestTest, CommandsJobsAndRoutesAreDescribed) {
  const fake::Entry& say = host_.entry("say");
  EXPECT_EQ(say.raw.kind, static_cast<std::uint32_t>(TL_COMMAND));
  EXPECT_EQ(say.raw.flags, static_cast<std::uint32_t>(TL_ENTRY_GUILDS_ONLY | TL_ENTRY_EPHEMERAL));
  EXPECT_EQ(say.raw.permissions, 1u << 5);
  EXPECT_EQ(say.raw.limit_count, 5u);
  EXPECT_EQ(say.raw.limit_window_us, 60'000'000);
  EXPECT_EQ(say.params[0].raw.max, 100);
  EXPECT_EQ(host_.request("say", R"({"text": "hi", "whom": "9"})"), TL_OK);
  EXPECT_EQ(host_.answer->body, R"({"content":"<@9> hi","allowed_mentions":{"users":["5"],"parse":[]}})");
  EXPECT_EQ(host_.request("lambda", R"({"n": 4})"), TL_OK);
  EXPECT_EQ(host_.answer->body, R"({"content":"4","allowed_mentions":{"parse":[]}})");

  const fake::Entry& nightly = host_.entry("nightly");
  EXPECT_EQ(nightly.schedule, "0 3 * * *");
  EXPECT_EQ(nightly.zone, "Europe/Berlin");
  EXPECT_EQ(nightly.raw.flags, static_cast<std::uint32_t>(TL_ENTRY_RUN_MISSED));
  EXPECT_EQ(nightly.raw.at_once, 4u);
  EXPECT_EQ(nightly.raw.timeout_us, 3'600'000'000);
  EXPECT_EQ(host_.request("nightly", "{}", 86'400'000'000), TL_OK);
  EXPECT_EQ(host_.saved, R"({"due":"1970-01-02T00:00:00Z"})");
  ASSERT_EQ(host_.started.size(), 1u);
  EXPECT_TRUE(host_.started[0].ends_with(R"( 7/8 {"a":1})"));
  EXPECT_FALSE(host_.answer) << "nobody asked";

  const fake::Entry& route = host_.entry("GET /x/{guild}");
  EXPECT_EQ(route.raw.flags, static_cast<std::uint32_t>(TL_ENTRY_OPEN));
  EXPECT_EQ(host_.request("GET /x/{guild}", R"({"guild": "3"})"), TL_OK);
  EXPECT_EQ(host_.answer->status, 202u);
  EXPECT_EQ(host_.entry("start").raw.kind, static_cast<std::uint32_t>(TL_START));
}

TEST_F(RequestTest, ThrownThingsBecomeStatuses) {
  EXPECT_EQ(script([](Asked&, Request&) -> Json { throw Refused("Not today."); }), TL_REFUSED);
  EXPECT_TRUE(host_.failure_is_for_the_user);
  EXPECT_EQ(script([](Asked&, Request&) -> Json { throw Error(Code::Timeout, "slow"); }), TL_TIMEOUT);
  EXPECT_FALSE(host_.failure_is_for_the_user);
  EXPECT_EQ(script([](Asked&, Request&) -> Json { throw std::logic_error("oops"); }), TL_FAILED);
  EXPECT_EQ(host_.failure, "oops");
  EXPECT_EQ(script([](Asked&, Request&) -> Json { throw 7; }), TL_FAILED);
  EXPECT_EQ(script([](Asked&, Request&) -> Json { throw Cancelled{}; }), TL_CANCELLED);
}

TEST_F(RequestTest, StoppingThrowsCancelledOutOfEveryWait) {
  host_.on_wait = [](const char*) { return tl_status{TL_CANCELLED}; };
  int passed = 0;
  EXPECT_EQ(script([&](Asked&, Request& r) {
              for (int i = 0; i < 3; ++i) try {
                  r.sleep(1s);
                } catch (const std::exception&) {
                  ++passed;  // Cancelled is none
                }
              return Json();
            }),
            TL_CANCELLED);
  EXPECT_EQ(passed, 0);
  EXPECT_EQ(script([](Asked&, Request& r) { return r.commit(), Json(); }), TL_CANCELLED);
  EXPECT_EQ(script([](Asked&, Request& r) { return (void)r.query<int>("SELECT 1").all(), Json(); }), TL_CANCELLED);
  EXPECT_EQ(script([](Asked&, Request& r) { return Json(r.outside([] { return 1; })); }), TL_CANCELLED);
}

TEST_F(RequestTest, WhileUnwindingNothingWaits) {
  struct Tidy {
    Request& request;
    ~Tidy() {
      request.commit();
      EXPECT_EQ(request.call(http::get("https://example.org/")).status, 0);
      EXPECT_TRUE(request.query<int>("SELECT 1").all().empty());
      EXPECT_EQ(request.outside([] { return 3; }), 3);
    }
  };
  EXPECT_EQ(script([](Asked&, Request& r) -> Json {
              const Tidy tidy{r};
              throw std::runtime_error("first");
            }),
            TL_FAILED);
  EXPECT_EQ(host_.failure, "first");
  EXPECT_EQ(host_.commits, 0);
  EXPECT_EQ(host_.log.size(), 4u);
  EXPECT_EQ(script([](Asked&, Request& r) {  // in a handler of an exception it may
              try {
                throw std::runtime_error("x");
              } catch (const std::exception&) {
                r.commit();
              }
              return Json();
            }),
            TL_OK);
  EXPECT_EQ(host_.commits, 1);
}

TEST_F(RequestTest, OutsideBringsBackResultsAndThrows) {
  EXPECT_EQ(script([](Asked&, Request& r) {
              r.outside([] {});
              return Json(r.outside([] { return std::string("done"); }));
            }),
            TL_OK);
  EXPECT_EQ(host_.answer->body, "\"done\"");
  EXPECT_EQ(
      script([](Asked&, Request& r) { return Json(r.outside([]() -> int { throw std::runtime_error("inside"); })); }),
      TL_FAILED);
  EXPECT_EQ(host_.failure, "inside");
}

TEST_F(RequestTest, OperationsAreSentOrCalled) {
  const ChannelId channel{5};
  host_.on_call = [](const fake::Sent&, std::string& json) {
    return json = R"([{"id": "12", "content": "hi", "author": {"id": "3", "username": "ada"}}])", tl_status{TL_OK};
  };
  EXPECT_EQ(
      script([&](Asked&, Request& r) {
        r.send(
            discord::create_message(channel, Message("a").embed(Embed().title("t").field("n", "v"))).give_up_after(1h));
        r.send(http::post("https://example.org/hook", "{}").timeout(15s).in_order("hooks"));
        r.send(redis::rpush("queue", "x"));
        r.send(discord::request("PUT", "/guilds/{}/bans/{}", Json::object({{"a", 1}}), GuildId{1}, UserId{2}));
        const auto page = r.call(discord::messages(channel, {.before = {}, .after = MessageId{9}, .limit = 5}));
        r.commit();
        EXPECT_EQ(page->size(), 1u);
        for (const MessageView& message : *page) EXPECT_EQ(message.author().username, "ada");
        return Json();
      }),
      TL_OK)
      << host_.failure;
  ASSERT_EQ(host_.outbox.size(), 4u);
  EXPECT_EQ(host_.outbox[0].target, "/channels/5/messages");
  EXPECT_EQ(host_.outbox[0].give_up_after_us, 3'600'000'000);
  EXPECT_EQ(host_.outbox[0].flags, static_cast<std::uint32_t>(TL_OPERATION_EFFECT));
  EXPECT_EQ(host_.outbox[0].body,
            R"({"content":"a","embeds":[{"title":"t","fields":[{"name":"n","value":"v","inline":false}]}],)"
            R"("allowed_mentions":{"parse":[]}})");
  EXPECT_EQ(host_.outbox[1].timeout_us, 15'000'000);
  EXPECT_EQ(host_.outbox[1].order_key, "hooks");
  EXPECT_EQ(host_.outbox[2].verb, "RPUSH");
  EXPECT_EQ(host_.outbox[3].target, "/guilds/1/bans/2");
  EXPECT_EQ(host_.calls[0].target, "/channels/5/messages?limit=5&after=9");
  EXPECT_EQ(host_.calls[0].flags, static_cast<std::uint32_t>(TL_OPERATION_REPEATABLE));
}

TEST_F(RequestTest, KeyValuesAreJson) {
  EXPECT_EQ(script([](Asked&, Request& r) {
              r.kv().set("watch/1", Json::object({{"queue", "q"}}));
              r.kv().set("watch/2", 2);
              r.kv().set("other", 3);
              EXPECT_EQ(r.kv().all("watch/").size(), 2u);
              EXPECT_EQ((*r.kv().get("watch/1"))["queue"].text(), "q");
              r.kv().erase("watch/1");
              EXPECT_FALSE(r.kv().get("watch/1"));
              return Json();
            }),
            TL_OK)
      << host_.failure;
  EXPECT_EQ(host_.kv.size(), 2u);
}

TEST_F(RequestTest, RandomStaysInItsRange) {
  script([](Asked&, Request& r) {
    std::map<std::int64_t, int> seen;
    for (int i = 0; i < 3000; ++i) ++seen[r.random().between(-1, 1)];
    EXPECT_EQ(seen.size(), 3u);
    for (const auto& [value, count] : seen) EXPECT_NEAR(count, 1000, 200);
    EXPECT_EQ(r.random().between(5, 5), 5);
    (void)r.random().between(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    int heads = 0;
    for (int i = 0; i < 3000; ++i) heads += r.random().chance(0.25);
    EXPECT_NEAR(heads, 750, 150);
    return Json();
  });
}

TEST_F(RequestTest, PendingIsWhatTheHostSays) {
  host_.pending.events = 5, host_.pending.rows = 3;
  script([](Asked&, Request& r) {
    EXPECT_EQ(r.pending().events, 5u);
    return Json(r.pending().rows);
  });
  EXPECT_EQ(host_.answer->body, "3");
}
