// Who asks: interactions, HTTP, methods and jobs. What a handler returns is the answer, sent after the commit.
#pragma once
#include <trellis/detail/binding.hpp>
#include <trellis/work.hpp>

namespace trellis {

namespace detail {
struct Localized {
  std::string locale, name, text;
};
inline std::vector<tl_localized> raw_localized(const std::vector<Localized>& list) {
  std::vector<tl_localized> raw;
  for (const Localized& one : list) raw.push_back({str(one.locale), str(one.name), str(one.text)});
  return raw;
}
}  // namespace detail

/// One of the values that a parameter may have: what is shown (1 to 100 characters), and what the handler gets. A text
/// alone is both.
class Choice {
 public:
  Choice(const char* text) : Choice(text, std::string_view(text)) {}
  Choice(std::string_view text) : Choice(text, text) {}
  Choice(const std::string& text) : Choice(text, std::string_view(text)) {}
  Choice(std::string_view name, std::string_view value) : name_(name), text_(value) {}
  Choice(std::string_view name, std::integral auto value)
      : name_(name), kind_(TL_INT), integer_(static_cast<std::int64_t>(value)) {}
  Choice(std::string_view name, std::floating_point auto value)
      : name_(name), kind_(TL_REAL), number_(static_cast<double>(value)) {}

  /// What is shown in the language of one of Discord's locales: "de", "en-US" (Discord docs, Reference: Locales).
  Choice&& localized(std::string_view locale, std::string_view name) && {
    return localized_.push_back({std::string(locale), std::string(name), {}}), std::move(*this);
  }

 private:
  friend class Setup;
  std::string name_, text_;
  std::uint32_t kind_ = TL_TEXT;
  std::int64_t integer_ = 0;
  double number_ = 0;
  std::vector<detail::Localized> localized_;
};

/// A declared parameter of a command, route, method or form. Its type is the handler's: std::optional = not required.
class Param {
 public:
  explicit Param(std::string_view name, std::string_view text = {}) : name_(name), text_(text) {}

  Param&& min(double least) && { return min_ = least, std::move(*this); }
  Param&& max(double most) && { return max_ = most, std::move(*this); }  // of a text: its length
  /// Commands and forms: texts, whole numbers or numbers, 25 at most: choices({"red", "blue"}), choices({{"Small", 1},
  /// {"Big", 9}}).
  Param&& choices(std::initializer_list<Choice> all) && {
    return choices_.assign(all.begin(), all.end()), std::move(*this);
  }
  /// Commands and forms, of a ChannelId: only channels of these types can be picked.
  Param&& channels(std::initializer_list<ChannelType> types) && {
    for (ChannelType type : types) channel_types_.push_back(static_cast<std::uint32_t>(type));
    return std::move(*this);
  }
  /// Commands: its name and text in the language of one of Discord's locales: "de", "en-US". An empty one is left as it
  /// is. The handler's argument keeps its name.
  Param&& localized(std::string_view locale, std::string_view name, std::string_view text = {}) && {
    return localized_.push_back({std::string(locale), std::string(name), std::string(text)}), std::move(*this);
  }
  Param&& paragraph() && { return flags_ |= kParagraph, std::move(*this); }  // forms: several lines
  /// Commands: autocomplete. The handler takes (Typing&) and returns std::vector<Suggestion>.
  template <class Self, class Handler>
  Param&& suggest(Self* self, Handler handler) &&;

 private:
  friend class Setup;
  static constexpr std::uint32_t kParagraph = 1;
  std::string name_, text_;
  std::optional<double> min_, max_;
  std::vector<Choice> choices_;
  std::vector<std::uint32_t> channel_types_;
  std::vector<detail::Localized> localized_;
  std::uint32_t flags_ = 0, kind_ = TL_TEXT;
  bool required_ = true;
  std::unique_ptr<detail::Handler> suggest_;
  tl_on_request on_suggest_ = nullptr;
};
inline Param param(std::string_view name, std::string_view text = {}) { return Param(name, text); }

/// A modal to answer with, from setup.form(). It must be the first answer, within two seconds: after reply(), or when
/// the host has told the user already to wait, it is an error. So do not query before. The data (60 bytes at most)
/// comes back with what the user filled in.
class Form {
 public:
  struct Opened {
    std::string name, data;
  };
  Form() = default;
  Opened open(std::string_view data = {}) const {
    if (data.size() > 60) throw Error(Code::TooLarge, "a form's data is at most 60 bytes");
    return {name_, std::string(data)};
  }

