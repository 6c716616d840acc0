#include "text.hpp"

#include <gtest/gtest.h>

#include "clock.hpp"
#include "event_types.hpp"
#include "json_in.hpp"

using namespace trellis::sim;

namespace {

std::string time_text(std::int64_t ms) {
  std::string out;
  put_time(out, ms);
  return out;
}

TEST(Text, EachKindOfPart) {
  std::string out;
  const char* literal = "a";
  put(out, literal, 'b', true, false, -5, 18446744073709551615ULL, std::string("c"));
  EXPECT_EQ(out, "abtruefalse-518446744073709551615c");
}

TEST(Text, StringsAreEscaped) {
  std::string out;
  put_string(out, "q\" b\\ n\n \x01 é");
  EXPECT_EQ(out, R"("q\" b\\ n\n \u0001 é")");
}

TEST(Clock, TimesAsDiscordWritesThem) {
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00+00:00");
  EXPECT_EQ(time_text(1780272000123), "2026-06-01T00:00:00.123000+00:00");
  EXPECT_EQ(time_text(1780271999999), "2026-05-31T23:59:59.999000+00:00");
  EXPECT_EQ(time_text(1709164800000), "2024-02-29T00:00:00+00:00");
  EXPECT_EQ(time_text(1780272001000), "2026-06-01T00:00:01+00:00");
}

TEST(Clock, Days) {
  EXPECT_EQ(day_of(-1), -1);
  EXPECT_EQ(day_of(0), 0);
  EXPECT_EQ(day_of(kDayMs - 1), 0);
  EXPECT_EQ(day_text(*parse_day("2026-06-01")), "2026-06-01");
  EXPECT_EQ(parse_day("2026-02-30"), std::nullopt);
  EXPECT_EQ(parse_day("soon"), std::nullopt);
  EXPECT_EQ(parse_day("20x6-06-01"), std::nullopt);
}

TEST(EventTypes, IntentsDecide) {
  EXPECT_TRUE(allows(1 << 9, "MESSAGE_CREATE", true));
  EXPECT_FALSE(allows(1 << 9, "MESSAGE_CREATE", false));
  EXPECT_TRUE(allows(1 << 12, "MESSAGE_CREATE", false));
  EXPECT_TRUE(allows(0, "INTERACTION_CREATE", true));
  EXPECT_TRUE(allows(0, "SOMETHING_NEW", true));
  EXPECT_FALSE(allows(0, "WEBHOOKS_UPDATE", true));
  EXPECT_TRUE(allows(1 << 1, "THREAD_MEMBERS_UPDATE", true));
}

TEST(RawMember, TheTextAsItWasWritten) {
  EXPECT_EQ(raw_member(R"({"t":"A","d": {"x" : [1, "}\""]} })", "d"), R"({"x" : [1, "}\""]})");
  EXPECT_EQ(raw_member(R"({"d":1.50,"t":"A"})", "d"), "1.50");
  EXPECT_EQ(raw_member(R"({"a":{"d":1},"d":"two"})", "d"), R"("two")");
  EXPECT_EQ(raw_member(R"({ "d" : null })", "d"), "null");
  EXPECT_EQ(raw_member(R"({"d":[]})", "d"), "[]");
  EXPECT_EQ(raw_member(R"({"x":1})", "d"), "");
  EXPECT_EQ(raw_member("[]", "d"), "");
}

}  // namespace
