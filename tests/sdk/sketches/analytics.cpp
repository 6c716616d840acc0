// Append-only tables, two dialects, one function as route and method, a stream: compiled only.
#include <set>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct MessageRow {
  MessageId id;
  GuildId guild_id;
  UserId user_id;
  bool has_attachment = false;
  std::int64_t character_count = 0;
  Time created_at;
  static constexpr auto columns =
      trellis::columns(column<&MessageRow::id, &MessageRow::guild_id, &MessageRow::user_id, &MessageRow::has_attachment,
                              &MessageRow::character_count, &MessageRow::created_at>);
};
struct Session {
  GuildId guild_id;
  UserId user_id;
  ChannelId channel_id;
  Time since;
  static constexpr auto columns =
      trellis::columns(key<&Session::guild_id, &Session::user_id>, column<&Session::channel_id, &Session::since>);
};

constexpr Sql kHeatmap{
    "SELECT extract(hour FROM created_at)::int, count(*) FROM message_events WHERE created_at >= $1 GROUP BY 1",
    "SELECT CAST(strftime('%H', created_at) AS INTEGER), count(*) FROM message_events WHERE created_at >= $1 GROUP BY "
    "1"};

class Analytics final : public Plugin {
 public:
  explicit Analytics(Setup& setup)
      : messages_(setup.table<MessageRow>("message_events")),
        open_(setup.table<Session>("open_sessions")),
        keep_(std::chrono::days{setup.settings().get("retentionDays", 365, 1, 3650)}) {
    setup.needs(Intent::MessageContent);
    setup.needs(Intent::GuildPresences);
    setup.on(this, &Analytics::message).guilds_only().no_bots();
    setup.on(this, &Analytics::server_came);
    setup.on([](const PresenceUpdate& event, Work& work) {
      work.log().debug("presence", {{"status", event.status()}, {"activity", event.activity_name()}});
    });
    setup.route("GET /guilds/{guild}/leaderboard", this, &Analytics::leaderboard, param("guild"), param("days").min(1));
    setup.method("leaderboard", this, &Analytics::leaderboard, param("guild"), param("days"));
    setup.route("GET /messages.csv", this, &Analytics::export_csv, param("from")).open();
    setup.job("retention", cron("15 3 * * *"), this, &Analytics::forget_old).run_missed().timeout(1h);
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    messages_.put(work, {.id = message.id(),
                         .guild_id = message.guild_id(),
                         .user_id = message.user_id(),
                         .has_attachment = !message.attachments().empty(),
                         .character_count = static_cast<std::int64_t>(message.content().size()),
                         .created_at = message.time()});
  }
  void server_came(const GuildCreate& event, Work& work) {
    std::set<UserId> here;
    for (const VoiceState& state : event.voice_states()) here.insert(state.user_id);
    for (const Session& session :
         work.sql<Session>("SELECT * FROM open_sessions WHERE guild_id = $1", event.guild_id()))
      if (!here.contains(session.user_id)) open_.erase(work, session.guild_id, session.user_id);
  }
  Json leaderboard(Request& request, GuildId guild, std::optional<int> days) {
    Json list = Json::array();
    for (auto [user, count] : request.query<UserId, std::int64_t>(
             "SELECT user_id, count(*) FROM message_events WHERE guild_id = $1 AND created_at >= $2 GROUP BY user_id",
             guild, request.now() - std::chrono::days{days.value_or(30)}))
      list.push(Json::object({{"userId", user}, {"value", count}}));
    for (auto [hour, count] : request.query<int, std::int64_t>(kHeatmap, request.now() - 24h)) list.push(hour + count);
    return list;
  }
  void export_csv(HttpRequest& http, std::optional<Day> from) {
    auto out = http.stream("text/csv", "messages.csv");
    std::string chunk;
    for (auto [id, user, at] : http.query<MessageId, std::string_view, Time>(
             "SELECT id, user_id, created_at FROM message_events WHERE created_at >= $1", from.value_or(Day{}))) {
      chunk.append(id.text()).append(",").append(user).append(",").append(iso8601(at)).append("\r\n");
      if (chunk.size() < 64 * 1024) continue;
      out.write(chunk);
      chunk.clear();
    }
    out.write(chunk);
  }
  void forget_old(JobRun& run) {
    while (
        run.execute(
            "DELETE FROM message_events WHERE id IN (SELECT id FROM message_events WHERE created_at < $1 LIMIT 5000)",
            run.due() - keep_) > 0)
      run.commit();
  }

  Table<MessageRow> messages_;
  Table<Session> open_;
  std::chrono::days keep_;
};

}  // namespace

TRELLIS_PLUGIN(Analytics, "analytics", "1.0.0")
