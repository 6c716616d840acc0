// Counts who says hello. The smallest plugin with a table.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct HelloCount {
  GuildId guild_id;
  UserId user_id;
  std::int64_t hellos = 0;
  static constexpr auto columns =
      trellis::columns(key<&HelloCount::guild_id, &HelloCount::user_id>, sum<&HelloCount::hellos>);
};

class Hello final : public Plugin {
 public:
  explicit Hello(Setup& setup) : counts_(setup.table<HelloCount>("hello_counts")) {
    setup.needs(Intent::MessageContent);
    setup.on(this, &Hello::message).guilds_only().no_bots();
    setup.method("hellos", this, &Hello::hellos, param("guild", "A server; all of them if left out"));
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    if (message.content() == "hello") counts_.put(work, {message.guild_id(), message.user_id(), 1});
  }

  Json hellos(Request& request, std::optional<GuildId> guild) {
    const auto [count, people] = request
                                     .query<std::int64_t, std::int64_t>(
                                         "SELECT coalesce(sum(hellos), 0), count(DISTINCT user_id) FROM hello_counts"
                                         " WHERE guild_id = coalesce($1, guild_id)",
                                         guild)
                                     .one();
    return Json::object({{"hellos", count}, {"people", people}});
  }

  Table<HelloCount> counts_;
};

}  // namespace

TRELLIS_PLUGIN(Hello, "hello", "1.0.0")
