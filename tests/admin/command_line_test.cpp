#include "admin/command_line.hpp"

#include <gtest/gtest.h>

#include <random>

namespace trellis::host {
namespace {

using Command = Invocation::Command;

Invocation parse(std::vector<const char*> words, std::vector<const char*> environment = {}) {
  words.insert(words.begin(), "trellis");
  words.push_back(nullptr);
  environment.push_back(nullptr);
  return parse_command_line(static_cast<int>(words.size()) - 1, words.data(), environment.data());
}
std::string refusal(std::vector<const char*> words) {
  try {
    parse(std::move(words));
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

TEST(CommandLine, Run) {
  const auto i =
      parse({"run", "--config", "a.conf", "--plugins=b.conf", "--set", "log.level=debug", "--set=state.dir=x=y"},
            {"DISCORD_TOKEN=t=1", "EMPTY=", "noise"});
  EXPECT_EQ(i.command, Command::Run);
  EXPECT_EQ(i.options.config, "a.conf");
  EXPECT_EQ(i.options.plugins, "b.conf");
  ASSERT_EQ(i.options.set.size(), 2u);
  EXPECT_EQ(i.options.set[0], (std::pair<std::string, std::string>("log.level", "debug")));
  EXPECT_EQ(i.options.set[1], (std::pair<std::string, std::string>("state.dir", "x=y")));
  EXPECT_EQ(i.options.environment.at("DISCORD_TOKEN"), "t=1");
  EXPECT_EQ(i.options.environment.at("EMPTY"), "");
  EXPECT_EQ(i.options.environment.size(), 2u);
  EXPECT_EQ(parse({"run"}).command, Command::Run);
  EXPECT_EQ(parse({"check-config", "--config", "x"}).command, Command::CheckConfig);
}

TEST(CommandLine, HowARunBegins) {
  const auto plain = parse({"run"});
  EXPECT_FALSE(plain.options.reidentify || plain.options.safe || plain.options.take_over || plain.supervise);
  const auto reidentify = parse({"run", "--reidentify"});
  EXPECT_TRUE(reidentify.options.reidentify);
  EXPECT_FALSE(reidentify.options.safe || reidentify.options.take_over || reidentify.supervise);
  const auto safe = parse({"run", "--safe", "--config", "a.conf"});
  EXPECT_TRUE(safe.options.safe);
  EXPECT_FALSE(safe.options.reidentify || safe.options.take_over || safe.supervise);
  EXPECT_TRUE(parse({"run", "--take-over"}).options.take_over);
  EXPECT_TRUE(parse({"run", "--supervise"}).supervise);
  const auto all = parse({"run", "--supervise", "--safe", "--take-over", "--reidentify"});
  EXPECT_TRUE(all.options.reidentify && all.options.safe && all.options.take_over && all.supervise);
  for (const char* flag : {"--reidentify", "--safe", "--take-over", "--supervise"}) {
    EXPECT_NE(refusal({"check-config", flag}), "") << flag;
    EXPECT_NE(refusal({"run", (std::string(flag) + "=yes").c_str()}), "") << flag;
  }
  EXPECT_NE(refusal({"run", "--reidentfy"}).find("did you mean --reidentify?"), std::string::npos);
}

TEST(CommandLine, CtlLeavesItsWordsAlone) {
  auto i = parse({"ctl", "--state", "s", "plugin", "reload", "x", "--force", "--set", "-h", "--help"});
  EXPECT_EQ(i.command, Command::Ctl);
  EXPECT_EQ(i.state, "s");
  EXPECT_EQ(i.words, (std::vector<std::string>{"plugin", "reload", "x", "--force", "--set", "-h", "--help"}));
  i = parse({"ctl", "--config=c.conf", "--", "--odd", "--"});
  EXPECT_EQ(i.options.config, "c.conf");
  EXPECT_EQ(i.words, (std::vector<std::string>{"--odd", "--"}));
  EXPECT_EQ(parse({"ctl", "--set", "state.dir=x", "status"}).options.set.at(0).second, "x");
  const auto help = parse({"ctl", "--state", "nowhere", "help"});
  EXPECT_EQ(help.command, Command::Print) << "no host need run";
  EXPECT_NE(help.text.find("trellis ctl plugin reload NAME"), std::string::npos);
}

TEST(CommandLine, Texts) {
  EXPECT_EQ(parse({"--version"}).text, version_text() + "\n");
  EXPECT_TRUE(version_text().starts_with("trellis 0."));
  for (auto help : {parse({"--help"}), parse({"help"}), parse({"-h"})}) {
    EXPECT_EQ(help.command, Command::Print);
    EXPECT_NE(help.text.find("check-config"), std::string::npos);
    EXPECT_NE(help.text.find("7  the store cannot be reached"), std::string::npos);
  }
  EXPECT_NE(parse({"run", "--help"}).text.find("--set KEY=VALUE"), std::string::npos) << parse({"run", "--help"}).text;
  EXPECT_NE(parse({"run", "--config", "x", "-h"}).text.find("--plugins FILE"), std::string::npos);
  EXPECT_NE(parse({"ctl", "--help"}).text.find("--state DIR"), std::string::npos);
  EXPECT_EQ(parse({"config-reference"}).text, describe_config());
}

TEST(CommandLine, Refusals) {
  EXPECT_EQ(refusal({}), "trellis: say what to do: run, check, check-config, ctl; see trellis --help");
  EXPECT_EQ(refusal({"rnu"}), "trellis: there is no command rnu; did you mean run?; see trellis --help");
  EXPECT_EQ(refusal({"run", "--confg", "x"}), "trellis run: there is no option --confg; did you mean --config?");
  EXPECT_EQ(refusal({"run", "--con", "x"}).find("trellis run: there is no option --con"), 0u);
  EXPECT_EQ(refusal({"run", "--config"}), "trellis run: --config needs a value");
  EXPECT_EQ(refusal({"run", "--config="}), "trellis run: --config needs a value");
  EXPECT_EQ(refusal({"run", "now"}), "trellis run: \"now\" is not an option; see trellis run --help");
  EXPECT_NE(refusal({"run", "--config", "a", "--config", "b"}), "");
  EXPECT_NE(refusal({"run", "--set", "hunter2"}).find("needs key=value"), std::string::npos);
  EXPECT_EQ(refusal({"run", "--set", "hunter2"}).find("hunter2"), std::string::npos);
  EXPECT_NE(refusal({"run", "--state", "x"}), "");
  EXPECT_EQ(refusal({"ctl"}), "trellis ctl: say what the host shall do, for example: trellis ctl help");
  EXPECT_NE(refusal({"ctl", "--state"}), "");
  EXPECT_NE(refusal({"ctl", "--stat", "x", "status"}).find("did you mean --state?"), std::string::npos);
  EXPECT_NE(refusal({"--config", "x", "run"}).find("options come after the command"), std::string::npos);
  EXPECT_NE(refusal({"--versoin"}).find("did you mean --version?"), std::string::npos);
  EXPECT_NE(refusal({"config-reference", "x"}), "");
  EXPECT_NE(refusal({""}), "");
}

TEST(CommandLine, AnyWordsAreReadOrRefused) {
  static constexpr const char* kWords[] = {
      "run", "ctl", "--",           "-",      "--set",         "a=b", "=",         "--config",
      "x",   "-h",  "--help",       "--set=", "--state=s",     "",    "--plugins", "-x",
      "--=", "---", "check-config", "\xff",   "--config=\xff", "-c",  "--help=1",  "-hx"};
  std::mt19937 random(7);
  int read = 0, refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<const char*> words;
    for (auto n = random() % 6; n > 0; --n) words.push_back(kWords[random() % std::size(kWords)]);
    try {
      parse(words);
      ++read;
    } catch (const UsageError& e) {
      EXPECT_TRUE(std::string_view(e.what()).starts_with("trellis")) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace trellis::host
