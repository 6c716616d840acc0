#include "fake_host.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <cstring>
#include <deque>
#include <stdexcept>

namespace json = boost::json;

namespace fake {

namespace {
std::string text_of(tl_str s) { return s.p ? std::string(s.p, s.n) : std::string(); }
tl_str str(std::string_view s) { return {s.data(), s.size()}; }
Host* current = nullptr;
constexpr tl_turn kTurn = 7;
}  // namespace

std::string Owned::shown() const {
  switch (value.kind) {
    case TL_NULL:
      return "null";
    case TL_REAL:
      return std::to_string(value.f);
    case TL_TEXT:
    case TL_BLOB:
    case TL_JSON:
      return text;
    case TL_ID:
      return value.i ? std::to_string(static_cast<std::uint64_t>(value.i)) : "null";
    default:
      return std::to_string(value.i);
  }
}

std::string Table::key_of(const tl_value* values, bool only_keys) const {
  std::string key;
  std::size_t at = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].merge == TL_KEY) key += Owned(values[only_keys ? at++ : i]).shown() + "|";
  }
  return key.empty() ? "#" + std::to_string(rows.size() + 1000000) : key;
}

// Documents are kept for the whole test: a node is a pointer to a value and, where it has one, to its key.
struct Host::State {
  struct Node {
    const json::value* value;
    std::string_view name;
  };
  std::deque<json::value> documents;
  std::vector<Node> nodes;
  json::value settings;
  std::map<tl_id, std::pair<Result, std::size_t>> results;
  std::vector<tl_value> row;
  std::deque<std::string> texts;
  tl_id next_id = 100;
  tl_json event{0, 0};
  std::string error;
  std::uint64_t random = 42;
  bool waits = false;
  std::vector<Table> tables_before;  // what a failing step goes back to
  std::map<std::string, std::string> kv_before;
  std::size_t sent_before = 0;

  tl_json node(const json::value* value, std::string_view name = {}) {
    nodes.push_back({value, name});
    return {1, nodes.size()};
  }
  tl_json document(std::string_view text, std::uint64_t* offset = nullptr) {
    json::error_code error;
    json::stream_parser parser;
    const std::size_t n = parser.write_some(text.data(), text.size(), error);
    if (!error && n == text.size()) parser.finish(error);
    if (error || n != text.size()) {
      if (offset) *offset = n;
      return {0, 0};
    }
    return node(&documents.emplace_back(parser.release()));
  }
  const json::value* at(tl_json j) { return j.doc ? nodes[j.node - 1].value : nullptr; }
};

struct Functions {
  static Host::State& state() { return *current->state_; }

