// What operators get wrong: one sentence that names the thing and the remedy, and the documented exit code.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <regex>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class MistakesTest : public Bench {
 protected:
  /// `trellis run` ends by itself with this code, and its last line on stderr has these words in it.
  void refuses(const Command& command, int code, const std::vector<std::string>& sayings) {
    const Finished done = run_to_end(command);
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_TRUE(done.out.empty()) << done.out;
    expect_says(done.err, sayings);
    EXPECT_EQ(done.err.find("what():"), std::string::npos) << done.err;
    EXPECT_EQ(done.err.find("terminate called"), std::string::npos) << done.err;
  }

  /// The complaint is one line: lines of the log (they begin with the year) are not it.
  void expect_says(const std::string& text, const std::vector<std::string>& sayings) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (!line.empty() && !std::regex_search(line, std::regex("^\\[?[0-9]{4}-"))) lines.push_back(line);
    ASSERT_EQ(lines.size(), 1u) << "not one sentence:\n" << text;
    for (const std::string& saying : sayings)
      EXPECT_NE(lines[0].find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << lines[0];
  }
};

TEST_F(MistakesTest, NoToken) {
  start_simulator({});
  Command command = host_command();
  command.environment.clear();
  refuses(command, 4, {"no bot token", "DISCORD_TOKEN", "discord.token_file"});
}

TEST_F(MistakesTest, WrongToken) {
  start_simulator({"--token", "another.token.entirely"});
  refuses(host_command(), 4, {"does not accept the bot token", "DISCORD_TOKEN", "Reset Token"});
}

TEST_F(MistakesTest, TokenWithALineBreak) {
  start_simulator({});
  Command command = host_command();
  command.environment["DISCORD_TOKEN"] = std::string(kToken) + "\nX=1";
  refuses(command, 3, {"DISCORD_TOKEN", "no white space", "copy it again"});
}

TEST_F(MistakesTest, TokenFileThatIsNotThere) {
  start_simulator({});
  Command command = host_command({"--set", "discord.token_file=/nowhere/token"});
  command.environment.clear();
  refuses(command, 3, {"/nowhere/token", "discord.token_file"});
}

TEST_F(MistakesTest, UnknownPlugin) {
  start_simulator({});
  plugins("[mesage_counter]\n");
  refuses(host_command(), 5,
          {"plugins.conf:1", "mesage_counter", "mesage_counter.so", "install it there or give its path"});
}

TEST_F(MistakesTest, TruncatedPlugin) {
  start_simulator({});
  const std::string whole = read_file(build_of_message_counter("a"));
  write_file(folder() / "cut.so", whole.substr(0, whole.size() * 2 / 3));
  plugins(fmt::format("[message_counter]\npath = \"{}\"\n", (folder() / "cut.so").string()));
  refuses(host_command(), 5, {"plugins.conf:1", "cut.so", "truncated", "Copy it again"});
}

TEST_F(MistakesTest, FileThatIsNoPlugin) {
  start_simulator({});
  write_file(folder() / "text.so", "int main() {}\n");
  plugins(fmt::format("[message_counter]\npath = \"{}\"\n", (folder() / "text.so").string()));
  refuses(host_command(), 5, {"plugins.conf:1", "text.so"});
  plugins("[message_counter]\npath = \"/lib/x86_64-linux-gnu/libc.so.6\"\n");
  refuses(host_command(), 5, {"plugins.conf:1", "libc.so.6"});
}

TEST_F(MistakesTest, PluginOfAnotherAbi) {
  start_simulator({});
  plugins(fmt::format("[wrong_abi]\npath = \"{}\"\n", test_plugin("wrong_abi").string()));
  refuses(host_command(), 5, {"plugins.conf:1", "wrong_abi", "ABI", "9"});
}

TEST_F(MistakesTest, PluginUnderAnotherName) {
  start_simulator({});
  plugins(fmt::format("[counter]\npath = \"{}\"\n", build_of_message_counter("a").string()));
  refuses(host_command(), 5, {"plugins.conf:1", "message_counter", "counter"});
}

TEST_F(MistakesTest, PluginThatRefuses) {
  start_simulator({});
  plugins(fmt::format("[throws_in_setup]\npath = \"{}\"\n", test_plugin("throws_in_setup").string()));
  refuses(host_command(), 5, {"throws_in_setup", "the moon is not full"});
}

