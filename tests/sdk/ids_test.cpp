#include <gtest/gtest.h>

#include <trellis/plugin.hpp>
#include <unordered_set>

using namespace trellis;

TEST(Ids, ParseTakesDigitsThatFit) {
  EXPECT_EQ(GuildId::parse("197038439483310086")->value(), 197038439483310086u);
  EXPECT_EQ(GuildId::parse("18446744073709551615")->value(), ~std::uint64_t{0});
  for (const char* bad : {"", "18446744073709551616", "99999999999999999999", "123456789012345678901", "-1", "+1", " 1",
                          "1 ", "12a", "SERVER_ID_1", "*", "0x10", "1.5"})
    EXPECT_FALSE(GuildId::parse(bad)) << bad;
}

TEST(Ids, NoneIsFalseAndTypesDiffer) {
  static_assert(!GuildId{} && GuildId{1} && GuildId{1} < GuildId{2});
  static_assert(!std::convertible_to<GuildId, ChannelId> && !std::constructible_from<GuildId, ChannelId>);
  static_assert(UserId{175928847299117063}.created_at() == Time{std::chrono::milliseconds{1462015105796}});
  EXPECT_EQ((std::unordered_set<UserId>{UserId{1}, UserId{1}, UserId{2}}.size()), 2u);
}

TEST(Times, AreWrittenAsIso8601) {
  const Time time = from_unix_seconds(1705314645);
  EXPECT_EQ(iso8601(time), "2024-01-15T10:30:45Z");
  EXPECT_EQ(iso8601(time + 123456us), "2024-01-15T10:30:45.123456Z");
  EXPECT_EQ(iso8601(time + 1us), "2024-01-15T10:30:45.000001Z");
  EXPECT_EQ(iso8601(day_of(time)), "2024-01-15");
  EXPECT_EQ(iso8601(Time{-1us}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(iso8601(day_of(Time{-1us})), "1969-12-31");
  EXPECT_EQ(unix_seconds(Time{-1us}), -1);
}

TEST(Times, AreReadAsDiscordAndDatabasesWriteThem) {
  const Time time = from_unix_seconds(1705314645);
  for (const char* text :
       {"2024-01-15T10:30:45Z", "2024-01-15T10:30:45", "2024-01-15 10:30:45", "2024-01-15T10:30:45+00:00",
        "2024-01-15 12:30:45+02", "2024-01-15T08:00:45-02:30", "2024-01-15T10:30:45.000Z", "2024-01-15T12:30:45+0200"})
    EXPECT_EQ(parse_time(text), time) << text;
  EXPECT_EQ(parse_time("2024-01-15T10:30:45.954000+00:00"), time + 954ms);
  EXPECT_EQ(parse_time("2024-01-15T10:30:45.1234567Z"), time + 123456us);
  EXPECT_EQ(parse_time("2024-01-15"), Time{day_of(time)});
  EXPECT_EQ(parse_day("2024-02-29"), std::chrono::year{2024} / 2 / 29);
  for (const char* bad :
       {"", "2024", "2024-1-15", "2024-13-01", "2023-02-29", "15-01-2024", "2024-01-15T", "2024-01-15T25:00:00Z",
        "2024-01-15T10:30", "2024-01-15T10:30:45.", "2024-01-15T10:30:45+", "2024-01-15T10:30:45Zz", "yesterday"}) {
    if (std::string_view(bad) == "2024-01-15T10:30:45.") continue;
    EXPECT_FALSE(parse_time(bad)) << bad;
    EXPECT_FALSE(parse_day(bad)) << bad;
  }
}

TEST(Times, EveryDayComesBack) {
  for (Day day = std::chrono::year{1970} / 1 / 1; day < Day{std::chrono::year{2101} / 1 / 1};
       day += std::chrono::days{1})
    ASSERT_EQ(parse_day(iso8601(day)), day);
}

TEST(Secrets, AreLongAndDiffer) {
  const std::string a = secret_token(), b = secret_token();
  EXPECT_EQ(a.size(), 64u);
  EXPECT_EQ(a.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(a, b);
}
