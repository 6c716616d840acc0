#include "config/config.hpp"

#include <gtest/gtest.h>

#include "config/keys.hpp"
#include "config/units.hpp"
#include "temporary_folder.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

class Settings : public ::testing::Test {
 protected:
  std::string refusal() {
    return error_of<ConfigError>([&] { load_config(line); });
  }
  std::string refusal(std::string_view text) {
    folder.write("etc/trellis.conf", text);
    return refusal();
  }
  TemporaryFolder folder;
  CommandLine line;
};

TEST_F(Settings, DefaultsWithoutAFile) {
  const auto c = load_config(line);
  EXPECT_EQ(c.source, "");
  EXPECT_EQ(c.discord.api, "https://discord.com/api/v10");
  EXPECT_EQ(c.discord.token, "");
  EXPECT_EQ(c.discord.compress, "auto");
  EXPECT_EQ(c.discord.max_payload, 64u << 20);
  EXPECT_TRUE(c.discord.shards.automatic());
  EXPECT_FALSE(c.discord.identify_reserve);
  EXPECT_EQ(c.store.url, "sqlite:state/store");
  EXPECT_EQ(c.state.dir, "state");
  EXPECT_EQ(c.journal.segment, 64u << 20);
  EXPECT_EQ(c.journal.budget, 0u);
  EXPECT_EQ(c.journal.max_lag, 0u);
  EXPECT_EQ(c.journal.sync, 200ms);
  EXPECT_EQ(c.shutdown.deadline, 20s);
  EXPECT_EQ(c.log.level, "info");
  EXPECT_TRUE(c.warnings.empty());
}

TEST_F(Settings, EveryKeyIsRead) {
  folder.write("etc/trellis.conf", R"(
[discord]
api = "http://127.0.0.1:8080/api/v10/"
ca_file = "certs/ca.pem"
compress = "none"
max_payload = "16 MiB"
shards = 4
presence = { status = "dnd", activity = "watching the logs" }
identify_reserve = 20
[store]
url = "postgresql://bot:hunter2@db/trellis"
[state]
dir = "/var/lib/trellis/"
[journal]
segment = "32MiB"
budget = "4 GiB"
keep = "1.5 h"
sync = "50 ms"
[plugins]
dir = "build/plugins"
[reload]
grace = "0"
[shutdown]
deadline = "1 min"
[log]
level = "debug"
format = "json"
file = "logs/trellis.log"
)");
  const auto c = load_config(line);
  EXPECT_EQ(c.source, "etc/trellis.conf");
  EXPECT_EQ(c.discord.api, "http://127.0.0.1:8080/api/v10");
  EXPECT_EQ(c.discord.ca_file, "certs/ca.pem");
  EXPECT_EQ(c.discord.compress, "none");
  EXPECT_EQ(c.discord.max_payload, 16u << 20);
  EXPECT_EQ(c.discord.presence.json(),
            R"({"since":null,"activities":[{"name":"the logs","type":3}],"status":"dnd","afk":false})");
  EXPECT_EQ(c.discord.shards, (ShardRange{0, 3, 4}));
  EXPECT_EQ(c.discord.identify_reserve, 20u);
  EXPECT_EQ(c.store.url, "postgresql://bot:hunter2@db/trellis");
  EXPECT_EQ(c.state.dir, "/var/lib/trellis");
  EXPECT_EQ(c.journal.segment, 32u << 20);
  EXPECT_EQ(c.journal.budget, 4ull << 30);
  EXPECT_EQ(c.journal.keep, 90min);
  EXPECT_EQ(c.journal.sync, 50ms);
  EXPECT_EQ(c.plugins.dir, "build/plugins");
  EXPECT_EQ(c.reload.grace, 0s);
  EXPECT_EQ(c.shutdown.deadline, 60s);
  EXPECT_EQ(c.log.level, "debug");
  EXPECT_EQ(c.log.format, "json");
  EXPECT_EQ(c.log.file, "logs/trellis.log");
  EXPECT_EQ(plugin_folder(c), "build/plugins");
}

TEST_F(Settings, EveryKeyOfTheTableHasADefaultThatItTakes) {
  for (const auto& key : keys()) {
    Config config;
    EXPECT_EQ(key.set(config, key.default_value, ""), "") << key.name;
    EXPECT_FALSE(key.help.empty()) << key.name;
    EXPECT_FALSE(key.expected.empty()) << key.name;
  }
}

