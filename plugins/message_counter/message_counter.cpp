// Counts messages per server, channel and UTC day, and members per server and day.
#include <map>

#include "reports.hpp"
#include "tracked.hpp"

using namespace trellis;
using message_counter::MembersOf;
using message_counter::MessagesOf;
using message_counter::Tracked;

namespace {

struct MessageCount {
  GuildId server_id;
  ChannelId channel_id;
  Day date;
  std::int64_t message_count = 0;
  Time created_at;
  Time updated_at;
  static constexpr auto columns = trellis::columns(
      key<&MessageCount::server_id, &MessageCount::channel_id, &MessageCount::date>, sum<&MessageCount::message_count>,
      first<&MessageCount::created_at>, column<&MessageCount::updated_at>);
};

struct UserCount {
  GuildId server_id;
  Day date;
  std::int64_t user_count = 0;
  Time created_at;
  static constexpr auto columns = trellis::columns(key<&UserCount::server_id, &UserCount::date>,
                                                   column<&UserCount::user_count>, first<&UserCount::created_at>);
};

class MessageCounter final : public Plugin {
 public:
  explicit MessageCounter(Setup& setup)
      : messages_(setup.table<MessageCount>("message_counts")), users_(setup.table<UserCount>("user_counts")) {
    const Settings settings = setup.settings();
    tracked_ = Tracked(settings.section("trackedChannels"));
    hour_ = settings.get("dailyCutoffHourUTC", 0, 0, 23);
    logging_ = settings.get("logging", false);
    const bool threads_count_for_parent = settings.get("countThreadsForParent", false);
    const auto interval = settings.get("flushIntervalSeconds", Duration{1s}, Duration{10ms}, Duration{1h});
    if (settings.has("flushIntervalSeconds")) setup.commit_every(interval);
    if (tracked_.empty()) setup.log().warn("no channels are tracked: trackedChannels is empty");

    setup.needs(Intent::GuildMembers);  // keeps member counts moving between two appearances of a server
    setup.needs(Keep::MemberCounts);
    setup.on(this, &MessageCounter::message).guilds_only().no_bots();
    if (threads_count_for_parent) {
      threads_count_for_parent_ = true;
      setup.on(this, &MessageCounter::thread_created);
      setup.on(this, &MessageCounter::thread_deleted);
    }
    setup.job("daily_snapshot", cron("0 " + std::to_string(hour_) + " * * *"), this, &MessageCounter::daily_snapshot)
        .run_missed();

    setup.method("userCounts", this, &MessageCounter::user_counts, param("server"), param("from"), param("to"));
    setup.method("messageCounts", this, &MessageCounter::message_counts, param("server"), param("channel"),
                 param("from"), param("to"));
    setup.method("serverStats", this, &MessageCounter::server_stats, param("server"), param("days").min(1).max(36500));
    setup.method("dailySummary", this, &MessageCounter::daily_summary, param("date"));
    setup.method("snapshot", this, &MessageCounter::snapshot_now);
    setup.method("flush", this, &MessageCounter::flush);
    setup.method("pending", this, &MessageCounter::pending);

    setup
        .command("messages", "How many messages were written here", this, &MessageCounter::show_messages,
                 param("channel", "Only this channel").channels(kTextChannels),
                 param("days", "How far back; 7 if left out").min(1).max(kDaysMax))
        .guilds_only();
    setup
        .command("members", "How many members this server has had", this, &MessageCounter::show_members,
                 param("days", "How far back; 30 if left out").min(1).max(kDaysMax))
        .guilds_only();
    setup.command("snapshot", "Counts the members of this server now", this, &MessageCounter::show_snapshot)
        .guilds_only()
        .ephemeral()
        .needs(Permission::ManageGuild);
  }

 private:
  // ---- counting ----

