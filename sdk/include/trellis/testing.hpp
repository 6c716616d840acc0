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

#include <atomic>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <trellis/plugin.hpp>
#include <trellis/testing_rest.hpp>
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

/// What a person sees of the answer, when all is said. Reads as its text.
class Answered {
 public:
  explicit Answered(Json seen) : seen_(std::move(seen)) {}

  std::string text() const { return std::string(seen_["message"]["content"].text()); }
  operator std::string() const { return text(); }
  bool starts_with(std::string_view begin) const { return text().starts_with(begin); }
  friend bool operator==(const Answered& answer, std::string_view text) { return answer.text() == text; }
  friend std::ostream& operator<<(std::ostream& out, const Answered& answer) { return out << answer.seen_.dump(); }

  /// Only who asked sees it.
  bool ephemeral() const { return (seen_["message"]["flags"].integer() & 64) != 0; }
  /// The host had to ask for patience, after two seconds.
  bool deferred() const { return seen_["deferred"].boolean(); }
  /// The message with the button was changed.
  bool updated() const { return seen_["updated"].boolean(); }
  /// As Discord's API has it, with components and embeds; without members: none was sent.
  JsonView message() const { return seen_["message"]; }
  /// filename, content_type and bytes (their number) of each.
  JsonView files() const { return seen_["files"]; }
  JsonView follow_ups() const { return seen_["follow_ups"]; }
  /// The form that was opened: custom_id, title, components.
  JsonView form() const { return seen_["form"]; }
  JsonView json() const { return seen_; }

 private:
  Json seen_;
};

