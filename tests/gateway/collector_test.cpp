// What is done with a dispatch, and in which order.
#include "gateway/collector.hpp"

#include "gateway/websocket_reader.hpp"
#include "rig.hpp"

namespace trellis::test {
namespace {

class CollectorTest : public testing::Test {
 protected:
  CollectorTest() {
    options_.folder = folder_.path() / "journal";
    options_.segment_bytes = 1 << 20;
    journal_ = std::make_unique<Journal>(options_, Stream{0, 1});
    for (const char* type : {"GUILD_CREATE", "CHANNEL_UPDATE", "GUILD_DELETE"}) filter_.wanted[event_type(type)] = true;
    collector_ = std::make_unique<Collector>(Stream{0, 1}, *journal_, cache_, filter_, hooks_, "shard 0");
    take("READY", R"({"session_id":"abc","guilds":[{"id":"10","unavailable":true}]})");
    EXPECT_FALSE(journal_->flush());
  }
  void take(std::string_view type, std::string_view data) {
    std::string payload = envelope(type, ++seq_, data);
    payload.append(kMessagePadding, ' ');
    collector_->take(std::string_view(payload).substr(0, payload.size() - kMessagePadding), 1);
  }
  /// Whether a lane could have been given the last dispatch.
  bool visible() const { return journal_->tail().seq() >= seq_; }
  std::string channel() const {
    const auto channel = cache_.channel(20);
    return channel ? std::string(channel->name) : "none";
  }

  TempFolder folder_;
  JournalOptions options_;
  GatewayFilter filter_;
  Shard::Hooks hooks_;
  Cache cache_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Collector> collector_;
  std::uint64_t seq_ = 0;
};

/// A lane reads what the flush makes visible. What it is given then has to be in the cache already.
TEST_F(CollectorTest, TheCacheKnowsWhatNobodyCanReadYet) {
  take("GUILD_CREATE", R"({"id":"10","name":"g","channels":[{"id":"20","type":0,"name":"one"}]})");
  EXPECT_FALSE(visible());
  EXPECT_EQ(channel(), "one");
  EXPECT_FALSE(journal_->flush());
  EXPECT_TRUE(visible());

  take("CHANNEL_UPDATE", R"({"id":"20","guild_id":"10","type":0,"name":"two"})");
  EXPECT_FALSE(visible());
  EXPECT_EQ(channel(), "two");
  take("CHANNEL_UPDATE", R"({"id":"20","guild_id":"10","type":0,"name":"three"})");
  EXPECT_FALSE(visible()) << "both at once";
  EXPECT_EQ(channel(), "three");
  EXPECT_FALSE(journal_->flush());
  EXPECT_TRUE(visible());

  take("GUILD_DELETE", R"({"id":"10","unavailable":true})");
  EXPECT_FALSE(visible());
  ASSERT_TRUE(cache_.guild(10));
  EXPECT_TRUE(cache_.guild(10)->unavailable);
}

/// Another session's READY does not wipe what came before it was applied, nor do repeats go back.
TEST_F(CollectorTest, RepeatsDoNotReachTheCache) {
  take("GUILD_CREATE", R"({"id":"10","name":"g","channels":[{"id":"20","type":0,"name":"one"}]})");
  take("CHANNEL_UPDATE", R"({"id":"20","guild_id":"10","type":0,"name":"two"})");
  seq_ = 1;
  take("GUILD_CREATE", R"({"id":"10","name":"g","channels":[{"id":"20","type":0,"name":"one"}]})");
  EXPECT_EQ(channel(), "two");
  EXPECT_EQ(collector_->counters().repeats, 1u);
}

/// An answer that somebody waits for comes when the cache knows what it says.
TEST_F(CollectorTest, AnswersAreHandedOutBehindTheCache) {
  std::string seen;
  constexpr std::string_view kTypes[] = {"CHANNEL_UPDATE"};
  collector_->answers_to(kTypes, [&](std::string_view, std::string_view) { seen = channel(); });
  take("GUILD_CREATE", R"({"id":"10","name":"g","channels":[{"id":"20","type":0,"name":"one"}]})");
  take("CHANNEL_UPDATE", R"({"id":"20","guild_id":"10","type":0,"name":"two"})");
  EXPECT_EQ(seen, "two");
}

}  // namespace
}  // namespace trellis::test