  void message(const MessageCreate& message, Work& work) {
    const GuildId server = message.guild_id();
    ChannelId channel = message.channel_id();
    if (threads_count_for_parent_) channel = parent_of(work, channel);
    const Day date = day_of(message.time());
    const bool counts = tracked_.contains(server, channel);
    remember({server, channel, date, counts});
    if (!counts) return;
    messages_.put(work, {server, channel, date, 1, work.now(), work.now()});
    if (logging_) work.log().debug("message counted", {{"server", server}, {"channel", channel}, {"date", date}});
  }

  /// The thread's channel; of anything else itself. A deleted thread's messages may still be on their way to here: the
  /// cache shows it until then, and what it never saw is among our keys.
  static ChannelId parent_of(Work& work, ChannelId channel) {
    if (const auto found = work.cache().channel(channel))
      return is_thread(found->type) && found->parent_id ? found->parent_id : channel;
    if (const auto parent = work.kv().get(thread_key(channel))) return parent->view().id<ChannelTag>();
    return channel;
  }
  void thread_created(const ThreadCreate& event, Work& work) {
    remember({});
    const Channel thread = event.channel();
    if (thread.id && thread.parent_id) work.kv().set(thread_key(thread.id), thread.parent_id);
  }
  void thread_deleted(const ThreadDelete& event, Work& work) {  // Discord sends no messages of it any more
    remember({});
    if (const ChannelId thread = event.channel().id) work.kv().erase(thread_key(thread));
  }
  static std::string thread_key(ChannelId thread) { return "thread/" + thread.text(); }

  // ---- members ----

  void daily_snapshot(JobRun& run) { take_snapshot(run, day_of(run.due())); }

  Json snapshot_now(Request& request) { return take_snapshot(request, day_of(request.now())); }

  Json take_snapshot(Work& work, Day date) {
    std::int64_t servers = 0, members = 0;
    for (const Guild& guild : work.cache().guilds()) {
      if (guild.unavailable && guild.member_count == 0) continue;  // not seen since an outage began
      users_.put(work, {guild.id, date, guild.member_count, work.now()});
      ++servers;
      members += guild.member_count;
    }
    work.log().info("snapshot taken", {{"date", date}, {"servers", servers}, {"members", members}});
    return Json::object({{"date", date}, {"totalServers", servers}, {"totalUsers", members}});
  }

  // ---- questions ----

  Json user_counts(Request& request, GuildId server, std::optional<Day> from, std::optional<Day> to) {
    Json list = Json::array();
    for (const UserCount& row :
         request.query<UserCount>("SELECT server_id, date, user_count, created_at FROM user_counts"
                                  " WHERE server_id = $1 AND date >= coalesce($2, date) AND date <= coalesce($3, date)"
                                  " ORDER BY date DESC",
                                  server, from, to))
      list.push(Json::object({{"server_id", row.server_id},
                              {"date", row.date},
                              {"user_count", row.user_count},
                              {"created_at", row.created_at}}));
    return list;
  }

  Json message_counts(Request& request, GuildId server, std::optional<ChannelId> channel, std::optional<Day> from,
                      std::optional<Day> to) {
    Json list = Json::array();
    for (const MessageCount& row : request.query<MessageCount>(
             "SELECT server_id, channel_id, date, message_count, created_at, updated_at FROM message_counts"
             " WHERE server_id = $1 AND channel_id = coalesce($2, channel_id)"
             " AND date >= coalesce($3, date) AND date <= coalesce($4, date) ORDER BY date DESC, channel_id",
             server, channel, from, to))
      list.push(Json::object({{"server_id", row.server_id},
                              {"channel_id", row.channel_id},
                              {"date", row.date},
                              {"message_count", row.message_count},
                              {"created_at", row.created_at},
                              {"updated_at", row.updated_at}}));
    return list;
  }

