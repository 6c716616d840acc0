#include "refill/cold_guilds.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <set>

#include "journal/event_types.hpp"

namespace trellis::host {
namespace {

using std::chrono::milliseconds;

/// A guild of a shard of `count`.
constexpr std::uint64_t guild_of(std::uint32_t shard, std::uint32_t count, std::uint64_t n) {
  return (n * count + shard) << 22;
}

/// Discord's REST API as far as it is asked, on the test's own thread.
class ColdGuildsTest : public testing::Test {
 protected:
  ColdGuildsTest() {
    options_.every = options_.look = options_.backoff = milliseconds(1);
    options_.wait_for_all = std::chrono::hours(1);
  }

  RestAnswer answer_to(const std::string& target) {
    RestAnswer answer;
    answer.http = 200;
    if (const auto fault = faults_.find(target); fault != faults_.end() && fault->second.times-- > 0)
      return fault->second.answer;
    const std::uint64_t id = target.starts_with("/guilds/") ? std::stoull(target.substr(8)) : 0;
    if (target == "/users/@me") {
      answer.body = R"({"id":"9","username":"me"})";
    } else if (target.starts_with("/users/@me/guilds?limit=200&after=")) {
      std::string list;
      std::size_t count = 0;
      const std::uint64_t after = std::stoull(target.substr(target.rfind('=') + 1));
      for (const std::uint64_t guild : guilds_)
        if (guild > after && count++ < 200) list += fmt::format(R"({}{{"id":"{}"}})", count == 1 ? "" : ",", guild);
      answer.body = "[" + list + "]";
    } else if (target.ends_with("?with_counts=true")) {
      answer.body = fmt::format(R"({{"id":"{0}","name":"g{0}","owner_id":"5","approximate_member_count":7,
          "roles":[{{"id":"{0}","permissions":"1024"}}]}})",
                                id);
    } else if (target.ends_with("/channels")) {
      answer.body = fmt::format(R"([{{"id":"{}","type":0,"name":"general"}}])", id + 1);
    } else if (target.ends_with("/threads/active")) {
      answer.body =
          fmt::format(R"({{"threads":[{{"id":"{}","type":11,"parent_id":"{}"}}],"members":[]}})", id + 2, id + 1);
    } else if (target.ends_with("/members/9")) {
      answer.body = R"({"user":{"id":"9"},"roles":[]})";
    } else {
      ADD_FAILURE() << "asked for " << target;
      answer = refused(404);
    }
    return answer;
  }
  static RestAnswer refused(unsigned http) {
    RestAnswer answer;
    answer.http = http;
    answer.status = http >= 500 ? TL_UNAVAILABLE : http == 404 ? TL_NOT_FOUND : TL_DENIED;
    answer.error = fmt::format("Discord answers {}", http);
    return answer;
  }

  void start(std::vector<Stream> streams) {
    cold_.emplace(
        io_.get_executor(), cache_, std::move(streams),
        [this](RestRequest request, std::function<void(RestAnswer)> done) {
          EXPECT_EQ(request.owner, "host");
          ++asked_[request.target];
          if (request.target.ends_with("?with_counts=true")) most_ = std::max(most_, ++under_way_);
          if (request.target.ends_with("/members/9")) --under_way_;
          if (on_ask_) on_ask_(request.target);
          auto answer = [this, target = request.target, done = std::move(done)] { done(answer_to(target)); };
          if (!hold_ || !hold_(request.target, answer)) boost::asio::post(io_, std::move(answer));
        },
        [this](Stream stream) { return going_.contains(stream); }, options_);
  }
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) {
      if (io_.stopped()) io_.restart();
      ASSERT_GT(io_.run_one_for(std::chrono::seconds(60)), 0u) << "nothing happens any more";
    }
  }
  void apply(Stream stream, std::string_view name, const std::string& json) {
    Record record;
    record.position = Position::of(1'000, ++seq_);
    record.type = event_type(name);
    record.data = json;
    cache_.apply(stream, record);
  }

  struct Fault {
    RestAnswer answer;
    int times = 1;
  };
  boost::asio::io_context io_;
  Cache cache_;
  ColdGuildsOptions options_;
  std::set<std::uint64_t> guilds_;
  std::set<Stream> going_;
  std::map<std::string, Fault> faults_;
  std::map<std::string, int> asked_;
  std::function<void(const std::string&)> on_ask_;
  std::function<bool(const std::string&, std::function<void()> answer)> hold_;  // true: it answers itself, later
  std::size_t under_way_ = 0, most_ = 0;
  std::uint32_t seq_ = 0;
  std::optional<ColdGuilds> cold_;
};

