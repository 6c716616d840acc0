// Setup: where a plugin says what it is. Nothing is ever unregistered; it goes with the instance.
#pragma once
#include <trellis/request.hpp>
#include <trellis/settings.hpp>

namespace trellis {

namespace detail {

struct PendingSubscription {
  std::string type;
  tl_on_event run;
  void* self;
  std::uint32_t flags = 0;
  std::vector<std::uint64_t> guilds, channels;
};
struct PendingEntry {
  std::uint32_t kind;
  std::string name, text;
  tl_on_request run;
  void* self;
  std::vector<Param> params{};
  Schedule schedule{};
  tl_id* id = nullptr;
  std::uint64_t permissions = 0;
  std::uint32_t flags = 0, at_once = 0, at_once_per_group = 0, limit_count = 0, limit_per = 0;
  std::int64_t limit_window_us = 0, timeout_us = 0;
  std::uint32_t command_type = 0, contexts = 0, installs = 0;
  std::vector<Localized> localized{};
};

}  // namespace detail

/// Filters are applied by the host before the handler is called.
class Subscription {
 public:
  Subscription& guilds_only() { return pending_->flags |= TL_GUILDS_ONLY, *this; }
  Subscription& no_bots() { return pending_->flags |= TL_NO_BOTS, *this; }  // nor webhooks
  template <class Ids>
  Subscription& only_channels(const Ids& ids) {
    for (ChannelId id : ids) pending_->channels.push_back(id.value());
    return *this;
  }
  template <class Ids>
  Subscription& only_guilds(const Ids& ids) {
    for (GuildId id : ids) pending_->guilds.push_back(id.value());
    return *this;
  }

 private:
  friend class Setup;
  explicit Subscription(detail::PendingSubscription* pending) : pending_(pending) {}
  detail::PendingSubscription* pending_;
};

enum class Per { User, Guild };
/// Where a command can be used (Discord docs, Application Commands: Contexts).
enum class Context : std::uint32_t {
  Guild = TL_CONTEXT_GUILD,
  BotDm = TL_CONTEXT_BOT_DM,
  PrivateChannel = TL_CONTEXT_PRIVATE  // other direct messages; only for Install::User
};
/// By whom the application is installed where the command can be used.
enum class Install : std::uint32_t { Guild = TL_INSTALL_GUILD, User = TL_INSTALL_USER };

class CommandEntry {
 public:
  CommandEntry& guilds_only() { return pending_->flags |= TL_ENTRY_GUILDS_ONLY, *this; }
  CommandEntry& ephemeral() { return pending_->flags |= TL_ENTRY_EPHEMERAL, *this; }
  /// Instead of servers and the bot's direct messages. Only of commands that are registered globally.
  CommandEntry& contexts(std::initializer_list<Context> all) {
    for (Context one : all) pending_->contexts |= static_cast<std::uint32_t>(one);
    return *this;
  }
  /// Instead of servers. Only of commands that are registered globally.
  CommandEntry& installs(std::initializer_list<Install> all) {
    for (Install one : all) pending_->installs |= static_cast<std::uint32_t>(one);
    return *this;
  }
  /// Only in age-restricted channels. Of one subcommand: the whole command.
  CommandEntry& nsfw() { return pending_->flags |= TL_ENTRY_NSFW, *this; }
  /// Its name and text in the language of one of Discord's locales: "de", "en-US" (Discord docs, Reference: Locales).
  /// An empty one is left as it is. Of a subcommand: the last word.
  CommandEntry& localized(std::string_view locale, std::string_view name, std::string_view text = {}) {
    return pending_->localized.push_back({std::string(locale), std::string(name), std::string(text)}), *this;
  }
  /// Discord shows the command to those who have it, unless the server's overrides say else; it is checked on every use
  /// whatever they say.
  CommandEntry& needs(Permission permission) {
    return pending_->permissions |= static_cast<std::uint64_t>(permission), *this;
  }
  CommandEntry& owners_only() { return pending_->flags |= TL_ENTRY_OWNERS_ONLY, *this; }
  /// At most so many uses in that time.
  CommandEntry& limit(int uses, Duration window, Per per = Per::User) {
    pending_->limit_count = static_cast<std::uint32_t>(uses);
    pending_->limit_window_us = window.count();
    pending_->limit_per = static_cast<std::uint32_t>(per);
    return *this;
  }