  // ---- setup ----
  static tl_status subscribe(tl_host*, tl_str type, const tl_filter* filter, tl_on_event run, void* self) {
    Subscription one{text_of(type), 0, {}, {}, run, self};
    if (filter) {
      one.flags = filter->flags;
      one.guilds.assign(filter->guilds, filter->guilds + filter->guild_count);
      one.channels.assign(filter->channels, filter->channels + filter->channel_count);
    }
    current->subscriptions.push_back(std::move(one));
    return TL_OK;
  }
  static std::string localized_text(const tl_localized& one) {
    return text_of(one.locale) + " " + text_of(one.name) + " " + text_of(one.text);
  }
  static tl_id add(tl_host*, const tl_entry* raw) {
    if (raw->kind == TL_ROUTE && !current->serves_routes) return 0;
    auto entry = std::make_unique<Entry>();
    entry->raw = *raw;
    entry->name = text_of(raw->name), entry->text = text_of(raw->text);
    entry->schedule = text_of(raw->schedule), entry->zone = text_of(raw->zone);
    for (std::uint64_t i = 0; i < raw->param_count; ++i) {
      const tl_param& given = raw->params[i];
      Entry::Param param{given, text_of(given.name), {}, {}, {}};
      for (std::uint64_t c = 0; c < given.choice_count; ++c) {
        const tl_choice& choice = given.choices[c];
        param.choice_names.push_back(text_of(choice.name));
        param.choices.push_back(choice.value.kind == TL_TEXT  ? text_of(choice.value.s)
                                : choice.value.kind == TL_INT ? std::to_string(choice.value.i)
                                                              : std::to_string(choice.value.f));
        for (std::uint64_t l = 0; l < choice.localized_count; ++l)
          entry->localized.push_back("choice " + localized_text(choice.localized[l]));
      }
      for (std::uint64_t c = 0; c < given.channel_type_count; ++c)
        param.channel_types.push_back(given.channel_types[c]);
      for (std::uint64_t l = 0; l < given.localized_count; ++l)
        entry->localized.push_back(param.name + " " + localized_text(given.localized[l]));
      entry->params.push_back(std::move(param));
    }
    for (std::uint64_t l = 0; l < raw->localized_count; ++l)
      entry->localized.push_back(localized_text(raw->localized[l]));
    current->entries.push_back(std::move(entry));
    return state().next_id++;
  }
  static tl_id table(tl_host*, tl_str name, std::uint32_t flags, const tl_column* columns, std::uint64_t count) {
    auto table = std::make_unique<Table>();
    table->name = text_of(name), table->flags = flags;
    for (std::uint64_t i = 0; i < count; ++i)
      table->columns.push_back(
          {text_of(columns[i].name), columns[i].merge, columns[i].value_kind, columns[i].nullable});
    current->tables.push_back(std::move(table));
    return current->tables.size();
  }
  static tl_status need(tl_host*, tl_str what) { return current->needs.push_back(text_of(what)), TL_OK; }
  static tl_id metric(tl_host*, std::uint32_t kind, tl_str name, tl_str, const tl_str* labels, std::uint64_t count) {
    std::string text = std::to_string(kind) + " " + text_of(name);
    for (std::uint64_t i = 0; i < count; ++i) text += " " + text_of(labels[i]);
    current->metrics.push_back(text);
    return current->metrics.size();
  }
  static tl_status commit_every(tl_host*, std::int64_t us) {
    if (us < 10'000 || us > 3'600'000'000) return TL_INVALID;
    return current->commit_every_us = us, TL_OK;
  }
  static tl_json settings(tl_host*) { return state().node(&state().settings); }
  static tl_status used(tl_host*, tl_json, tl_str key, tl_str type, tl_str otherwise) {
    current->used.push_back(text_of(key) + ": " + text_of(type) + " = " + text_of(otherwise));
    return TL_OK;
  }
  static tl_status unread(tl_host*, tl_json, std::uint32_t policy) {
    return current->used.push_back("unread " + std::to_string(policy)), TL_OK;
  }
  static tl_status refuse(tl_host*, tl_json, tl_str key, tl_str why) {
    return current->complaints.push_back(text_of(key) + ": " + text_of(why)), TL_INVALID;
  }
  static std::uint32_t has(tl_host*, tl_str what) {
    return text_of(what) == (current->is_postgresql ? "postgresql" : "sqlite");
  }
  static tl_str file(tl_host*, tl_str name) {
    const auto found = current->files.find(text_of(name));
    return found == current->files.end() ? tl_str{nullptr, 0} : str(found->second);
  }

