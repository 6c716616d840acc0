// What people read when they ask.
#include "reports.hpp"

#include <gtest/gtest.h>

namespace {

using namespace message_counter;
using std::chrono::days;

const Day kToday{days{19737}};  // 2024-01-15, a Monday

std::string text_of(const Embed& embed) {
  const trellis::Json json = embed.json();
  std::string text = std::string(json["title"].text()) + "\n" + std::string(json["description"].text()) + "\n";
  for (trellis::JsonView field : json.view()["fields"])
    text += std::string(field["name"].text()) + ": " + std::string(field["value"].text()) + "\n";
  return text + std::string(json["footer"]["text"].text());
}

TEST(Reports, NumbersAreEasyToRead) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(999), "999");
  EXPECT_EQ(number(1000), "1,000");
  EXPECT_EQ(number(-1234567), "-1,234,567");
  EXPECT_EQ(number(-123), "-123");
  EXPECT_EQ(counted(1, "message", "messages"), "1 message");
  EXPECT_EQ(short_date(kToday), "Mon 15 Jan");
  EXPECT_EQ(short_date(kToday - days{9}), "Sat  6 Jan");
}

TEST(Reports, BarsAndLines) {
  EXPECT_EQ(bar(0, 10, 4), "");
  EXPECT_EQ(bar(10, 10, 4), "████");
  EXPECT_EQ(bar(5, 10, 4), "██");
  EXPECT_EQ(bar(1, 1'000'000, 4), "▏") << "something is never nothing";
  EXPECT_EQ(bar(3, 0, 4), "");
  EXPECT_EQ(spark({0, 5, 10}, true), "▁▅█");
  EXPECT_EQ(spark({100, 101, 102}, false), "▁▅█");
  EXPECT_EQ(spark({7, 7}, false), "▁▁");
  EXPECT_EQ(spark({7, 7}, true), "██");
  EXPECT_EQ(spark({}, true), "");
}

TEST(Reports, Comparisons) {
  EXPECT_EQ(compared(120, 100, 7), "That is 20 % more than in the 7 days before.");
  EXPECT_EQ(compared(80, 100, 7), "That is 20 % fewer than in the 7 days before.");
  EXPECT_EQ(compared(1000, 1001, 1), "That is as many as on the day before.");
  EXPECT_EQ(compared(5, 0, 7), "There were none in the 7 days before.");
}

TEST(Reports, MessagesOfAServer) {
  MessagesOf of;
  of.days = 3;
  of.last = kToday;
  of.by_day = {100, 0, 1200};
  of.before = 650;
  of.top_channels = {{ChannelId{5}, 1000}, {ChannelId{6}, 300}};
  of.channels = 3;
  EXPECT_EQ(text_of(show_messages(of)),
            "Messages in the last 3 days\n"
            "**1,300 messages**, about 433 a day. That is 100 % more than in the 3 days before.\n"
            "```\n"
            "Sat 13 Jan  █ 100\n"
            "Sun 14 Jan  0\n"
            "Mon 15 Jan  ████████████ 1,200\n"
            "```\n"
            "Busiest day: Mon 15 Jan, with 1,200 messages\n"
            "Where people talk: 1. <#5> 1,000 (77 %)\n2. <#6> 300 (23 %)\nand 1 more channel\n"
            "Days are UTC days, and today is not over yet.");
}

TEST(Reports, MessagesOfAChannelOverALongTime) {
  MessagesOf of;
  of.days = 30;
  of.last = kToday;
  of.channel = ChannelId{5};
  of.by_day.assign(30, 1);
  of.by_day[20] = 8;
  const std::string text = text_of(show_messages(of));
  EXPECT_NE(text.find("**37 messages** in <#5>, about 1 a day. There were none in the 30 days before."),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("▂▂▂█▂▂▂"), std::string::npos) << text;
  EXPECT_NE(text.find("Busiest day: Sat 6 Jan, with 8 messages"), std::string::npos) << text;
  EXPECT_EQ(text.find("Where people talk"), std::string::npos);
}

TEST(Reports, NothingIsSaidKindly) {
  MessagesOf of;
  of.last = kToday;
  of.by_day.assign(7, 0);
  EXPECT_EQ(text_of(show_messages(of)),
            "Messages in the last 7 days\nNobody has written anything that was counted in the last 7 days. Say "
            "something, and it will be here.\n");
  MembersOf none;
  none.hour = 5;
  EXPECT_EQ(text_of(show_members(none)),
            "Members in the last 30 days\nThe members of this server were not counted in the last 30 days. That "
            "happens every day at 5:00 UTC; who may manage the server can say `/snapshot` to count them now.\n");
}

TEST(Reports, Members) {
  MembersOf of;
  of.days = 4;
  of.counts = {{kToday - days{3}, 1000}, {kToday - days{1}, 990}, {kToday, 1016}};
  EXPECT_EQ(text_of(show_members(of)),
            "Members in the last 4 days\n**1,016 members**, 16 more than on 2024-01-12.\n```\n▄▁█\n```\n"
            "Most: 1,016 on 2024-01-15\nFewest: 990 on 2024-01-14\nCounted every day at 0:00 UTC.");
  of.counts = {{kToday, 1}};
  EXPECT_NE(text_of(show_members(of)).find("**1 member**, counted once, on 2024-01-15."), std::string::npos);
}

TEST(Reports, ASnapshot) {
  EXPECT_EQ(text_of(show_snapshot(1234, kToday, std::nullopt)),
            "Members counted\n**1,234 members** today, 2024-01-15.\n");
  EXPECT_EQ(text_of(show_snapshot(1234, kToday, std::pair{kToday - days{2}, std::int64_t{1250}})),
            "Members counted\n**1,234 members** today, 2024-01-15. That is 16 fewer than on 2024-01-13.\n");
}

TEST(Reports, TheLongestFitsIntoAnEmbed) {
  MessagesOf of;
  of.last = kToday;
  for (const int length : {14, 90}) {
    of.days = length;
    of.by_day.assign(static_cast<std::size_t>(length), 999'999'999);
    of.top_channels.assign(5, {ChannelId{~0ull}, 999'999'999});
    of.channels = 500;
    const trellis::Json json = show_messages(of).json();
    EXPECT_LE(json["description"].text().size(), 4096u);
    for (trellis::JsonView field : json.view()["fields"]) EXPECT_LE(field["value"].text().size(), 1024u);
  }
}

}  // namespace
