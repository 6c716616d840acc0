#include "state/host_namespace.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include "state/state_folder.hpp"
#include "store/own_tables.hpp"

namespace trellis::host {

namespace {

constexpr std::int64_t kAliveUs = 15'000'000;

tl_value integer(std::int64_t value) { return {TL_INT, 0, value, 0, {}}; }
tl_value text(const std::string& value) { return {TL_TEXT, 0, 0, 0, {value.data(), value.size()}}; }
std::string string_of(const tl_value& value) { return value.s.p ? std::string(value.s.p, value.s.n) : std::string(); }

template <class... V>
std::unique_ptr<Cursor> run(Connection& connection, std::string_view sql, const V&... values) {
  const std::vector<tl_value> list{values...};
  return connection.execute(sql, list);
}

/// The database's clock: two hosts must not compare their own.
const char* now_sql(bool postgresql) {
  return postgresql ? "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
                    : "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)";
}

}  // namespace

HostNamespace::HostNamespace(Store& store, std::string host_id)
    : postgresql_(store.is_postgresql()), host_id_(std::move(host_id)), namespace_(store.open("trellis")) {
  static constexpr const char *kNumber = "BIGINT NOT NULL", *kText = "TEXT NOT NULL", *kName = "TEXT PRIMARY KEY";
  const std::vector<OwnTable> tables{
      {"trellis_host",
       {{"one", "BIGINT PRIMARY KEY CHECK (one = 1)"},
        {"host_id", kText},
        {"name", kText},
        {"alive_until_us", kNumber}}},
      {"trellis_sessions",
       {{"shard", kNumber},
        {"shards", kNumber},
        {"epoch", kNumber},
        {"session_id", kText},
        {"resume_url", kText},
        {.name = "intents", .type = kNumber, .added_with = "0"}},
       "shard, shards"},
      {"trellis_enabled",
       {{"plugin", kName},
        {"types", kText},
        {"intents", kNumber},
        {"voice_states", kNumber},
        {"member_counts", kNumber},
        {.name = "members", .type = kNumber, .added_with = "0"},
        {.name = "presences", .type = kNumber, .added_with = "0"},
        {.name = "commands", .type = kText, .added_with = "''"}}},
      {"trellis_command_places", {{"server", kName}, {"commands", kNumber}}},
      {"trellis_overrides", {{"plugin", kName}, {"enabled", kNumber}, {"since_us", kNumber}}},
      {"trellis_crashes",
       {{"plugin", kText},
        {"kind", kText},
        {"name", kText},
        {"shard", kNumber},
        {"shards", kNumber},
        {"position", kNumber},
        {"count", kNumber},
        {"at_us", kNumber},
        {"released", kNumber},
        {"text", kText}},
       "plugin, kind, name, shard, shards, position"},
      {"trellis_quarantine", {{"plugin", kName}, {"since_us", kNumber}, {"why", kText}}}};
  connection().begin(Durability::Sync);
  create_own_tables(connection(), postgresql_, tables);
  connection().run_script(
      "INSERT INTO trellis_host (one, host_id, name, alive_until_us) VALUES (1, '', '', 0) ON CONFLICT DO NOTHING");
  connection().commit();
}

HostNamespace::~HostNamespace() = default;

Connection& HostNamespace::connection() {
  if (!connection_ || !connection_->alive()) {
    connection_.reset();
    connection_ = namespace_->connect();
  }
  return *connection_;
}

/// In a durable transaction of its own.
template <class F>
auto HostNamespace::with_connection(F&& body) {
  std::lock_guard lock(mutex_);
  try {
    connection().begin(Durability::Sync);
  } catch (const StoreError& error) {
    if (!error.connection_lost()) throw;
    connection_.reset();  // the idle one had been cut; nothing was done on it yet
    connection().begin(Durability::Sync);
  }
  Connection& open = *connection_;
  try {
    auto result = body(open);
    open.commit();
    return result;
  } catch (...) {
    open.rollback();
    throw;
  }
}

void HostNamespace::claim(const std::string& name, bool take_over) {
  with_connection([&](Connection& open) {
    const auto rows =
        open.execute(fmt::format("SELECT host_id, name, alive_until_us, {} FROM trellis_host WHERE one = 1{}",
                                 now_sql(postgresql_), postgresql_ ? " FOR UPDATE" : ""));
    const tl_value* row = rows->next();
    if (!row) throw StoreError(StoreError::Kind::Schema, "02000", "trellis_host has lost its row");
    const std::int64_t left = row[2].i - row[3].i;
    const bool from_another = string_of(row[0]) != host_id_;
    if (from_another && left > 0 && !take_over)
      throw Occupied(fmt::format(
          "the database is used by another host, {}, which was alive {} s ago; stop it, wait {} s after its end, or "
          "start with "
          "--take-over if it is surely gone",
          string_of(row[1]), std::max<std::int64_t>((kAliveUs - left) / 1'000'000, 0), left / 1'000'000 + 1));
    run(open,
        fmt::format("UPDATE trellis_host SET host_id = $1, name = $2, alive_until_us = {} + $3 WHERE one = 1",
                    now_sql(postgresql_)),
        text(host_id_), text(name), integer(kAliveUs));
    // The former owner may be asleep in the middle of a transaction, and its locks would be waited for.
    if (postgresql_ && from_another)
      open.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = "
          "current_user AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()");
    return 0;
  });
}