 private:
  friend class Setup;
  explicit Form(std::string_view name) : name_(name) {}
  std::string name_;
};

/// What an interaction is answered with: a message or a form.
class Answer {
 public:
  Answer(const char* text) : answer_(Message(text)) {}
  Answer(std::string_view text) : answer_(Message(text)) {}
  Answer(const std::string& text) : answer_(Message(text)) {}
  Answer(Message message) : answer_(std::move(message)) {}
  Answer(Form::Opened form) : answer_(std::move(form)) {}
  /// Of a press or a select, or of a form that one of them opened: the message takes the place of the one it was on.
  /// Elsewhere it is a message like any other.
  static Answer update(Message message) {
    Answer answer(std::move(message));
    answer.updates_ = true;
    return answer;
  }

  const Message* message() const { return std::get_if<Message>(&answer_); }
  const Form::Opened* form() const { return std::get_if<Form::Opened>(&answer_); }
  bool updates() const { return updates_; }

 private:
  std::variant<Message, Form::Opened> answer_;
  bool updates_ = false;
};

namespace detail {
/// Calls f with the C form of a message's files.
template <class F>
auto with_files(const Message& message, F&& f) {
  std::vector<tl_file> files;
  for (const auto& file : message.files()) files.push_back({str(file.name), str(file.type), str(file.bytes)});
  return f(files.data(), files.size());
}
}  // namespace detail

/// A command, a press or a submitted form. What its handler returns is the answer; a press may be answered with
/// nothing. After two seconds the host tells Discord by itself that the answer takes longer; then there are 15 minutes
/// (Discord docs, Interactions: Receiving and Responding). A handler that throws Refused answers with that sentence,
/// which only the user sees; whatever else it throws is logged under an id, and the user is told the id.
class Interaction : public Request {
 public:
  Interaction(detail::Turn turn, const tl_request& raw) : Request(turn, raw) {}

  User user() const {
    const JsonView member = json()["member"]["user"];
    User user = detail::user_of(member ? member : json()["user"]);
    if (!user.id) user.id = UserId(raw_->user);
    return user;
  }
  GuildId guild_id() const { return GuildId(raw_->guild); }
  ChannelId channel_id() const { return ChannelId(raw_->channel); }
  bool may(Permission permission) const {
    const auto wanted = static_cast<std::uint64_t>(permission);
    const auto all = static_cast<std::uint64_t>(Permission::Administrator);
    return (raw_->permissions & all) != 0 || (raw_->permissions & wanted) == wanted;
  }
  std::string_view locale() const { return json()["locale"].text(); }
  std::string_view data() const { return detail::view(raw_->body); }  // of the component or form
  JsonView json() const { return JsonView(raw_->raw); }

  /// [yields] Now; again = edits it: for progress. What the handler returns edits it too; what is ephemeral or a
  /// refusal becomes one more message where everybody sees the first. Throws Error when Discord does not take it, or
  /// the 15 minutes are over.
  void reply(const Message& message) { answer(message, turn_->answer ? turn_->answer->reply : nullptr, "reply"); }
  /// [yields] One more message. Throws as reply().
  void follow_up(const Message& message) {
    answer(message, turn_->answer ? turn_->answer->follow_up : nullptr, "follow_up");
  }

