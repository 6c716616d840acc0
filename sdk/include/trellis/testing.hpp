// A host in a test: real lanes, journal and SQLite, a clock of your own, a made-up server, no Discord.
//
//   #include <trellis/testing.hpp>
//   #include "leveling.cpp"
//
//   auto host = trellis::testing::host<Leveling>(R"({"cooldown": 60})");
//   host.message(ada, trellis::testing::kGeneral, "one").advance(61s).message(ada, trellis::testing::kGeneral, "two");
//   assert(host.query<std::int64_t>("SELECT total_messages FROM levels").one() == 2);
//
// Link Trellis::testing (trellis_add_plugin_test does) and embed the plugin's migrations in the test.
#pragma once
#include <trellis/testing_abi.h>

#include <functional>
#include <memory>
#include <string>
#include <trellis/plugin.hpp>
#include <utility>
#include <vector>

namespace trellis::testing {

/// The made-up server. Users may have any id; message() and join_voice() make up what is missing.
inline constexpr GuildId kServer{1};
inline constexpr UserId kBot{2}, kOwner{7};
inline constexpr ChannelId kGeneral{100}, kRandom{101};  // text
inline constexpr ChannelId kLounge{200}, kStage{201};    // voice
inline constexpr ChannelId kThread{300};                 // a thread of kGeneral

/// A handler failed, or the host cannot do what the test asks for.
class Failure : public Error {
 public:
  using Error::Error;
};

/// What becomes of uncommitted work at a restart.
enum class Restart {
  Lose = TRELLIS_TESTING_LOSE,     // as a crash: it is done again
  Commit = TRELLIS_TESTING_COMMIT  // it is committed before: the new instance begins behind it
};

/// One plugin in a host. Whatever a handler throws comes out of the call that made it run: as Error (Refused) from
/// method(), as Failure from everything else. Not for several threads at once.
class Host {
 public:
  template <class P>
  explicit Host(std::type_identity<P>, std::string_view settings = "{}")
      : Host(&detail::create<P>, settings, 0, Restart::Lose) {}
  Host(Host&&) noexcept = default;
  Host& operator=(Host&&) noexcept = default;

  // ---- steps ----

  /// As Discord would send it; the JSON is the dispatch's "d". Ids are strings there.
  Host& event(std::string_view name, const Json& data) {
    const std::string text = data.dump();
    return done(trellis_testing_event(handle(), detail::str(name), detail::str(text)));
  }
  /// In the server that the channel belongs to, else in kServer. The content is empty, as Discord would have it, when
  /// the plugin does not ask for Intent::MessageContent.
  Host& message(UserId user, ChannelId channel, std::string_view content) {
    return done(trellis_testing_message(handle(), user.value(), channel.value(), detail::str(content)));
  }
  Host& join_voice(UserId user, ChannelId channel) {
    return done(trellis_testing_voice(handle(), user.value(), channel.value()));
  }
  Host& leave_voice(UserId user) { return done(trellis_testing_voice(handle(), user.value(), 0)); }
  /// Asks a method of the plugin. Time goes on by itself when it sleeps. Throws what it threw.
  Json method(std::string_view name, const Json& args = Json::object()) {
    const std::string text = args.dump();
    tl_str answer{};
    const tl_status status = trellis_testing_method(handle(), detail::str(name), detail::str(text), &answer);
    if (status == TL_REFUSED) throw Refused(error());
    if (status < 0) throw Error(detail::code_of(status), error());
    return Json::parse(detail::view(answer));
  }
  /// The clock goes on: due jobs run, at their times; sleeping ones wake up. advance(0s) runs what is due now.
  Host& advance(Duration time) { return done(trellis_testing_advance(handle(), time.count())); }

  // ---- restarts ----