TEST_F(MistakesTest, SettingOfAPluginHasTheWrongType) {
  start_simulator({});
  plugins("[message_counter]\ntrackedChannels = { \"*\" = [\"*\"] }\nflushIntervalSeconds = \"often\"\n");
  refuses(host_command(), 5, {"plugins.conf:3", "flushIntervalSeconds", "often"});
  plugins("[message_counter]\ntrackedChanels = { \"*\" = [\"*\"] }\n");
  refuses(host_command(), 5, {"plugins.conf:2", "trackedChanels", "trackedChannels"});
  plugins("[message_counter]\ntrackedChannels = { \"*\" = [\"general\"] }\n");
  refuses(host_command(), 5, {"plugins.conf:2", "general", "channel id"});
}

TEST_F(MistakesTest, SettingsOfTheHost) {
  start_simulator({});
  const auto file = folder() / "trellis.conf";
  write_file(file, "[journal]\nbudgett = \"1 GiB\"\n");
  refuses(host_command({"--config", file.string()}), 3,
          {"trellis.conf:2", "journal.budgett", "did you mean journal.budget?"});
  write_file(file, "[journal]\nkeep = 5\n\n[log]\nlevel = true\n");
  const Finished two = run_to_end(host_command({"--config", file.string()}));
  EXPECT_EQ(two.code, 3);
  EXPECT_NE(two.err.find("trellis.conf:5"), std::string::npos) << two.err;
  EXPECT_NE(two.err.find("log.level"), std::string::npos) << two.err;
  write_file(file, "[journal\n");
  refuses(host_command({"--config", file.string()}), 3, {"trellis.conf:1"});
  write_file(file, "");
  refuses(host_command({"--config", file.string(), "--set", "jurnal.budget=1 GiB"}), 3,
          {"jurnal.budget", "journal.budget"});
  refuses(host_command({"--config", (folder() / "nowhere.conf").string()}), 3, {"nowhere.conf"});
  refuses(host_command({"--set", "store.url=mysql://x/y"}), 3, {"store.url", "sqlite:", "postgresql://"});
}

TEST_F(MistakesTest, CommandLine) {
  const auto refused = [&](std::vector<std::string> arguments, const std::vector<std::string>& sayings) {
    const Finished done = trellis(std::move(arguments));
    EXPECT_EQ(done.code, 2) << done.err;
    expect_says(done.err, sayings);
  };
  refused({}, {"run", "--help"});
  refused({"rum"}, {"rum", "did you mean run?"});
  refused({"run", "--confg", "x"}, {"--confg", "did you mean --config?"});
  refused({"run", "--set", std::string(kToken)}, {"--set needs key=value"});
  refused({"ctl"}, {"trellis ctl help"});
}

TEST_F(MistakesTest, SecondHostInTheStateDirectory) {
  start_simulator({});
  start_host();
  wait_for_host();
  refuses(
      host_command({"--set", "store.url=sqlite:" + (folder() / "other").string()}), 6,
      {(folder() / "state").string(), "used by another host", fmt::format("process {}", host().pid()), "state.dir"});
  EXPECT_TRUE(host().running());
  stop_host();
}

class SharedStoreTest : public StoreBench {};
TRELLIS_ON_BOTH_STORES(SharedStoreTest);

TEST_P(SharedStoreTest, SecondHostInTheDatabase) {
  Simulator& sim = start_simulator({"--rate", "200"});
  start_host();
  wait_for_host();
  const Finished second = run_to_end(host_command({"--set", "state.dir=" + (folder() / "other").string()}));
  EXPECT_EQ(second.code, 6) << second.err;
  EXPECT_NE(second.err.find("the database is used by another host"), std::string::npos) << second.err;
  EXPECT_NE(second.err.find(fmt::format("process {}", host().pid())), std::string::npos) << second.err;
  EXPECT_TRUE(host().running());
  sim.fault("pause");
  expect_counted(sim.counts());
  stop_host();
  // After a clean end the database is free at once.
  start_host({"--set", "state.dir=" + (folder() / "other").string()});
  wait_until(
      "the other host is started", [&] { return host().err().find("gateway found") != std::string::npos; },
      [&] { return host().err(); });
  stop_host();
}

