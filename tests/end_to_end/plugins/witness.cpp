// Notes what it is told of servers and channels, with what the cache says of them at that moment. With content = true
// it asks for the content of messages, too; with presences = true for presences.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Witness final : public Plugin {
 public:
  explicit Witness(Setup& setup) {
    const Settings settings = setup.settings();
    if (settings.get("content", false)) setup.needs(Intent::MessageContent);
    if (settings.get("presences", false)) setup.needs(Intent::GuildPresences);
    setup.on(this, &Witness::guild_came);
    setup.on(this, &Witness::guild_went);
    setup.on(this, &Witness::channel_changed);
    setup.on(this, &Witness::caught_up);
    if (settings.get("messages", false)) setup.on(this, &Witness::message);
    setup.method("seen", this, &Witness::seen);
  }

 private:
  void guild_came(const GuildCreate& event, Work& work) {
    note(event.is_new() ? "added" : "there", event.guild_id(), work);
  }
  void guild_went(const GuildDelete& event, Work& work) {
    note(event.unavailable() ? "outage" : "removed", event.guild_id(), work);
  }
  void channel_changed(const ChannelUpdate& event, Work& work) {
    const auto known = work.cache().channel(event.channel().id);
    lines_.push_back("channel " + std::string(event.channel().name) + " " + std::string(known ? known->name : ""));
  }
  void caught_up(const CaughtUp&, Work&) { lines_.push_back("caught up"); }
  void message(const MessageCreate& event, Work&) { lines_.push_back("message " + std::string(event.content())); }

  /// "outage 123 unavailable 20": what, which, how it is in the cache, how many channels of it are there.
  void note(const char* what, GuildId id, Work& work) {
    const Cache cache = work.cache();
    const auto guild = cache.guild(id);
    const char* is = !guild || guild->gone ? "gone" : guild->unavailable ? "unavailable" : "present";
    std::size_t channels = 0;
    for (const Channel& channel : cache.channels(id)) channels += channel.id.value() != 0;
    lines_.push_back(std::string(what) + " " + std::to_string(id.value()) + " " + is + " " + std::to_string(channels));
  }

  Json seen(Request&) {
    Json list = Json::array();
    for (const std::string& line : lines_) list.push(Json(line));
    return list;
  }

  std::vector<std::string> lines_;
};

}  // namespace

TRELLIS_PLUGIN(Witness, "witness", "1.0.0")