 private:
  friend class Setup;
  explicit CommandEntry(detail::PendingEntry* pending) : pending_(pending) {}
  detail::PendingEntry* pending_;
};

/// What subcommands have in common: "quest", or "quest admin".
class CommandGroup {
 public:
  CommandGroup& localized(std::string_view locale, std::string_view name, std::string_view text = {}) {
    return pending_->localized.push_back({std::string(locale), std::string(name), std::string(text)}), *this;
  }

 private:
  friend class Setup;
  explicit CommandGroup(detail::PendingEntry* pending) : pending_(pending) {}
  detail::PendingEntry* pending_;
};

class RouteEntry {
 public:
  RouteEntry& open() { return pending_->flags |= TL_ENTRY_OPEN, *this; }            // without a token
  RouteEntry& text(std::string_view text) { return pending_->text = text, *this; }  // for the API description

 private:
  friend class Setup;
  explicit RouteEntry(detail::PendingEntry* pending) : pending_(pending) {}
  detail::PendingEntry* pending_;
};

class JobEntry {
 public:
  /// A run that was missed while the host was down is made up for: once, however many there were. The default skips.
  JobEntry& run_missed() { return pending_->flags |= TL_ENTRY_RUN_MISSED, *this; }
  /// So many runs at a time, with different keys; a group is the key up to '/'. The default is 1.
  JobEntry& at_once(int runs, int per_group = 0) {
    pending_->at_once = static_cast<std::uint32_t>(runs);
    pending_->at_once_per_group = static_cast<std::uint32_t>(per_group);
    return *this;
  }
  /// The default: on each host, for the guilds it holds.
  JobEntry& once_per_cluster() { return pending_->flags |= TL_ENTRY_ONCE_PER_CLUSTER, *this; }
  JobEntry& timeout(Duration after) { return pending_->timeout_us = after.count(), *this; }
  operator Job() const { return Job(pending_->id); }

 private:
  friend class Setup;
  explicit JobEntry(detail::PendingEntry* pending) : pending_(pending) {}
  detail::PendingEntry* pending_;
};

/// Privileged intents; the others follow from subscriptions.
enum class Intent { GuildMembers, GuildPresences, MessageContent };
/// What the cache keeps only when somebody needs it. Members and MemberCounts go with Intent::GuildMembers, Presences
/// with Intent::GuildPresences: Members and Presences are refused without it.
enum class Keep { VoiceStates, MemberCounts, Members, Presences };

class Setup {
 public:
  explicit Setup(detail::Instance* instance) : instance_(instance) {}
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  Settings settings() const { return {instance_, instance_->setup->settings(instance_->host)}; }
  Log log() const { return Log(instance_->core, instance_->host); }
  bool has_redis() const { return has("redis"); }
  /// "redis", "sqlite", "postgresql", "http"
  bool has(std::string_view what) const { return instance_->setup->has(instance_->host, detail::str(what)) != 0; }
  /// A file embedded by trellis_add_plugin(ASSETS …), for as long as the library is loaded.
  std::string_view asset(std::string_view name) const {
    const tl_str file = instance_->setup->file(instance_->host, detail::str(name));
    if (!file.p)
      throw Error(Code::NotFound, "no file \"" + std::string(name) + "\" is embedded: trellis_add_plugin(ASSETS …)");
    return detail::view(file);
  }

  void needs(Intent intent) {
    need(intent == Intent::GuildMembers     ? "intent:GUILD_MEMBERS"
         : intent == Intent::GuildPresences ? "intent:GUILD_PRESENCES"
                                            : "intent:MESSAGE_CONTENT");
  }
  void needs(Keep what) {
    need(what == Keep::VoiceStates    ? "cache:voice_states"
         : what == Keep::MemberCounts ? "cache:member_counts"
         : what == Keep::Members      ? "cache:members"
                                      : "cache:presences");
  }
  /// How often rows are committed: 10 ms to 1 h, 1 s by default. Longer makes fewer transactions and later rows;
  /// nothing is lost either way. For plugins whose effects are only rows.
  void commit_every(Duration interval) {
    if (instance_->setup->commit_every(instance_->host, interval.count()) < 0)
      throw Error(Code::Invalid, "commit_every() takes 10 ms to 1 h");
  }

