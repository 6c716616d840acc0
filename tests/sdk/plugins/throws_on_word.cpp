// Counts messages, and misbehaves on some words: "boom" throws after staging, "crash" ends the process, "hang" sleeps
// (with hang_until: until that file is there).
#include <cstdlib>
#include <fstream>
#include <thread>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Counted {
  GuildId guild_id;
  std::int64_t messages = 0;
  static constexpr auto columns = trellis::columns(key<&Counted::guild_id>, sum<&Counted::messages>);
};

class ThrowsOnWord final : public Plugin {
 public:
  explicit ThrowsOnWord(Setup& setup) : counted_(setup.table<Counted>("counted")) {
    word_ = setup.settings().get("word", "boom");
    hang_until_ = setup.settings().get("hang_until", "");
    hang_for_ = setup.settings().get("hang_for", Duration{2s});
    setup.needs(Intent::MessageContent);
    setup.on(this, &ThrowsOnWord::message).guilds_only();
    setup.method("count", this, &ThrowsOnWord::count);
    setup.method("fail", this, &ThrowsOnWord::fail, param("text"));
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    counted_.edit(work, message.guild_id()).messages += 1;
    if (message.content() == word_) throw std::runtime_error("found the word \"" + word_ + "\"");
    if (message.content() == "crash") std::abort();
    if (message.content() == "hang") hang();
  }
  void hang() const {
    if (hang_until_.empty()) std::this_thread::sleep_for(hang_for_);
    while (!hang_until_.empty() && !std::ifstream(hang_until_).good()) std::this_thread::sleep_for(10ms);
  }
  Json count(Request& request) {
    return Json::object(
        {{"messages", request.query<std::int64_t>("SELECT coalesce(sum(messages), 0) FROM counted").one()}});
  }
  void fail(Request&, std::string text) { throw Refused(text); }

  Table<Counted> counted_;
  std::string word_, hang_until_;
  Duration hang_for_{};
};

}  // namespace

TRELLIS_PLUGIN(ThrowsOnWord, "throws_on_word", "1.0.0")
