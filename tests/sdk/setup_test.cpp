// Being created, refused, created again; filters, assets, metrics; two instances at once.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

struct Declares final : Plugin {
  explicit Declares(Setup& setup) {
    font = setup.asset("fonts/x.ttf");
    setup.commit_every(5s);
    setup.needs(Intent::MessageContent);
    setup.needs(Keep::VoiceStates);
    setup.on(this, &Declares::joined).guilds_only().no_bots().only_guilds(std::vector{GuildId{1}, GuildId{2}});
    setup.on("WEBHOOKS_UPDATE", [](const Event&, Work&) {});
    setup.on("TYPING_START", this, &Declares::any);
    counter = setup.counter("seen_total", "Seen", {"guild"});
    gauge = setup.gauge("depth", "Depth");
    histogram = setup.histogram("took_seconds", "Took");
  }
  void joined(const GuildMemberAdd& event, Work&) {
    counter.add(2, event.guild_id());
    gauge.set(1.5);
    histogram.observe(250ms);
    const auto timer = histogram.time();
  }
  void any(const Event&, Work&) noexcept {}
  std::string_view font;
  Counter counter;
  Gauge gauge;
  Histogram histogram;
};

int alive = 0;
struct Counted final : Plugin {
  explicit Counted(Setup& setup) {
    ++alive;
    setup.on([this](const MessageCreate& message, Work& work) {
      work.log().info("said", {{"text", message.content()}, {"by", message.author().id}, {"n", ++seen}});
    });
  }
  ~Counted() { --alive; }
  int seen = 0;
};
struct Throws final : Plugin {
  explicit Throws(Setup& setup) {
    setup.on([](const MessageCreate&, Work&) {});
    throw std::runtime_error("no moon");
  }
};
struct WithRoute final : Plugin {
  explicit WithRoute(Setup& setup) { setup.route("GET /x", this, &WithRoute::get); }
  Json get(HttpRequest&) { return {}; }
};

struct Reads final : Plugin {
  explicit Reads(Setup& setup) {
    setup.on([](const MessageCreate& message, Work& work) {
      EXPECT_EQ(message.guild_id(), GuildId{1});
      EXPECT_EQ(message.channel_id(), ChannelId{2});
      EXPECT_EQ(message.user_id(), UserId{3});
      EXPECT_EQ(message.id(), MessageId{900});
      EXPECT_EQ(message.time(), work.now());
      EXPECT_FALSE(message.from_bot());
      EXPECT_EQ(message.content(), "hi");
      EXPECT_EQ(message.json()["author"]["id"].id<UserTag>(), UserId{3});
    });
  }
};

}  // namespace

TEST(SetupTest, DeclaresEverythingToTheHost) {
  fake::Host host;
  host.files["fonts/x.ttf"] = "font";
  ASSERT_EQ(host.create(detail::create<Declares>), TL_OK) << host.reason;
  EXPECT_EQ(host.commit_every_us, 5'000'000);
  EXPECT_EQ(host.needs, (std::vector<std::string>{"intent:MESSAGE_CONTENT", "cache:voice_states"}));
  ASSERT_EQ(host.subscriptions.size(), 3u);
  EXPECT_EQ(host.subscriptions[0].type, "GUILD_MEMBER_ADD");
  EXPECT_EQ(host.subscriptions[0].flags, static_cast<std::uint32_t>(TL_GUILDS_ONLY | TL_NO_BOTS));
  EXPECT_EQ(host.subscriptions[0].guilds, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(host.subscriptions[1].type, "WEBHOOKS_UPDATE");
  EXPECT_EQ(host.metrics, (std::vector<std::string>{"1 seen_total guild", "2 depth", "3 took_seconds"}));
  EXPECT_EQ(host.event("GUILD_MEMBER_ADD", R"({"guild_id": "1", "user": {"id": "5"}})"), TL_OK);
  ASSERT_EQ(host.counted.size(), 4u);
  EXPECT_EQ(host.counted[0], "1 2.000000 1");
  EXPECT_EQ(host.counted[2], "3 0.250000");
}

TEST(SetupTest, AMissingAssetIsRefused) {
  fake::Host host;
  EXPECT_EQ(host.create(detail::create<Declares>), TL_NOT_FOUND);
  EXPECT_NE(host.reason.find("fonts/x.ttf"), std::string::npos) << host.reason;
}

TEST(SetupTest, AThrowingConstructorIsASentence) {
  fake::Host host;
  EXPECT_EQ(host.create(detail::create<Throws>), TL_FAILED);
  EXPECT_EQ(host.reason, "no moon");
  EXPECT_TRUE(host.subscriptions.empty()) << "nothing is declared by a constructor that did not get through";
}

TEST(SetupTest, WhatTheHostRefusesRefusesThePlugin) {
  fake::Host host;
  host.serves_routes = false;
  EXPECT_EQ(host.create(detail::create<WithRoute>), TL_INVALID);
}

TEST(SetupTest, InstancesComeAndGo) {
  fake::Host host;
  for (int i = 0; i < 3; ++i) {
    host.subscriptions.clear();
    ASSERT_EQ(host.create(detail::create<Counted>), TL_OK);
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(host.event("MESSAGE_CREATE", R"({"content": "hi", "author": {"id": "5"}})"), TL_OK);
    EXPECT_EQ(host.log.back(), "2 said text=hi by=5 n=1");
    host.destroy();
    EXPECT_EQ(alive, 0);
  }
}

TEST(SetupTest, AnOldHostIsNamed) {
  const tl_entry_args args{sizeof args, 0, nullptr, [](tl_host*, tl_str) -> const void* { return nullptr; }};
  tl_plugin out{};
  char text[20];
  EXPECT_EQ(detail::create<Counted>(&args, &out, text, sizeof text), TL_REFUSED);
  EXPECT_EQ(std::string(text), "this host has no tr");
}

TEST(SetupTest, HotFieldsComeWithoutParsing) {
  fake::Host host;
  ASSERT_EQ(host.create(detail::create<Reads>), TL_OK);
  EXPECT_EQ(host.message(1, 2, 3), TL_OK);
}