  /// Both are checked against the real columns. existing(): put() and edit() change rows that are there, and make none.
  /// So many rows at most stay in memory when no handler looks at them.
  template <MappedRow Row>
  Table<Row> table(std::string_view name, std::size_t cached_rows = 10'000) {
    return add_table<Row>(name, 0, cached_rows);
  }
  template <MappedRow Row>
  Table<Row> existing(std::string_view name, std::size_t cached_rows = 10'000) {
    return add_table<Row>(name, TL_TABLE_EXISTING, cached_rows);
  }

  Counter counter(std::string_view name, std::string_view help, std::initializer_list<std::string_view> labels = {}) {
    return {instance_->core, instance_->host, metric(TL_COUNTER, name, help, labels)};
  }
  Gauge gauge(std::string_view name, std::string_view help, std::initializer_list<std::string_view> labels = {}) {
    return {instance_->core, instance_->host, metric(TL_GAUGE, name, help, labels)};
  }
  Histogram histogram(std::string_view name, std::string_view help,
                      std::initializer_list<std::string_view> labels = {}) {
    return {instance_->core, instance_->host, metric(TL_HISTOGRAM, name, help, labels)};
  }

  // Handlers: a member function with its object, or a lambda. Which event it is says the first parameter.
  template <class Handler>
    requires(!std::is_member_function_pointer_v<Handler>)
  Subscription on(Handler handler) {
    using E = typename detail::Signature<Handler>::first;
    check_event<Handler>();
    static_assert(requires { E::name; }, "take the event as const MessageCreate& …, or give its name: on(\"NAME\", …)");
    return subscribe<E>(E::name, std::move(handler));
  }
  template <class Self, class Handler>
    requires std::is_member_function_pointer_v<Handler>
  Subscription on(Self* self, Handler handler) {
    using E = typename detail::Signature<Handler>::first;
    check_event<Handler>();
    static_assert(requires { E::name; }, "take the event as const MessageCreate& …, or give its name: on(\"NAME\", …)");
    return subscribe<E>(E::name, detail::Member<Self, Handler>{self, handler});
  }
  /// Any event by Discord's name for it: on("WEBHOOKS_UPDATE", this, &X::f) with f(const Event&, Work&).
  template <class Self, class Handler>
    requires std::is_member_function_pointer_v<Handler>
  Subscription on(std::string_view name, Self* self, Handler handler) {
    check_event<Handler>();
    return subscribe<typename detail::Signature<Handler>::first>(name, detail::Member<Self, Handler>{self, handler});
  }
  template <class Handler>
  Subscription on(std::string_view name, Handler handler) {
    check_event<Handler>();
    return subscribe<typename detail::Signature<Handler>::first>(name, std::move(handler));
  }

  /// Runs before anything else of this instance and may wait; events and requests wait for it.
  template <class Self, class Handler>
  void on_start(Self* self, Handler handler) {
    detail::check_request<JobRun, Handler>();
    add<JobRun, void>(TL_START, "start", {}, self, handler);
  }