  // ---- core ----
  static void log(tl_host*, std::uint32_t level, tl_str text, const tl_field* fields, std::uint64_t count) {
    std::string line = std::to_string(level) + " " + text_of(text);
    for (std::uint64_t i = 0; i < count; ++i)
      line += " " + text_of(fields[i].name) + "=" + Owned(fields[i].value).shown();
    current->log.push_back(line);
  }
  static void count(tl_host*, tl_id metric, double value, const tl_value* labels, std::uint64_t count) {
    std::string line = std::to_string(metric) + " " + std::to_string(value);
    for (std::uint64_t i = 0; i < count; ++i) line += " " + Owned(labels[i]).shown();
    current->counted.push_back(line);
  }
  static std::uint32_t event_type(tl_str name) { return static_cast<std::uint32_t>(name.n); }
  static tl_str event_name(std::uint32_t) { return str("MESSAGE_CREATE"); }
  static tl_status fail(tl_turn, tl_status status, tl_str text, std::uint32_t for_the_user) {
    current->failure = text_of(text);
    current->failure_is_for_the_user = for_the_user != 0;
    return status;
  }
  static tl_str error(tl_turn) { return str(state().error); }
  static std::int64_t now(tl_turn) { return current->now_us; }
  static std::uint64_t random(tl_turn) {
    std::uint64_t z = state().random += 0x9e3779b97f4a7c15ull;  // splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  static tl_status pending(tl_turn, tl_pending* out) { return *out = current->pending, TL_OK; }

  // ---- json ----
  static tl_json event(tl_turn) { return state().event; }
  static tl_json parse(tl_str text, std::uint64_t* offset) { return state().document(text_of(text), offset); }
  static void release(tl_json) {}
  static tl_json key(tl_json j, tl_str name) {
    const json::value* value = state().at(j);
    if (!value || !value->is_object()) return {0, 0};
    const auto found = value->get_object().find(text_of(name));
    if (found == value->get_object().end()) return {0, 0};
    return state().node(&found->value(), {found->key().data(), found->key().size()});
  }
  static tl_json at(tl_json j, std::uint64_t index) {
    const json::value* value = state().at(j);
    if (value && value->is_array() && index < value->get_array().size())
      return state().node(&value->get_array()[index]);
    if (value && value->is_object() && index < value->get_object().size()) {
      const auto& member = *(value->get_object().begin() + static_cast<std::ptrdiff_t>(index));
      return state().node(&member.value(), {member.key().data(), member.key().size()});
    }
    return {0, 0};
  }
  static tl_str name(tl_json j) { return j.doc ? str(state().nodes[j.node - 1].name) : tl_str{nullptr, 0}; }
  static std::uint64_t length(tl_json j) {
    const json::value* value = state().at(j);
    return !value               ? 0
           : value->is_array()  ? value->get_array().size()
           : value->is_object() ? value->get_object().size()
                                : 0;
  }
  static std::uint32_t type(tl_json j) {
    tl_value out{};
    const json::value* value = state().at(j);
    if (value && value->is_array()) return TL_JSON_ARRAY;
    if (value && value->is_object()) return TL_JSON_OBJECT;
    scalar(j, &out);
    return out.kind;
  }
  static void scalar(tl_json j, tl_value* out) {
    const json::value* value = state().at(j);
    *out = {};
    if (!value) return;
    if (value->is_bool()) out->kind = TL_BOOL, out->i = value->get_bool();
    if (value->is_int64()) out->kind = TL_INT, out->i = value->get_int64();
    if (value->is_uint64()) out->kind = TL_REAL, out->f = static_cast<double>(value->get_uint64());
    if (value->is_double()) out->kind = TL_REAL, out->f = value->get_double();
    if (value->is_string()) out->kind = TL_TEXT, out->s = {value->get_string().data(), value->get_string().size()};
  }
  static std::uint64_t text(tl_json j, char* out, std::uint64_t capacity) {
    const json::value* value = state().at(j);
    const std::string written = value ? json::serialize(*value) : "null";
    std::memcpy(out, written.data(), std::min<std::size_t>(written.size(), capacity));
    return written.size();
  }

  // ---- work ----
  static tl_status write(tl_id id, const tl_value* values, std::uint64_t changed) {
    Table& table = *current->tables.at(id - 1);
    const std::string key = table.key_of(values, false);
    const auto found = table.rows.find(key);
    if (found == table.rows.end()) {
      if (!(table.flags & TL_TABLE_EXISTING)) table.rows[key] = Row(values, values + table.columns.size());
      return TL_OK;
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      Owned& now = found->second[i];
      if (!(changed >> i & 1)) continue;
      switch (table.columns[i].merge) {
        case TL_PLAIN:
          now = values[i];
          break;
        case TL_SUM:
          now.value.i += values[i].i, now.value.f += values[i].f;
          break;
        case TL_MAX:
          if (now.value.i < values[i].i) now = values[i];
          break;
        default:
          break;
      }
    }
    return TL_OK;
  }
  static tl_status put(tl_turn, tl_id table, const tl_value* row) { return ++current->puts, write(table, row, ~0ull); }
  static tl_status set(tl_turn, tl_id table, const tl_value* row, std::uint64_t changed) {
    return ++current->sets, write(table, row, changed);
  }
  static tl_status get(tl_turn, tl_id id, const tl_value* key, tl_value* row) {
    ++current->gets;
    Table& table = *current->tables.at(id - 1);
    const auto found = table.rows.find(table.key_of(key, true));
    if (found == table.rows.end()) return TL_NOT_FOUND;
    for (std::size_t i = 0; i < table.columns.size(); ++i) row[i] = found->second[i].raw();
    return TL_OK;
  }
  static tl_status erase(tl_turn, tl_id id, const tl_value* key) {
    Table& table = *current->tables.at(id - 1);
    return table.rows.erase(table.key_of(key, true)), TL_OK;
  }
  static tl_status run(tl_str text, const tl_value* values, std::uint64_t count, tl_id* rows) {
    Statement statement{text_of(text), std::vector<Owned>(values, values + count)};
    current->statements.push_back(statement);
    Result result = current->on_sql ? current->on_sql(statement) : Result{};
    if (result.status < 0) return state().error = "the database said no", result.status;
    *rows = state().next_id++;
    state().results[*rows] = {std::move(result), 0};
    return TL_OK;
  }
  static tl_status sql(tl_turn, tl_str text, const tl_value* values, std::uint64_t count, tl_id* rows) {
    return run(text, values, count, rows);
  }
  static tl_status kv_get(tl_turn, tl_str key, tl_str* value) {
    const auto found = current->kv.find(text_of(key));
    if (found == current->kv.end()) return TL_NOT_FOUND;
    return *value = str(found->second), TL_OK;
  }
  static tl_status kv_set(tl_turn, tl_str key, tl_str value, std::int64_t) {
    if (!value.p) return current->kv.erase(text_of(key)), TL_OK;
    return current->kv[text_of(key)] = text_of(value), TL_OK;
  }
  static tl_status kv_next(tl_turn, tl_str prefix, tl_str after, tl_str* key, tl_str* value) {
    const std::string from = text_of(after), begin = text_of(prefix);
    auto at = from.empty() ? current->kv.lower_bound(begin) : current->kv.upper_bound(from);
    if (at == current->kv.end() || !at->first.starts_with(begin)) return TL_NOT_FOUND;
    return *key = str(at->first), *value = str(at->second), TL_OK;
  }
  static Sent sent(const tl_operation& raw) {
    Sent one{text_of(raw.system),
             text_of(raw.verb),
             text_of(raw.target),
             text_of(raw.body),
             text_of(raw.order_key),
             raw.flags,
             {},
             {},
             raw.timeout_us,
             raw.give_up_after_us};
    for (std::uint64_t i = 0; i < raw.header_count; ++i)
      one.headers.push_back(text_of(raw.headers[i].name) + ": " + Owned(raw.headers[i].value).shown());
    for (std::uint64_t i = 0; i < raw.file_count; ++i) one.files.push_back(text_of(raw.files[i].name));
    return one;
  }
  static tl_status send(tl_turn, const tl_operation* raw) { return current->outbox.push_back(sent(*raw)), TL_OK; }
  static tl_status start(tl_turn, tl_id job, tl_str key, tl_str args, std::int64_t) {
    current->started.push_back(std::to_string(job) + " " + text_of(key) + " " + text_of(args));
    return TL_OK;
  }
  static tl_status stop(tl_turn, tl_id, tl_str) { return TL_OK; }
  static tl_status save(tl_turn, tl_str progress) { return current->saved = text_of(progress), TL_OK; }

  // ---- rows ----
  static tl_status query(tl_turn, tl_str text, const tl_value* values, std::uint64_t count, tl_id* rows) {
    const tl_status status = wait("query");
    return status < 0 ? status : run(text, values, count, rows);
  }
  static tl_status next(tl_turn, tl_id rows, const tl_value** row) {
    auto& [result, at] = state().results.at(rows);
    if (at == result.rows.size()) return TL_NOT_FOUND;
    state().row.clear();
    for (const Owned& value : result.rows[at]) state().row.push_back(value.raw());
    ++at;
    return *row = state().row.data(), TL_OK;
  }
  static std::uint64_t affected(tl_turn, tl_id rows) { return state().results.at(rows).first.affected; }
  static std::uint64_t width(tl_turn, tl_id rows) { return state().results.at(rows).first.columns.size(); }
  static std::int64_t column(tl_turn, tl_id rows, tl_str name) {
    const auto& columns = state().results.at(rows).first.columns;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i] == text_of(name)) return static_cast<std::int64_t>(i);
    return -1;
  }
  static void close(tl_turn, tl_id rows) {
    if (!state().results.erase(rows)) throw std::logic_error("rows closed twice");
  }

  // ---- wait ----
  static tl_status wait(const char* what) {
    if (!state().waits) return state().error = "an event handler cannot wait", TL_REFUSED;
    const tl_status status = current->on_wait ? current->on_wait(what) : TL_OK;
    if (status < 0) return state().error = "no more waiting", status;
    current->remember();  // a step ends with each wait
    return status;
  }
  static tl_status call(tl_turn, const tl_operation* raw, tl_reply* reply) {
    tl_status status = wait("call");
    if (status < 0) return status;
    current->calls.push_back(sent(*raw));
    std::string body = "null";
    if (current->on_call) status = current->on_call(current->calls.back(), body);
    if (status < 0) return state().error = body, status;
    const std::string& kept = state().texts.emplace_back(body);
    *reply = {sizeof(tl_reply), 200, state().next_id++, state().document(body), {0, 0}, str(kept)};
    ++held;
    return TL_OK;
  }
  static void release_reply(std::uint64_t) { --held; }
  static tl_status commit(tl_turn) { return ++current->commits, wait("commit"); }
  static tl_status sleep(tl_turn, std::int64_t) { return wait("sleep"); }
  static tl_status outside(tl_turn, void (*f)(void*), void* data) {
    f(data);
    return wait("outside");
  }
  static inline int held = 0;

  // ---- answer ----
  static tl_status reply(tl_turn, tl_str body, const tl_file*, std::uint64_t) {
    return current->answer = Answer{0, "reply", text_of(body)}, wait("reply");
  }
  static tl_status finish(tl_turn, std::uint32_t status, tl_str type, tl_str body, const tl_file*, std::uint64_t) {
    return current->answer = Answer{status, text_of(type), text_of(body)}, TL_OK;
  }
  static tl_status stream(tl_turn, std::uint32_t status, tl_str type, tl_str) {
    return current->answer = Answer{status, text_of(type), ""}, wait("stream");
  }
  static tl_status write_chunk(tl_turn, tl_str chunk) { return current->answer->body += text_of(chunk), wait("write"); }

  // ---- cache ----
  static tl_status guild(tl_turn, std::uint64_t id, tl_guild* out) {
    for (const tl_guild& one : current->guilds)
      if (one.id == id) return *out = one, TL_OK;
    return TL_NOT_FOUND;
  }
  static tl_status next_guild(tl_turn, std::uint64_t after, tl_guild* out) {
    for (const tl_guild& one : current->guilds)
      if (one.id > after) return *out = one, TL_OK;
    return TL_NOT_FOUND;
  }
  static tl_status channel(tl_turn, std::uint64_t id, tl_channel* out) {
    for (const tl_channel& one : current->channels)
      if (one.id == id) return *out = one, TL_OK;
    return TL_NOT_FOUND;
  }
  static tl_status next_channel(tl_turn, std::uint64_t guild, std::uint64_t after, tl_channel* out) {
    for (const tl_channel& one : current->channels)
      if (one.guild == guild && one.id > after) return *out = one, TL_OK;
    return TL_NOT_FOUND;
  }
  static tl_status next_voice_state(tl_turn, std::uint64_t, std::uint64_t, tl_voice_state*) { return TL_NOT_FOUND; }
  // Nobody has roles here.
  static tl_status role(tl_turn, std::uint64_t, tl_role*) { return TL_NOT_FOUND; }
  static tl_status next_role(tl_turn, std::uint64_t, std::uint64_t, tl_role*) { return TL_NOT_FOUND; }
  static tl_status member(tl_turn, std::uint64_t, std::uint64_t, tl_member*) { return TL_NOT_FOUND; }
  static tl_status next_member(tl_turn, std::uint64_t, std::uint64_t, tl_member*) { return TL_NOT_FOUND; }
  static tl_status presence(tl_turn, std::uint64_t, std::uint64_t, tl_presence*) { return TL_NOT_FOUND; }
  static tl_status permissions(tl_turn, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t*) {
    return TL_NOT_FOUND;
  }
  static tl_status permissions_with(tl_turn, std::uint64_t, std::uint64_t, std::uint64_t, const std::uint64_t*,
                                    std::uint64_t, std::uint64_t*) {
    return TL_NOT_FOUND;
  }
  static tl_status compare_members(tl_turn, std::uint64_t, std::uint64_t, std::uint64_t, std::int32_t*) {
    return TL_NOT_FOUND;
  }
  static tl_status compare_role(tl_turn, std::uint64_t, std::uint64_t, std::uint64_t, std::int32_t*) {
    return TL_NOT_FOUND;
  }

  static const void* find(tl_host*, tl_str id) {
    using F = Functions;
    static const tl_setup_v1 kSetup{
        sizeof(tl_setup_v1), 0,           F::subscribe, F::add,    F::table,  F::need, F::metric,
        F::commit_every,     F::settings, F::used,      F::unread, F::refuse, F::has,  F::file};
    static const tl_core_v1 kCore{sizeof(tl_core_v1), 0,       F::log,   F::count, F::event_type,
                                  F::event_name,      F::fail, F::error, F::now,   F::random,
                                  F::pending};
    static const tl_json_v1 kJson{sizeof(tl_json_v1), 0,       F::event,  F::parse, F::release, F::key, F::at, F::name,
                                  F::length,          F::type, F::scalar, F::text};
    static const tl_work_v1 kWork{sizeof(tl_work_v1), 0,         F::put,     F::get,  F::set,   F::erase, F::sql,
                                  F::kv_get,          F::kv_set, F::kv_next, F::send, F::start, F::stop,  F::save};
    static const tl_rows_v1 kRows{sizeof(tl_rows_v1), 0, F::query, F::next, F::affected, F::width, F::column, F::close};
    static const tl_wait_v1 kWait{sizeof(tl_wait_v1), 0, F::call, F::release_reply, F::commit, F::sleep, F::outside};
    static const tl_answer_v1 kAnswer{sizeof(tl_answer_v1), 0, F::reply, F::reply, F::finish, F::stream,
                                      F::write_chunk};
    static const tl_cache_v1 kCache{sizeof(tl_cache_v1),
                                    0,
                                    F::guild,
                                    F::next_guild,
                                    F::channel,
                                    F::next_channel,
                                    F::next_voice_state,
                                    F::role,
                                    F::next_role,
                                    F::member,
                                    F::next_member,
                                    F::presence,
                                    F::permissions,
                                    F::permissions_with,
                                    F::compare_members,
                                    F::compare_role};
    const std::string name = text_of(id);
    if (name == "trellis.setup/1") return &kSetup;
    if (name == "trellis.core/1") return &kCore;
    if (name == "trellis.json/1") return &kJson;
    if (name == "trellis.work/1") return &kWork;
    if (name == "trellis.rows/1") return &kRows;
    if (name == "trellis.wait/1") return &kWait;
    if (name == "trellis.answer/1") return &kAnswer;
    if (name == "trellis.cache/1") return &kCache;
    return nullptr;
  }
};

