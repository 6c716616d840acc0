// A plugin to read, load and unload. SAMPLE_* make variants of it.
#include <trellis/plugin.hpp>

#ifdef SAMPLE_PINS
#include <dlfcn.h>
#endif
#ifndef SAMPLE_ID
#define SAMPLE_ID "sample"
#endif
#ifndef SAMPLE_NEEDS
#define SAMPLE_NEEDS ""
#endif

using namespace trellis;

extern "C" TL_EXPORT tl_status trellis_plugin_v1(const tl_entry_args*, tl_plugin*, char*, uint64_t);

namespace {

struct Total {
  GuildId guild_id;
  std::int64_t messages = 0;
  static constexpr auto columns = trellis::columns(key<&Total::guild_id>, sum<&Total::messages>);
};

class Sample final : public Plugin {
 public:
  explicit Sample(Setup& setup) : totals_(setup.table<Total>("totals")) {
    setup.on(this, &Sample::message).guilds_only();
    setup.method("version", this, &Sample::version);
#ifdef SAMPLE_LINGERS
    setup.method("linger", this, &Sample::linger);
#endif
#ifdef SAMPLE_COMMAND
    setup.command(SAMPLE_COMMAND, "Nothing much", [](Command&) { return "done"; });
#endif
#ifdef SAMPLE_KEEPS
    setup.needs(Keep::SAMPLE_KEEPS);
#endif
#ifdef SAMPLE_FAILS_TO_START
    setup.on_start(this, &Sample::start);
#endif
#ifdef SAMPLE_SETTING
    setup.settings().get(SAMPLE_SETTING, 0);
#endif
#ifdef SAMPLE_PINS  // opens itself, and never lets go
    Dl_info where;
    if (dladdr(reinterpret_cast<void*>(trellis_plugin_v1), &where)) dlopen(where.dli_fname, RTLD_NOW);
#endif
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    totals_.put(work, {message.guild_id(), 1});
#ifdef SAMPLE_THROWS
    throw std::runtime_error("this build can do nothing");
#endif
  }
#ifdef SAMPLE_LINGERS
  Json linger(Request& request) {
    request.sleep(std::chrono::seconds(1));
    return Json::object({});
  }
#endif
#ifdef SAMPLE_FAILS_TO_START
  void start(JobRun&) { throw std::runtime_error("the cellar is flooded"); }
#endif
  Json version(Request&) { return Json::object({{"version", SAMPLE_VERSION}}); }
  Table<Total> totals_;
};

}  // namespace

TRELLIS_PLUGIN(Sample, SAMPLE_ID, SAMPLE_VERSION, SAMPLE_NEEDS)
