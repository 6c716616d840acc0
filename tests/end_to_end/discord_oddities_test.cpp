// What Discord does now and then that nobody sees on a good day: servers that go, come late or are huge, dispatches in
// the wrong order, answers that are slow, connections that end without a word, many shards.
#include <fmt/format.h>

#include <atomic>
#include <boost/json.hpp>
#include <thread>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

/// The stream is of messages by people, bots and webhooks alone.
std::vector<std::string> only_messages(std::vector<std::string> flags) {
  for (const char* share : {"reaction", "update", "delete", "voice", "join", "leave", "member-update", "presence",
                            "typing", "thread", "other"})
    flags.insert(flags.end(), {fmt::format("--{}-share", share), "0"});
  return flags;
}

class DiscordOdditiesTest : public Bench {
 protected:
  static std::string witness(const std::string& settings = "") {
    return fmt::format("[witness]\npath = \"{}\"\n{}", test_plugin("witness").string(), settings);
  }
  std::vector<std::string> seen() {
    std::vector<std::string> lines;
    const json::value all = call("witness", "seen");
    for (const json::value& line : all.as_array()) lines.emplace_back(line.as_string());
    return lines;
  }
  std::string seen_text() { return fmt::format("{}", fmt::join(seen(), "\n")); }
  void wait_for(const std::string& line) {
    wait_until(
        "the plugin is told: " + line, [&] { return std::ranges::count(seen(), line) > 0; },
        [&] { return seen_text() + "\n" + ctl({"status"}).out; });
  }
  void wait_for_last(const std::string& line) {
    wait_until(
        "the plugin is told: " + line,
        [&] {
          const auto lines = seen();
          return !lines.empty() && lines.back() == line;
        },
        [&] { return seen_text() + "\n" + ctl({"status"}).out; });
  }
  int number(const char* key) const { return shard().at(key).to_number<int>(); }
  std::int64_t cached(const char* what) const { return status().at("cache").at(what).to_number<std::int64_t>(); }
  std::size_t channels_of(const std::string& server) {
    // Threads are told of apart from channels.
    const auto threads = sim().get("/api/v10/guilds/" + server + "/threads/active").at("threads").as_array().size();
    return sim().get("/api/v10/guilds/" + server + "/channels").as_array().size() + threads;
  }
  /// Requests to the HTTP API with this path that ended so.
  std::size_t requests(const std::string& method, const std::string& path, int status) {
    const json::value all = sim().get("/_sim/requests");
    return static_cast<std::size_t>(std::ranges::count_if(all.as_array(), [&](const json::value& one) {
      return one.at("method") == method.c_str() && one.at("path").as_string().find(path) != json::string::npos &&
             one.at("status") == status;
    }));
  }
  std::string text_channel() {
    const json::value channels = sim().get("/api/v10/guilds/" + sim().servers().at(0) + "/channels");
    for (const json::value& channel : channels.as_array())
      if (channel.at("type") == 0) return std::string(channel.at("id").as_string());
    throw std::runtime_error("the simulator's first server has no text channel");
  }
};

TEST_F(DiscordOdditiesTest, AnOutageAFarewellAndANewServerAreToldApart) {
  plugins(witness());
  start_simulator({"--guilds", "3", "--rate", "1", "--total", "1"});
  const auto servers = sim().servers();
  std::map<std::string, std::size_t> channels;
  for (const std::string& server : servers) channels[server] = channels_of(server);
  start_host();
  wait_for_host();
  wait_for_last("caught up");
  auto lines = seen();
  ASSERT_EQ(lines.size(), 4u) << seen_text();
  for (const std::string& server : servers)
    EXPECT_EQ(std::ranges::count(lines, fmt::format("there {} present {}", server, channels[server])), 1)
        << seen_text();

  const std::string& away = servers[0];
  sim().fault("guild_outage", {{"guild_id", away}});
  wait_for_last(fmt::format("outage {} unavailable {}", away, channels[away]));
  sim().fault("guild_return", {{"guild_id", away}});
  wait_for_last(fmt::format("there {} present {}", away, channels[away]));
  EXPECT_EQ(cached("guilds"), 3);

  sim().send("GUILD_DELETE", json::object{{"id", servers[1]}});
  wait_for_last(fmt::format("removed {} gone 0", servers[1]));
  EXPECT_EQ(cached("guilds"), 2);
  sim().send("GUILD_CREATE", json::object{{"id", "4200000000000000001"}, {"name", "new"}, {"channels", json::array{}}});
  wait_for_last("added 4200000000000000001 present 0");
  EXPECT_EQ(cached("guilds"), 3);
  EXPECT_EQ(number("reconnects"), 0);
  EXPECT_EQ(std::ranges::count(seen(), "caught up"), 1);
  stop_host();
}

