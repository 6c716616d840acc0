#include "plugins/builds.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>

#include "plugins/plugin_file.hpp"
#include "plugins/private_copy.hpp"

namespace trellis::host {
namespace {

namespace fs = std::filesystem;

class BuildsTest : public testing::Test {
 protected:
  BuildsTest() {
    std::string name = testing::TempDir() + "trellis-builds-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder_ = name;
  }
  ~BuildsTest() override { fs::remove_all(folder_); }

  fs::path library(const std::string& content) {
    const auto path = folder_ / "library.so";
    write(path, content);
    return path;
  }
  static void write(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
  static std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::set<std::string> kept() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "builds" / "p")) names.insert(entry.path().filename());
    return names;
  }
  static Document settings(const char* json) { return {boost::json::parse(json), "plugins.conf", {{"a.b", 7}}}; }

  fs::path folder_;
};

TEST_F(BuildsTest, TheLastTwoThatProvedThemselvesAreKept) {
  Builds builds(folder_ / "builds");
  EXPECT_TRUE(builds.record("p").good.empty());
  builds.on_trial("p", "aa");
  EXPECT_EQ(builds.record("p").trial, "aa");
  builds.passed("p", "aa", library("first"), settings(R"({"a": {"b": 1}})"));
  builds.passed("p", "bb", library("second"), settings("{}"));
  builds.passed("p", "bb", library("not the second"), settings(R"({"a": 2})"));
  EXPECT_EQ(read(builds.file("p", "bb")), "second") << "a build is one file";
  EXPECT_EQ(builds.settings("p", "bb")->root, boost::json::parse(R"({"a": 2})"));
  // Over a restart.
  const Builds again(folder_ / "builds");
  const BuildRecord record = again.record("p");
  EXPECT_EQ(record.good, "bb");
  EXPECT_EQ(record.previous, "aa");
  EXPECT_EQ(record.trial, "");
  EXPECT_EQ(read(again.file("p", "aa")), "first");
  EXPECT_EQ(again.settings("p", "aa")->where("a.b"), "plugins.conf:7: a.b");
  EXPECT_EQ(fs::status(folder_ / "builds" / "p" / "p.aa.json").permissions(),
            fs::perms::owner_read | fs::perms::owner_write)
      << "settings may hold secrets";
  builds.passed("p", "cc", library("third"), settings("{}"));
  EXPECT_EQ(kept(), (std::set<std::string>{"record.json", "p.bb.so", "p.bb.json", "p.cc.so", "p.cc.json"}));
}

TEST_F(BuildsTest, WhatWasTakenBackIsRemembered) {
  Builds builds(folder_ / "builds");
  builds.passed("p", "aa", library("first"), settings("{}"));
  builds.passed("p", "bb", library("second"), settings("{}"));
  builds.on_trial("p", "cc");
  builds.rolled_back("p", "cc", "it failed", 5, "bb");
  BuildRecord record = builds.record("p");
  EXPECT_EQ(record.good, "bb");
  EXPECT_EQ(record.trial, "");
  ASSERT_TRUE(record.was_rolled_back("cc"));
  EXPECT_EQ(record.was_rolled_back("cc")->why, "it failed");
  builds.rolled_back("p", "bb", "by hand", 6, "aa");
  record = builds.record("p");
  EXPECT_EQ(record.good, "aa");
  EXPECT_EQ(record.previous, "");
  EXPECT_TRUE(record.was_rolled_back("bb"));
  builds.forgive("p", "bb");
  EXPECT_FALSE(builds.record("p").was_rolled_back("bb"));
  builds.passed("p", "cc", library("third"), settings("{}"));
  EXPECT_FALSE(builds.record("p").was_rolled_back("cc")) << "it proved itself after all";
  for (int i = 0; i < 100; ++i) builds.rolled_back("p", "x" + std::to_string(i), "", i, "cc");
  EXPECT_LE(builds.record("p").rolled_back.size(), 16u);
  EXPECT_TRUE(builds.record("p").was_rolled_back("x99"));
}

TEST_F(BuildsTest, AChangedSchemaEndsTheWayBack) {
  Builds builds(folder_ / "builds");
  builds.passed("p", "aa", library("first"), settings("{}"));
  builds.no_way_back("p", "0002_less.sql:1: DROP TABLE");
  EXPECT_EQ(builds.record("p").good, "");
  EXPECT_EQ(builds.record("p").no_way_back, "0002_less.sql:1: DROP TABLE");
  EXPECT_EQ(kept(), std::set<std::string>{"record.json"});
  builds.passed("p", "bb", library("second"), settings("{}"));
  EXPECT_EQ(builds.record("p").good, "bb");
  EXPECT_EQ(builds.record("p").previous, "");
  EXPECT_EQ(builds.record("p").no_way_back, "");
}

TEST_F(BuildsTest, DamageIsNoMoreThanForgetting) {
  Builds builds(folder_ / "builds");
  builds.passed("p", "aa", library("first"), settings("{}"));
  for (const char* nonsense : {"", "[]", "{", "{\"good\": 5, \"rolled_back\": [1, {}, {\"at_us\": \"x\"}]}"}) {
    write(folder_ / "builds" / "p" / "record.json", nonsense);
    write(folder_ / "builds" / "p" / "p.aa.json", nonsense);
    EXPECT_EQ(builds.record("p").good, "");
    EXPECT_EQ(builds.settings("p", "aa"), nullptr);
  }
  // A folder that cannot be made costs the memory, nothing else.
  write(folder_ / "file", "");
  Builds nowhere(folder_ / "file");
  nowhere.passed("p", "aa", library("first"), settings("{}"));
  EXPECT_EQ(nowhere.record("p").good, "");
}

// ---- private copies ----

TEST_F(BuildsTest, APrivateCopyIsTheWholeFile) {
  const auto copy = copy_privately(library("the content"), folder_ / "copies");
  EXPECT_EQ(read(copy), "the content");
  EXPECT_NE(copy, copy_privately(folder_ / "library.so", folder_ / "copies"));
}

TEST_F(BuildsTest, AFileThatChangesWhileItIsCopiedIsRefused) {
  const auto refused = [&](const std::function<void()>& meanwhile) -> std::string {
    const auto path = library("the content");
    try {
      copy_privately(path, folder_ / "copies", meanwhile);
    } catch (const PluginError& error) {
      return error.what();
    }
    return {};
  };
  const auto path = folder_ / "library.so";
  for (const std::function<void()>& change : {
           std::function<void()>([&] { write(path, "the contents"); }),
           std::function<void()>([&] {  // as long, and as old
             const auto time = fs::last_write_time(path);
             write(path, "not content");
             fs::last_write_time(path, time);
           }),
           std::function<void()>([&] {  // the same again, but another file
             write(folder_ / "aside", "the content");
             fs::rename(folder_ / "aside", path);
           }),
       }) {
    const std::string why = refused(change);
    EXPECT_NE(why.find("changed while it was copied"), std::string::npos) << why;
  }
  EXPECT_NE(refused([&] { fs::remove(path); }), "");
  EXPECT_EQ(refused([] {}), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "copies"), {}), 1) << "refused copies stay";
}

}  // namespace
}  // namespace trellis::host