TEST_F(Settings, APresenceThatIsNoKnownActivityIsACustomStatus) {
  Config::Discord::Presence presence;
  EXPECT_EQ(presence.json(), "") << "Discord's default";
  presence.activity = "playing ";
  EXPECT_NE(presence.json().find(R"("type":4,"state":"playing ")"), std::string::npos) << presence.json();
  presence.activity = "competing in a \"race\"";
  EXPECT_NE(presence.json().find(R"({"name":"a \"race\"","type":5})"), std::string::npos) << presence.json();
}

TEST_F(Settings, AllComplaintsAtOnce) {
  EXPECT_EQ(
      refusal("[journal]\nbudgett = \"8 GiB\"\nbudget = true\nsync = \"5 parsecs\"\nkeep = 7\n[jurnal]\na = "
              "1\n[log]\nlevel = \"loud\"\n"),
      "etc/trellis.conf:2: journal.budgett: no such key; did you mean journal.budget?\n"
      "etc/trellis.conf:3: journal.budget: expected a size like \"64 MiB\", from 4 MiB to 64 TiB, or \"auto\", got "
      "true\n"
      "etc/trellis.conf:4: journal.sync: expected a duration like \"200 ms\", from 1 ms to 1 min, got \"5 parsecs\"\n"
      "etc/trellis.conf:5: journal.keep: expected a duration like \"2 s\", from 0 s to 30 d, got 7\n"
      "etc/trellis.conf:6: jurnal: no such section; did you mean [journal]?\n"
      "etc/trellis.conf:9: log.level: expected \"debug\", \"info\", \"warn\" or \"error\", got \"loud\"");
  EXPECT_EQ(refusal("budget = 5\nlog = 3\n"),
            "etc/trellis.conf:1: budget: no such key; did you mean journal.budget?\n"
            "etc/trellis.conf:2: log: expected a section like [log], got 3");
}

TEST_F(Settings, BadValues) {
  EXPECT_NE(refusal("[discord]\napi = \"ftp://x\"\n").find("https://"), std::string::npos);
  EXPECT_NE(refusal("[discord]\nshards = 0\n").find("from 1 to 16384"), std::string::npos);
  EXPECT_NE(refusal("[discord]\nshards = \"many\"\n").find("got \"many\""), std::string::npos);
  EXPECT_NE(refusal("[store]\nurl = \"mysql://root:hunter2@x\"\n").find("got \"mysql://root:***@x\""),
            std::string::npos);
  EXPECT_NE(refusal("[store]\nurl = \"sqlite:\"\n").find("sqlite:FOLDER"), std::string::npos);
  EXPECT_NE(refusal("[state]\ndir = \"\"\n").find("state.dir"), std::string::npos);
  EXPECT_NE(refusal("[journal]\nbudget = \"16 MiB\"\n").find("less than two segments of 64 MiB"), std::string::npos);
  EXPECT_NE(refusal("[journal]\nsegment = -1\n").find("got -1"), std::string::npos);
  EXPECT_NE(refusal("[journal\n").find("etc/trellis.conf:1: "), std::string::npos);
  EXPECT_EQ(refusal("[journal]\nbudget = \"auto\"\n"), "");
  line.config = "missing.conf";
  EXPECT_EQ(refusal(), "missing.conf: cannot be read: No such file or directory");
}

TEST_F(Settings, Precedence) {
  folder.write("etc/trellis.conf",
               "[journal]\nsync = \"1 ms\"\nkeep = \"1 min\"\n[log]\nlevel = \"warn\"\nformat = \"json\"\n");
  folder.write(".env", "TRELLIS_JOURNAL_SYNC=2ms\nTRELLIS_JOURNAL_KEEP=\"2 min\"\nTRELLIS_LOG_LEVEL=error\n");
  line.environment = {{"TRELLIS_JOURNAL_SYNC", "3 ms"}, {"TRELLIS_JOURNAL_KEEP", "3 min"}, {"PATH", "/bin"}};
  line.set = {{"journal.sync", "4 ms"}, {"journal.sync", "5 ms"}};
  const auto c = load_config(line);
  EXPECT_EQ(c.journal.sync, 5ms);
  EXPECT_EQ(c.journal.keep, 3min);
  EXPECT_EQ(c.log.level, "error");
  EXPECT_EQ(c.log.format, "json");
}

