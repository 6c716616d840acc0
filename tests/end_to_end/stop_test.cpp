// A stop ends, whatever does not, and says what that was.
#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <csignal>
#include <thread>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int kUnclean = 8;  // exit code
const std::vector<std::string> kSoon{"--set", "shutdown.deadline=1 s"};

/// The host and one that asks it something.
class StopBench : public Bench {
 protected:
  using Bench::Bench;

  fs::path mark() const { return folder() / "mark"; }
  void start_lingering(const std::string& settings = {}, const std::vector<std::string>& options = kSoon) {
    plugins(fmt::format("[lingers]\npath = \"{}\"\nmark = \"{}\"\n{}", test_plugin("lingers").string(), mark().string(),
                        settings));
    start_simulator({"--guilds", "1", "--total", "0"});
    start_host(options);
  }
  /// In the background, until it is under way.
  std::unique_ptr<Process> calling(const std::string& method) {
    auto call = std::make_unique<Process>(Command{fs::path(TRELLIS_BIN) / "trellis",
                                                  {"ctl", "--state", state().string(), "call", "lingers", method},
                                                  {},
                                                  folder()});
    wait_until("the method runs", [&] { return fs::exists(mark()); }, [&] { return call->err() + host().err(); });
    return call;
  }
  void expect_given_up(const std::string& what) {
    EXPECT_EQ(host().wait(), kUnclean) << host().err();
    EXPECT_NE(host().err().find("stopped at the deadline with work left"), std::string::npos) << host().err();
    EXPECT_NE(host().err().find(what), std::string::npos) << host().err();
  }
  void stop_by_ctl() {
    const Finished answer = ctl({"stop"});
    EXPECT_EQ(answer.code, 0) << answer.err;
  }
};

class StopTest : public StopBench {};

/// Whoever waits as one should is woken, and whoever asked hears of it.
TEST_F(StopTest, AMethodThatSleepsIsWoken) {
  start_lingering({}, {"--set", "shutdown.deadline=2 min"});
  wait_for_host();
  const auto call = calling("sleep");
  stop_by_ctl();
  EXPECT_EQ(host().wait(), 0) << host().err();
  EXPECT_EQ(call->wait(), 1);
  EXPECT_NE(call->err().find("cancelled"), std::string::npos) << call->err();
}

TEST_F(StopTest, AMethodThatHangsIsGivenUp) {
  start_lingering();
  wait_for_host();
  auto call = calling("hang");
  stop_by_ctl();
  expect_given_up("a command of `trellis ctl`");
  EXPECT_EQ(call->wait(), 1);
  start_host();
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 0) << "the session was not left to be resumed";
  stop_host();
}

/// Also one that is asked for before the host is there.
TEST_F(StopTest, AHostThatStillStarts) {
  start_lingering("start_hangs = true\n");
  wait_until("on_start runs", [&] { return fs::exists(mark()); }, [&] { return host().err(); });
  host().signal(SIGTERM);
  EXPECT_EQ(host().wait(), kUnclean) << host().err();
  EXPECT_NE(host().err().find("is cut short"), std::string::npos) << host().err();
}

/// What is written at the end waits for ever: a pipe that nobody reads is in its place.
TEST_F(StopTest, ADiskThatDoesNotAnswer) {
  start_simulator({"--guilds", "1", "--total", "0"});
  start_host(kSoon);
  wait_for_host();
  ASSERT_EQ(::mkfifo((state() / "cache" / "cache-0-of-1.snapshot.tmp").c_str(), 0600), 0);
  stop_by_ctl();
  expect_given_up("the disk");
}

class StopWithoutStore : public StopBench {
 protected:
  StopWithoutStore() : StopBench("postgresql") {}
  /// The server is this test's own: with a backend of it asleep, nobody can drop a database.
  void SetUp() override {
    StopBench::SetUp();
    server_.emplace(folder());
    use_store(server_->database());
  }
  void TearDown() override {
    for (const pid_t backend : asleep_) ::kill(backend, SIGCONT);
    if (locks_.joinable()) locks_.join();
    use_store(nullptr);
    server_.reset();
    StopBench::TearDown();
  }

  /// What renews the host's row waits for a lock, and then its backend falls asleep.
  void put_to_sleep() {
    locks_ = std::thread([this] {
      try {
        store().rows("trellis", "BEGIN; SELECT 1 FROM trellis_host FOR UPDATE; SELECT pg_sleep(60)");
      } catch (const std::exception&) {  // it is ended
      }
    });
    const std::string waiting =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    pid_t backend = 0;
    wait_until("the host row is being renewed",
               [&] { return (backend = static_cast<pid_t>(store().number("public", waiting))) > 0; });
    asleep_.push_back(backend);
    ASSERT_EQ(::kill(asleep_.back(), SIGSTOP), 0);
    store().rows("public",
                 "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
                 "wait_event = 'PgSleep'");
  }

  std::optional<PostgresServer> server_;
  std::vector<pid_t> asleep_;
  std::thread locks_;
};

/// PostgreSQL has taken the question, and does not answer.
TEST_F(StopWithoutStore, ItDoesNotAnswer) {
  start_simulator({"--guilds", "2", "--rate", "0", "--total", "500"});
  start_host({"--set", "shutdown.deadline=2 s"});
  wait_for_host();
  expect_everything_counted();
  put_to_sleep();
  stop_by_ctl();
  expect_given_up("the store");
  ASSERT_EQ(::kill(asleep_.back(), SIGCONT), 0);
  asleep_.clear();
  start_host();
  wait_for_host();
  stop_host();
  expect_same(sim().counts(), stored());
}

/// What cannot be committed is replayed by the next host.
TEST_F(StopWithoutStore, ItIsAway) {
  start_simulator({"--guilds", "1", "--total", "1", "--dm-share", "1"});
  start_host(kSoon);
  wait_for_host();
  server_->stop();
  const std::string guild = sim().servers().at(0);
  const auto before = shard().at("dispatches").to_number<std::int64_t>();
  sim().send_message(guild, guild, "hello");
  wait_until("it has come", [&] { return shard().at("dispatches").to_number<std::int64_t>() > before; });
  stop_by_ctl();
  EXPECT_EQ(host().wait(), kUnclean) << host().err();
  server_->start();
  start_host();
  wait_for_host();
  expect_counted(sim().counts());
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