 private:
  void answer(const Message& message, decltype(tl_answer_v1::reply) function, const char* what) {
    if (!begin_wait(what)) return;
    if (!function) throw Error(Code::Unavailable, "this host serves no interactions");
    const std::string body = message.json().dump();
    end_wait(detail::with_files(message,
                                [&](const tl_file* files, std::size_t count) {
                                  return function(turn_.turn, detail::str(body), files, count);
                                }),
             what);
  }
};
class Command final : public Interaction {
 public:
  using Interaction::Interaction;
};

/// A command of a user's context menu (Apps), from setup.user_command().
class UserCommand final : public Interaction {
 public:
  using Interaction::Interaction;
  /// Whom it was used on. Lives until the handler returns.
  User target() const {
    const JsonView data = json()["data"];
    User user = detail::user_of(data["resolved"]["users"][data["target_id"].text()]);
    if (!user.id) user.id = data["target_id"].id<UserTag>();
    return user;
  }
  /// The same as a member of the server: nick, roles, joined_at (Discord docs, Resolved Data). Absent elsewhere.
  JsonView target_member() const {
    const JsonView data = json()["data"];
    return data["resolved"]["members"][data["target_id"].text()];
  }
};

/// A command of a message's context menu (Apps), from setup.message_command().
class MessageCommand final : public Interaction {
 public:
  using Interaction::Interaction;
  /// What it was used on, with its content whatever the intents. Lives until the handler returns.
  MessageView target() const {
    const JsonView data = json()["data"];
    return MessageView(data["resolved"]["messages"][data["target_id"].text()]);
  }
};

/// Autocomplete: what was typed so far. Return at most 25 suggestions.
class Typing final : public Interaction {
 public:
  using Interaction::Interaction;
  /// The text of the parameter that is being typed; may be empty.
  std::string_view typed() const { return detail::view(raw_->body); }
  /// The command's other parameters, by name, as far as they are given: each as the command's handler would get it
  /// (`typing.args()["page"].integer()`). What does not fit its declaration yet is absent. Lives until the handler
  /// returns.
  JsonView args() const { return JsonView(raw_->args); }
};
struct Suggestion {
  std::string name;
  Json value;
};

struct HttpAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  HttpAnswer(const Json& json, int code = 200) : status(code), body(json.dump()) {}
  HttpAnswer(int code, std::string_view content_type, std::string content)
      : status(code), type(content_type), body(std::move(content)) {}
};
class HttpRequest final : public Request {
 public:
  HttpRequest(detail::Turn turn, const tl_request& raw) : Request(turn, raw) {}

  std::string_view body() const { return detail::view(raw_->body); }
  /// The body. Throws Refused when it is not JSON.
  JsonView json() const {
    if (!json_) try {
        json_ = Json::parse(body());
      } catch (const Error& error) {
        throw Refused(std::string("The body is ") + error.what() + ".");
      }
    return json_->view();
  }
  std::string_view header(std::string_view name) const {
    std::string lower(name);
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    return JsonView(raw_->raw)[lower].text();
  }

  /// [yields] Begins an answer of any size; the handler returns nothing then. A filename makes it a download.
  class Stream {
   public:
    /// [yields] While the client is slow.
    void write(std::string_view chunk) {
      if (request_->begin_wait("write"))
        request_->end_wait(request_->turn_->answer->write(request_->turn_.turn, detail::str(chunk)), "write");
    }

   private:
    friend class HttpRequest;
    explicit Stream(HttpRequest& request) : request_(&request) {}
    HttpRequest* request_;
  };
  Stream stream(std::string_view type, std::string_view filename = {}) {
    if (begin_wait("stream"))
      end_wait(turn_->answer->stream(turn_.turn, 200, detail::str(type), detail::str(filename)), "stream");
    return Stream(*this);
  }

 private:
  mutable std::optional<Json> json_;
};

/// One run of a job, or an instance's start. If a run is interrupted (reload, crash), it is run again with what it
/// saved last.
class JobRun final : public Request {
 public:
  JobRun(detail::Turn turn, const tl_request& raw) : Request(turn, raw) {}

  std::string_view key() const { return detail::view(raw_->key); }
  JsonView args() const { return JsonView(raw_->args); }
  /// Those this host holds: the run is for them.
  std::vector<GuildId> guilds() const {
    std::vector<GuildId> ids;
    for (const Guild& guild : cache().guilds()) ids.push_back(guild.id);
    return ids;
  }
  Time due() const {
    return Time{Duration{raw_->due_us}};
  }  // when it should have run: it names the day, now() does not
  JsonView progress() const { return JsonView(raw_->progress); }
  /// Staged with the rest of the step.
  void save(const Json& progress) {
    const std::string text = progress.dump();
    turn_.check(turn_->work->save(turn_.turn, detail::str(text)), "save");
  }
};