Host::Host(std::string_view settings) : state_(std::make_unique<State>()) {
  if (current) throw std::logic_error("one fake host at a time");
  current = this;
  state_->nodes.reserve(1 << 16);
  state_->settings = json::parse({settings.data(), settings.size()});
}
Host::~Host() {
  destroy();
  if (Functions::held != 0) std::terminate();  // a reply was not released
  current = nullptr;
}

tl_status Host::create(decltype(&trellis_plugin_v1) entry) {
  const tl_entry_args args{sizeof args, TL_ABI_MINOR, reinterpret_cast<tl_host*>(this), Functions::find};
  char text[256] = "";
  plugin_ = {sizeof plugin_, 0, nullptr, nullptr};
  const tl_status status = entry(&args, &plugin_, text, sizeof text);
  reason = text;
  return status;
}
void Host::destroy() {
  if (plugin_.destroy) plugin_.destroy(plugin_.self);
  plugin_ = {};
}

const Entry& Host::entry(std::string_view name) const {
  const bool command = name.starts_with('/');
  for (const auto& entry : entries)
    if (command ? entry->raw.kind == TL_COMMAND && entry->name == name.substr(1) : entry->name == name) return *entry;
  throw std::logic_error("no entry " + std::string(name));
}
Table& Host::table(std::string_view name) {
  for (const auto& table : tables)
    if (table->name == name) return *table;
  throw std::logic_error("no table " + std::string(name));
}
std::vector<std::string> Host::rows(std::string_view name) {
  std::vector<std::string> lines;
  Table& of = table(name);
  for (const auto& [key, row] : of.rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += (i ? " " : "") + of.columns[i].name + "=" + row[i].shown();
    lines.push_back(line);
  }
  return lines;
}

