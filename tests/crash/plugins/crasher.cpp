// Counts messages, and ends the process on some words: "abort", "segfault", "overflow" (the stack), "thread" (on a
// thread of its own), "once" (unless the file `mark` is there; it makes it); "hang" makes that file and
// sleeps for long. With start = true
// on_start ends it too, and so does the job "crashing". Methods: "crash", "start" (a run of the job).
#include <chrono>
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

int recurse(int depth) {  // for ever, and not by a jump
  volatile char frame[4096] = {};
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

class Crasher final : public Plugin {
 public:
  explicit Crasher(Setup& setup) : counted_(setup.table<Counted>("counted")) {
    mark_ = setup.settings().get("mark", "");
    start_ = setup.settings().get("start", false);
    setup.needs(Intent::MessageContent);
    setup.on(this, &Crasher::message).guilds_only();
    setup.method("crash", this, &Crasher::crash);
    setup.method("start", this, &Crasher::start);
    crashing_ = setup.job("crashing", on_demand(), this, &Crasher::run);
    setup.on_start(this, &Crasher::begin);
  }

 private:
  void message(const MessageCreate& message, Work& work) {
    counted_.edit(work, message.guild_id()).messages += 1;
    const auto word = message.content();
    if (word == "abort") std::abort();
    if (word == "segfault") *nowhere_ = 1;
    if (word == "overflow") recurse(0);
    if (word == "thread") std::thread([] { std::abort(); }).join();
    if (word == "hang") {
      std::ofstream(mark_) << "hangs\n";
      std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (word == "once" && !std::ifstream(mark_).good()) {
      std::ofstream(mark_) << "crashed\n";
      std::abort();
    }
  }
  void crash(Request&) { std::abort(); }
  void start(Request& request) { crashing_.start(request, "key"); }
  void run(JobRun&) { std::abort(); }
  void begin(Request&) {
    if (start_) std::abort();
  }

  Table<Counted> counted_;
  Job crashing_;
  std::string mark_;
  bool start_ = false;
  volatile int* volatile nowhere_ = nullptr;
};

}  // namespace

TRELLIS_PLUGIN(Crasher, "crasher", "1.0.0")
