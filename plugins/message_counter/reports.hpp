// What /messages, /members and /snapshot answer with.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <trellis/plugin.hpp>
#include <utility>
#include <vector>

namespace message_counter {

using trellis::ChannelId;
using trellis::Day;
using trellis::Embed;
using trellis::iso8601;

inline constexpr std::uint32_t kColor = 0x5865F2;
inline constexpr int kDaysAsBars = 14;  // longer times are shown as a line

/// 1,234,567
inline std::string number(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}
inline std::string counted(std::int64_t value, const char* one, const char* many) {
  return number(value) + " " + (value == 1 ? one : many);
}

/// "Mon 15 Jan"
inline std::string short_date(Day day) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::year_month_day date(day);
  const std::string of_month = std::to_string(static_cast<unsigned>(date.day()));
  return std::string(kDays[std::chrono::weekday(day).c_encoding()]) + (of_month.size() < 2 ? "  " : " ") + of_month +
         " " + kMonths[static_cast<unsigned>(date.month()) - 1];
}

/// As much of `width` characters as value is of most, to an eighth of a character.
inline std::string bar(std::int64_t value, std::int64_t most, int width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (value <= 0 || most <= 0) return {};
  const auto eighths =
      std::max<std::int64_t>(1, std::llround(static_cast<double>(value) / static_cast<double>(most) * width * 8));
  std::string text;
  for (std::int64_t i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

/// One character for each value, between the least and the greatest of them.
inline std::string spark(const std::vector<std::int64_t>& values, bool from_zero) {
  static constexpr const char* kHeights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return {};
  const std::int64_t low = from_zero ? 0 : *std::ranges::min_element(values);
  const std::int64_t high = *std::ranges::max_element(values);
  std::string text;
  for (const std::int64_t value : values)
    text += kHeights[high == low ? (value > 0 && from_zero ? 7 : 0)
                                 : static_cast<std::size_t>(std::llround(static_cast<double>(value - low) * 7 /
                                                                         static_cast<double>(high - low)))];
  return text;
}

/// "12 % more than in the 7 days before"
inline std::string compared(std::int64_t now, std::int64_t before, int days) {
  const std::string then = days == 1 ? "on the day before" : "in the " + std::to_string(days) + " days before";
  if (before == 0) return now == 0 ? "" : "There were none " + then + ".";
  const auto percent = std::llround(std::abs(static_cast<double>(now - before)) * 100 / static_cast<double>(before));
  if (percent == 0) return "That is as many as " + then + ".";
  return "That is " + number(percent) + " % " + (now > before ? "more" : "fewer") + " than " + then + ".";
}

struct MessagesOf {
  int days = 7;
  Day last;                                                      // today
  ChannelId channel;                                             // none: all of them
  std::vector<std::int64_t> by_day;                              // `days` of them, the last one today's
  std::int64_t before = 0;                                       // in as many days before
  std::vector<std::pair<ChannelId, std::int64_t>> top_channels;  // the most first
  std::int64_t channels = 0;                                     // how many there are
};

inline std::string last_days(int days) { return days == 1 ? "today" : "in the last " + std::to_string(days) + " days"; }

inline Embed show_messages(const MessagesOf& of) {
  Embed embed;
  embed.color(kColor).title("Messages " + last_days(of.days));
  const std::string where = of.channel ? " in <#" + of.channel.text() + ">" : "";
  std::int64_t total = 0;
  for (const std::int64_t day : of.by_day) total += day;
  if (total == 0)
    return embed.text("Nobody has written anything that was counted" + where + " " + last_days(of.days) +
                      ". Say something, and it will be here.");
  std::string text = "**" + counted(total, "message", "messages") + "**" + where;
  if (of.days > 1) text += ", about " + number(std::llround(static_cast<double>(total) / of.days)) + " a day";
  text += ". " + compared(total, of.before, of.days) + "\n";
  const std::int64_t most = *std::ranges::max_element(of.by_day);
  if (of.days > 1 && of.days <= kDaysAsBars) {
    text += "```\n";
    for (int i = 0; i < of.days; ++i) {
      const std::int64_t count = of.by_day[static_cast<std::size_t>(i)];
      const std::string shown = bar(count, most, 12);
      text += short_date(of.last - std::chrono::days{of.days - 1 - i}) + "  " + shown + (shown.empty() ? "" : " ") +
              number(count) + "\n";
    }
    text += "```";
  } else if (of.days > 1) {
    text += "```\n" + spark(of.by_day, true) + "\n```";
  }
  embed.text(text);
  if (of.days > 1) {
    const auto at = std::ranges::max_element(of.by_day) - of.by_day.begin();
    std::string day = short_date(of.last - std::chrono::days{of.days - 1 - static_cast<int>(at)});
    if (const auto twice = day.find("  "); twice != std::string::npos) day.erase(twice, 1);
    embed.field("Busiest day", day + ", with " + counted(most, "message", "messages"));
  }
  if (!of.channel && of.top_channels.size() > 1) {
    std::string list;
    for (std::size_t i = 0; i < of.top_channels.size(); ++i) {
      const auto& [channel, count] = of.top_channels[i];
      list += std::to_string(i + 1) + ". <#" + channel.text() + "> " + number(count) + " (" +
              number(std::llround(static_cast<double>(count) * 100 / static_cast<double>(total))) + " %)\n";
    }
    if (const auto more = of.channels - std::ssize(of.top_channels); more > 0)
      list += "and " + counted(more, "more channel", "more channels");
    embed.field("Where people talk", list);
  }
  return embed.footer("Days are UTC days, and today is not over yet.");
}

struct MembersOf {
  int days = 30;
  std::vector<std::pair<Day, std::int64_t>> counts;  // the oldest first; days may be missing
  int hour = 0;                                      // UTC, at which they are counted
};

inline Embed show_members(const MembersOf& of) {
  Embed embed;
  embed.color(kColor).title("Members " + last_days(of.days));
  if (of.counts.empty())
    return embed.text("The members of this server were not counted " + last_days(of.days) +
                      ". That happens every day at " + std::to_string(of.hour) +
                      ":00 UTC; who may manage the server can say `/snapshot` to count them now.");
  const auto& [newest, members] = of.counts.back();
  const auto& [oldest, before] = of.counts.front();
  const std::int64_t change = members - before;
  std::string text = "**" + counted(members, "member", "members") + "**";
  if (of.counts.size() == 1)
    text += ", counted once, on " + iso8601(newest) + ".";
  else if (change == 0)
    text += ", as many as on " + iso8601(oldest) + ".";
  else
    text += ", " + number(std::abs(change)) + (change > 0 ? " more" : " fewer") + " than on " + iso8601(oldest) + ".";
  std::vector<std::int64_t> values;
  for (const auto& [day, count] : of.counts) values.push_back(count);
  if (values.size() > 1) text += "\n```\n" + spark(values, false) + "\n```";
  embed.text(text);
  if (values.size() > 1) {
    const auto high = std::ranges::max_element(of.counts, {}, &std::pair<Day, std::int64_t>::second);
    const auto low = std::ranges::min_element(of.counts, {}, &std::pair<Day, std::int64_t>::second);
    embed.field("Most", number(high->second) + " on " + iso8601(high->first), true);
    embed.field("Fewest", number(low->second) + " on " + iso8601(low->first), true);
  }
  return embed.footer("Counted every day at " + std::to_string(of.hour) + ":00 UTC.");
}

inline Embed show_snapshot(std::int64_t members, Day today, std::optional<std::pair<Day, std::int64_t>> before) {
  Embed embed;
  embed.color(kColor).title("Members counted");
  std::string text = "**" + counted(members, "member", "members") + "** today, " + iso8601(today) + ".";
  if (before) {
    const std::int64_t change = members - before->second;
    text += change == 0 ? " That is as many as"
                        : " That is " + number(std::abs(change)) + (change > 0 ? " more than" : " fewer than");
    text += " on " + iso8601(before->first) + ".";
  }
  return embed.text(text);
}

}  // namespace message_counter