void Host::remember() {
  state_->tables_before.clear();
  for (const auto& table : tables) state_->tables_before.push_back(*table);
  state_->kv_before = kv;
  state_->sent_before = outbox.size();
}
void Host::undo() {
  for (std::size_t i = 0; i < tables.size(); ++i) *tables[i] = state_->tables_before[i];
  kv = state_->kv_before;
  outbox.resize(state_->sent_before);
}
template <class F>
tl_status Host::run(F&& f) {
  failure.clear();
  remember();
  const tl_status status = f();
  if (!state_->results.empty()) throw std::logic_error("rows were left open");
  if (status < 0) undo();
  return status;
}

tl_status Host::event(std::string_view type, std::string_view text) {
  const auto id = [&](const json::value& d, const char* key) -> std::uint64_t {
    const json::value* found = d.is_object() ? d.get_object().if_contains(key) : nullptr;
    return found && found->is_string() ? std::stoull(std::string(found->get_string())) : 0;
  };
  state_->waits = false;
  state_->event = state_->document(text);
  const json::value& d = *state_->at(state_->event);
  tl_event raw{};
  raw.size = sizeof raw;
  raw.guild = id(d, "guild_id"), raw.channel = id(d, "channel_id"), raw.id = id(d, "id");
  if (const json::value* author = d.get_object().if_contains("author")) raw.user = id(*author, "id");
  raw.happened_us = raw.received_us = now_us;
  raw.raw = str(text);
  tl_status status = TL_OK;
  for (const Subscription& one : subscriptions)
    if (one.type == type) status = run([&] { return one.run(one.self, kTurn, &raw); });
  return status;
}
tl_status Host::message(std::uint64_t guild, std::uint64_t channel, std::uint64_t user, std::string_view text) {
  return event("MESSAGE_CREATE", json::serialize(json::value{{"id", "900"},
                                                             {"guild_id", std::to_string(guild)},
                                                             {"channel_id", std::to_string(channel)},
                                                             {"content", std::string(text)},
                                                             {"author", {{"id", std::to_string(user)}}}}));
}
tl_status Host::request(std::string_view name, std::string_view args, std::int64_t due_us, std::string_view interaction,
                        std::uint64_t guild) {
  const Entry& called = entry(name);
  state_->waits = true;
  answer.reset();
  tl_request raw{};
  raw.size = sizeof raw;
  raw.kind = called.raw.kind;
  raw.args = state_->document(args);
  if (!interaction.empty()) raw.raw = state_->document(interaction);
  raw.due_us = due_us;
  raw.guild = guild;
  return run([&] { return called.raw.handle(called.raw.self, kTurn, &raw); });
}

}  // namespace fake
