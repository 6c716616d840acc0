// The host's C tables in memory, for tests of the C++ layer alone: one plugin, no threads, no Discord, no SQL (a test
// says what a statement answers). A step that fails is undone, as in the real host.
#pragma once
#include <trellis/abi.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fake {

/// A tl_value that owns its text.
struct Owned {
  tl_value value{};
  std::string text;
  Owned() = default;
  Owned(const tl_value& from) : value(from), text(from.s.p ? std::string(from.s.p, from.s.n) : std::string()) {}
  tl_value raw() const {
    tl_value copy = value;
    if (value.s.p) copy.s = {text.data(), text.size()};
    return copy;
  }
  /// "7", "abc", "null": to compare with.
  std::string shown() const;
};
using Row = std::vector<Owned>;

struct Table {
  std::string name;
  std::uint32_t flags = 0;
  struct Column {
    std::string name;
    std::uint32_t merge, kind, nullable;
  };
  std::vector<Column> columns;
  std::map<std::string, Row> rows;  // by the key's shown values; appended ones by number
  std::string key_of(const tl_value* values, bool only_keys) const;
};

struct Entry {
  tl_entry raw{};
  std::string name, text, schedule, zone;
  struct Param {
    tl_param raw{};
    std::string name;
    std::vector<std::string> choices, choice_names;
    std::vector<std::uint32_t> channel_types;
  };
  std::vector<Param> params;
  std::vector<std::string> localized;  // "de name text", of the entry, then "param de name text"
};
struct Subscription {
  std::string type;
  std::uint32_t flags = 0;
  std::vector<std::uint64_t> guilds, channels;
  tl_on_event run = nullptr;
  void* self = nullptr;
};
struct Sent {
  std::string system, verb, target, body, order_key;
  std::uint32_t flags = 0;
  std::vector<std::string> headers, files;
  std::int64_t timeout_us = 0, give_up_after_us = 0;
};
struct Result {  // of a statement
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::uint64_t affected = 0;
  tl_status status = TL_OK;
};
struct Statement {
  std::string text;
  std::vector<Owned> arguments;
};
struct Answer {
  std::uint32_t status = 0;
  std::string type, body;
};

/// Only one at a time.
class Host {
 public:
  explicit Host(std::string_view settings = "{}");
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Creates a plugin: trellis_plugin_v1, or trellis::detail::create<X>. Why it was refused: `reason`, `complaints`.
  tl_status create(decltype(&trellis_plugin_v1) entry);
  void destroy();

  // ---- what the plugin declared ----
  std::vector<Subscription> subscriptions;
  std::vector<std::unique_ptr<Entry>> entries;
  std::vector<std::string> needs, complaints, used, metrics;
  std::int64_t commit_every_us = 0;
  std::string reason;
  std::map<std::string, std::string> files;
  bool serves_routes = true, is_postgresql = false;
  /// The first of that name; "/snapshot": the command.
  const Entry& entry(std::string_view name) const;

  // ---- what it did ----
  std::vector<std::unique_ptr<Table>> tables;
  std::map<std::string, std::string> kv;
  std::vector<Sent> outbox, calls;
  std::vector<std::string> log, started, counted;
  std::vector<Statement> statements;
  std::optional<Answer> answer;
  std::string saved;
  int gets = 0, sets = 0, puts = 0, commits = 0;
  std::string failure;
  bool failure_is_for_the_user = false;
  Table& table(std::string_view name);
  /// One line for each row: "guild_id=1 user_id=2 xp=5".
  std::vector<std::string> rows(std::string_view table);

  // ---- what the world does ----
  std::function<Result(const Statement&)> on_sql;
  std::function<tl_status(const Sent&, std::string& json)> on_call;
  std::function<tl_status(const char* call)> on_wait;  // runs at each wait, with the baton free
  std::vector<tl_guild> guilds;
  std::vector<tl_channel> channels;
  tl_pending pending{sizeof(tl_pending), 0, 0, 0};
  std::int64_t now_us = 1'700'000'000'000'000;

  /// Delivers an event to everyone who subscribed to it; guild, channel, user, id and time from the JSON.
  tl_status event(std::string_view type, std::string_view json);
  tl_status message(std::uint64_t guild, std::uint64_t channel, std::uint64_t user, std::string_view text = "hi");
  /// Calls a method, job or command; `interaction` is what Discord sent.
  tl_status request(std::string_view name, std::string_view args = "{}", std::int64_t due_us = 0,
                    std::string_view interaction = {}, std::uint64_t guild = 0);

 private:
  friend struct Functions;
  struct State;
  void remember();
  void undo();
  template <class F>
  tl_status run(F&& f);

  std::unique_ptr<State> state_;
  tl_plugin plugin_{};
};

}  // namespace fake