  Json server_stats(Request& request, GuildId server, std::optional<int> days_back) {
    const int days = days_back.value_or(30);
    const Day last = day_of(request.now()), first_day = last - std::chrono::days{days - 1};
    const Json users = user_counts(request, server, first_day, last);
    const Json messages = message_counts(request, server, std::nullopt, first_day, last);

    double members = 0;
    for (JsonView record : users.view()) members += record["user_count"].number();
    std::int64_t total = 0;
    std::map<ChannelId, std::int64_t> by_channel;
    for (JsonView record : messages.view()) {
      total += record["message_count"].integer();
      by_channel[record["channel_id"].id<ChannelTag>()] += record["message_count"].integer();
    }
    Json channels = Json::object();
    for (const auto& [channel, count] : by_channel) channels.set(channel.text(), count);
    const auto records = static_cast<double>(users.size());
    return Json::object(
        {{"server_id", server},
         {"period", Json::object({{"startDate", first_day}, {"endDate", last}, {"days", days}})},
         {"userCounts", Json::object({{"totalRecords", users.size()},
                                      {"latest", users.size() ? Json(users[0]["user_count"]) : Json()},
                                      {"average", users.size() ? Json(std::llround(members / records)) : Json()},
                                      {"records", users}})},
         {"messageCounts", Json::object({{"totalRecords", messages.size()},
                                         {"totalMessages", total},
                                         {"averagePerDay", static_cast<double>(total) / days},
                                         {"byChannel", channels},
                                         {"records", messages}})}});
  }

  Json daily_summary(Request& request, Day date) {
    struct Server {
      std::optional<std::int64_t> users;
      std::int64_t messages = 0, channels = 0;
    };
    std::map<GuildId, Server> servers;
    std::int64_t users = 0, messages = 0, channels = 0;
    for (auto [server, count] :
         request.query<GuildId, std::int64_t>("SELECT server_id, user_count FROM user_counts WHERE date = $1", date)) {
      servers[server].users = count;
      users += count;
    }
    for (auto [server, sum, count] : request.query<GuildId, std::int64_t, std::int64_t>(
             "SELECT server_id, sum(message_count), count(*) FROM message_counts WHERE date = $1 GROUP BY server_id",
             date)) {
      servers[server].messages = sum;
      servers[server].channels = count;
      messages += sum;
      channels += count;
    }
    Json breakdown = Json::array();
    for (const auto& [server, of] : servers)
      breakdown.push(Json::object({{"server_id", server},
                                   {"userCount", of.users},
                                   {"messageCount", of.messages},
                                   {"channelCount", of.channels}}));
    return Json::object({{"date", date},
                         {"totalServers", servers.size()},
                         {"totalUsers", users},
                         {"totalMessages", messages},
                         {"totalChannels", channels},
                         {"serverBreakdown", breakdown}});
  }

  // ---- commands ----

  Message show_messages(Command& command, std::optional<ChannelId> channel, std::optional<int> days) {
    if (channel && threads_count_for_parent_) channel = parent_of(command, *channel);
    MessagesOf report;
    report.days = days.value_or(7);
    report.last = day_of(command.now());
    report.channel = channel.value_or(ChannelId{});
    if (channel && !tracked_.contains(command.guild_id(), *channel))
      throw Refused("Messages in <#" + channel->text() +
                    "> are not counted. Whoever runs the bot can add it to its tracked channels.");
    command.commit();  // what was written a moment ago is counted, too
    const Day first = report.last - std::chrono::days{report.days - 1}, before = first - std::chrono::days{report.days};
    report.by_day.resize(static_cast<std::size_t>(report.days));
    for (auto [date, count] : command.query<Day, std::int64_t>(
             "SELECT date, sum(message_count) FROM message_counts WHERE server_id = $1"
             " AND channel_id = coalesce($2, channel_id) AND date >= $3 AND date <= $4 GROUP BY date",
             command.guild_id(), channel, before, report.last)) {
      if (date < first)
        report.before += count;
      else
        report.by_day[static_cast<std::size_t>((date - first).count())] += count;
    }
    if (!channel)
      for (auto [id, count] : command.query<ChannelId, std::int64_t>(
               "SELECT channel_id, sum(message_count) AS messages FROM message_counts WHERE server_id = $1"
               " AND date >= $2 AND date <= $3 GROUP BY channel_id ORDER BY messages DESC, channel_id",
               command.guild_id(), first, report.last)) {
        ++report.channels;
        if (report.top_channels.size() < kTopChannels) report.top_channels.emplace_back(id, count);
      }
    return Message().embed(message_counter::show_messages(report));
  }

