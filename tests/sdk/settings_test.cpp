// Reading settings: types, ranges, complaints.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {
struct Reads final : Plugin {
  explicit Reads(Setup& setup) { script(setup.settings()); }
  static inline std::function<void(const Settings&)> script;
};
tl_status load(fake::Host& host, std::function<void(const Settings&)> script) {
  Reads::script = std::move(script);
  return host.create(detail::create<Reads>);
}
}  // namespace

TEST(Settings, AreReadWithTheirTypes) {
  fake::Host host(
      R"({"flag": true, "n": 7, "big": "18446744073709551615", "ratio": 2, "text": "x", "id": "77", "wait": "5m",
                      "seconds": 1.5, "day": "2024-01-15", "list": [1, 2], "mode": "b", "sub": {"k": 1}, "free": {"a": 1, "b": 2},
                      "objects": [{"q": "1"}, {"q": "2"}]})");
  enum class Mode { A, B };
  EXPECT_EQ(load(host,
                 [](const Settings& s) {
                   EXPECT_TRUE(s.get("flag", false));
                   EXPECT_EQ(s.get("n", 1, 0, 10), 7);
                   EXPECT_EQ(s.require<std::uint64_t>("big"), ~std::uint64_t{0});
                   EXPECT_EQ(s.get("ratio", 0.5), 2.0);
                   EXPECT_EQ(s.get("text", ""), "x");
                   EXPECT_EQ(s.get("none", "usual"), "usual");
                   EXPECT_EQ(s.require<GuildId>("id"), GuildId{77});
                   EXPECT_EQ(s.get("wait", Duration{1s}), Duration{5min});
                   EXPECT_EQ(s.get("seconds", Duration{1s}), Duration{1500ms});
                   EXPECT_EQ(iso8601(s.require<Day>("day")), "2024-01-15");
                   EXPECT_EQ(s.values<int>("list"), (std::vector<int>{1, 2}));
                   EXPECT_EQ(s.choice("mode", {{"a", Mode::A}, {"b", Mode::B}}, Mode::A), Mode::B);
                   EXPECT_EQ(s.section("sub").get("k", 0), 1);
                   EXPECT_EQ(s.section("absent").get("k", 5), 5);
                   EXPECT_EQ(s.section("free").entries().size(), 2u);
                   EXPECT_EQ(s.list("objects")[1].require<std::string>("q"), "2");
                   EXPECT_TRUE(s.has("n"));
                   EXPECT_FALSE(s.has("none"));
                   EXPECT_EQ(s.section("sub").json().dump(), R"({"k":1})");
                   s.warn_unknown();
                 }),
            TL_OK)
      << host.reason << (host.complaints.empty() ? "" : host.complaints[0]);
  EXPECT_NE(std::find(host.used.begin(), host.used.end(), "n: a whole number = 1"), host.used.end());
  EXPECT_NE(std::find(host.used.begin(), host.used.end(), "none: text = \"usual\""), host.used.end());
  EXPECT_EQ(host.used.back(), "unread 1");
}

TEST(Settings, EveryComplaintIsMadeAndThePluginRefused) {
  fake::Host host(
      R"({"flag": 1, "n": 99, "text": 5, "wait": "soon", "mode": "c", "sub": [], "list": [1, "x"], "real": 1.5, "id": "abc"})");
  EXPECT_EQ(load(host,
                 [](const Settings& s) {
                   EXPECT_FALSE(s.get("flag", false));
                   EXPECT_EQ(s.get("n", 1, 0, 10), 1);
                   (void)s.get("text", "x");
                   (void)s.get("wait", Duration{1s});
                   (void)s.choice("mode", {{"a", 1}, {"b", 2}}, 1);
                   (void)s.section("sub");
                   (void)s.values<int>("list");
                   (void)s.get("real", 1);
                   (void)s.get("id", GuildId{});
                 }),
            TL_INVALID);
  EXPECT_EQ(host.reason, "") << "the host has the complaints";
  EXPECT_EQ(host.complaints, (std::vector<std::string>{
                                 "flag: expected true or false, found 1",
                                 "n: must be 0 to 10, not 99",
                                 "text: expected text, found 5",
                                 "wait: expected a duration (\"10s\", \"5m\", or seconds), found \"soon\"",
                                 "mode: expected one of: a, b, found \"c\"",
                                 "sub: expected a section, found []",
                                 "list: expected a whole number, found \"x\", as element 2",
                                 "real: expected a whole number, found 1.5E0",
                                 "id: expected an id (digits), found \"abc\"",
                             }));
}

TEST(Settings, WhatIsRequiredOrRefusedEndsTheConstructor) {
  fake::Host host("{}");
  EXPECT_EQ(load(host, [](const Settings& s) { (void)s.require<int>("n"); }), TL_INVALID);
  EXPECT_EQ(host.complaints[0], "n: is required: a whole number");
  EXPECT_EQ(load(host, [](const Settings& s) { s.refuse("url", "is no URL"); }), TL_INVALID);
  EXPECT_EQ(host.complaints[1], "url: is no URL");
}

TEST(Settings, DurationsHaveUnits) {
  const auto parsed = [](const char* text) { return detail::duration_of(Json(text)); };
  EXPECT_EQ(parsed("250us"), Duration{250us});
  EXPECT_EQ(parsed("1.5s"), Duration{1500ms});
  EXPECT_EQ(parsed("2d"), Duration{48h});
  EXPECT_EQ(detail::duration_of(Json(90)), Duration{90s});
  for (const char* bad : {"", "10", "s", "10 s", "1e99d", "nan", "nans", "infs", "10x", "-"})
    EXPECT_FALSE(parsed(bad)) << bad;
}