TEST_F(MistakesTest, UnreachableDatabase) {
  start_simulator({});
  refuses(host_command({"--set", "store.url=postgresql://somebody:a-password@127.0.0.1:1/nothing"}), 7,
          {"127.0.0.1", "cannot be used"});
  const Finished done =
      run_to_end(host_command({"--set", "store.url=postgresql://somebody:a-password@127.0.0.1:1/nothing"}));
  EXPECT_EQ(done.err.find("a-password"), std::string::npos) << done.err;
}

TEST_F(MistakesTest, DatabaseThatDoesNotExist) {
  start_simulator({});
  const auto postgres = make_database("postgresql", folder());
  const std::string server = postgres->url().substr(0, postgres->url().rfind('/'));
  refuses(host_command({"--set", "store.url=" + server + "/no_such_database"}), 7,
          {"no_such_database", "does not exist"});
}

TEST_F(MistakesTest, StoreFolderThatCannotBeMade) {
  start_simulator({});
  write_file(folder() / "file", "x");
  refuses(host_command({"--set", "store.url=sqlite:" + (folder() / "file" / "store").string()}), 7,
          {(folder() / "file" / "store").string()});
}

/// Discord may be down when the host starts: it tries again until it is told to stop.
TEST_F(MistakesTest, UnreachableDiscord) {
  start_host({"--set", "discord.api=http://127.0.0.1:1/api/v10"});
  const auto tries = [&] {
    const std::string text = host().err();
    int count = 0;
    for (auto at = text.find("cannot be reached"); at != std::string::npos; at = text.find("cannot be reached", at + 1))
      ++count;
    return count;
  };
  wait_until("it tries again", [&] { return tries() >= 2; }, [&] { return host().err(); });
  EXPECT_NE(host().err().find("127.0.0.1:1"), std::string::npos) << host().err();
  EXPECT_NE(ctl({"status"}).out.find("message_counter"), std::string::npos) << "trellis ctl works meanwhile";
  stop_host();
}

TEST_F(MistakesTest, AddressThatIsNotDiscord) {
  Simulator& sim = start_simulator({});
  const std::string root = sim.api().substr(0, sim.api().find("/api"));
  refuses(host_command({"--set", "discord.api=" + root + "/nothing/here"}), 4,
          {"404", "Check discord.api", "https://discord.com/api/v10"});
}

TEST_F(MistakesTest, CtlWithoutAHost) {
  const Finished never = ctl({"status"});
  EXPECT_EQ(never.code, 1);
  expect_says(never.err, {"no host is running", (folder() / "state").string(), "trellis run", "--state"});
  start_simulator({});
  start_host();
  wait_for_host();
  kill_host();
  const Finished gone = ctl({"status"});
  EXPECT_EQ(gone.code, 1);
  expect_says(gone.err, {"not running any more", (folder() / "state").string(), "trellis run"});
}

TEST_F(MistakesTest, CtlWords) {
  start_simulator({});
  start_host();
  wait_for_host();
  const auto refused = [&](std::vector<std::string> words, int code, const std::vector<std::string>& sayings) {
    const Finished answer = ctl(std::move(words));
    EXPECT_EQ(answer.code, code) << answer.err;
    expect_says(answer.err, sayings);
  };
  refused({"stauts"}, 2, {"no `trellis ctl stauts`", "did you mean status?", "trellis ctl help"});
  refused({"plugin", "relaod", "message_counter"}, 2, {"relaod", "did you mean reload?"});
  refused({"plugin", "reload"}, 2, {"say which"});
  refused({"plugin", "reload", "mesage_counter"}, 1, {"mesage_counter is not loaded", "message_counter"});
  refused({"plugin", "load", "mesage_counter"}, 1, {"no table [mesage_counter]", "did you mean message_counter?"});
  refused({"methods", "nothing"}, 1, {"nothing is not loaded"});
  EXPECT_EQ(ctl({"help"}).code, 0);
  const Finished metrics = ctl({"metrics"});
  EXPECT_EQ(metrics.code, 0) << metrics.err;
  EXPECT_EQ(ctl({"stop"}).code, 0);
  EXPECT_EQ(host().wait(), 0) << host().err();
}

}  // namespace
}  // namespace trellis::e2e
