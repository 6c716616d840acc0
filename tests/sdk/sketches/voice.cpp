// Voice states, key-values, webhooks and queues, a job, components: compiled only.
#include <algorithm>
#include <trellis/plugin.hpp>
#include <unordered_map>

using namespace trellis;

namespace {

struct Presence {
  GuildId guild_id;
  UserId user_id;
  ChannelId channel_id;
  std::string username;
  Time since;
  static constexpr auto columns =
      trellis::columns(key<&Presence::guild_id, &Presence::user_id>,
                       column<&Presence::channel_id, &Presence::username, &Presence::since>);
};

class Voice final : public Plugin {
 public:
  explicit Voice(Setup& setup)
      : presences_(setup.table<Presence>("presences")),
        told_(setup.counter("told_total", "Notifications", {"channel"})),
        took_(setup.histogram("check_seconds", "How long a check takes")) {
    const Settings settings = setup.settings();
    settings.warn_unknown();
    for (const Settings& channel : settings.list("channels"))
      for (const auto& url : channel.section("webhooks").values<std::string>("new_user"))
        hooks_[channel.require<ChannelId>("channel_id")].push_back(url);
    setup.needs(Keep::VoiceStates);
    setup.on_start(this, &Voice::start);
    setup.on(this, &Voice::moved);
    setup.on(this, &Voice::server_came);
    setup.job("check", every(settings.get("interval", Duration{10s}, Duration{1s}, Duration{1h})), this, &Voice::check);
    setup.command("voice now", "Who is there", this, &Voice::now).guilds_only().ephemeral();
    setup.command("voice test", "Test a channel", this, &Voice::test, param("channel", "Which one"))
        .needs(Permission::ManageGuild);
    again_ = setup.component("again", this, &Voice::pressed);
    form_ = setup.form("watch", "Watch a channel", this, &Voice::filled_in, param("queue").max(50).paragraph());
  }

 private:
  void start(Request& request) {
    for (const auto& [name, value] : request.kv().all("watch/"))
      hooks_[*ChannelId::parse(name.substr(6))].emplace_back(value["url"].text());
    if (auto text = request.call(redis::get("state"))) request.kv().set("state", Json::parse(*text));
  }
  void moved(const VoiceStateUpdate& event, Work& work) {
    const VoiceState state = event.state();
    Presence& was = presences_.edit(work, state.guild_id, state.user_id);
    if (std::exchange(was.channel_id, state.channel_id) == state.channel_id) return;
    was.since = event.time();
    was.username = state.username;
    for (const auto& url : hooks_[state.channel_id]) work.send(http::get(url).timeout(15s));
    work.send(redis::rpush("queue", Json::object({{"version", 1}, {"at", work.now()}}).dump()));
    told_.add(1, state.channel_id);
  }
  void server_came(const GuildCreate& event, Work& work) {
    std::unordered_map<ChannelId, std::size_t> now;
    for (const VoiceState& state : event.voice_states()) ++now[state.channel_id];
    for (const Channel& channel : event.channels()) work.kv().set(channel.id.text(), now[channel.id], 24h);
  }
  void check(JobRun& run) {
    const auto timer = took_.time();
    for (const auto& [channel, urls] : hooks_)
      if (run.cache().voice_states(channel).empty()) run.send(http::get(urls.front()).give_up_after(15s));
  }
  Message now(Command& command) {
    Embed embed;
    for (const Channel& channel : command.cache().channels(command.guild_id()))
      embed.field(channel.name, std::to_string(command.cache().voice_states(channel.id).size()));
    return Message().embed(embed.title("Voice")).button("Again", again_, "x", Style::Danger);
  }
  Answer test(Command& command, ChannelId channel) {
    const auto found = hooks_.find(channel);
    if (found == hooks_.end()) throw Refused("That channel is not watched.");
    const std::vector<std::string> urls = found->second;  // ours: hooks_ may change while we wait
    std::string report;
    for (const auto& url : urls) try {
        report += std::to_string(command.call(http::get(url).timeout(5s)).status);
      } catch (const Error& error) {
        report += error.what();
      }
    return report.empty() ? Answer("None.") : Answer(report);
  }
  Answer pressed(Interaction& press) { return form_.open(press.data()); }
  Answer filled_in(Interaction& form, std::string queue) {
    form.reply(Message("Working on it.").ephemeral());
    form.kv().set("watch/" + form.channel_id().text(), Json::object({{"queue", queue}}));
    return "Watching.";
  }

  Table<Presence> presences_;
  Counter told_;
  Histogram took_;
  std::unordered_map<ChannelId, std::vector<std::string>> hooks_;
  Component again_;
  Form form_;
};

}  // namespace

TRELLIS_PLUGIN(Voice, "voice", "1.0.0")