TEST_F(Settings, WhereRelativePathsStart) {
  const std::string text = "[state]\ndir = \"here\"\n[store]\nurl = \"sqlite:here/rows\"\n";
  folder.write("etc/trellis.conf", text);
  EXPECT_EQ(load_config(line).state.dir, "here");
  EXPECT_EQ(load_config(line).store.url, "sqlite:here/rows");

  folder.write("srv/bot/etc/trellis.conf", text);
  folder.write("srv/bot/.env", "TRELLIS_LOG_FILE=bot.log\n");
  line.config = "srv/bot/etc/trellis.conf";
  EXPECT_EQ(load_config(line).state.dir, "srv/bot/here");
  EXPECT_EQ(load_config(line).store.url, "sqlite:srv/bot/here/rows");
  EXPECT_EQ(load_config(line).log.file, "srv/bot/bot.log");

  folder.write("srv/plain/my.toml", "");
  line.config = "srv/plain/my.toml";
  EXPECT_EQ(load_config(line).state.dir, "srv/plain/state");
  EXPECT_EQ(load_config(line).store.url, "sqlite:srv/plain/state/store");
  line.set = {{"state.dir", "./mine"}};
  EXPECT_EQ(load_config(line).store.url, "sqlite:mine/store");
  line.set.emplace_back("store.url", "sqlite:/abs/x");
  line.environment = {{"TRELLIS_LOG_FILE", "a.log"}};
  EXPECT_EQ(load_config(line).state.dir, "mine");
  EXPECT_EQ(load_config(line).store.url, "sqlite:/abs/x");
  EXPECT_EQ(load_config(line).log.file, "a.log");

  std::filesystem::current_path(folder.path() / "srv/bot/etc");
  line = {};
  line.config = "trellis.conf";
  EXPECT_EQ(load_config(line).state.dir, "../here");
}

TEST_F(Settings, UnknownVariablesAreWarnings) {
  line.environment = {{"TRELLIS_JOURNAL_BUDGETT", "1"}, {"TRELLIS_TEST_DATABASE", "x"}, {"TRELLIS_WHATEVER_ELSE", "y"}};
  const auto c = load_config(line);
  ASSERT_EQ(c.warnings.size(), 2u);
  EXPECT_EQ(c.warnings[0],
            "TRELLIS_JOURNAL_BUDGETT: this variable means nothing to trellis; did you mean TRELLIS_JOURNAL_BUDGET?");
  EXPECT_EQ(c.warnings[1], "TRELLIS_WHATEVER_ELSE: this variable means nothing to trellis");
}

TEST_F(Settings, BadVariablesAndOptionsNameThemselves) {
  folder.write(".env", "\nTRELLIS_LOG_LEVEL=loud\n");
  line.environment = {{"TRELLIS_LOG_FORMAT", "xml"}};
  line.set = {{"jounal.sync", "1 s"}, {"journal.sync", "1 year"}};
  const auto text = refusal();
  EXPECT_NE(text.find(".env:2: TRELLIS_LOG_LEVEL: expected \"debug\""), std::string::npos) << text;
  EXPECT_NE(text.find("\nTRELLIS_LOG_FORMAT: expected \"text\" or \"json\", got \"xml\""), std::string::npos) << text;
  EXPECT_NE(text.find("\n--set jounal.sync: no such key; did you mean journal.sync?"), std::string::npos) << text;
  EXPECT_NE(text.find("\n--set journal.sync: expected a duration"), std::string::npos) << text;
}

TEST_F(Settings, TokenFromTheEnvironment) {
  line.environment = {{"DISCORD_TOKEN", " Bot abc.def-1 \n"}};
  EXPECT_EQ(load_config(line).discord.token, "abc.def-1");
  EXPECT_EQ(load_config(line).discord.token_from, "DISCORD_TOKEN");
  folder.write(".env", "X=1\nDISCORD_TOKEN=from.dotenv\n");
  EXPECT_EQ(load_config(line).discord.token, "abc.def-1");
  line.environment = {{"DISCORD_TOKEN", ""}};
  EXPECT_EQ(load_config(line).discord.token, "from.dotenv");
  EXPECT_EQ(load_config(line).discord.token_from, ".env:2: DISCORD_TOKEN");
  line.environment = {{"DISCORD_TOKEN", "hunter 2"}};
  EXPECT_NE(refusal().find("DISCORD_TOKEN: a token has no white space"), std::string::npos);
  EXPECT_EQ(refusal().find("hunter"), std::string::npos);
  line.environment = {{"DISCORD_TOKEN", "Bot "}};
  EXPECT_EQ(refusal(), "");  // trimmed it is "Bot", which Discord will refuse
}

