#include "log/log.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

namespace trellis::host {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string name = testing::TempDir() + "trellis-log-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    root_ = name;
    file_ = root_ / "log";
  }
  ~LogTest() override {
    start_log("info", "text", "");
    std::filesystem::remove_all(root_);
  }
  std::vector<std::string> lines() {
    std::ifstream in(file_);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::filesystem::path root_, file_;
};

TEST_F(LogTest, ALine) {
  start_log("info", "text", file_);
  log_info("shard 0", "connected", {{"url", "wss://a"}, {"tries", 3}, {"why", "lost \"it\"\nagain"}, {"empty", ""}});
  log_debug("shard 0", "not shown");
  log_error("plugin x", "bad\nline");
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  const std::regex time(R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)$)");
  std::smatch match;
  ASSERT_TRUE(std::regex_match(all[0], match, time)) << all[0];
  EXPECT_EQ(match[1], R"(INFO  shard 0: connected url=wss://a tries=3 why="lost \"it\"\nagain" empty="")");
  ASSERT_TRUE(std::regex_match(all[1], match, time));
  EXPECT_EQ(match[1], R"(ERROR plugin x: bad\nline)");
  EXPECT_FALSE(log_enabled(Level::Debug));
  start_log("debug", "text", file_);
  EXPECT_TRUE(log_enabled(Level::Debug));
  start_log("error", "text", file_);
  EXPECT_FALSE(log_enabled(Level::Warn));
}

TEST_F(LogTest, JsonLinesAreJson) {
  start_log("debug", "json", file_);
  log_warn("store", "slow \"query\"", {{"sql", "select '\\'\n\x01"}, {"ms", 12}});
  const auto all = lines();
  ASSERT_EQ(all.size(), 1u);
  simdjson::dom::parser parser;
  simdjson::dom::element line;
  ASSERT_EQ(parser.parse(simdjson::padded_string(all[0])).get(line), simdjson::SUCCESS) << all[0];
  EXPECT_EQ(std::string_view(line["level"]), "warn");
  EXPECT_EQ(std::string_view(line["who"]), "store");
  EXPECT_EQ(std::string_view(line["text"]), "slow \"query\"");
  EXPECT_EQ(std::string_view(line["sql"]), "select '\\'\n\x01");
  EXPECT_EQ(std::string_view(line["ms"]), "12");
}

TEST_F(LogTest, SecretsNeverAppear) {
  start_log("info", "text", file_);
  hide_secret("s3cr3t-token");
  hide_secret("s3cr3t-token-longer");
  hide_secret("with\"quote");
  hide_secret("");
  hide_secret("a");
  log_info("discord", "token s3cr3t-token rejected",
           {{"header", "Bot s3cr3t-token-longer!"}, {"q", "x with\"quote y"}, {"twice", "s3cr3t-tokens3cr3t-token"}});
  const auto all = lines();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].substr(25), R"(INFO  discord: token *** rejected header="Bot ***!" q="x *** y" twice=******)");
}

TEST_F(LogTest, BadSettingsAreRefusedInWords) {
  EXPECT_THROW(start_log("loud", "text", ""), std::invalid_argument);
  EXPECT_THROW(start_log("info", "xml", ""), std::invalid_argument);
  try {
    start_log("info", "text", root_);
    FAIL() << "a folder was opened as a file";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("log file " + root_.string()), std::string::npos) << e.what();
  }
}

TEST_F(LogTest, ManyThreads) {
  start_log("info", "text", file_);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 500; ++i) {
          log_info("worker", "turn", {{"thread", t}, {"i", i}});
          if (i % 100 == 0) hide_secret("secret of " + std::to_string(t) + std::to_string(i));
        }
      });
    }
  }
  const auto all = lines();
  EXPECT_EQ(all.size(), 2'000u);
  for (const auto& line : all) EXPECT_NE(line.find("worker: turn thread="), std::string::npos);
}

}  // namespace
}  // namespace trellis::host
