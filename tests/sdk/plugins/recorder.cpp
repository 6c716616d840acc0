// Writes down every event it is given, so that a test sees what is missing, double or in the wrong order:
// recorded: a row for each event, appended, n in the order of writing, seen counting within an instance, handled_us by
// the clock that nobody sets (microseconds since the machine started);
// positions: the same, merged by (shard, position); times is 1 for each if nothing came twice.
// Settings: types, a list of event names; delay, how long each takes; throw_every, each event fails whose position is a
// multiple of it; hold, a file whose appearance ends "hang".
// TRELLIS_GAP is also noted in gaps, where times is 1 for each if none was told twice.
// With obeys = true a message "poison" makes the handler throw, "hang" holds it up, "crash" ends the process; all after
// staging.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

struct Recorded {
  std::int64_t shard = 0, position = 0;
  std::string type;
  MessageId id;
  GuildId guild_id;
  ChannelId channel_id;
  std::int64_t seen = 0, handled_us = 0;
  static constexpr auto columns =
      trellis::columns(column<&Recorded::shard, &Recorded::position, &Recorded::type, &Recorded::id,
                              &Recorded::guild_id, &Recorded::channel_id, &Recorded::seen, &Recorded::handled_us>);
};

struct Position {
  std::int64_t shard = 0, position = 0, times = 0;
  static constexpr auto columns = trellis::columns(key<&Position::shard, &Position::position>, sum<&Position::times>);
};

struct GapRow {
  std::int64_t shard = 0;
  std::string from_position, to_position, cause;  // positions as "epoch:seq"
  std::int64_t times = 0;
  static constexpr auto columns = trellis::columns(key<&GapRow::shard, &GapRow::from_position, &GapRow::to_position>,
                                                   column<&GapRow::cause>, sum<&GapRow::times>);
};

#ifdef RECORDER_FAILS_AFTER
// A build that is well at first: counted from when the library was loaded.
const auto loaded_at = std::chrono::steady_clock::now();
bool worn_out() { return std::chrono::steady_clock::now() - loaded_at > RECORDER_FAILS_AFTER; }
#else
constexpr bool worn_out() { return false; }
#endif

class Recorder final : public Plugin {
 public:
  explicit Recorder(Setup& setup)
      : recorded_(setup.table<Recorded>("recorded")),
        positions_(setup.table<Position>("positions")),
        gaps_(setup.table<GapRow>("gaps")) {
    const Settings settings = setup.settings();
    delay_ = settings.get("delay", Duration{0});
    throw_every_ = settings.get("throw_every", std::int64_t{0});
    obeys_ = settings.get("obeys", false);
    hold_ = settings.get("hold", "");
    auto types = settings.values<std::string>("types");
    if (types.empty())
      types = {"MESSAGE_CREATE",       "MESSAGE_UPDATE",     "MESSAGE_DELETE", "GUILD_CREATE",     "GUILD_UPDATE",
               "GUILD_DELETE",         "CHANNEL_CREATE",     "CHANNEL_UPDATE", "CHANNEL_DELETE",   "THREAD_CREATE",
               "MESSAGE_REACTION_ADD", "VOICE_STATE_UPDATE", "TRELLIS_GAP",    "TRELLIS_CAUGHT_UP"};
    for (const std::string& type : types) setup.on(type, this, &Recorder::record);
    setup.method("count", this, &Recorder::count);
  }

 private:
  void record(const Event& event, Work& work) {
    if (delay_ > Duration::zero()) std::this_thread::sleep_for(delay_);
    const auto shard = static_cast<std::int64_t>(event.shard());
    const auto position = static_cast<std::int64_t>(event.position());
    recorded_.put(work, {shard, position, std::string(event.event_name()), event.json()["id"].id<MessageTag>(),
                         event.guild_id(), event.channel_id(), ++seen_, now_us()});
    positions_.put(work, {shard, position, 1});
    if (event.event_name() == Gap::name) note_gap(shard, event.json(), work);
    misbehave(position, event.json()["content"].text());
  }

  void note_gap(std::int64_t shard, const JsonView& gap, Work& work) {
    const auto text = [&](const char* name) { return std::string(gap[name].text()); };
    gaps_.put(work, {shard, text("from_position"), text("to_position"), text("cause"), 1});
  }

  void misbehave(std::int64_t position, std::string_view content) const {
    if (worn_out()) throw std::runtime_error("this build is worn out");
    if (throw_every_ > 0 && position % throw_every_ == 0) throw std::runtime_error("this handler fails now and then");
    if (!obeys_) return;
    if (content == "poison") throw std::runtime_error("this message is poison");
    while (content == "hang" && !std::filesystem::exists(hold_)) std::this_thread::sleep_for(10ms);
    if (content == "crash") crash();
  }
  static void crash() {
#ifdef TRELLIS_ASAN  // it would report a SIGSEGV as a bug of ours
    std::raise(SIGABRT);
#else
    std::raise(SIGSEGV);
#endif
  }

  static std::int64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  }

  Json count(Request& request) {
    const auto rows = request.query<std::int64_t>("SELECT count(*) FROM recorded").one();
    const auto [distinct, doubled] =
        request
            .query<std::int64_t, std::int64_t>(
                "SELECT count(*), coalesce(sum(CASE WHEN times > 1 THEN 1 ELSE 0 END), 0) FROM positions")
            .one();
    const auto misordered = request
                                .query<std::int64_t>(
                                    "SELECT count(*) FROM (SELECT position, lag(position) OVER (PARTITION BY shard"
                                    " ORDER BY n) AS before FROM recorded) ordered WHERE before >= position")
                                .one();
    return Json::object({{"rows", rows}, {"distinct", distinct}, {"doubled", doubled}, {"misordered", misordered}});
  }

  Table<Recorded> recorded_;
  Table<Position> positions_;
  Table<GapRow> gaps_;
  Duration delay_{};
  std::int64_t throw_every_ = 0;
  bool obeys_ = false;
  std::string hold_;
  std::int64_t seen_ = 0;
};

}  // namespace

#ifndef RECORDER_ID
#define RECORDER_ID "recorder"
#endif
TRELLIS_PLUGIN(Recorder, RECORDER_ID, "1.0.0")
