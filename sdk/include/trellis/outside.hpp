// Operations on the outside as values: work.send(op) does it surely and later, request.call(op) does it now and
// answers.
#pragma once
#include <span>
#include <trellis/detail/instance.hpp>

namespace trellis {

namespace detail {

/// What an operation says, owned.
struct OperationText {
  std::string system, verb, target, body, order_key;
  std::vector<std::pair<std::string, std::string>> headers;
  struct File {
    std::string name, type, bytes;
  };
  std::vector<File> files;
  std::uint32_t flags = 0;
  std::int64_t timeout_us = 0, give_up_after_us = 0, not_before_us = 0;

  /// Calls f with the C struct.
  template <class F>
  auto with(F&& f) const {
    std::vector<tl_field> raw_headers;
    for (const auto& [name, value] : headers) raw_headers.push_back({str(name), Value(value).raw()});
    std::vector<tl_file> raw_files;
    for (const File& file : files) raw_files.push_back({str(file.name), str(file.type), str(file.bytes)});
    tl_operation raw{};
    raw.size = sizeof raw;
    raw.flags = flags;
    raw.system = str(system);
    raw.verb = str(verb);
    raw.target = str(target);
    raw.body = str(body);
    raw.headers = raw_headers.data();
    raw.header_count = raw_headers.size();
    raw.files = raw_files.data();
    raw.file_count = raw_files.size();
    raw.order_key = str(order_key);
    raw.timeout_us = timeout_us;
    raw.give_up_after_us = give_up_after_us;
    raw.not_before_us = not_before_us;
    return f(raw);
  }
};

/// A tl_reply, released in the end. Shared: what was fetched may be copied.
class Reply {
 public:
  Reply() = default;
  Reply(const tl_wait_v1* wait, const tl_reply& raw)
      : raw_(raw), handle_(reinterpret_cast<void*>(1), [wait, handle = raw.handle](void*) { wait->release(handle); }) {}
  JsonView json() const { return JsonView(raw_.json); }
  JsonView headers() const { return JsonView(raw_.headers); }
  std::string_view body() const { return view(raw_.body); }
  bool has_body() const { return raw_.body.p != nullptr; }
  int status() const { return static_cast<int>(raw_.status); }

 private:
  tl_reply raw_{};
  std::shared_ptr<void> handle_;
};

/// Makes an answer of a reply.
template <class Answer>
struct Answered {
  static Answer take(Reply reply) {
    if constexpr (!std::is_void_v<Answer>) {
      Answer answer{};
      if (!from_json(reply.json(), answer))
        throw Error(Code::Failed, "the answer is not " + std::string(type_name<Answer>()));
      return answer;
    }
  }
};

}  // namespace detail

/// Something to ask of Discord, a web server, Redis or another plugin.
template <class Answer>
class [[nodiscard]] Operation {
 public:
  using answer_type = Answer;
  Operation() = default;
  explicit Operation(detail::OperationText text) : text_(std::move(text)) {}

  /// How long call() waits; without it the host's default for the system.
  Operation&& timeout(Duration after) && { return text_.timeout_us = after.count(), std::move(*this); }

  const detail::OperationText& text() const { return text_; }

 protected:
  detail::OperationText text_;
};

/// An operation that changes something, so it may also be sent through the outbox.
template <class Answer>
class [[nodiscard]] Effect : public Operation<Answer> {
 public:
  Effect() = default;
  explicit Effect(detail::OperationText text) : Operation<Answer>(std::move(text)) {
    this->text_.flags |= TL_OPERATION_EFFECT;
  }

  Effect&& timeout(Duration after) && { return this->text_.timeout_us = after.count(), std::move(*this); }
  /// Effects with the same key are done in order; by default that is their target (channel, URL's host, queue).
  Effect&& in_order(std::string_view key) && { return this->text_.order_key = key, std::move(*this); }
  /// Then it becomes a dead letter; by default as configured.
  Effect&& give_up_after(Duration after) && { return this->text_.give_up_after_us = after.count(), std::move(*this); }
  Effect&& not_before(Time time) && {
    return this->text_.not_before_us = time.time_since_epoch().count(), std::move(*this);
  }
};

/// What a call brought back: owns its JSON, so it outlives waiting; views into it live as long as it does. So keep it
/// (`const auto page = request.call(…)`), or go through it: `for (const RoleView& role :
/// request.call(discord::roles(guild)))`.
template <class View>
class Fetched {
 public:
  Fetched() = default;
  Fetched(detail::Reply reply, View view) : reply_(std::move(reply)), view_(std::move(view)) {}
  const View& operator*() const& { return view_; }
  const View& operator*() const&& = delete;  // what it shows would be gone at the end of the line: keep the Fetched
  const View* operator->() const { return &view_; }
  auto begin() const
    requires requires(const View& view) { view.begin(); }
  {
    return view_.begin();
  }
  auto end() const
    requires requires(const View& view) { view.end(); }
  {
    return view_.end();
  }

