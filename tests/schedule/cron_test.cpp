#include "schedule/cron.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace trellis::host {
namespace {

constexpr std::int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

/// "2024-02-29 07:30" (UTC) and back.
std::int64_t utc(const char* text) {
  tm t{};
  EXPECT_NE(::strptime(text, "%Y-%m-%d %H:%M:%S", &t) ? "" : ::strptime(text, "%Y-%m-%d %H:%M", &t), nullptr) << text;
  return static_cast<std::int64_t>(::timegm(&t)) * kSecond;
}
std::string shown(std::optional<std::int64_t> us) {
  if (!us) return "never";
  const time_t s = static_cast<time_t>(*us / kSecond);
  tm t{};
  ::gmtime_r(&s, &t);
  char text[32];
  ::strftime(text, sizeof text, t.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &t);
  return text;
}
std::string next(const char* cron, const char* after, const char* zone = "UTC") {
  return shown(Cron::parse(cron, zone).next(utc(after)));
}
std::string previous(const char* cron, const char* at, const char* zone = "UTC") {
  return shown(Cron::parse(cron, zone).previous(utc(at)));
}
std::string refusal(std::string_view text, std::string_view zone = "UTC") {
  try {
    Cron::parse(text, zone);
  } catch (const CronError& e) {
    return e.what();
  }
  return "";
}

TEST(Cron, Fields) {
  EXPECT_EQ(next("* * * * *", "2024-01-01 00:00"), "2024-01-01 00:01");
  EXPECT_EQ(next("* * * * *", "2024-01-01 00:00:59"), "2024-01-01 00:01");
  EXPECT_EQ(next("*/15 * * * *", "2024-01-01 00:00"), "2024-01-01 00:15");
  EXPECT_EQ(next("5/20 * * * *", "2024-01-01 00:26"), "2024-01-01 00:45");
  EXPECT_EQ(next("0 8-18/5 * * *", "2024-01-01 13:00"), "2024-01-01 18:00");
  EXPECT_EQ(next("30 7 * * mon-fri", "2024-02-02 07:30"), "2024-02-05 07:30");
  EXPECT_EQ(next("0 0 * * FRI-SUN", "2024-02-05 00:00"), "2024-02-09 00:00");
  EXPECT_EQ(next("0 0 * * 7", "2024-02-05 00:00"), "2024-02-11 00:00");
  EXPECT_EQ(next("0 0 * * 0", "2024-02-05 00:00"), "2024-02-11 00:00");
  EXPECT_EQ(next("0 0 1,15 Feb,aug *", "2024-02-15 00:00"), "2024-08-01 00:00");
  EXPECT_EQ(next("0 0 29 2 *", "2024-02-29 00:00"), "2028-02-29 00:00");
  EXPECT_EQ(next("0 0 29 2 *", "2096-03-01 00:00"), "2104-02-29 00:00");
  EXPECT_EQ(next("0 0 31 * *", "2024-01-31 00:00"), "2024-03-31 00:00");
  EXPECT_EQ(next("59 23 31 12 *", "2024-12-31 23:59"), "2025-12-31 23:59");
  EXPECT_EQ(next("  0\t0  *  *\t* ", "2024-01-01 00:00"), "2024-01-02 00:00");
}

TEST(Cron, DayOrWeekday) {
  EXPECT_EQ(next("0 0 13 * 5", "2024-09-01 00:00"), "2024-09-06 00:00");    // either
  EXPECT_EQ(next("0 0 13 * */5", "2024-09-01 00:00"), "2024-09-13 00:00");  // both: Sunday or Friday
  EXPECT_EQ(next("0 0 */2 * 5", "2024-09-01 00:00"), "2024-09-13 00:00");   // both
  EXPECT_EQ(next("0 0 31 2 mon", "2024-02-01 00:00"), "2024-02-05 00:00");
}

TEST(Cron, Words) {
  EXPECT_EQ(next("@hourly", "2024-01-01 00:30"), "2024-01-01 01:00");
  EXPECT_EQ(next("@daily", "2024-01-01 00:30"), "2024-01-02 00:00");
  EXPECT_EQ(next("@midnight", "2024-01-01 00:30"), "2024-01-02 00:00");
  EXPECT_EQ(next("@Weekly", "2024-01-01 00:30"), "2024-01-07 00:00");
  EXPECT_EQ(next("@monthly", "2024-01-01 00:30"), "2024-02-01 00:00");
  EXPECT_EQ(next("@yearly", "2024-01-01 00:30"), "2025-01-01 00:00");
}

TEST(Cron, Every) {
  EXPECT_EQ(next("@every 10s", "2024-01-01 00:00:03"), "2024-01-01 00:00:10");
  EXPECT_EQ(next("@every 10s", "2024-01-01 00:00:10"), "2024-01-01 00:00:20");
  EXPECT_EQ(previous("@every 10s", "2024-01-01 00:00:19"), "2024-01-01 00:00:10");
  EXPECT_EQ(next("@every 1h30m", "1970-01-01 00:00", "Europe/Berlin"), "1970-01-01 01:30");
  EXPECT_EQ(Cron::parse("@every 5m").every_us(), 5 * kMinute);
  EXPECT_EQ(Cron::parse("@every 2d").every_us(), 2 * kDay);
  EXPECT_EQ(Cron::parse("@daily").every_us(), std::nullopt);
  EXPECT_EQ(Cron::parse("@every 7s").previous(-1), -7 * kSecond);
}

TEST(Cron, Previous) {
  EXPECT_EQ(previous("* * * * *", "2024-01-01 00:00"), "2024-01-01 00:00");
  EXPECT_EQ(previous("* * * * *", "2024-01-01 00:00:59"), "2024-01-01 00:00");
  EXPECT_EQ(previous("0 0 * * *", "2024-01-01 23:59:59"), "2024-01-01 00:00");
  EXPECT_EQ(previous("30 7 * * mon-fri", "2024-02-05 07:29"), "2024-02-02 07:30");
  EXPECT_EQ(previous("0 0 29 2 *", "2104-02-28 00:00"), "2096-02-29 00:00");
  EXPECT_EQ(Cron::parse("0 0 * * *").previous(utc("2024-01-01 00:00") - 1), utc("2023-12-31 00:00"));
}

TEST(Cron, Zones) {
  EXPECT_EQ(next("0 9 * * *", "2024-01-10 00:00", "Europe/Berlin"), "2024-01-10 08:00");
  EXPECT_EQ(next("0 9 * * *", "2024-07-10 00:00", "Europe/Berlin"), "2024-07-10 07:00");
  EXPECT_EQ(next("0 0 1 * *", "2024-01-20 00:00", "Asia/Kolkata"), "2024-01-31 18:30");
  EXPECT_EQ(next("0 0 * * sun", "2024-01-20 00:00", "Pacific/Kiritimati"), "2024-01-20 10:00");
  EXPECT_EQ(Cron::parse("@daily", "America/New_York").zone(), "America/New_York");
  EXPECT_EQ(Cron::parse("@daily", "").zone(), "UTC");
}

TEST(Cron, SkippedTimesComeAtTheNextMoment) {
  // Berlin, 2024-03-31: 02:00 becomes 03:00 at 01:00 UTC.
  EXPECT_EQ(next("30 2 * * *", "2024-03-30 12:00", "Europe/Berlin"), "2024-03-31 01:00");
  EXPECT_EQ(next("30 2 * * *", "2024-03-31 01:00", "Europe/Berlin"), "2024-04-01 00:30");
  EXPECT_EQ(next("15,30,45 2 * * *", "2024-03-31 00:59", "Europe/Berlin"), "2024-03-31 01:00");
  EXPECT_EQ(next("15,30,45 2 * * *", "2024-03-31 01:00", "Europe/Berlin"), "2024-04-01 00:15");
  EXPECT_EQ(previous("30 2 * * *", "2024-03-31 12:00", "Europe/Berlin"), "2024-03-31 01:00");
  EXPECT_EQ(previous("30 2 * * *", "2024-03-31 00:59", "Europe/Berlin"), "2024-03-30 01:30");
  // Beirut skips midnight; Samoa skipped 2011-12-30.
  EXPECT_EQ(next("0 0 * * *", "2024-03-30 12:00", "Asia/Beirut"), "2024-03-30 22:00");
  EXPECT_EQ(next("0 12 30 12 *", "2011-12-29 00:00", "Pacific/Apia"), "2011-12-30 10:00");
}

TEST(Cron, DoubledTimesComeOnce) {
  // Berlin, 2024-10-27: 03:00 becomes 02:00 at 01:00 UTC.
  EXPECT_EQ(next("30 2 * * *", "2024-10-26 12:00", "Europe/Berlin"), "2024-10-27 00:30");
  EXPECT_EQ(next("30 2 * * *", "2024-10-27 00:30", "Europe/Berlin"), "2024-10-28 01:30");
  EXPECT_EQ(previous("30 2 * * *", "2024-10-27 12:00", "Europe/Berlin"), "2024-10-27 00:30");
  EXPECT_EQ(previous("45 2 * * *", "2024-10-27 01:10", "Europe/Berlin"), "2024-10-27 00:45");
  EXPECT_EQ(previous("45 2 * * *", "2024-10-27 00:40", "Europe/Berlin"), "2024-10-26 00:45");
}

TEST(Cron, EveryHourFollowsTheClock) {
  EXPECT_EQ(next("@hourly", "2024-10-27 00:00", "Europe/Berlin"), "2024-10-27 01:00");
  EXPECT_EQ(next("@hourly", "2024-10-27 01:00", "Europe/Berlin"), "2024-10-27 02:00");
  EXPECT_EQ(next("*/5 * * * *", "2024-10-27 00:55", "Europe/Berlin"), "2024-10-27 01:00");
  EXPECT_EQ(next("30 * * * *", "2024-03-31 00:30", "Europe/Berlin"), "2024-03-31 01:30");
  EXPECT_EQ(previous("30 * * * *", "2024-10-27 01:29", "Europe/Berlin"), "2024-10-27 00:30");
}

TEST(Cron, Refusals) {
  EXPECT_EQ(refusal("61 * * * *"), "cron \"61 * * * *\": minute: 61 is not between 0 and 59");
  EXPECT_EQ(refusal("* 24 * * *"), "cron \"* 24 * * *\": hour: 24 is not between 0 and 23");
  EXPECT_EQ(refusal("* * 0 * *"), "cron \"* * 0 * *\": day: 0 is not between 1 and 31");
  EXPECT_NE(refusal("* * * foo *").find("month: \"foo\" is not a number, name like feb, *, range"), std::string::npos);
  EXPECT_NE(refusal("* * * * 8").find("weekday: 8 is not between 0 and 7"), std::string::npos);
  EXPECT_NE(refusal("* 22-2 * * *").find("hour: the range 22-2 runs backwards"), std::string::npos);
  EXPECT_NE(refusal("*/0 * * * *").find("minute: the step \"0\" is not between 1 and 59"), std::string::npos);
  EXPECT_NE(refusal("1,,2 * * * *").find("minute: there is nothing before or after a comma"), std::string::npos);
  EXPECT_NE(refusal("99999999999999999999 * * * *").find("is not between 0 and 59"), std::string::npos);
  EXPECT_NE(refusal("-5 * * * *"), "");
  EXPECT_NE(refusal("5- * * * *"), "");
  EXPECT_NE(refusal("* * * * L"), "");
  EXPECT_NE(refusal("* * * *").find("expected five fields (minute hour day month weekday), got 4"), std::string::npos);
  EXPECT_NE(refusal("0 * * * * *").find("got 6"), std::string::npos);
  EXPECT_NE(refusal("").find("got 0"), std::string::npos);
  EXPECT_NE(refusal("0 0 31 2,4 *").find("day: the months that are named have at most 30 days"), std::string::npos);
  EXPECT_NE(refusal("@often").find("expected @hourly"), std::string::npos);
  EXPECT_NE(refusal("@every").find("expected one interval"), std::string::npos);
  EXPECT_NE(refusal("@every 10").find("\"10\" is not an interval like 10s"), std::string::npos);
  EXPECT_NE(refusal("@every 0s").find("at least 1s"), std::string::npos);
  EXPECT_NE(refusal("@every 9999999d").find("longer than 366 days"), std::string::npos);
  EXPECT_NE(refusal("@daily", "Europe/Berlim").find("there is no time zone \"Europe/Berlim\""), std::string::npos);
  EXPECT_NE(refusal("@daily", "../../etc/passwd"), "");
}

TEST(Cron, TheEndsOfTime) {
  for (const auto* text : {"* * * * *", "30 2 * * *", "@every 10s", "0 0 29 2 */6"})
    for (const auto* zone : {"UTC", "Europe/Berlin"}) {
      const auto cron = Cron::parse(text, zone);
      for (const auto at : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        EXPECT_EQ(cron.next(at), std::nullopt);
        EXPECT_EQ(cron.previous(at), std::nullopt);
      }
      EXPECT_TRUE(cron.next(0));
      EXPECT_TRUE(cron.previous(0));
      EXPECT_TRUE(cron.next(utc("9000-01-01 00:00")));
      cron.next(utc("9999-12-30 00:00"));
      cron.previous(-62'135'596'800ll * kSecond);
    }
}

/// A random expression together with the sets that it means, made without the parser.
struct Expression {
  std::string text;
  std::set<int> sets[5];
  bool star[5] = {};

  explicit Expression(std::mt19937& random) {
    static constexpr int kLow[] = {0, 0, 1, 1, 0}, kHigh[] = {59, 23, 31, 12, 6};
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    for (int i = 0; i < 5; ++i) {
      std::string field;
      switch (pick(0, i < 2 ? 3 : 5)) {
        case 0: {
          const int items = pick(1, 3);
          for (int k = 0; k < items; ++k) {
            const int n = pick(kLow[i], kHigh[i]);
            sets[i].insert(n);
            field += (k ? "," : "") + std::to_string(n);
          }
          break;
        }
        case 1: {
          const int low = pick(kLow[i], kHigh[i]), high = pick(low, kHigh[i]), step = pick(1, 4);
          for (int n = low; n <= high; n += step) sets[i].insert(n);
          field = std::to_string(low) + "-" + std::to_string(high) + (step > 1 ? "/" + std::to_string(step) : "");
          break;
        }
        case 2: {
          const int step = pick(1, i == 0 ? 30 : 5);
          for (int n = kLow[i]; n <= kHigh[i]; n += step) sets[i].insert(n);
          field = "*/" + std::to_string(step);
          star[i] = true;
          break;
        }
        default:
          for (int n = kLow[i]; n <= kHigh[i]; ++n) sets[i].insert(n);
          field = "*";
          star[i] = true;
      }
      text += (i ? " " : "") + field;
    }
  }
  bool matches(const tm& t) const {
    const bool day = sets[2].contains(t.tm_mday), weekday = sets[4].contains(t.tm_wday);
    return sets[0].contains(t.tm_min) && sets[1].contains(t.tm_hour) && sets[3].contains(t.tm_mon + 1) &&
           (star[2] || star[4] ? day && weekday : day || weekday);
  }
  bool every_hour() const { return sets[1].size() == 24; }
};

/// Every due time in [from, until), by looking at each minute with the C library's zones.
std::vector<std::int64_t> scan(const Expression& expression, std::int64_t from, std::int64_t until) {
  std::vector<std::int64_t> due;
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();  // local minutes seen so far
  for (std::int64_t at = from - 2 * kDay; at < until; at += kMinute) {
    const time_t s = static_cast<time_t>(at / kSecond);
    tm t{};
    ::localtime_r(&s, &t);
    const std::int64_t local = (at / kSecond + t.tm_gmtoff) / 60;
    bool is_due = expression.matches(t);
    if (!expression.every_hour()) {
      if (local <= newest) is_due = false;  // the second time
      for (std::int64_t skipped = newest + 1; at > from - 2 * kDay && skipped < local; ++skipped) {
        const time_t as_utc = static_cast<time_t>(skipped * 60);
        tm missing{};
        ::gmtime_r(&as_utc, &missing);
        is_due = is_due || expression.matches(missing);
      }
      newest = std::max(newest, local);
    }
    if (is_due && at >= from) due.push_back(at);
  }
  return due;
}

TEST(Cron, AgreesWithAScanOfEveryMinute) {
  struct Stretch {
    const char* zone;
    const char* from;
    int days;
  };
  // Half an hour, whole days, midnight, and places where nothing happens.
  static constexpr Stretch kStretches[] = {{"UTC", "2024-02-27 00:00", 8},
                                           {"Europe/Berlin", "2024-03-29 00:00", 5},
                                           {"Europe/Berlin", "2024-10-25 00:00", 5},
                                           {"America/New_York", "2023-11-03 00:00", 5},
                                           {"America/New_York", "2023-03-10 00:00", 5},
                                           {"Australia/Lord_Howe", "2024-04-05 00:00", 4},
                                           {"Australia/Lord_Howe", "2024-10-04 00:00", 4},
                                           {"Asia/Beirut", "2024-03-29 00:00", 4},
                                           {"Pacific/Apia", "2011-12-28 00:00", 5},
                                           {"Asia/Kathmandu", "2024-12-30 00:00", 4},
                                           {"America/Sao_Paulo", "2018-11-03 00:00", 3}};
  const char* before = ::getenv("TZ");
  const std::string saved = before ? before : "";
  std::mt19937 random(2024);
  std::size_t compared = 0;
  for (const auto& stretch : kStretches) {
    ::setenv("TZ", stretch.zone, 1);
    ::tzset();
    const auto from = utc(stretch.from), until = from + stretch.days * kDay;
    for (int i = 0; i < 25; ++i) {
      const Expression expression(random);
      SCOPED_TRACE(expression.text + " " + stretch.zone);
      std::optional<Cron> cron;
      try {
        cron = Cron::parse(expression.text, stretch.zone);
      } catch (const CronError& e) {  // 31 February
        EXPECT_TRUE(scan(expression, from, until).empty()) << e.what();
        continue;
      }
      const auto expected = scan(expression, from, until);
      std::vector<std::int64_t> found;
      for (auto at = cron->next(from - 1); at && *at < until; at = cron->next(*at)) found.push_back(*at);
      ASSERT_EQ(found, expected);
      // Backwards, and from moments in between.
      std::vector<std::int64_t> back;
      for (auto at = cron->previous(until - 1); at && *at >= from; at = cron->previous(*at - 1)) back.push_back(*at);
      std::reverse(back.begin(), back.end());
      ASSERT_EQ(back, expected);
      for (int k = 0; k < 50; ++k) {
        const auto at = std::uniform_int_distribution<std::int64_t>(from, until - 1)(random);
        const auto after = std::upper_bound(expected.begin(), expected.end(), at);
        if (after != expected.end()) {
          ASSERT_EQ(cron->next(at), *after) << shown(at);
        }
        if (after != expected.begin()) {
          ASSERT_EQ(cron->previous(at), *(after - 1)) << shown(at);
        }
      }
      compared += expected.size();
    }
  }
  EXPECT_GT(compared, 1000u);
  saved.empty() ? ::unsetenv("TZ") : ::setenv("TZ", saved.c_str(), 1);
  ::tzset();
}

TEST(Cron, AnyTextIsReadOrRefused) {
  static constexpr std::string_view kPieces[] = {
      "*",   "/", "-",       ",",     " ",  "5",    "59", "mon",
      "jan", "@", "@every ", "10s",   "1h", "\xff", "0",  "99999999999999999999",
      "?",   "L", "\t",      "@daily"};
  std::mt19937 random(9);
  int read = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    if (random() % 2) {
      text = "*/5 1-3 * jan,5 mon";
      text.insert(random() % text.size(), kPieces[random() % std::size(kPieces)]);
    } else {
      for (auto n = random() % 12; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
    }
    try {
      const auto cron = Cron::parse(text);
      const auto due = cron.next(0);
      if (due) {
        EXPECT_EQ(cron.previous(*due), due) << text;
      }
      ++read;
    } catch (const CronError& e) {
      EXPECT_TRUE(std::string_view(e.what()).starts_with("cron \"")) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace trellis::host