bool HostNamespace::renew() {
  return with_connection([&](Connection& open) {
    return run(open,
               fmt::format("UPDATE trellis_host SET alive_until_us = {} + $2 WHERE one = 1 AND host_id = $1",
                           now_sql(postgresql_)),
               text(host_id_), integer(kAliveUs))
               ->affected() == 1;
  });
}

void HostNamespace::release() noexcept {
  try {
    with_connection([&](Connection& open) {
      run(open, "UPDATE trellis_host SET alive_until_us = 0 WHERE one = 1 AND host_id = $1", text(host_id_));
      return 0;
    });
  } catch (const std::exception&) {
    // It runs out by itself in 15 s.
  }
}

void HostNamespace::note_session(Stream stream, const Session& session) {
  std::lock_guard lock(noted_mutex_);
  noted_[stream] = session;
  sessions_wait_.store(true, std::memory_order_release);
}

void HostNamespace::store_sessions() {
  if (!sessions_wait_.load(std::memory_order_acquire)) return;
  std::lock_guard one(storing_);  // an older one must not come after a newer one
  std::map<Stream, Session> sessions;
  {
    std::lock_guard lock(noted_mutex_);
    sessions = noted_;
  }
  with_connection([&](Connection& open) {
    // One that slept while another host took the database over has nothing to say about sessions any more.
    const auto rows =
        open.execute(fmt::format("SELECT host_id FROM trellis_host WHERE one = 1{}", postgresql_ ? " FOR SHARE" : ""));
    const tl_value* row = rows->next();
    if (const std::string owner = row ? string_of(row[0]) : ""; !owner.empty() && owner != host_id_) return 0;
    for (const auto& [stream, session] : sessions)
      run(open,
          "INSERT INTO trellis_sessions (shard, shards, epoch, session_id, resume_url, intents) VALUES ($1, $2, $3, "
          "$4, $5, $6) ON CONFLICT (shard, shards) DO UPDATE SET epoch = excluded.epoch, session_id = "
          "excluded.session_id, resume_url = excluded.resume_url, intents = excluded.intents",
          integer(stream.id), integer(stream.count), integer(session.epoch), text(session.session_id),
          text(session.resume_url), integer(static_cast<std::int64_t>(session.intents)));
    return 0;
  });
  std::lock_guard lock(noted_mutex_);
  std::erase_if(noted_, [&](const auto& noted) { return noted.second.epoch <= sessions[noted.first].epoch; });
  sessions_wait_.store(!noted_.empty(), std::memory_order_release);
}

std::optional<Session> HostNamespace::session(Stream stream) {
  return with_connection([&](Connection& open) {
    const auto rows = run(
        open, "SELECT epoch, session_id, resume_url, intents FROM trellis_sessions WHERE shard = $1 AND shards = $2",
        integer(stream.id), integer(stream.count));
    const tl_value* row = rows->next();
    if (!row) return std::optional<Session>();
    return std::optional<Session>(Session{static_cast<std::uint32_t>(row[0].i), string_of(row[1]), string_of(row[2]),
                                          static_cast<std::uint64_t>(row[3].i)});
  });
}