  Message show_members(Command& command, std::optional<int> days) {
    MembersOf report;
    report.days = days.value_or(30);
    report.hour = hour_;
    const Day last = day_of(command.now());
    command.commit();
    for (auto [date, count] :
         command.query<Day, std::int64_t>("SELECT date, user_count FROM user_counts WHERE server_id = $1"
                                          " AND date >= $2 AND date <= $3 ORDER BY date",
                                          command.guild_id(), last - std::chrono::days{report.days - 1}, last))
      report.counts.emplace_back(date, count);
    return Message().embed(message_counter::show_members(report));
  }

  Message show_snapshot(Command& command) {
    const auto guild = command.cache().guild(command.guild_id());
    if (!guild || guild->member_count == 0)
      throw Refused("Discord has not told yet how many members this server has. Please try again in a minute.");
    const std::int64_t members = guild->member_count;
    const Day today = day_of(command.now());
    std::optional<std::pair<Day, std::int64_t>> before;
    for (auto [date, count] :
         command.query<Day, std::int64_t>("SELECT date, user_count FROM user_counts WHERE server_id = $1"
                                          " AND date < $2 ORDER BY date DESC LIMIT 1",
                                          command.guild_id(), today))
      before.emplace(date, count);
    users_.put(command, {command.guild_id(), today, members, command.now()});
    return Message().embed(message_counter::show_snapshot(members, today, before)).ephemeral();
  }

  Json flush(Request& request) {
    const Pending before = request.pending();
    request.commit();
    return Json::object({{"flushed", true}, {"rows", before.rows}});
  }

  // ---- what is counted and not yet in the store ----

  struct Counted {
    GuildId server;
    ChannelId channel;
    Day date;
    bool counts = false;
  };

  /// The last events, one each. As many as pending() says are those that are not in the store.
  void remember(const Counted& counted) {
    recent_.push_back(counted);
    if (recent_.size() > kRecent) recent_.pop_front();
  }

  Json pending(Request& request) {
    const Pending waiting = request.pending();
    std::map<GuildId, std::map<ChannelId, std::map<Day, std::int64_t>>> counts;
    std::int64_t total = 0, channels = 0;
    const auto known = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(waiting.events, recent_.size()));
    for (auto at = recent_.end() - known; at != recent_.end(); ++at)
      if (at->counts) ++counts[at->server][at->channel][at->date], ++total;

    Json details = Json::object();
    for (const auto& [server, of_server] : counts) {
      Json list = Json::object();
      for (const auto& [channel, of_channel] : of_server) {
        Json dates = Json::object();
        for (const auto& [date, count] : of_channel) dates.set(iso8601(date), count);
        list.set(channel.text(), std::move(dates));
        ++channels;
      }
      details.set(server.text(), std::move(list));
    }
    return Json::object({{"totalServers", counts.size()},
                         {"totalChannels", channels},
                         {"totalPendingCounts", total},
                         {"rows", waiting.rows},
                         {"details", details}});
  }

  static constexpr std::size_t kRecent = 50'000, kTopChannels = 5;
  static constexpr int kDaysMax = 90;
  static constexpr auto kTextChannels = {ChannelType::Text,  ChannelType::Voice,         ChannelType::News,
                                         ChannelType::Stage, ChannelType::NewsThread,    ChannelType::PublicThread,
                                         ChannelType::Forum, ChannelType::PrivateThread, ChannelType::Media};

  Table<MessageCount> messages_;
  Table<UserCount> users_;
  Tracked tracked_;
  std::deque<Counted> recent_;
  int hour_ = 0;
  bool logging_ = false, threads_count_for_parent_ = false;
};

}  // namespace

TRELLIS_PLUGIN(MessageCounter, "message_counter", "1.0.0")
