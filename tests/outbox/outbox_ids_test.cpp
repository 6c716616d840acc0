#include "outbox/outbox_ids.hpp"

#include <gtest/gtest.h>

#include <set>

namespace trellis::host {
namespace {

std::string next(EffectOrigin& origin, const std::string& plugin = "p", const std::string& body = "") {
  OutboxRow row;
  row.body = body;
  origin.name(row, plugin);
  return row.id;
}

TEST(OutboxIdsTest, StayTheSameForEver) {
  auto origin = EffectOrigin::of_event("MESSAGE_CREATE", Stream{1, 4}, Position::of(1700000000, 42));
  OutboxRow row;
  origin.name(row, "welcome");
  EXPECT_EQ(row.origin, "MESSAGE_CREATE 1700000000:42 of shard 1/4");
  EXPECT_EQ(row.id, "smigjapj45mqzjqwb4huzav7")
      << "another version of the host would repeat what an earlier one delivered";
  EXPECT_EQ(next(origin, "welcome"), "3dco5teezflt7er7apoupvwr");
}

TEST(OutboxIdsTest, DifferWithPluginShardPositionAndNumber) {
  std::set<std::string> ids;
  for (const char* plugin : {"p", "q"})
    for (const Stream stream : {Stream{0, 1}, Stream{0, 2}, Stream{1, 2}})
      for (const std::uint32_t epoch : {7u, 8u})
        for (const std::uint32_t seq : {1u, 2u}) {
          auto origin = EffectOrigin::of_event("MESSAGE_CREATE", stream, Position::of(epoch, seq));
          for (int n = 0; n < 3; ++n) {
            const std::string id = next(origin, plugin);
            EXPECT_EQ(id.size(), 24u);
            EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
            EXPECT_TRUE(ids.insert(id).second);
          }
        }
  EXPECT_EQ(ids.size(), 2u * 3 * 2 * 2 * 3);
}

TEST(OutboxIdsTest, OfAnEventDoNotDependOnWhatIsSaid) {
  auto one = EffectOrigin::of_event("A", {}, {5}), other = one;
  EXPECT_EQ(next(one, "p", "x"), next(other, "p", "y"));
}

TEST(OutboxIdsTest, OfARunBeginAnewWhereItSavedItself) {
  auto first = EffectOrigin::of_job("sweep", "k", 5, "null");
  const std::string before = next(first, "p", "x");
  first.saved(R"({"at": 3})");
  const std::string after = next(first, "p", "x");
  EXPECT_NE(before, after);
  auto again = EffectOrigin::of_job("sweep", "k", 5, R"({"at":3})");
  EXPECT_EQ(next(again, "p", "x"), after);
  auto other = EffectOrigin::of_job("sweep", "k", 6, R"({"at":3})");
  EXPECT_NE(next(other, "p", "x"), after);
}

TEST(OutboxIdsTest, OfARequestAreNeverTheSame) {
  auto one = EffectOrigin::of_request("method", "m"), other = EffectOrigin::of_request("method", "m");
  EXPECT_NE(next(one), next(other));
}

TEST(OutboxIdsTest, TokensAreNotShown) {
  OutboxRow row;
  row.verb = "POST";
  row.target = "/webhooks/12/secret-token?wait=true";
  EXPECT_EQ(row.shown(), "POST /webhooks/12/***?wait=true");
  row.target = "https://discord.com/api/webhooks/12/secret-token/messages/3";
  EXPECT_EQ(row.shown(), "POST https://discord.com/api/webhooks/12/***/messages/3");
  row.target = "/interactions/1/tok/callback";
  EXPECT_EQ(row.shown(), "POST /interactions/1/***/callback");
  row.target = "/channels/1/messages";
  EXPECT_EQ(row.shown(), "POST /channels/1/messages");
}

}  // namespace
}  // namespace trellis::host