  /// A slash command. "quest list" is the subcommand list of quest, "quest admin add" is add in the group admin of it.
  /// A name has 1 to 32 letters, digits, - and _, in lower case; a text 1 to 100 characters. What Discord does not take
  /// is refused when the plugin is loaded (Discord docs, Application Commands).
  template <class Self, class Handler, class... P>
    requires std::is_member_function_pointer_v<Handler>
  CommandEntry command(std::string_view name, std::string_view text, Self* self, Handler handler, P&&... params) {
    check_answer<Command, Answer, Handler, P...>();
    return CommandEntry(add<Command, Answer>(TL_COMMAND, name, text, self, handler, std::forward<P>(params)...));
  }
  template <class Handler, class... P>
    requires(!std::is_pointer_v<Handler>)
  CommandEntry command(std::string_view name, std::string_view text, Handler handler, P&&... params) {
    check_answer<Command, Answer, Handler, P...>();
    return CommandEntry(
        add_function<Command, Answer, Handler>(TL_COMMAND, name, text, std::move(handler), std::forward<P>(params)...));
  }
  /// Says what the commands "quest list" and "quest add" are together. Without it their names are shown.
  CommandGroup command_group(std::string_view name, std::string_view text) {
    return CommandGroup(&entries_.emplace_back(
        detail::PendingEntry{TL_COMMAND_GROUP, std::string(name), std::string(text), nullptr, nullptr}));
  }
  /// In the context menu of users and of messages; f(UserCommand&) and f(MessageCommand&). A name has 1 to 32
  /// characters, blanks and capitals too.
  template <class Self, class Handler>
    requires std::is_member_function_pointer_v<Handler>
  CommandEntry user_command(std::string_view name, Self* self, Handler handler) {
    check_answer<UserCommand, Answer, Handler>();
    return menu_command<UserCommand, Handler>(TL_COMMAND_USER, name, detail::Member<Self, Handler>{self, handler});
  }
  template <class Handler>
  CommandEntry user_command(std::string_view name, Handler handler) {
    check_answer<UserCommand, Answer, Handler>();
    return menu_command<UserCommand, Handler>(TL_COMMAND_USER, name, std::move(handler));
  }
  template <class Self, class Handler>
    requires std::is_member_function_pointer_v<Handler>
  CommandEntry message_command(std::string_view name, Self* self, Handler handler) {
    check_answer<MessageCommand, Answer, Handler>();
    return menu_command<MessageCommand, Handler>(TL_COMMAND_MESSAGE, name,
                                                 detail::Member<Self, Handler>{self, handler});
  }
  template <class Handler>
  CommandEntry message_command(std::string_view name, Handler handler) {
    check_answer<MessageCommand, Answer, Handler>();
    return menu_command<MessageCommand, Handler>(TL_COMMAND_MESSAGE, name, std::move(handler));
  }
  template <class Self, class Handler>
  Component component(std::string_view name, Self* self, Handler handler) {
    check_answer<Interaction, Answer, Handler>();
    add<Interaction, Answer>(TL_COMPONENT, name, {}, self, handler);
    return Component(name);
  }
  /// 1 to 5 fields (Discord docs, Components: Label). By its handler's type a field is a text to write, a list to pick
  /// from (choices(), UserId, RoleId, MentionableId, ChannelId), a box to tick (bool, which is false when it is not
  /// ticked) or a file to upload (Attachment).
  template <class Self, class Handler, class... P>
  Form form(std::string_view name, std::string_view title, Self* self, Handler handler, P&&... params) {
    check_answer<Interaction, Answer, Handler, P...>();
    add<Interaction, Answer>(TL_MODAL, name, title, self, handler, std::forward<P>(params)...);
    return Form(name);
  }
  /// "GET /counts/{guild}"; what is not in the path is taken from the query.
  template <class Self, class Handler, class... P>
  RouteEntry route(std::string_view path, Self* self, Handler handler, P&&... params) {
    detail::check_request<HttpRequest, Handler, P...>();
    static_assert(detail::answers<HttpAnswer, Handler>,
                  "a route returns Json or an HttpAnswer, or streams and returns nothing");
    return RouteEntry(add<HttpRequest, HttpAnswer>(TL_ROUTE, path, {}, self, handler, std::forward<P>(params)...));
  }
  /// What `trellis ctl call` and other plugins may call.
  template <class Self, class Handler, class... P>
    requires std::is_member_function_pointer_v<Handler>
  void method(std::string_view name, Self* self, Handler handler, P&&... params) {
    detail::check_request<detail::MethodCall, Handler, P...>();
    static_assert(detail::answers<Json, Handler>, "a method returns Json or what becomes Json, or nothing");
    add<detail::MethodCall, Json>(TL_METHOD, name, {}, self, handler, std::forward<P>(params)...);
  }
  template <class R, class... A, class Self, class Handler, class... P>
  void method(const Method<R(A...)>& of, Self* self, Handler handler, P&&... params) {
    using S = detail::Signature<Handler>;
    static_assert(std::same_as<typename S::result, R> && std::same_as<typename S::rest, std::tuple<A...>>,
                  "the handler has the Method's result and parameters, after (Request&");
    static_assert(sizeof...(A) == sizeof...(P), "name each parameter: `trellis ctl call` uses the names");
    method(of.name(), self, handler, std::forward<P>(params)...);
  }
  template <class Self, class Handler>
  JobEntry job(std::string_view name, Schedule schedule, Self* self, Handler handler) {
    detail::check_request<JobRun, Handler>();
    detail::PendingEntry* pending = add<JobRun, void>(TL_JOB, name, {}, self, handler);
    pending->schedule = std::move(schedule);
    pending->id = instance_->jobs.emplace_back(std::make_unique<tl_id>(0)).get();
    return JobEntry(pending);
  }