  /// The host ends without warning and starts again, `away` later: what it missed meanwhile it has missed.
  Host& restart(Duration away = {}, Restart how = Restart::Lose) {
    return done(trellis_testing_restart(handle(), static_cast<std::uint32_t>(how), away.count()));
  }
  /// Runs a scenario on fresh hosts with this one's plugin and settings: once as it is, then again with a restart after
  /// each step in turn (steps of jobs too), with and without losing what is not committed. So it must not depend on
  /// what happened to this host, and use its parameter alone.
  Host& everywhere(const std::function<void(Host&)>& scenario) {
    std::uint64_t steps = 0;
    {
      Host host(entry_, settings_, 0, Restart::Lose);
      scenario(host);
      steps = trellis_testing_steps(host.handle());
    }
    for (const Restart how : {Restart::Commit, Restart::Lose})
      for (std::uint64_t step = 1; step <= steps; ++step) {
        Host host(entry_, settings_, step, how);
        try {
          scenario(host);
        } catch (const std::exception& error) {
          throw Failure(Code::Failed, host.restarted() + ": " + error.what());
        }
      }
    return *this;
  }
  /// Inside everywhere(): where this pass restarted ("restarted after step 3 (message), …"), for a test's messages.
  std::string restarted() const { return std::string(detail::view(trellis_testing_restarted(handle()))); }

  // ---- looking ----

  Time now() const { return Time{Duration{trellis_testing_now_us(handle())}}; }
  /// Commits what is staged, then reads. In memory until the next query.
  template <class... T, class... A>
  Rows<T...> query(const Sql& statement, const A&... arguments) {
    const detail::Arguments<sizeof...(A)> values(arguments...);
    tl_id rows = 0;
    done(trellis_testing_query(handle(), detail::str(statement.text(false)), values.raw.data(), sizeof...(A), &rows));
    return Rows<T...>(detail::Turn{tables_.get(), static_cast<tl_turn>(reinterpret_cast<std::uintptr_t>(handle()))},
                      rows);
  }
  /// The plugin's log lines since the host was made: "info: snapshot taken date=2024-01-15 servers=1".
  /// Fields that the host adds (event, job) come after the plugin's.
  std::vector<std::string> log() const {
    std::vector<std::string> lines;
    tl_str line{};
    for (std::uint64_t n = 0; trellis_testing_log(handle(), n, &line) == TL_OK; ++n)
      lines.emplace_back(detail::view(line));
    return lines;
  }

  // ---- what this version of the host does not serve yet: each throws Failure ----

  [[noreturn]] std::string command(UserId, std::string_view) { not_served("commands"); }
  [[noreturn]] http::Response get(std::string_view) { not_served("HTTP routes"); }
  [[noreturn]] std::vector<Json> outbox() { not_served("effects (work.send)"); }
  [[noreturn]] Host& on_rest(std::string_view, const std::function<Json(const Json&)>&) {
    not_served("operations of Discord's (request.call)");
  }

 private:
  using Entry = decltype(trellis_testing_options::entry);

  Host(Entry entry, std::string_view settings, std::uint64_t restart_after, Restart how)
      : entry_(entry), settings_(settings), tables_(std::make_unique<detail::Instance>()) {
    trellis_testing_options options{};
    options.size = sizeof options;
    options.restart_how = static_cast<std::uint32_t>(how);
    options.restart_after = restart_after;
    options.settings = detail::str(settings_);
    options.entry = entry;
    trellis_testing_host* host = nullptr;
    done(trellis_testing_open(&options, &host));
    host_.reset(host);
    tables_->rows = trellis_testing_rows();
    tables_->core = trellis_testing_core();
    detail::json_table.store(trellis_testing_json(), std::memory_order_relaxed);
  }

  struct Close {
    void operator()(trellis_testing_host* host) const { trellis_testing_close(host); }
  };

  trellis_testing_host* handle() const {
    if (!host_) throw Failure(Code::Invalid, "this test host was moved from");
    return host_.get();
  }
  static std::string error() { return std::string(detail::view(trellis_testing_error())); }
  Host& done(tl_status status) {
    if (status < 0) throw Failure(detail::code_of(status), error());
    return *this;
  }
  [[noreturn]] static void not_served(const char* what) {
    throw Failure(Code::Unavailable, std::string("this host does not serve ") + what + " yet");
  }

  Entry entry_ = nullptr;
  std::string settings_;
  std::unique_ptr<detail::Instance> tables_;  // what Rows needs of one
  std::unique_ptr<trellis_testing_host, Close> host_;
};

/// A host with this plugin, started: it was told of the made-up server. At first it is 2024-01-15 12:00 UTC.
template <class P>
Host host(std::string_view settings = "{}") {
  return Host(std::type_identity<P>{}, settings);
}

}  // namespace trellis::testing