 private:
  detail::Reply reply_;
  View view_{};
};

namespace http {

struct Response {
  int status = 0;
  std::string body;
  Json headers;
  std::string_view header(std::string_view name) const {
    const JsonView found = headers[name];
    return found.is_array() ? found[0].text() : found.text();
  }
};

namespace text_ {
inline detail::OperationText operation(std::string_view verb, std::string_view url) {
  detail::OperationText text;
  text.system = "http", text.verb = verb, text.target = url;
  return text;
}
}  // namespace text_

inline Effect<Response> get(std::string_view url) {
  detail::OperationText text = text_::operation("GET", url);
  text.flags = TL_OPERATION_REPEATABLE;
  return Effect<Response>(std::move(text));
}
inline Effect<Response> post(std::string_view url, std::string_view body, std::string_view type = "application/json") {
  detail::OperationText text = text_::operation("POST", url);
  text.body = body;
  text.headers.emplace_back("content-type", type);
  return Effect<Response>(std::move(text));
}

}  // namespace http

namespace detail {
template <>
struct Answered<http::Response> {
  static http::Response take(Reply reply) { return {reply.status(), std::string(reply.body()), Json(reply.headers())}; }
};
/// Shows JSON as a View; specialised for those that are plain structs.
template <class View>
struct Shown {
  static View of(JsonView json) { return View(json); }
};
template <class View>
struct Answered<Fetched<View>> {
  static Fetched<View> take(Reply reply) {
    View view = Shown<View>::of(reply.json());
    return Fetched<View>(std::move(reply), std::move(view));
  }
};
template <>
struct Answered<std::string> {
  static std::string take(Reply reply) {
    return reply.json().is_text() ? std::string(reply.json().text()) : std::string(reply.body());
  }
};
template <>
struct Answered<std::optional<std::string>> {
  static std::optional<std::string> take(Reply reply) {
    if (reply.json().is_text()) return std::string(reply.json().text());
    if (!reply.has_body()) return std::nullopt;
    return std::string(reply.body());
  }
};

inline OperationText redis(std::string_view verb, std::string_view key, std::string_view value = {}) {
  OperationText text;
  text.system = "redis", text.verb = verb, text.target = key, text.body = value;
  return text;
}
}  // namespace detail

namespace redis {  // keys as they are, no prefix: other programs read them

inline Effect<void> rpush(std::string_view list, std::string_view value) {
  return Effect<void>(detail::redis("RPUSH", list, value));
}
inline Effect<void> set(std::string_view key, std::string_view value, Duration expires = {}) {
  detail::OperationText text = detail::redis("SET", key, value);
  text.flags = TL_OPERATION_REPEATABLE;
  if (expires > Duration::zero())
    text.headers.emplace_back("px",
                              std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(expires).count()));
  return Effect<void>(std::move(text));
}
inline Effect<void> erase(std::string_view key) {
  detail::OperationText text = detail::redis("DEL", key);
  text.flags = TL_OPERATION_REPEATABLE;
  return Effect<void>(std::move(text));
}
inline Operation<std::optional<std::string>> get(std::string_view key) {
  detail::OperationText text = detail::redis("GET", key);
  text.flags = TL_OPERATION_REPEATABLE;
  return Operation<std::optional<std::string>>(std::move(text));
}

}  // namespace redis

/// A method another plugin offers, with types. Declared once in the provider's public header and used by both sides:
/// `inline constexpr Method<std::int64_t(GuildId, UserId)> kLevelOf{"leveling", "level_of"};`
template <class Signature>
class Method;
template <class R, class... A>
class Method<R(A...)> {
 public:
  constexpr Method(const char* plugin, const char* name) : plugin_(plugin), name_(name) {}

  Operation<R> operator()(const A&... arguments) const {
    detail::OperationText text;
    text.system = "service";
    text.verb = std::string(plugin_) + "." + name_;
    text.body = Json::array({Json(arguments)...}).dump();  // by position; the provider gave them their names
    return Operation<R>(std::move(text));
  }
  constexpr std::string_view plugin() const { return plugin_; }
  constexpr std::string_view name() const { return name_; }

 private:
  const char* plugin_;
  const char* name_;
};

}  // namespace trellis