  /// The constructor is through: tells the host. Called by the SDK.
  void finish() {
    for (const detail::PendingSubscription& one : subscriptions_) {
      const tl_filter filter{sizeof(tl_filter), one.flags,           one.guilds.data(),
                             one.guilds.size(), one.channels.data(), one.channels.size()};
      note(instance_->setup->subscribe(instance_->host, detail::str(one.type), &filter, one.run, one.self) >= 0);
    }
    for (detail::PendingEntry& one : entries_) {
      const tl_id id = register_entry(one);
      if (one.id) *one.id = id;
      note(id != 0);
    }
  }

 private:
  void note(bool accepted) { instance_->refused = instance_->refused || !accepted; }
  void need(const char* what) { note(instance_->setup->need(instance_->host, detail::str(what)) >= 0); }

  template <class Handler>
  static constexpr void check_event() {
    using S = detail::Signature<Handler>;
    static_assert(std::derived_from<typename S::first, Event>,
                  "an event handler takes (const MessageCreate& …, Work&)");
    static_assert(std::same_as<typename S::rest, std::tuple<Work>>,
                  "an event handler takes (const MessageCreate& …, Work&): it cannot wait; start a job for that");
    static_assert(std::is_void_v<typename S::result>, "an event handler returns nothing");
  }
  template <class Asker, class Answered, class Handler, class... P>
  static constexpr void check_answer() {
    detail::check_request<Asker, Handler, P...>();
    static_assert(detail::answers<Answered, Handler>,
                  "a command, press or form returns text, a Message, a Form's open(), an Answer, or nothing");
  }

  template <class T>
  T* own(std::unique_ptr<T> handler) {
    handler->instance = instance_;
    T* raw = handler.get();
    instance_->handlers.push_back(std::move(handler));
    return raw;
  }

  template <class E, class F>
  Subscription subscribe(std::string_view name, F function) {
    using Bound = detail::EventHandler<E, F>;
    Bound* bound = own(std::make_unique<Bound>(std::move(function)));
    return Subscription(&subscriptions_.emplace_back(
        detail::PendingSubscription{std::string(name), Bound::run, static_cast<void*>(bound), 0, {}, {}}));
  }

  template <class Asker, class Answered, class Self, class Handler, class... P>
  detail::PendingEntry* add(std::uint32_t kind, std::string_view name, std::string_view text, Self* self,
                            Handler handler, P&&... params) {
    return add_function<Asker, Answered, Handler>(kind, name, text, detail::Member<Self, Handler>{self, handler},
                                                  std::forward<P>(params)...);
  }
  template <class Asker, class Answered, class Handler, class F, class... P>
  detail::PendingEntry* add_function(std::uint32_t kind, std::string_view name, std::string_view text, F function,
                                     P&&... params) {
    using Parameters = typename detail::Signature<Handler>::rest;
    using Bound = detail::RequestHandler<Asker, Answered, F, Parameters>;
    Bound* bound = own(std::make_unique<Bound>(std::move(function), std::vector<std::string>{params.name_...}));
    detail::PendingEntry& pending = entries_.emplace_back(
        detail::PendingEntry{kind, std::string(name), std::string(text), Bound::run, static_cast<void*>(bound)});
    (pending.params.push_back(std::forward<P>(params)), ...);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (describe<std::tuple_element_t<I, Parameters>>(pending.params[I]), ...);
    }(std::make_index_sequence<sizeof...(P)>{});
    return &pending;
  }
  template <class Asker, class Handler, class F>
  CommandEntry menu_command(std::uint32_t type, std::string_view name, F function) {
    detail::PendingEntry* pending = add_function<Asker, Answer, Handler>(TL_COMMAND, name, {}, std::move(function));
    pending->command_type = type;
    return CommandEntry(pending);
  }
  template <class T>
  static void describe(Param& param) {
    param.kind_ = detail::parameter_kind<T>();
    param.flags_ |= detail::parameter_flags<T>();
    param.required_ = !detail::is_optional<T>;
  }