void HostNamespace::forget_sessions(const std::vector<Stream>& streams) {
  with_connection([&](Connection& open) {
    for (const Stream stream : streams)
      run(open,
          "DELETE FROM trellis_sessions WHERE shard = $1 AND shards = $2 AND epoch < (SELECT max(epoch) FROM "
          "trellis_sessions)",
          integer(stream.id), integer(stream.count));
    return 0;
  });
}

std::uint32_t HostNamespace::highest_epoch() {
  return with_connection([&](Connection& open) {
    const auto rows = open.execute("SELECT coalesce(max(epoch), 0) FROM trellis_sessions");
    return static_cast<std::uint32_t>(rows->next()[0].i);
  });
}

std::vector<HostNamespace::Enabled> HostNamespace::enabled() {
  return with_connection([&](Connection& open) {
    std::vector<Enabled> list;
    const auto rows = open.execute(
        "SELECT plugin, types, intents, voice_states, member_counts, members, presences, commands FROM trellis_enabled "
        "ORDER BY "
        "plugin");
    while (const tl_value* row = rows->next()) {
      Enabled& enabled = list.emplace_back();
      enabled.plugin = string_of(row[0]);
      std::istringstream names(string_of(row[1]));
      for (std::string name; names >> name;) enabled.types.push_back(name);
      enabled.intents = static_cast<std::uint64_t>(row[2].i);
      enabled.voice_states = row[3].i != 0;
      enabled.member_counts = row[4].i != 0;
      enabled.members = row[5].i != 0;
      enabled.presences = row[6].i != 0;
      enabled.commands = string_of(row[7]);
    }
    return list;
  });
}

void HostNamespace::set_enabled(const Enabled& enabled) {
  const std::string types = fmt::format("{}", fmt::join(enabled.types, " "));
  with_connection([&](Connection& open) {
    run(open,
        "INSERT INTO trellis_enabled (plugin, types, intents, voice_states, member_counts, members, presences, "
        "commands) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (plugin) DO UPDATE SET types = excluded.types, "
        "intents = excluded.intents, voice_states = excluded.voice_states, member_counts = excluded.member_counts, "
        "members = excluded.members, presences = excluded.presences, commands = excluded.commands",
        text(enabled.plugin), text(types), integer(static_cast<std::int64_t>(enabled.intents)),
        integer(enabled.voice_states ? 1 : 0), integer(enabled.member_counts ? 1 : 0), integer(enabled.members ? 1 : 0),
        integer(enabled.presences ? 1 : 0), text(enabled.commands));
    return 0;
  });
}

std::map<std::string, std::int64_t> HostNamespace::command_places() {
  return with_connection([&](Connection& open) {
    std::map<std::string, std::int64_t> places;
    const auto rows = open.execute("SELECT server, commands FROM trellis_command_places");
    while (const tl_value* row = rows->next()) places[string_of(row[0])] = row[1].i;
    return places;
  });
}

void HostNamespace::set_command_place(const std::string& server, std::int64_t commands) {
  with_connection([&](Connection& open) {
    if (commands == 0)
      run(open, "DELETE FROM trellis_command_places WHERE server = $1", text(server));
    else
      run(open,
          "INSERT INTO trellis_command_places (server, commands) VALUES ($1, $2) ON CONFLICT (server) DO UPDATE SET "
          "commands = excluded.commands",
          text(server), integer(commands));
    return 0;
  });
}

void HostNamespace::forget_enabled(const std::string& plugin) {
  with_connection([&](Connection& open) {
    run(open, "DELETE FROM trellis_enabled WHERE plugin = $1", text(plugin));
    return 0;
  });
}

std::vector<HostNamespace::Override> HostNamespace::overrides() {
  return with_connection([&](Connection& open) {
    std::vector<Override> list;
    const auto rows = open.execute("SELECT plugin, enabled, since_us FROM trellis_overrides ORDER BY plugin");
    while (const tl_value* row = rows->next()) list.push_back({string_of(row[0]), row[1].i != 0, row[2].i});
    return list;
  });
}

