// Tells what the host knows of the servers.
#include <algorithm>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Directory final : public Plugin {
 public:
  explicit Directory(Setup& setup) {
    setup.needs(Keep::VoiceStates);
    setup.on([](const MessageCreate&, Work&) {});
    setup.method("servers", this, &Directory::servers);
  }

 private:
  Json servers(Request& request) {
    const Cache cache = request.cache();
    Json list = Json::array();
    for (const Guild& guild : cache.guilds()) {
      Json channels = Json::array(), roles = Json::array();
      for (const Channel& channel : cache.channels(guild.id)) {
        const auto bits = cache.permissions(channel.id);
        channels.push(Json::object({{"id", channel.id},
                                    {"name", channel.name},
                                    {"may", bits ? Json(static_cast<std::int64_t>(*bits)) : Json()}}));
      }
      for (const Role& role : cache.roles(guild.id)) roles.push(Json(role.id));
      list.push(Json::object({{"id", guild.id},
                              {"name", guild.name},
                              {"members", guild.member_count},
                              {"known", !guild.unavailable},
                              {"voice", guild.voice_states_known},
                              {"me", cache.me(guild.id).has_value()},
                              {"channels", channels},
                              {"roles", roles}}));
    }
    return list;
  }
};

}  // namespace

TRELLIS_PLUGIN(Directory, "directory", "1.0.0")
