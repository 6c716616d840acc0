// Parts of rows, JSON settings, long jobs that save their progress, REST pages, HTTP bodies: compiled only.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct ChannelRow {
  ChannelId channel_id;
  GuildId guild_id;
  std::string name;
  static constexpr auto columns =
      trellis::columns(key<&ChannelRow::channel_id>, column<&ChannelRow::guild_id, &ChannelRow::name>);
};
struct Cursor {
  ChannelId channel_id;
  MessageId last_message_id;
  std::int64_t message_count = 0;
  static constexpr auto columns =
      trellis::columns(key<&Cursor::channel_id>, max<&Cursor::last_message_id>, sum<&Cursor::message_count>);
};
struct SettingsRow {
  GuildId guild_id;
  Json settings;
  static constexpr auto columns = trellis::columns(key<&SettingsRow::guild_id>, column<&SettingsRow::settings>);
};

class Sync final : public Plugin {
 public:
  explicit Sync(Setup& setup)
      : channels_(setup.table<ChannelRow>("channels")),
        cursors_(setup.existing<Cursor>("channels")),
        settings_(setup.table<SettingsRow>("settings")) {
    defaults_ = setup.settings().section("defaults").json();
    setup.on([this](const ChannelCreate& event, Work& work) { store(work, event.channel()); });
    setup.on([this](const ChannelDelete& event, Work& work) { scan_.cancel(work, event.channel_id().text()); });
    setup.on([this](const GuildDelete& event, Work& work) {
      if (!event.unavailable()) settings_.erase(work, event.guild_id());
    });
    setup.on(this, &Sync::gap);
    scan_ = setup.job("scan", on_demand(), this, &Sync::scan).at_once(8, 2);
    setup.job("purge", every(30min), this, &Sync::purge).once_per_cluster();
    setup.route("PATCH /guilds/{guild}/settings", this, &Sync::change, param("guild"));
    setup.route("POST /install", this, &Sync::install, param("user"));
    setup.on_start(this, &Sync::start);
  }

 private:
  void start(Request& request) {
    for (const Guild& guild : request.cache().guilds())
      for (const Channel& channel : request.cache().channels(guild.id)) store(request, channel);
  }
  void store(Work& work, const Channel& channel) {
    channels_.put(work, {channel.id, channel.guild_id, std::string(channel.name)});
  }
  void gap(const Gap& gap, Work& work) {
    for (auto [channel, cursor] : work.sql<ChannelId, MessageId>(
             "SELECT channel_id, last_message_id FROM channels WHERE $1 < $2", gap.from(), gap.to()))
      scan_.start(work, channel.text(), Json::object({{"channel", channel}, {"after", cursor}}), work.now() + 10s);
  }
  void scan(JobRun& run) {
    const auto channel = run.args()["channel"].id<ChannelTag>();
    MessageId after = run.progress()["after"].id<MessageTag>();
    for (;;) {
      const auto page = run.call(discord::messages(channel, {.before = {}, .after = after, .limit = 100}));
      if (page->empty()) break;
      std::int64_t seen = 0;
      for (const MessageView& message : *page) {
        after = std::max(after, message.id());
        for (const Attachment& file : message.attachments()) seen += file.content_type.starts_with("video/");
      }
      cursors_.put(run, {channel, after, seen});
      run.save(Json::object({{"after", after}}));
      run.sleep(500ms);
    }
  }
  void purge(JobRun& run) { run.execute("DELETE FROM intents WHERE expires_at <= $1", run.now() - 300s); }
  Json change(HttpRequest& http, GuildId guild) {
    if (http.body().size() > 64 * 1024) throw Refused("Settings are at most 64 KB.");
    SettingsRow& row = settings_.edit(http, guild);
    row.settings.merge(Json(http.json()));
    return row.settings;
  }
  HttpAnswer install(HttpRequest& http, UserId user) {
    const std::string state = secret_token();
    http.execute("INSERT INTO intents (state, user_id, expires_at) VALUES ($1, $2, $3)", state, user, http.now() + 1h);
    return {Json::object({{"state", state}}), 202};
  }

  Table<ChannelRow> channels_;
  Table<Cursor> cursors_;
  Table<SettingsRow> settings_;
  Job scan_;
  Json defaults_;
};

}  // namespace

TRELLIS_PLUGIN(Sync, "sync", "1.0.0")