/// Background work: by schedule, or started by the plugin.
class Job {
 public:
  Job() = default;

  /// Staged. A key that is waiting or running already is left alone.
  void start(Work& work, std::string_view key = {}, const Json& args = {}, Time not_before = {}) const {
    const detail::Turn& turn = detail::turn_of(work);
    const std::string text = args.dump();
    turn.check(
        turn->work->start(turn.turn, id(), detail::str(key), detail::str(text), not_before.time_since_epoch().count()),
        "starting a job");
  }
  /// Staged; the run's next wait throws Cancelled.
  void cancel(Work& work, std::string_view key) const {
    const detail::Turn& turn = detail::turn_of(work);
    turn.check(turn->work->stop(turn.turn, id(), detail::str(key)), "cancelling a job");
  }

 private:
  friend class JobEntry;
  explicit Job(const tl_id* id) : id_(id) {}
  tl_id id() const {
    if (id_ && *id_) return *id_;
    throw Error(Code::Invalid, "this Job was never assigned: get it from setup.job() in the constructor");
  }
  const tl_id* id_ = nullptr;  // the host gives it when the constructor is through
};

struct Schedule {
  std::string text, zone;
};
/// "minute hour day month weekday" in UTC or an IANA zone.
inline Schedule cron(std::string_view text, std::string_view zone = "UTC") {
  return {std::string(text), std::string(zone)};
}
inline Schedule every(Duration interval) {
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval).count();
  const std::string text = ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
  return {"@every " + text, "UTC"};
}
inline Schedule on_demand() { return {{}, "UTC"}; }

namespace detail {
class MethodCall final : public Request {
 public:
  MethodCall(Turn turn, const tl_request& raw) : Request(turn, raw) {}
};

inline void finish(const Turn& turn, std::uint32_t status, std::string_view type, std::string_view body,
                   const tl_file* files = nullptr, std::size_t count = 0) {
  if (!turn->answer) throw Error(Code::Unavailable, "this host has no trellis.answer/1");
  turn.check(turn->answer->finish(turn.turn, status, str(type), str(body), files, count), "answering");
}
inline void send_answer(const Turn& turn, const Json& json) { finish(turn, 0, "application/json", json.dump()); }
inline void send_answer(const Turn& turn, const HttpAnswer& answer) {
  finish(turn, static_cast<std::uint32_t>(answer.status), answer.type, answer.body);
}
inline void send_answer(const Turn& turn, const Answer& answer) {
  if (const Form::Opened* form = answer.form()) {
    finish(turn, 0, "application/vnd.trellis.form+json",
           Json::object({{"form", form->name}, {"data", form->data}}).dump());
  } else {
    const std::string body = answer.message()->json().dump();
    with_files(*answer.message(), [&](const tl_file* files, std::size_t count) {
      finish(turn, 0, answer.updates() ? "application/vnd.trellis.update+json" : "application/json", body, files,
             count);
    });
  }
}
inline void send_answer(const Turn& turn, const std::vector<Suggestion>& suggestions) {
  Json list = Json::array();
  for (const Suggestion& one : suggestions) list.push(Json::object({{"name", one.name}, {"value", one.value}}));
  finish(turn, 0, "application/json", list.dump());
}
}  // namespace detail

template <class Self, class Handler>
Param&& Param::suggest(Self* self, Handler handler) && {
  detail::check_request<Typing, Handler>();
  static_assert(std::same_as<typename detail::Signature<Handler>::result, std::vector<Suggestion>>,
                "autocomplete takes (Typing&) and returns std::vector<Suggestion>");
  using Bound = detail::RequestHandler<Typing, std::vector<Suggestion>, detail::Member<Self, Handler>, std::tuple<>>;
  auto bound = std::make_unique<Bound>(detail::Member<Self, Handler>{self, handler}, std::vector<std::string>{});
  on_suggest_ = Bound::run;
  suggest_ = std::move(bound);
  return std::move(*this);
}

}  // namespace trellis