void HostNamespace::set_override(const std::string& plugin, bool enabled) {
  with_connection([&](Connection& open) {
    run(open,
        fmt::format("INSERT INTO trellis_overrides (plugin, enabled, since_us) VALUES ($1, $2, {}) ON CONFLICT "
                    "(plugin) DO UPDATE SET enabled = "
                    "excluded.enabled, since_us = excluded.since_us",
                    now_sql(postgresql_)),
        text(plugin), integer(enabled ? 1 : 0));
    return 0;
  });
}

void HostNamespace::forget_override(const std::string& plugin) {
  with_connection([&](Connection& open) {
    run(open, "DELETE FROM trellis_overrides WHERE plugin = $1", text(plugin));
    return 0;
  });
}

std::vector<StoredCrash> HostNamespace::crashes() {
  return with_connection([&](Connection& open) {
    std::vector<StoredCrash> list;
    const auto rows = open.execute(
        "SELECT plugin, kind, name, shard, shards, position, count, at_us, released, text FROM trellis_crashes ORDER "
        "BY plugin, at_us");
    while (const tl_value* row = rows->next()) {
      StoredCrash crash;
      crash.plugin = string_of(row[0]);
      crash.kind = crash_kind_named(string_of(row[1]));
      crash.name = string_of(row[2]);
      crash.stream = {static_cast<std::uint32_t>(row[3].i), static_cast<std::uint32_t>(row[4].i)};
      crash.position = {static_cast<std::uint64_t>(row[5].i)};
      crash.count = static_cast<int>(row[6].i);
      crash.last_us = row[7].i;
      crash.released = row[8].i != 0;
      crash.text = string_of(row[9]);
      list.push_back(std::move(crash));
    }
    return list;
  });
}

namespace {

void insert(Connection& open, const HostNamespace::Quarantine& entry) {
  run(open,
      "INSERT INTO trellis_quarantine (plugin, since_us, why) VALUES ($1, $2, $3) ON CONFLICT (plugin) DO UPDATE SET "
      "since_us = excluded.since_us, why = excluded.why",
      text(entry.plugin), integer(entry.since_us), text(entry.why));
}

}  // namespace

void HostNamespace::save_crash(const StoredCrash& crash, const std::string& why_quarantine) {
  const std::string kind(name_of(crash.kind));
  with_connection([&](Connection& open) {
    run(open,
        "INSERT INTO trellis_crashes (plugin, kind, name, shard, shards, position, count, at_us, released, text) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (plugin, kind, name, shard, shards, position) DO "
        "UPDATE SET count = excluded.count, at_us = excluded.at_us, released = excluded.released, text = excluded.text",
        text(crash.plugin), text(kind), text(crash.name), integer(crash.stream.id), integer(crash.stream.count),
        integer(static_cast<std::int64_t>(crash.position.value)), integer(crash.count), integer(crash.last_us),
        integer(crash.released ? 1 : 0), text(crash.text));
    if (!why_quarantine.empty()) insert(open, {crash.plugin, why_quarantine, crash.last_us});
    return 0;
  });
}

void HostNamespace::forget_crashes(std::int64_t before_us) {
  with_connection([&](Connection& open) {
    run(open, "DELETE FROM trellis_crashes WHERE at_us < $1 AND plugin NOT IN (SELECT plugin FROM trellis_quarantine)",
        integer(before_us));
    return 0;
  });
}

std::vector<HostNamespace::Quarantine> HostNamespace::quarantines() {
  return with_connection([&](Connection& open) {
    std::vector<Quarantine> list;
    const auto rows = open.execute("SELECT plugin, why, since_us FROM trellis_quarantine ORDER BY plugin");
    while (const tl_value* row = rows->next()) list.push_back({string_of(row[0]), string_of(row[1]), row[2].i});
    return list;
  });
}

bool HostNamespace::release(const std::string& plugin) {
  return with_connection([&](Connection& open) {
    run(open, "UPDATE trellis_crashes SET released = 1 WHERE plugin = $1", text(plugin));
    return run(open, "DELETE FROM trellis_quarantine WHERE plugin = $1", text(plugin))->affected() > 0;
  });
}

void HostNamespace::put_back(const Quarantine& entry) {
  with_connection([&](Connection& open) {
    insert(open, entry);
    return 0;
  });
}

}  // namespace trellis::host
