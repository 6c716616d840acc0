// The disk that loses power forgets what it may forget, and nothing else.
#include "faulty_disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <set>

#include "process.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class FaultyDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "trellis-e2e-XXXXXX").string();
    ASSERT_TRUE(mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// What comes of the deeds with this seed, in a folder of its own: the files with their contents.
  using Files = std::map<std::string, std::string>;
  Files after(const std::vector<std::vector<std::string>>& deeds, std::uint64_t seed,
              std::optional<std::uint64_t> room = std::nullopt) {
    const fs::path here = folder_ / std::to_string(++runs_);
    fs::create_directories(here / "disk");
    FaultyDisk disk(here / "notes", {here / "disk"});
    disk.set_room(room);
    Command command{fs::path(TRELLIS_BIN) / "disk_writer", {}, disk.environment(), here};
    for (const auto& deed : deeds) {
      command.arguments.push_back(deed[0]);
      command.arguments.push_back((here / "disk" / deed[1]).string());
      const std::string last = deed.size() < 3 ? "-" : deed[2];
      command.arguments.push_back(deed[0] == "rename" ? (here / "disk" / last).string() : last);
    }
    code_ = run_to_end(command).code;
    refused_ = disk.refused();
    loss_ = disk.lose_power(seed);
    Files files;
    for (const auto& entry : fs::directory_iterator(here / "disk"))
      files[entry.path().filename().string()] = read_file(entry.path());
    return files;
  }

  std::set<Files> outcomes(const std::vector<std::vector<std::string>>& deeds) {
    std::set<Files> all;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      all.insert(after(deeds, seed));
      EXPECT_EQ(code_, 0);
    }
    return all;
  }

  fs::path folder_;
  int runs_ = 0, code_ = 0;
  std::int64_t refused_ = 0;
  FaultyDisk::Loss loss_;
};

TEST_F(FaultyDiskTest, WhatIsSyncedStays) {
  const auto all = outcomes({{"write", "a", "first"}, {"sync", "a"}, {"sync", "."}});
  EXPECT_EQ(all, (std::set<Files>{{{"a", "first"}}}));
}

TEST_F(FaultyDiskTest, WritesAreLostEachForItself) {
  const auto all = outcomes(
      {{"write", "a", "first"}, {"sync", "a"}, {"sync", "."}, {"write", "a", "FI"}, {"append", "a", "+second"}});
  EXPECT_EQ(all,
            (std::set<Files>{{{"a", "first"}}, {{"a", "FIrst"}}, {{"a", "first+second"}}, {{"a", "FIrst+second"}}}));
}

TEST_F(FaultyDiskTest, LargeWritesAreTorn) {
  const std::string large(2048, 'x');
  const auto all = outcomes({{"write", "a", "old"}, {"sync", "a"}, {"sync", "."}, {"write", "a", large}});
  std::set<std::size_t> sizes;
  for (const Files& files : all) sizes.insert(files.at("a").size());
  EXPECT_EQ(sizes, (std::set<std::size_t>{3, 512, 1024, 1536, 2048}));
}

TEST_F(FaultyDiskTest, SizesAreLost) {
  const auto all = outcomes({{"write", "a", "first"}, {"sync", "a"}, {"sync", "."}, {"truncate", "a", "2"}});
  EXPECT_EQ(all, (std::set<Files>{{{"a", "first"}}, {{"a", "fi"}}}));
}

TEST_F(FaultyDiskTest, NamesAreLostFromTheLast) {
  const auto all = outcomes({{"write", "a", "one"},
                             {"sync", "a"},
                             {"sync", "."},
                             {"write", "b", "two"},
                             {"sync", "b"},
                             {"rename", "b", "a"},
                             {"unlink", "a"}});
  EXPECT_EQ(all, (std::set<Files>{{{"a", "one"}}, {{"a", "one"}, {"b", "two"}}, {{"a", "two"}}, {}}));
}

TEST_F(FaultyDiskTest, TheSameSeedLosesTheSame) {
  const std::vector<std::vector<std::string>> deeds{{"write", "a", std::string(3000, 'x')}, {"append", "a", "y"}};
  for (std::uint64_t seed = 0; seed < 10; ++seed) EXPECT_EQ(after(deeds, seed), after(deeds, seed));
}

TEST_F(FaultyDiskTest, ItIsFull) {
  after({{"write", "a", "0123456789"}, {"sync", "a"}, {"sync", "."}}, 1, 4);
  EXPECT_EQ(code_, 1);  // a short write, which the writer takes for a failure
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(after({{"write", "a", "0123"}, {"sync", "a"}, {"sync", "."}}, 1, 4), (Files{{"a", "0123"}}));
  EXPECT_EQ(code_, 0);
}

}  // namespace
}  // namespace trellis::e2e
