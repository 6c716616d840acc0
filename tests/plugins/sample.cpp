// A plugin to read, load and unload.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Total {
  GuildId guild_id;
  std::int64_t messages = 0;
  static constexpr auto columns = trellis::columns(key<&Total::guild_id>, sum<&Total::messages>);
};

class Sample final : public Plugin {
 public:
  explicit Sample(Setup& setup) : totals_(setup.table<Total>("totals")) {
    setup.on([this](const MessageCreate& message, Work& work) {
           totals_.put(work, {message.guild_id(), 1});
         })
        .guilds_only();
    setup.method("version", this, &Sample::version);
  }

 private:
  Json version(Request&) { return Json::object({{"version", SAMPLE_VERSION}}); }
  Table<Total> totals_;
};

}  // namespace

TRELLIS_PLUGIN(Sample, "sample", SAMPLE_VERSION)