/// One plugin in a host. Whatever a handler throws comes out of the call that made it run: as Error (Refused) from
/// method(), as Failure from everything else. Not for several threads at once.
class Host {
 public:
  template <class P>
  explicit Host(std::type_identity<P>, std::string_view settings = "{}", RestRoutes rest = {})
      : Host(&detail::create<P>, settings, std::move(rest), 0, Restart::Lose) {}
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
    rest().rethrow();
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
  /// Runs a scenario on fresh hosts with this one's plugin, settings and on_rest(): once as it is, then again with a
  /// restart after each step in turn (steps of jobs too), with and without losing what is not committed. So it must not
  /// depend on what happened to this host, and use its parameter alone.
  Host& everywhere(const std::function<void(Host&)>& scenario) {
    std::uint64_t steps = 0;
    {
      Host host(entry_, settings_, rest().routes, 0, Restart::Lose);
      scenario(host);
      steps = trellis_testing_steps(host.handle());
    }
    for (const Restart how : {Restart::Commit, Restart::Lose})
      for (std::uint64_t step = 1; step <= steps; ++step) {
        Host host(entry_, settings_, rest().routes, step, how);
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

  // ---- Discord, as the plugin finds it. Nothing is sent anywhere. ----

  /// Commits what is staged, then lists what work.send() has brought to the outbox since the host was made, in the
  /// order of the commits: {system, verb, target, body, headers, files, not_before_us}. The body is JSON as Discord
  /// would get it, or null; files have filename, content_type and bytes (their number). Nothing is delivered, so all
  /// stays there, also over restarts.
  std::vector<Json> outbox() {
    tl_str effects{};
    done(trellis_testing_outbox(handle(), &effects));
    const Json all = Json::parse(detail::view(effects));
    std::vector<Json> list;
    for (JsonView one : JsonView(all)) list.emplace_back(one);
    return list;
  }
  /// Answers request.call() of Discord's API from now on, also after restarts; without it such a call throws
  /// Error(Unavailable), which names it:
  ///   host.on_rest("GET /channels/{channel}/messages", [](const RestCall&) { return Json::array(); });
  /// {…} stands for any one part of the path; the newest route that fits is asked. The answer has the status 200 unless
  /// it says more: RestAnswer(Json::object({{"message", "Unknown Channel"}, {"code", 10003}}), 404). It is asked while
  /// the handler waits, and cannot use the host; what it throws, the step throws. What on_start calls is answered by
  /// what host() was given.
  Host& on_rest(std::string_view route, RestHandler answer) {
    handle();
    rest().routes.add(route, std::move(answer));
    return *this;
  }

  // ---- people who use the plugin. What a handler throws comes out: Refused, also for what the host refuses by itself
  // (a permission, a limit, a parameter out of its range); else Failure. Time goes on by itself while a handler sleeps.
  // The owner of the server may everything, others nothing but what `person` says. ----

  struct Person {
    UserId id = kOwner;
    ChannelId channel = kGeneral;
    std::optional<Permission> permissions = {};  // in the channel; none given: all for kOwner, else none
    bool direct = false;                         // in a direct message
    Person() = default;
    Person(UserId user) : id(user) {}
    Person(UserId user, ChannelId where) : id(user), channel(where) {}
  };
  /// "/quest list"; the options by name. An attachment is an object: filename, url, content_type, size.
  Answered command(const Person& person, std::string_view name, const Json& options = Json::object()) {
    return interact(person, {{"command", name}, {"options", options}});
  }
  /// What is suggested while an option of a command is typed; `options` are those given so far.
  std::vector<Suggestion> typing(const Person& person, std::string_view command, std::string_view option,
                                 std::string_view typed, Json options = Json::object()) {
    options.set(option, typed);
    const Answered answer = interact(person, {{"typing", command}, {"option", option}, {"options", options}});
    std::vector<Suggestion> list;
    for (JsonView one : answer.json()["choices"]) list.push_back({std::string(one["name"].text()), Json(one["value"])});
    return list;
  }
  Answered user_command(const Person& person, std::string_view name, UserId target) {
    return interact(person, {{"user_command", name}, {"target", target}});
  }
  Answered message_command(const Person& person, std::string_view name, MessageId target, std::string_view content) {
    return interact(person, {{"message_command", name}, {"target", target}, {"content", content}});
  }
  /// A button, by its component and its data: press(ada, "more", "7").
  Answered press(const Person& person, std::string_view component, std::string_view data = {}) {
    return interact(person, {{"press", std::string(component).append(":").append(data)}});
  }
  Answered select(const Person& person, std::string_view component, const Json& values, std::string_view data = {}) {
    return interact(person, {{"select", std::string(component).append(":").append(data)}, {"values", values}});
  }
  /// A form, as it was opened: submit(ada, "order", {{"dish", "soup"}}, "7"). A box is true or false, an attachment an
  /// object as in command().
  Answered submit(const Person& person, std::string_view form, const Json& fields, std::string_view data = {}) {
    return interact(person, {{"submit", std::string(form).append(":").append(data)}, {"fields", fields}});
  }

  // ---- HTTP routes: this version of the host does not serve them yet; throws Failure ----

  [[noreturn]] http::Response get(std::string_view) {
    throw Failure(Code::Unavailable, "this host does not serve HTTP routes yet");
  }

 private:
  using Entry = decltype(trellis_testing_options::entry);

  /// What the host calls; it stays where it is.
  struct Rest {
    RestRoutes routes;
    std::atomic<bool> asked = false;  // an answer is being made
    std::string body;                 // of the last answer
    std::mutex mutex;                 // of what it threw
    std::exception_ptr thrown;

    static tl_status answer(void* self, const trellis_testing_rest_call* raw,
                            trellis_testing_rest_answer* out) noexcept {
      Rest& rest = *static_cast<Rest*>(self);
      rest.asked = true;
      tl_status status = TL_OK;
      try {
        status = rest.find(*raw, *out);
      } catch (...) {
        std::lock_guard lock(rest.mutex);
        if (!rest.thrown) rest.thrown = std::current_exception();
        static constexpr std::string_view kWhy = "its on_rest() threw";
        out->body = detail::str(kWhy);
        status = TL_FAILED;
      }
      rest.asked = false;
      return status;
    }
    tl_status find(const trellis_testing_rest_call& raw, trellis_testing_rest_answer& out) {
      const std::string_view target = detail::view(raw.target);
      RestCall call;
      call.method = detail::view(raw.method);
      call.path = target.substr(0, target.find('?'));
      if (call.path.size() < target.size()) call.query = target.substr(call.path.size() + 1);
      const RestHandler* handler = routes.find(call.method, call.path);
      if (!handler) return TL_NOT_FOUND;
      if (raw.body.n) call.body = Json::parse(detail::view(raw.body));
      call.reason = detail::view(raw.reason);
      for (std::uint64_t i = 0; i < raw.file_count; ++i)
        call.files.push_back({std::string(detail::view(raw.files[i].name)),
                              std::string(detail::view(raw.files[i].type)),
                              std::string(detail::view(raw.files[i].bytes))});
      const RestAnswer answer = (*handler)(call);
      body = answer.body.is_null() ? std::string() : answer.body.dump();
      out.http = static_cast<std::uint32_t>(answer.status);
      out.body = detail::str(body);
      return TL_OK;
    }
    void rethrow() {
      std::exception_ptr error;
      {
        std::lock_guard lock(mutex);
        error = std::exchange(thrown, nullptr);
      }
      if (error) std::rethrow_exception(error);
    }
  };

  Host(Entry entry, std::string_view settings, RestRoutes routes, std::uint64_t restart_after, Restart how)
      : entry_(entry),
        settings_(settings),
        tables_(std::make_unique<detail::Instance>()),
        host_(nullptr, Close{std::make_unique<Rest>()}) {
    rest().routes = std::move(routes);
    detail::json_table.store(trellis_testing_json(), std::memory_order_relaxed);
    trellis_testing_options options{};
    options.size = sizeof options;
    options.restart_how = static_cast<std::uint32_t>(how);
    options.restart_after = restart_after;
    options.settings = detail::str(settings_);
    options.entry = entry;
    options.rest = &Rest::answer;
    options.rest_self = &rest();
    trellis_testing_host* host = nullptr;
    done(trellis_testing_open(&options, &host));
    host_.reset(host);
    tables_->rows = trellis_testing_rows();
    tables_->core = trellis_testing_core();
  }

  Answered interact(const Person& person, std::initializer_list<std::pair<std::string_view, Json>> what) {
    Json all = Json::object({{"user", person.id}, {"channel", person.channel}, {"dm", person.direct}});
    for (const auto& [key, value] : what) all.set(key, value);
    if (person.permissions) all.set("permissions", std::to_string(static_cast<std::uint64_t>(*person.permissions)));
    const std::string text = all.dump();
    tl_str answer{};
    const tl_status status = trellis_testing_interact(handle(), detail::str(text), &answer);
    rest().rethrow();
    if (status == TL_REFUSED) throw Refused(error());
    done(status);
    return Answered(Json::parse(detail::view(answer)));
  }

  struct Close {
    std::unique_ptr<Rest> rest;  // until the host is closed
    void operator()(trellis_testing_host* host) const { trellis_testing_close(host); }
  };

  trellis_testing_host* handle() const {
    if (!host_) throw Failure(Code::Invalid, "this test host was moved from");
    if (host_.get_deleter().rest->asked)
      throw Failure(Code::Refused, "what on_rest() was given cannot use the host: a handler waits for it");
    return host_.get();
  }
  Rest& rest() { return *host_.get_deleter().rest; }
  static std::string error() { return std::string(detail::view(trellis_testing_error())); }
  Host& done(tl_status status) {
    rest().rethrow();
    if (status < 0) throw Failure(detail::code_of(status), error());
    return *this;
  }

  Entry entry_ = nullptr;
  std::string settings_;
  std::unique_ptr<detail::Instance> tables_;  // what Rows needs of one
  std::unique_ptr<trellis_testing_host, Close> host_;
};

/// A host with this plugin, started: it was told of the made-up server. At first it is 2024-01-15 12:00 UTC.
/// `rest`: as for on_rest(), from the plugin's start on.
template <class P>
Host host(std::string_view settings = "{}", RestRoutes rest = {}) {
  return Host(std::type_identity<P>{}, settings, std::move(rest));
}

}  // namespace trellis::testing
