// Has the host keep the members that Discord shows.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

class Roster final : public Plugin {
 public:
  explicit Roster(Setup& setup) {
    setup.needs(Intent::GuildMembers);
    setup.needs(Intent::GuildPresences);  // without it Discord shows only the bot and who is in voice
    setup.needs(Keep::Members);
    setup.on([](const MessageCreate&, Work&) {});
  }
};

}  // namespace

TRELLIS_PLUGIN(Roster, "roster", "1.0.0")