TEST_F(ColdGuildsTest, AsksForEachGuildOfTheStreamOnce) {
  for (std::uint64_t n = 1; n <= 250; ++n)
    for (std::uint32_t shard = 0; shard < 3; ++shard) guilds_.insert(guild_of(shard, 3, n));
  going_ = {{0, 3}, {2, 3}};
  start({{0, 3}, {2, 3}});
  run_until([&] { return cache_.whole({0, 3}) && cache_.whole({2, 3}); });
  EXPECT_EQ(cache_.stats().guilds, 500u) << "the third shard is none of this host's";
  EXPECT_EQ(cache_.stats().channels, 1'000u);
  EXPECT_EQ(cache_.stats().members, 3'500);
  EXPECT_EQ(cache_.stats().cold_guilds, 0u);
  EXPECT_EQ(cache_.self(), 9u);
  EXPECT_TRUE(cache_.guild(guild_of(0, 3, 1))->self);
  EXPECT_EQ(asked_.size(), 1 + 4 + 500 * 4u) << "who it is, 750 guilds by 200, four questions for each";
  for (const auto& [target, times] : asked_) EXPECT_EQ(times, 1) << target;
  EXPECT_LE(most_, options_.at_once);
}

TEST_F(ColdGuildsTest, WaitsForTheSessionToGoOn) {
  guilds_ = {guild_of(0, 2, 1), guild_of(1, 2, 1)};
  start({{0, 2}, {1, 2}});
  for (int i = 0; i < 20; ++i) io_.run_one_for(milliseconds(50));
  EXPECT_TRUE(asked_.empty());
  going_ = {{1, 2}};
  for (int i = 0; i < 20; ++i) io_.run_one_for(milliseconds(50));
  EXPECT_TRUE(asked_.empty()) << "the other one is not decided, and the list is asked for once";
  apply({0, 2}, "READY", R"({"guilds":[]})");
  run_until([&] { return cache_.whole({1, 2}); });
  EXPECT_FALSE(cache_.guild(guild_of(0, 2, 1))) << "its session is new, and Discord lists its guilds itself";
  EXPECT_TRUE(cache_.guild(guild_of(1, 2, 1)));
}

TEST_F(ColdGuildsTest, AStreamThatComesLaterIsAskedForToo) {
  const std::uint64_t first = guild_of(0, 2, 1), second = guild_of(1, 2, 1);
  guilds_ = {first, second};
  going_ = {{0, 2}};
  options_.wait_for_all = milliseconds(0);
  options_.every = milliseconds(50);  // the pause after the first stream's guild ends while the second one is listed
  // The second stream goes on as soon as the first one's guild is asked for, which cannot be had.
  RestAnswer gone;
  gone.http = 404;
  gone.status = TL_NOT_FOUND;
  faults_[fmt::format("/guilds/{}?with_counts=true", first)] = {gone, 1};
  on_ask_ = [&](const std::string& target) {
    if (target.starts_with("/guilds/")) going_.insert({1, 2});
  };
  boost::asio::steady_timer slow(io_, milliseconds(200));
  int lists = 0;
  hold_ = [&](const std::string& target, std::function<void()> answer) {
    if (!target.starts_with("/users/@me/guilds") || ++lists != 2) return false;
    slow.async_wait([answer = std::move(answer)](boost::system::error_code) { answer(); });
    return true;
  };
  start({{0, 2}, {1, 2}});
  run_until([&] { return cache_.whole({0, 2}) && cache_.whole({1, 2}); });
  EXPECT_EQ(lists, 2);
  EXPECT_TRUE(cache_.guild(second)) << "it was asked for";
}

TEST_F(ColdGuildsTest, TriesAgain) {
  const std::uint64_t guild = guild_of(0, 1, 1);
  guilds_ = {guild};
  going_ = {{0, 1}};
  faults_["/users/@me/guilds?limit=200&after=0"] = {refused(500), 2};
  faults_[fmt::format("/guilds/{}?with_counts=true", guild)] = {refused(503), 2};
  faults_[fmt::format("/guilds/{}/channels", guild)] = {refused(502), 1};
  RestAnswer nonsense;
  nonsense.http = 200;
  nonsense.body = "<html>";
  faults_[fmt::format("/guilds/{}/threads/active", guild)] = {nonsense, 1};
  start({{0, 1}});
  run_until([&] { return cache_.whole({0, 1}); });
  EXPECT_FALSE(cache_.guild(guild)->cold);
  EXPECT_EQ(cache_.stats().channels, 2u);
}

TEST_F(ColdGuildsTest, WhatCannotBeHadStaysAsInAnOutage) {
  const std::uint64_t refused_one = guild_of(0, 1, 1), away = guild_of(0, 1, 2), good = guild_of(0, 1, 3);
  guilds_ = {refused_one, away, good};
  going_ = {{0, 1}};
  faults_[fmt::format("/guilds/{}/channels", refused_one)] = {refused(403), 99};
  faults_[fmt::format("/guilds/{}?with_counts=true", away)] = {refused(500), 99};
  start({{0, 1}});
  run_until([&] { return cache_.whole({0, 1}); });
  EXPECT_TRUE(cache_.guild(refused_one)->unavailable);
  EXPECT_TRUE(cache_.guild(away)->cold);
  EXPECT_FALSE(cache_.guild(good)->unavailable);
  EXPECT_EQ(asked_[fmt::format("/guilds/{}/channels", refused_one)], 1) << "a refusal is not asked for again";
  EXPECT_EQ(asked_[fmt::format("/guilds/{}?with_counts=true", away)], static_cast<int>(options_.tries));
}

TEST_F(ColdGuildsTest, EventsMeanwhileAreNotLost) {
  const std::uint64_t guild = guild_of(0, 1, 1), next = guild_of(0, 1, 2);
  guilds_ = {guild, next};
  going_ = {{0, 1}};
  on_ask_ = [&](const std::string& target) {
    if (target == fmt::format("/guilds/{}/threads/active", guild)) {
      apply({0, 1}, "CHANNEL_DELETE", fmt::format(R"({{"id":"{}","guild_id":"{}","type":0}})", guild + 1, guild));
      apply({0, 1}, "CHANNEL_CREATE",
            fmt::format(R"({{"id":"{}","guild_id":"{}","type":0,"name":"new"}})", guild + 5, guild));
    }
    if (target == fmt::format("/guilds/{}/threads/active", next))
      apply({0, 1}, "GUILD_DELETE", fmt::format(R"({{"id":"{}"}})", next));
  };
  start({{0, 1}});
  run_until([&] { return cache_.whole({0, 1}); });
  EXPECT_FALSE(cache_.channel(guild + 1));
  EXPECT_EQ(cache_.channel(guild + 5)->name, "new");
  EXPECT_NE(cache_.guild(next)->gone, Position{});
}

TEST_F(ColdGuildsTest, ANewSessionEndsIt) {
  for (std::uint64_t n = 1; n <= 50; ++n) guilds_.insert(guild_of(0, 1, n));
  going_ = {{0, 1}};
  on_ask_ = [&](const std::string& target) {
    if (target == fmt::format("/guilds/{}/channels", guild_of(0, 1, 3)))
      apply({0, 1}, "READY", fmt::format(R"({{"guilds":[{{"id":"{}"}}]}})", guild_of(0, 1, 1)));
  };
  start({{0, 1}});
  run_until([&] { return !cache_.lacks_guilds({0, 1}); });
  const std::size_t asked = asked_.size();
  while (io_.poll_one() + io_.run_one_for(milliseconds(100)) > 0) {
  }
  EXPECT_FALSE(cache_.whole({0, 1})) << "its GUILD_CREATE is awaited";
  EXPECT_LE(asked_.size(), asked + 4 * options_.at_once) << "what was under way";
}

TEST_F(ColdGuildsTest, StopsWhenToldTo) {
  for (std::uint64_t n = 1; n <= 50; ++n) guilds_.insert(guild_of(0, 1, n));
  going_ = {{0, 1}};
  start({{0, 1}});
  run_until([&] { return asked_.size() > 10; });
  cold_.reset();
  const std::size_t asked = asked_.size();
  while (io_.poll_one() + io_.run_one_for(milliseconds(100)) > 0) {
  }
  EXPECT_EQ(asked_.size(), asked);
  EXPECT_FALSE(cache_.whole({0, 1}));
}

}  // namespace
}  // namespace trellis::host
