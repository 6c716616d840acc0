#include <any>
#include <memory>
#include <regex>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Greeted {
  GuildId guild_id;
  UserId user_id;
  std::int64_t times = 0;
  static constexpr auto columns = trellis::columns(key<&Greeted::guild_id, &Greeted::user_id>, sum<&Greeted::times>);
};

class Greeter final : public Plugin {
 public:
  explicit Greeter(Setup& setup)
      : greeted_(setup.table<Greeted>("greeted")), word_(setup.asset("words/greeting.txt")), pattern_("w+") {
    setup.on(this, &Greeter::message).guilds_only().no_bots();
    setup.method("greeted", this, &Greeter::greeted, param("guild"), param("user"));
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    greeted_.put(work, {message.guild_id(), message.user_id(), 1});
    // What makes unique symbols with g++: the library must be unloadable all the same.
    shared_ = std::make_shared<std::any>(std::regex_match("www", pattern_));
  }
  Json greeted(Request& request, GuildId guild, UserId user) {
    const Greeted* row = greeted_.find(request, guild, user);
    return Json::object({{"word", word_}, {"times", row ? row->times : 0}});
  }
  Table<Greeted> greeted_;
  std::string_view word_;
  std::regex pattern_;
  std::shared_ptr<std::any> shared_;
};

}  // namespace

TRELLIS_PLUGIN(Greeter, "greeter", "0.1.0")