/// Two servers are in an outage when the bot logs in, the others come one after the other.
TEST_F(DiscordOdditiesTest, ServersComeSlowlyAndLate) {
  plugins(std::string(kCountEverything) + witness());
  start_simulator({"--guilds", "6", "--guild-interval", "100", "--outage-guilds", "2", "--outage-seconds", "2",
                   "--rate", "300", "--total", "1000"});
  start_host();
  wait_for_host();
  wait_for_last("caught up");
  const auto lines = seen();
  EXPECT_EQ(std::ranges::count_if(lines, [](const std::string& line) { return line.starts_with("added"); }), 0)
      << seen_text();
  for (const std::string& server : sim().servers())
    EXPECT_EQ(std::ranges::count_if(
                  lines, [&](const std::string& line) { return line.starts_with("there " + server + " present"); }),
              1)
        << "told of once, and as one that was there before: " << seen_text();
  expect_everything_counted();
  EXPECT_EQ(cached("guilds"), 6);
  stop_host();
}

/// A GUILD_CREATE of many megabytes, with members and presences: the cache has it, and what follows is counted.
TEST_F(DiscordOdditiesTest, AHugeServer) {
  plugins(std::string(kCountEverything) + witness("presences = true\n"));
  start_simulator(only_messages(
      {"--guilds", "2", "--users", "20000", "--huge-members", "20000", "--rate", "300", "--total", "600"}));
  start_host();
  wait_for_host();
  wait_for_last("caught up");
  EXPECT_GT(sim().get("/_sim/sessions").at(0).at("intents").to_number<std::uint64_t>() & 1u << 8, 0u);
  const json::value gateway = json::parse(ctl({"gateway", "--json"}).out);
  EXPECT_EQ(gateway.at("shards").at(0).at("last_error"), "");
  expect_everything_counted();
  const std::string metrics = ctl({"metrics"}).out;
  const std::string_view bytes = "trellis_gateway_received_bytes_total{shard=\"0\"} ";
  const auto at = metrics.find(bytes);
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stod(metrics.substr(at + bytes.size())), 500'000) << "compressed, it is still large";
  EXPECT_EQ(number("reconnects"), 0);
  stop_host();
}

/// Numbers only rise, so what is overtaken is a repeat for the host, as for a RESUME: it is left out, once, and nothing
/// else is.
TEST_F(DiscordOdditiesTest, ADispatchThatIsOvertakenIsLeftOut) {
  plugins(recorder_conf({"MESSAGE_CREATE", "TRELLIS_GAP"}));
  start_simulator(only_messages({"--guilds", "2", "--rate", "2000", "--total", "6000"}));
  start_host();
  wait_for_host();
  wait_for_sent(500);
  sim().fault("reorder");
  wait_until("everything is sent", [&] { return sim().finished(); });
  const std::int64_t sent = sim().dispatches("MESSAGE_CREATE");
  const auto recorded = [&] { return store().number("recorder", "SELECT count(*) FROM recorded"); };
  wait_until(
      "all but one are recorded", [&] { return recorded() >= sent - 1; },
      [&] { return fmt::format("{} of {}; {}", recorded(), sent, ctl({"status"}).out); });
  wait_until("the repeat is noted", [&] { return number("repeats") == 1; }, [&] { return ctl({"status"}).out; });
  stop_host();
  EXPECT_EQ(recorded(), sent - 1);
  EXPECT_EQ(store().number("recorder", "SELECT count(*) FROM positions WHERE times <> 1"), 0);
  EXPECT_EQ(store().number("recorder",
                           "SELECT count(*) FROM (SELECT position, lag(position) OVER (ORDER BY n) AS before FROM "
                           "recorded) o WHERE before >= position"),
            0);
}

