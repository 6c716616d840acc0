#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "cache_fixture.hpp"

namespace trellis::host {
namespace {
namespace fs = std::filesystem;
using cache_testing::CacheTest;

class SnapshotTest : public CacheTest {
 protected:
  SnapshotTest() {
    std::string name = testing::TempDir() + "trellis-cache-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder_ = name;
    cache_.keep_voice_states(true);
  }
  ~SnapshotTest() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "cache-0-of-1.snapshot"; }
  std::string bytes() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& content) { std::ofstream(file(), std::ios::binary | std::ios::trunc) << content; }

  fs::path folder_;
  std::string why_;
};

TEST_F(SnapshotTest, ComesBackAsItWas) {
  ready("100,200");
  apply("GUILD_CREATE", kGuild);
  const Position deleted = apply("CHANNEL_DELETE", R"({"id":"110","guild_id":"100"})");
  const Position at = apply("MESSAGE_CREATE", "{}");
  cache_.save(stream_, folder_);
  struct stat info{};
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "nothing else stays behind";

  Cache loaded;
  loaded.keep_voice_states(true);
  EXPECT_EQ(loaded.load(stream_, folder_, why_), at) << why_;
  const auto guild = loaded.guild(100);
  ASSERT_TRUE(guild);
  EXPECT_EQ(guild->name, "Café \"One\"");
  EXPECT_EQ(guild->icon, "abc");
  EXPECT_EQ(guild->owner, 5u);
  EXPECT_EQ(guild->system_channel, 111u);
  EXPECT_EQ(guild->member_count, 42);
  ASSERT_EQ(guild->voice_states->size(), 1u);
  EXPECT_EQ(guild->voice_states->front().username, "sam");
  EXPECT_TRUE(guild->voice_states->front().muted);
  EXPECT_TRUE(guild->voice_states->front().streaming);
  ASSERT_EQ(guild->channels->size(), 4u);
  EXPECT_EQ(loaded.channel(111)->name, "general");
  EXPECT_EQ(loaded.channel(111)->last_message, 999u);
  EXPECT_TRUE(loaded.channel(111)->nsfw);
  EXPECT_EQ(loaded.channel(110)->gone, deleted);
  EXPECT_FALSE(loaded.whole(stream_)) << "200 was not heard of yet";

  // Caught up from the journal: what it has is ignored, the rest applied.
  const std::string json = R"({"id":"200","name":"b","channels":[]})";
  Record record;
  record.type = event_type("GUILD_CREATE");
  record.data = json;
  record.position = at;
  loaded.apply(stream_, record);
  EXPECT_FALSE(loaded.guild(200));
  record.position = Position::of(at.epoch(), at.seq() + 1);
  loaded.apply(stream_, record);
  EXPECT_TRUE(loaded.whole(stream_));
  loaded.forget_gone(stream_, deleted);
  EXPECT_FALSE(loaded.channel(110));
  EXPECT_TRUE(loaded.channel(111));
}

TEST_F(SnapshotTest, AWholeStreamIsWholeAgain) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  cache_.save(stream_, folder_);
  Cache loaded;
  EXPECT_NE(loaded.load(stream_, folder_, why_), Position{});
  EXPECT_TRUE(loaded.whole(stream_));
  EXPECT_TRUE(loaded.guild(100)->voice_states->empty()) << "voice states are not kept here";
  EXPECT_EQ(loaded.stats().channels, 4u);
}

TEST_F(SnapshotTest, OneFilePerStream) {
  ready("100");
  apply("GUILD_CREATE", kGuild);
  stream_ = {1, 2};
  ready("200");
  apply("GUILD_CREATE", R"({"id":"200","name":"b","channels":[]})");
  cache_.save({0, 1}, folder_);
  cache_.save({1, 2}, folder_);
  Cache loaded;
  EXPECT_NE(loaded.load({1, 2}, folder_, why_), Position{});
  EXPECT_TRUE(loaded.guild(200));
  EXPECT_FALSE(loaded.guild(100));
  EXPECT_NE(loaded.load({0, 1}, folder_, why_), Position{});
  EXPECT_TRUE(loaded.guild(100));
  fs::rename(folder_ / "cache-0-of-1.snapshot", folder_ / "cache-5-of-6.snapshot");
  EXPECT_EQ(Cache().load({5, 6}, folder_, why_), Position{});
  EXPECT_NE(why_.find("shard 0 of 1"), std::string::npos) << why_;
}

TEST_F(SnapshotTest, DamageIsToldAndHarmless) {
  EXPECT_EQ(cache_.load(stream_, folder_, why_), Position{});
  EXPECT_NE(why_.find("no snapshot"), std::string::npos) << why_;
  ready("100");
  apply("GUILD_CREATE", kGuild);
  cache_.save(stream_, folder_);
  const std::string good = bytes();
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    if (round % 3 == 0) {
      bad.resize(random() % bad.size());
    } else {
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    }
    write(bad);
    Cache loaded;
    why_.clear();
    ASSERT_EQ(loaded.load(stream_, folder_, why_), Position{});
    ASSERT_FALSE(why_.empty());
    ASSERT_TRUE(loaded.guilds().empty());
    ASSERT_FALSE(loaded.whole(stream_));
  }
  write(good);
  EXPECT_NE(Cache().load(stream_, folder_, why_), Position{});
}

TEST_F(SnapshotTest, CannotBeWritten) {
  ready("");
  EXPECT_THROW(cache_.save(stream_, folder_ / "missing"), std::system_error);
}

}  // namespace
}  // namespace trellis::host