  tl_id register_entry(detail::PendingEntry& entry) {
    std::vector<tl_param> params;
    std::deque<std::vector<tl_choice>> choices;
    std::deque<std::vector<tl_localized>> localized;  // what is given points into it
    const auto give_localized = [&](auto& to, const std::vector<detail::Localized>& list) {
      const auto& raw = localized.emplace_back(detail::raw_localized(list));
      to.localized = raw.data();
      to.localized_count = raw.size();
    };
    for (Param& param : entry.params) {
      auto& raw_choices = choices.emplace_back();
      for (const Choice& choice : param.choices_) {
        tl_choice& one = raw_choices.emplace_back();
        one.size = sizeof one;
        one.name = detail::str(choice.name_);
        one.value.kind = choice.kind_;
        one.value.i = choice.integer_;
        one.value.f = choice.number_;
        one.value.s = detail::str(choice.text_);
        give_localized(one, choice.localized_);
      }
      tl_param raw{};
      raw.size = sizeof raw;
      raw.value_kind = param.kind_;
      raw.required = param.required_ ? 1 : 0;
      raw.flags = param.flags_;
      raw.name = detail::str(param.name_);
      raw.text = detail::str(param.text_);
      if (param.min_ || param.max_) {  // infinite where there is none
        constexpr double kNone = std::numeric_limits<double>::infinity();
        raw.min = param.min_.value_or(param.kind_ == TL_TEXT ? 0 : -kNone);
        raw.max = param.max_.value_or(kNone);
      }
      raw.choices = raw_choices.data();
      raw.choice_count = raw_choices.size();
      raw.channel_types = param.channel_types_.data();
      raw.channel_type_count = param.channel_types_.size();
      give_localized(raw, param.localized_);
      if (param.suggest_) {
        raw.suggest = param.on_suggest_;
        raw.self = param.suggest_.get();
        own(std::move(param.suggest_));
      }
      params.push_back(raw);
    }
    tl_entry raw{};
    raw.size = sizeof raw;
    raw.kind = entry.kind;
    raw.name = detail::str(entry.name);
    raw.text = detail::str(entry.text);
    raw.params = params.data();
    raw.param_count = params.size();
    raw.permissions = entry.permissions;
    raw.flags = entry.flags;
    raw.at_once = entry.at_once;
    raw.at_once_per_group = entry.at_once_per_group;
    raw.limit_count = entry.limit_count;
    raw.limit_per = entry.limit_per;
    raw.limit_window_us = entry.limit_window_us;
    raw.timeout_us = entry.timeout_us;
    raw.schedule = detail::str(entry.schedule.text);
    raw.zone = detail::str(entry.schedule.zone);
    raw.handle = entry.run;
    raw.self = entry.self;
    raw.command_type = entry.command_type;
    raw.contexts = entry.contexts;
    raw.installs = entry.installs;
    give_localized(raw, entry.localized);
    return instance_->setup->add(instance_->host, &raw);
  }

  template <class Row>
  Table<Row> add_table(std::string_view name, std::uint32_t flags, std::size_t cached_rows) {
    constexpr std::size_t kCount = std::tuple_size_v<detail::Columns<Row>>;
    std::array<tl_column, kCount> columns;
    detail::each_column<Row>([&](auto column, std::size_t i) {
      using Type = typename decltype(column)::type;
      columns[i] = {sizeof(tl_column), static_cast<std::uint32_t>(column.merge), detail::value_kind<Type>(),
                    detail::is_optional<Type> ? 1u : 0u, detail::str(column.name)};
    });
    const tl_id id = instance_->setup->table(instance_->host, detail::str(name), flags, columns.data(), kCount);
    note(id != 0);
    auto cache = std::make_unique<detail::RowCache<Row>>(instance_, id, flags == TL_TABLE_EXISTING, cached_rows);
    Table<Row> table(cache.get());
    instance_->tables.push_back(std::move(cache));
    return table;
  }

  tl_id metric(std::uint32_t kind, std::string_view name, std::string_view help,
               std::initializer_list<std::string_view> labels) {
    std::vector<tl_str> names;
    for (std::string_view label : labels) names.push_back(detail::str(label));
    const tl_id id = instance_->setup->metric(instance_->host, kind, detail::str(name), detail::str(help), names.data(),
                                              names.size());
    note(id != 0);
    return id;
  }

  detail::Instance* instance_;
  std::deque<detail::PendingSubscription> subscriptions_;
  std::deque<detail::PendingEntry> entries_;
};

}  // namespace trellis