TEST_F(DiscordOdditiesTest, ASlowAnswerHoldsUpOnlyWhoWaitsForIt) {
  plugins(fmt::format("[renamer]\npath = \"{}\"\n", test_plugin("renamer").string()));
  start_simulator({"--guilds", "1", "--rate", "1", "--total", "1"});
  const std::string channel = text_channel();
  start_host();
  wait_for_host();
  sim().fault("rest_slow", {{"seconds", 6}, {"method", "POST"}, {"path", "/messages"}, {"count", 1}});
  std::atomic<bool> said = false;
  std::jthread saying([&] {
    EXPECT_EQ(call("renamer", "say", json::serialize(json::object{{"channel", channel}, {"text", "slow"}})).is_string(),
              true);
    said = true;
  });
  wait_until("it is under way", [&] { return requests("POST", "/messages", 200) == 1; });
  const auto under_way = std::chrono::steady_clock::now();
  EXPECT_TRUE(call("renamer", "mark", json::serialize(json::object{{"channel", channel}, {"nsfw", true}})).as_bool());
  // On a machine where that alone takes so long, this says nothing.
  if (std::chrono::steady_clock::now() - under_way < std::chrono::seconds(4))
    EXPECT_FALSE(said) << "another request waited for the slow one";
  saying.join();
  EXPECT_EQ(requests("POST", "/messages", 200), 1u) << "a slow answer is no lost one";
  stop_host();
}

/// The connection was promised to be kept, and is closed behind the answer: the next request on it is no failure.
TEST_F(DiscordOdditiesTest, KeptConnectionsAreClosedWithoutAWord) {
  plugins(fmt::format("[renamer]\npath = \"{}\"\n", test_plugin("renamer").string()));
  start_simulator({"--guilds", "1", "--rate", "1", "--total", "1", "--rest-limits", "off"});
  const std::string channel = text_channel();
  start_host();
  wait_for_host();
  sim().fault("rest_close", {{"method", "POST"}, {"path", "/messages"}, {"count", 6}});
  for (int i = 0; i < 12; ++i)
    EXPECT_TRUE(call("renamer", "say",
                     json::serialize(json::object{{"channel", channel}, {"text", fmt::format("message {}", i)}}))
                    .is_string());
  const json::value there = sim().get("/api/v10/channels/" + channel + "/messages?limit=100");
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(std::ranges::count_if(
                  there.as_array(),
                  [&](const json::value& one) { return one.at("content") == fmt::format("message {}", i).c_str(); }),
              1);
  stop_host();
}

/// From 50 shards on the compression that takes less memory is chosen. Connections break in between, and each begins
/// with a context of its own.
TEST_F(DiscordOdditiesTest, FiftyShardsTakeZlib) {
  start_simulator({"--guilds", "100", "--shards", "50", "--max-concurrency", "50", "--members", "20", "--rate", "1000",
                   "--total", "4000"});
  const auto start = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "journal.segment=1 MiB"});
    start_host(more);
    wait_for_host();
  };
  const auto compressions = [&] {
    std::map<std::string, int> found;
    const json::value gateway = json::parse(ctl({"gateway", "--json"}).out);
    for (const json::value& shard : gateway.at("shards").as_array())
      ++found[std::string(shard.at("compression").as_string())];
    return found;
  };
  start({});
  EXPECT_EQ(compressions(), (std::map<std::string, int>{{"zlib-stream", 50}}));
  wait_for_sent(1000);
  sim().fault("drop");
  wait_until(
      "all are resumed",
      [&] {
        const json::value now = status();
        return std::ranges::all_of(now.at("shards").as_array(), [](const json::value& shard) {
          return shard.at("resumes") == 1 && shard.at("state") == "ready";
        });
      },
      [&] { return ctl({"status"}).out; });
  expect_everything_counted();
  stop_host();
  start({"--set", "discord.shards=0-48/49"});
  EXPECT_EQ(compressions(), (std::map<std::string, int>{{"zstd-stream", 49}}));
  stop_host();
}

