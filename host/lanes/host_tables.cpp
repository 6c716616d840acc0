#include "lanes/host_tables.hpp"

#include "lanes/gaps.hpp"
#include "lanes/host_sql.hpp"
#include "lanes/unit.hpp"

namespace trellis::host {

std::int64_t row_time_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void create_host_tables(Connection& connection, bool postgresql) {
  const std::string bytewise = postgresql ? "TEXT COLLATE \"C\" PRIMARY KEY" : "TEXT PRIMARY KEY";
  static constexpr const char *kNumber = "BIGINT NOT NULL", *kText = "TEXT NOT NULL";
  create_own_tables(
      connection, postgresql,
      {{"trellis_unit", {{"one", "BIGINT PRIMARY KEY CHECK (one = 1)"}, {"owner", kNumber}, {"unit", kNumber}}},
       {"trellis_positions",
        {{"shard", kNumber},
         {"shards", kNumber},
         {"position", kNumber},
         {.name = "handled_us", .type = kNumber, .was = "committed_us"},
         {.name = "caught_up", .type = kNumber, .added_with = "0"}},
        "shard, shards"},
       {"trellis_kv", {{"key", bytewise}, {"value", kText}, {"expires_us", kNumber}}},
       {"trellis_schedule", {{"job", "TEXT PRIMARY KEY"}, {"last_due_us", kNumber}}},
       {"trellis_runs",
        {{"job", kText},
         {"key", kText},
         {"args", kText},
         {"progress", kText},
         {"due_us", kNumber},
         {"not_before_us", kNumber},
         {"attempts", kNumber},
         {"error", kText}},
        "job, key"},
       dead_letter_table(),
       gap_table(),
       outbox_table(postgresql)});
  connection.run_script(
      fmt::format("CREATE INDEX IF NOT EXISTS trellis_kv_expiry ON trellis_kv (expires_us) WHERE expires_us > 0;\n"
                  "INSERT INTO trellis_unit (one, owner, unit) VALUES (1, 0, 0) ON CONFLICT DO NOTHING;\n{}",
                  kOutboxIndex));
}

UnitRow read_unit_row(Connection& connection, bool postgresql) {
  const auto rows = connection.execute(postgresql ? "SELECT owner, unit FROM trellis_unit WHERE one = 1 FOR UPDATE"
                                                  : "SELECT owner, unit FROM trellis_unit WHERE one = 1");
  const tl_value* row = rows->next();
  if (!row) throw StoreError(StoreError::Kind::Schema, "02000", "trellis_unit has lost its row");
  return {static_cast<std::uint64_t>(row[0].i), static_cast<std::uint64_t>(row[1].i)};
}

void claim_unit_row(Connection& connection, std::uint64_t owner) {
  run(connection, "UPDATE trellis_unit SET owner = $1 WHERE one = 1", unsigned_integer(owner));
}

bool raise_unit(Connection& connection, std::uint64_t owner, std::uint64_t expected) {
  return run(connection, "UPDATE trellis_unit SET unit = unit + 1 WHERE one = 1 AND owner = $1 AND unit = $2",
             unsigned_integer(owner), unsigned_integer(expected))
             ->affected() == 1;
}

std::vector<StoredPosition> read_positions(Connection& connection) {
  std::vector<StoredPosition> positions;
  const auto rows = connection.execute("SELECT shard, shards, position, handled_us, caught_up FROM trellis_positions");
  while (const tl_value* row = rows->next())
    positions.push_back({{static_cast<std::uint32_t>(row[0].i), static_cast<std::uint32_t>(row[1].i)},
                         {static_cast<std::uint64_t>(row[2].i)},
                         row[3].i,
                         static_cast<std::uint32_t>(row[4].i)});
  return positions;
}

void write_position(Connection& connection, const StoredPosition& to) {
  run(connection,
      "INSERT INTO trellis_positions (shard, shards, position, handled_us, caught_up) VALUES ($1, $2, $3, $4, $5) ON "
      "CONFLICT (shard, shards) DO UPDATE SET position = excluded.position, handled_us = excluded.handled_us, "
      "caught_up = CASE WHEN excluded.caught_up = 0 THEN trellis_positions.caught_up ELSE excluded.caught_up END",
      integer(to.stream.id), integer(to.stream.count), unsigned_integer(to.position.value), integer(to.handled_us),
      integer(to.caught_up));
}

void forget_position(Connection& connection, Stream stream) {
  run(connection, "DELETE FROM trellis_positions WHERE shard = $1 AND shards = $2", integer(stream.id),
      integer(stream.count));
  run(connection, "DELETE FROM trellis_gaps WHERE shard = $1 AND shards = $2 AND to_position = 0", integer(stream.id),
      integer(stream.count));
}

std::optional<std::string> read_key(Connection& connection, std::string_view key, std::int64_t now_us) {
  const auto rows =
      run(connection, "SELECT value FROM trellis_kv WHERE key = $1 AND (expires_us = 0 OR expires_us > $2)", text(key),
          integer(now_us));
  const tl_value* row = rows->next();
  return row ? std::optional(string_of(row[0])) : std::nullopt;
}

std::uint64_t delete_expired_keys(Connection& connection, std::int64_t until_us, std::uint64_t most) {
  return run(connection,
             "DELETE FROM trellis_kv WHERE key IN (SELECT key FROM trellis_kv WHERE expires_us > 0 AND expires_us <= "
             "$1 ORDER BY expires_us LIMIT $2)",
             integer(until_us), unsigned_integer(most))
      ->affected();
}

std::optional<StoredKey> next_key(Connection& connection, std::string_view prefix, std::string_view after,
                                  std::int64_t now_us) {
  const bool from_prefix = after.empty() || after < prefix;
  const auto rows =
      run(connection,
          from_prefix ? "SELECT key, value FROM trellis_kv WHERE key >= $1 AND (expires_us = 0 OR expires_us > $2) "
                        "ORDER BY key LIMIT 1"
                      : "SELECT key, value FROM trellis_kv WHERE key > $1 AND (expires_us = 0 OR expires_us > $2) "
                        "ORDER BY key LIMIT 1",
          text(from_prefix ? prefix : after), integer(now_us));
  const tl_value* row = rows->next();
  if (!row) return std::nullopt;
  StoredKey found{string_of(row[0]), string_of(row[1])};
  if (!found.key.starts_with(prefix)) return std::nullopt;
  return found;
}

std::vector<StoredRun> read_runs(Connection& connection) {
  std::vector<StoredRun> runs;
  const auto rows = connection.execute(
      "SELECT job, key, args, progress, due_us, not_before_us, attempts FROM trellis_runs ORDER BY not_before_us, key");
  while (const tl_value* row = rows->next())
    runs.push_back({string_of(row[0]), string_of(row[1]), string_of(row[2]), string_of(row[3]), row[4].i, row[5].i,
                    static_cast<int>(row[6].i)});
  return runs;
}

std::optional<std::int64_t> read_last_due(Connection& connection, std::string_view job) {
  const auto rows = run(connection, "SELECT last_due_us FROM trellis_schedule WHERE job = $1", text(job));
  const tl_value* row = rows->next();
  return row ? std::optional(row[0].i) : std::nullopt;
}

void write_last_due(Connection& connection, std::string_view job, std::int64_t due_us) {
  run(connection,
      "INSERT INTO trellis_schedule (job, last_due_us) VALUES ($1, $2) ON CONFLICT (job) DO UPDATE SET last_due_us = "
      "excluded.last_due_us",
      text(job), integer(due_us));
}

// ---- a unit's effects ----

void Unit::write_effects(Connection& connection, bool) const {
  std::vector<RowChange> changes;
  for (const auto& stage : tables_) {
    changes.clear();
    const TableShape& shape = stage->table->shape();
    std::vector<std::vector<tl_value>> erased;  // keys laid out as rows
    for (const RowState* row : stage->rows) {
      if (row->how != Staged::Erased && row->how != Staged::Replaced) continue;
      auto& values = erased.emplace_back(shape.columns.size());
      for (std::size_t i = 0; i < stage->key_columns.size(); ++i) values[stage->key_columns[i]] = row->key[i];
    }
    for (const auto& values : erased) changes.push_back({values.data(), 0, true});
    for (const RowState* row : stage->rows)
      if (row->how == Staged::Merged || row->how == Staged::Replaced)
        changes.push_back({row->values, row->changed, false});
    if (!changes.empty()) connection.write(*stage->table, changes);
  }
  for (const auto& [key, change] : kv_) {
    if (change.value)
      run(connection,
          "INSERT INTO trellis_kv (key, value, expires_us) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET value = "
          "excluded.value, "
          "expires_us = excluded.expires_us",
          text(key), text(*change.value), integer(change.expires_us));
    else
      run(connection, "DELETE FROM trellis_kv WHERE key = $1", text(key));
  }
  for (const JobChange& change : jobs_) {
    switch (change.kind) {
      case JobChange::Kind::Start:
        run(connection,
            "INSERT INTO trellis_runs (job, key, args, progress, due_us, not_before_us, attempts, error) "
            "VALUES ($1, $2, $3, 'null', $4, $5, 0, '') ON CONFLICT (job, key) DO NOTHING",
            text(change.job), text(change.key), text(change.text), integer(change.at_us), integer(change.at_us));
        break;
      case JobChange::Kind::Stop:
      case JobChange::Kind::Finish:
        run(connection, "DELETE FROM trellis_runs WHERE job = $1 AND key = $2", text(change.job), text(change.key));
        break;
      case JobChange::Kind::Save:
        if (change.at_us)
          run(connection,
              "INSERT INTO trellis_runs (job, key, args, progress, due_us, not_before_us, attempts, error) "
              "VALUES ($1, $2, '{}', $3, $4, $4, 0, '') ON CONFLICT (job, key) DO UPDATE SET progress = "
              "excluded.progress, due_us = excluded.due_us",
              text(change.job), text(kScheduledRun), text(change.text), integer(change.at_us));
        else
          run(connection, "UPDATE trellis_runs SET progress = $3 WHERE job = $1 AND key = $2", text(change.job),
              text(change.key), text(change.text));
        break;
      case JobChange::Kind::Fail:
        run(connection,
            "UPDATE trellis_runs SET attempts = attempts + 1, error = $3, not_before_us = $4 WHERE job = $1 AND key = "
            "$2",
            text(change.job), text(change.key), text(printable(change.text)), integer(change.at_us));
        break;
      case JobChange::Kind::Begin:
        run(connection, "INSERT INTO trellis_schedule (job, last_due_us) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            text(change.job), integer(change.at_us));
        break;
      case JobChange::Kind::Schedule:
        write_last_due(connection, change.job, change.at_us);
        run(connection, "DELETE FROM trellis_runs WHERE job = $1 AND key = $2", text(change.job), text(kScheduledRun));
        break;
    }
  }
  for (const DeadLetter& letter : dead_) write_dead_letter(connection, letter);
  for (const auto& [letter, done] : dead_retries_)
    done ? static_cast<void>(delete_dead_letter(connection, letter)) : note_dead_retry(connection, letter);
  for (const Gap& gap : gaps_) write_gap(connection, gap);
  insert_effects(connection, outbox_, outbox_written_);
}

}  // namespace trellis::host