TEST_F(Settings, TokenFromAFile) {
  folder.write("etc/trellis.conf", "[discord]\ntoken_file = \"secret/token\"\n");
  EXPECT_EQ(refusal(), "discord.token_file: secret/token: cannot be read: No such file or directory");
  folder.write("secret/token", "  file.token\r\n");
  const auto c = load_config(line);
  EXPECT_EQ(c.discord.token, "file.token");
  EXPECT_TRUE(c.warnings.empty());
  std::filesystem::permissions("secret/token", std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  const auto warned = load_config(line);
  ASSERT_EQ(warned.warnings.size(), 1u);
  EXPECT_NE(warned.warnings[0].find("chmod 600"), std::string::npos);
  folder.write("secret/token", " \n");
  EXPECT_EQ(refusal(), "discord.token_file: secret/token: there is no token in it");
  folder.write("secret/token", std::string(5000, 'x'));
  EXPECT_NE(refusal().find("too large to be a token"), std::string::npos);
  line.environment = {{"DISCORD_TOKEN", "wins"}};
  EXPECT_EQ(load_config(line).discord.token, "wins");
}

TEST_F(Settings, TokenInTheWrongPlaceIsRefusedAndNotShown) {
  const auto expect = [](const std::string& text, const std::string& where) {
    EXPECT_TRUE(text.starts_with(where + ": the token is not a setting")) << text;
    EXPECT_NE(text.find("DISCORD_TOKEN"), std::string::npos);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
  };
  expect(refusal("[discord]\ntoken = \"hunter2\"\n"), "etc/trellis.conf:2: discord.token");
  folder.write("etc/trellis.conf", "");
  line.set = {{"discord.token", "hunter2"}};
  expect(refusal(), "--set discord.token");
  line.set.clear();
  line.environment = {{"TRELLIS_DISCORD_TOKEN", "hunter2"}};
  expect(refusal(), "TRELLIS_DISCORD_TOKEN");
}

TEST_F(Settings, StateFolderNeedsNothingElse) {
  folder.write("etc/trellis.conf", "[state]\ndir = \"mine\"\n[discord]\ntoken_file = \"missing\"\n[oops]\n");
  EXPECT_EQ(state_folder(line), "mine");
  folder.write("etc/trellis.conf", "[state\n");
  EXPECT_FALSE(error_of<ConfigError>([&] { state_folder(line); }).empty());
  line.environment = {{"TRELLIS_STATE_DIR", "/run/x"}};
  EXPECT_EQ(state_folder(line), "/run/x");
  line.environment = {{"TRELLIS_STATE_DIR", ""}};
  EXPECT_FALSE(error_of<ConfigError>([&] { state_folder(line); }).empty());
}

TEST(Units, Sizes) {
  EXPECT_EQ(parse_size("64 MiB"), 64u << 20);
  EXPECT_EQ(parse_size("8GiB"), 8ull << 30);
  EXPECT_EQ(parse_size("1.5 gib"), 3ull << 29);
  EXPECT_EQ(parse_size("100 kB"), 100'000u);
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("18446744073709551615"), 18446744073709551615u);
  for (const auto* bad : {"", " ", "-1", "GiB", "8 GiBs", "1e3 MiB", "99999999999 TiB", "0x10", "8 Gi B", "nan", "inf"})
    EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(show_size(64u << 20), "64 MiB");
  EXPECT_EQ(show_size(1000), "1000");
  EXPECT_EQ(show_size(0), "0");
}

TEST(Units, Durations) {
  EXPECT_EQ(parse_duration("200 ms"), 200ms);
  EXPECT_EQ(parse_duration("10min"), 10min);
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("1.5 h"), 90min);
  EXPECT_EQ(parse_duration("3 d"), 72h);
  EXPECT_EQ(parse_duration("7 us"), std::chrono::microseconds(7));
  for (const auto* bad : {"", "5", "-1 s", "s", "5 parsecs", "1 s 2", "9999999999999999999 d"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(show_duration(200ms), "200 ms");
  EXPECT_EQ(show_duration(10min), "10 min");
  EXPECT_EQ(show_duration(0s), "0 s");
}

TEST(Units, PasswordsAreHidden) {
  EXPECT_EQ(without_password("postgresql://bot:hunter2@db:5432/x?a=b"), "postgresql://bot:***@db:5432/x?a=b");
  EXPECT_EQ(without_password("postgresql://bot:hun@ter2@db/x"), "postgresql://bot:***@db/x");
  EXPECT_EQ(without_password("postgresql://db/x?user=a&password=hunter2&b=c"),
            "postgresql://db/x?user=a&password=***&b=c");
  EXPECT_EQ(without_password("postgresql://bot@db:5432/x"), "postgresql://bot@db:5432/x");
  EXPECT_EQ(without_password("sqlite:state/store"), "sqlite:state/store");
  EXPECT_EQ(password_of("postgresql://bot:hunter2@db/x"), "hunter2");
  EXPECT_EQ(password_of("postgresql://db:5432/x"), "");
}

}  // namespace
}  // namespace trellis::host