/// IDENTIFY asks for what the enabled plugins subscribed to, and for nothing else.
TEST_F(DiscordOdditiesTest, IntentsFollowFromSubscriptions) {
  start_simulator({"--guilds", "1", "--rate", "1", "--total", "1"});
  const auto intents_with = [&](const std::string& conf) {
    plugins(conf);
    start_host({"--reidentify"});
    wait_for_host();
    std::uint64_t intents = 0;
    const json::value sessions = sim().get("/_sim/sessions");
    for (const json::value& session : sessions.as_array())
      if (session.at("attached").as_bool()) intents = session.at("intents").to_number<std::uint64_t>();
    stop_host();
    return intents;
  };
  const auto bits = [](std::initializer_list<int> numbers) {
    std::uint64_t sum = 0;
    for (const int number : numbers) sum |= std::uint64_t{1} << number;
    return sum;
  };
  EXPECT_EQ(intents_with(witness()), bits({0})) << "the cache needs the servers";
  EXPECT_EQ(intents_with(witness("messages = true\n")), bits({0, 9, 12}));
  EXPECT_EQ(intents_with(witness("messages = true\ncontent = true\npresences = true\n")), bits({0, 8, 9, 12, 15}));
  EXPECT_EQ(intents_with(recorder_conf({"TYPING_START", "GUILD_BAN_ADD", "INVITE_CREATE", "MESSAGE_REACTION_ADD",
                                        "GUILD_SCHEDULED_EVENT_CREATE", "AUTO_MODERATION_ACTION_EXECUTION",
                                        "MESSAGE_POLL_VOTE_ADD", "VOICE_STATE_UPDATE", "INTERACTION_CREATE"})),
            bits({0, 2, 6, 7, 10, 11, 13, 14, 16, 21, 24, 25}));
  EXPECT_EQ(intents_with(witness() + recorder_conf({"WEBHOOKS_UPDATE", "GUILD_EMOJIS_UPDATE"})), bits({0, 3, 5}))
      << "of all of them together";
}

/// A bot without the intent gets messages without their text, and channels change in the cache before it is told.
TEST_F(DiscordOdditiesTest, APluginSeesWhatItsIntentsAllow) {
  start_simulator({"--guilds", "1", "--rate", "1", "--total", "1"});
  const std::string channel = text_channel();
  const auto write = [&] { sim().post("/_sim/message", json::object{{"content", "hi"}, {"channel", channel}}); };
  plugins(witness("messages = true\n"));
  start_host();
  wait_for_host();
  wait_for("caught up");
  write();
  wait_for("message ");
  stop_host();
  plugins(witness("messages = true\ncontent = true\n"));
  start_host({"--reidentify"});
  wait_for_host();
  wait_for("caught up");
  write();
  wait_for("message hi");
  for (int i = 0; i < 20; ++i)
    sim().send(
        "CHANNEL_UPDATE",
        json::object{
            {"id", channel}, {"guild_id", sim().servers().at(0)}, {"type", 0}, {"name", fmt::format("name{:02}", i)}});
  wait_for("channel name19 name19");
  for (const std::string& line : seen())
    if (line.starts_with("channel "))  // the present, so perhaps what came since
      EXPECT_LE(line.substr(8, 6), line.substr(15)) << line;
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
