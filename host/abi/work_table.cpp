// trellis.work/1: staging rows, keys, jobs and effects; SQL in the unit's transaction.
#include <boost/json/parse.hpp>

#include "abi/tables.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

/// A plugin may store this much under one key.
constexpr std::uint64_t kKeyBytesMax = 512, kValueBytesMax = 1 << 20;

const std::shared_ptr<const BoundTable>* table_of(Turn& turn, tl_id id) {
  Instance& instance = *turn.instance;
  const std::size_t index = instance.index_of(id, instance.tables.size());
  if (index < instance.tables.size()) return &instance.tables[index];
  turn.fail(TL_INVALID, "this table handle is not of this instance of the plugin");
  return nullptr;
}

bool is_text(std::uint32_t kind) { return kind == TL_TEXT || kind == TL_BLOB || kind == TL_JSON; }
bool is_whole(std::uint32_t kind) { return kind == TL_INT || kind == TL_ID || kind == TL_BOOL; }

/// Checked when staged, so that a wrong value is the handler's error and not the whole unit's. "" = fits.
std::string misfit(const TableShape& shape, const Column& column, const tl_value& value) {
  if (value.kind == TL_NULL || (value.kind == TL_ID && value.i == 0))
    return column.merge == TL_KEY
               ? fmt::format("{}.{} is a key column and cannot be NULL or the id 0", shape.name, column.name)
               : "";
  const bool fits = value.kind == column.value_kind || (is_text(value.kind) && is_text(column.value_kind)) ||
                    (is_whole(value.kind) && (is_whole(column.value_kind) || column.value_kind == TL_REAL));
  return fits ? ""
              : fmt::format("{}.{} was declared with another kind of value (kind {}, given {})", shape.name,
                            column.name, column.value_kind, value.kind);
}

tl_status check_row(Turn& turn, const TableShape& shape, const tl_value* row) {
  for (std::size_t i = 0; i < shape.columns.size(); ++i)
    if (row[i].kind != shape.columns[i].value_kind || row[i].i == 0)
      if (const std::string why = misfit(shape, shape.columns[i], row[i]); !why.empty())
        return turn.fail(TL_INVALID, why);
  return TL_OK;
}

tl_status check_key(Turn& turn, const TableShape& shape, const tl_value* key) {
  std::size_t i = 0;
  for (const Column& column : shape.columns)
    if (column.merge == TL_KEY)
      if (const std::string why = misfit(shape, column, key[i++]); !why.empty()) return turn.fail(TL_INVALID, why);
  return i > 0 ? TL_OK : turn.fail(TL_INVALID, "table " + shape.name + " has no key: rows can only be appended");
}

/// Runs a read on the lane's connection; once more when that one turns out to have been cut and nothing was open on it.
template <class F>
tl_status reading(Turn& turn, F&& read) {
  for (bool again = false;; again = true) {
    Connection* connection = turn.lane.connection(turn, false);
    if (!connection) return turn.failed;
    try {
      return read(*connection);
    } catch (const StoreError& error) {
      const bool open = turn.lane.event_unit().in_transaction || (turn.own_unit && turn.own_unit->in_transaction);
      if (error.connection_lost() && !open && !again) continue;
      const bool away = error.kind() == StoreError::Kind::Away;
      if (away && !turn.may_wait) turn.host_fault = Turn::HostFault::StoreAway;
      return turn.fail(away ? TL_UNAVAILABLE : TL_FAILED, error.what());
    }
  }
}

tl_status put(tl_turn id, tl_id table, const tl_value* row) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const auto* bound = table_of(*turn, table);
  if (!bound) return TL_INVALID;
  if (const tl_status status = check_row(*turn, (*bound)->shape(), row); status < 0) return status;
  turn->unit().put(*bound, row);
  return TL_OK;
}

tl_status get(tl_turn id, tl_id table, const tl_value* key, tl_value* row) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const auto* bound = table_of(*turn, table);
  if (!bound) return TL_INVALID;
  const TableShape& shape = (*bound)->shape();
  if (const tl_status status = check_key(*turn, shape, key); status < 0) return status;
  const auto keep = [&](const tl_value* values) {
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
      row[i] = values[i];
      if (is_text(row[i].kind)) row[i].s = str(turn->texts.emplace_back(view(values[i].s)));
    }
  };
  // A request that has staged nothing yet sees the events' unit; one that has, sealed that unit before.
  const Unit& unit = turn->may_wait && !turn->own_unit ? turn->lane.event_unit() : turn->unit();
  const Unit::Found staged = unit.find(**bound, key);
  if (staged.how == Unit::Staged::Erased) return turn->fail(TL_NOT_FOUND, "no such row");
  if (staged.how == Unit::Staged::Replaced) return keep(staged.row), TL_OK;
  std::vector<tl_value> base;
  bool found = false;
  const tl_status read = reading(*turn, [&](Connection& connection) {
    found = connection.read(**bound, {key, shape.key_count()}, base);
    return TL_OK;
  });
  if (read < 0) return read;
  if (!found) {
    if (staged.how == Unit::Staged::Nothing || shape.existing_only) return turn->fail(TL_NOT_FOUND, "no such row");
    return keep(staged.row), TL_OK;
  }
  if (staged.how == Unit::Staged::Merged) Unit::overlay(shape, base.data(), staged.row, staged.changed);
  keep(base.data());
  return TL_OK;
}

tl_status set(tl_turn id, tl_id table, const tl_value* row, std::uint64_t changed) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const auto* bound = table_of(*turn, table);
  if (!bound) return TL_INVALID;
  if (const tl_status status = check_row(*turn, (*bound)->shape(), row); status < 0) return status;
  turn->unit().set(*bound, row, changed);
  return TL_OK;
}

tl_status erase(tl_turn id, tl_id table, const tl_value* key) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const auto* bound = table_of(*turn, table);
  if (!bound) return TL_INVALID;
  if (const tl_status status = check_key(*turn, (*bound)->shape(), key); status < 0) return status;
  turn->unit().erase(*bound, key);
  return TL_OK;
}

tl_status sql(tl_turn id, tl_str text, const tl_value* values, std::uint64_t count, tl_id* rows) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  Connection* connection = turn->lane.connection(*turn, true);
  if (!connection) return turn->failed;
  try {
    connection->savepoint("step");
    std::unique_ptr<Cursor> cursor;
    try {
      cursor = connection->execute(view(text), {values, count});
    } catch (const StoreError& error) {
      if (error.connection_lost()) throw;
      connection->rollback_to("step");  // an error that the author catches must not take the unit with it
      connection->release("step");
      return turn->fail(
          error.kind() == StoreError::Kind::Data && error.sqlstate().starts_with("23") ? TL_CONFLICT : TL_INVALID,
          error.what());
    }
    connection->release("step");
    if (rows) {
      turn->rows.push_back(std::make_unique<OpenRows>(OpenRows{nullptr, std::move(cursor)}));
      *rows = turn->rows.size();
    }
    return TL_OK;
  } catch (const StoreError& error) {
    if (!turn->may_wait) {
      turn->host_fault = Turn::HostFault::StoreAway;
    } else {
      turn->lost = true;
      turn->lane.writer().abandon_transaction();
    }
    return turn->fail(TL_UNAVAILABLE, error.what());
  }
}

/// The staged value of a key, if it was staged in the unit that the turn sees.
const Unit::KeyValue* staged_key(Turn& turn, std::string_view key) {
  const Unit& unit = turn.may_wait && !turn.own_unit ? turn.lane.event_unit() : turn.unit();
  const auto found = unit.kv().find(key);
  return found == unit.kv().end() ? nullptr : &found->second;
}

tl_status kv_get(tl_turn id, tl_str key, tl_str* value) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  if (const Unit::KeyValue* staged = staged_key(*turn, view(key))) {
    if (!staged->value || (staged->expires_us && staged->expires_us <= turn->now_us))
      return turn->fail(TL_NOT_FOUND, "no such key");
    *value = str(turn->texts.emplace_back(*staged->value));
    return TL_OK;
  }
  return reading(*turn, [&](Connection& connection) -> tl_status {
    auto found = read_key(connection, view(key), turn->now_us);
    if (!found) return turn->fail(TL_NOT_FOUND, "no such key");
    *value = str(turn->texts.emplace_back(std::move(*found)));
    return TL_OK;
  });
}

tl_status kv_set(tl_turn id, tl_str key, tl_str value, std::int64_t expires_us) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  if (key.n == 0 || key.n > kKeyBytesMax)
    return turn->fail(TL_INVALID, fmt::format("a key has 1 to {} bytes", kKeyBytesMax));
  if (value.n > kValueBytesMax)
    return turn->fail(TL_TOO_LARGE, fmt::format("a value has at most {} bytes", kValueBytesMax));
  turn->unit().kv_set(view(key), {value.p ? std::optional<std::string>(view(value)) : std::nullopt, expires_us});
  return TL_OK;
}

tl_status kv_next(tl_turn id, tl_str prefix, tl_str after, tl_str* key, tl_str* value) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  return reading(*turn, [&](Connection& connection) -> tl_status {
    std::string from(view(after));
    const Unit& unit = turn->may_wait && !turn->own_unit ? turn->lane.event_unit() : turn->unit();
    for (;;) {
      // The next of the store and the next that is staged, whichever comes first; a staged erasure hides the store's.
      auto stored = next_key(connection, view(prefix), from, turn->now_us);
      auto staged =
          from.empty() || from < view(prefix) ? unit.kv().lower_bound(view(prefix)) : unit.kv().upper_bound(from);
      const bool has_staged = staged != unit.kv().end() && staged->first.starts_with(view(prefix));
      if (!stored && !has_staged) return turn->fail(TL_NOT_FOUND, "no more keys");
      const bool use_staged = has_staged && (!stored || staged->first <= stored->key);
      if (!use_staged) {
        *key = str(turn->texts.emplace_back(std::move(stored->key)));
        *value = str(turn->texts.emplace_back(std::move(stored->value)));
        return TL_OK;
      }
      if (staged->second.value) {
        *key = str(turn->texts.emplace_back(staged->first));
        *value = str(turn->texts.emplace_back(*staged->second.value));
        return TL_OK;
      }
      from = staged->first;
    }
  });
}

tl_status send(tl_turn id, const tl_operation* operation) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const tl_operation given = sized_copy(operation);
  const auto& accept = turn->lane.context().accept_effect;
  if (!accept)
    return turn->fail(
        TL_UNAVAILABLE,
        fmt::format("this version of the host does not deliver to \"{}\" yet; nothing was sent", view(given.system)));
  if (!(given.flags & TL_OPERATION_EFFECT))
    return turn->fail(TL_INVALID,
                      fmt::format("\"{}\" only asks for something: call it, send() has no answer", view(given.verb)));
  OutboxRow row;
  if (!read_operation(*turn, given, row)) return turn->failed;
  std::string why;
  if (const tl_status status = accept(row, why); status < 0) return turn->fail(status, why);
  if (turn->origin.empty() && turn->record)
    turn->origin = EffectOrigin::of_event(event_name(turn->record->type), turn->stream, turn->record->position);
  turn->origin.name(row, row.plugin);
  turn->unit().send(std::move(row));
  return TL_OK;
}

const EntrySpec* job_of(Turn& turn, tl_id job) {
  Instance& instance = *turn.instance;
  const std::size_t index = instance.index_of(job, instance.ledger.entries.size());
  if (index < instance.ledger.entries.size() && instance.ledger.entries[index].kind == TL_JOB)
    return &instance.ledger.entries[index];
  turn.fail(TL_INVALID, "this is not a job of this instance of the plugin");
  return nullptr;
}

bool is_json(std::string_view text) {
  boost::json::error_code error;
  boost::json::parse({text.data(), text.size()}, error);
  return !error;
}

tl_status start(tl_turn id, tl_id job, tl_str key, tl_str args, std::int64_t not_before_us) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const EntrySpec* entry = job_of(*turn, job);
  if (!entry) return TL_INVALID;
  if (key.n > kKeyBytesMax)
    return turn->fail(TL_INVALID, fmt::format("a job's key has at most {} bytes", kKeyBytesMax));
  const std::string text(args.n ? view(args) : "{}");
  if (!is_json(text)) return turn->fail(TL_INVALID, "a job's arguments must be JSON");
  turn->unit().change_job(
      {Unit::JobChange::Kind::Start, entry->name, std::string(view(key)), text, std::max(not_before_us, turn->now_us)});
  return TL_OK;
}

tl_status stop(tl_turn id, tl_id job, tl_str key) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  const EntrySpec* entry = job_of(*turn, job);
  if (!entry) return TL_INVALID;
  turn->unit().change_job({Unit::JobChange::Kind::Stop, entry->name, std::string(view(key)), "", 0});
  return TL_OK;
}

tl_status save(tl_turn id, tl_str progress) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  if (turn->job.empty()) return turn->fail(TL_REFUSED, "only a job's run can save its progress");
  if (!is_json(view(progress))) return turn->fail(TL_INVALID, "progress must be JSON");
  turn->unit().change_job(
      {Unit::JobChange::Kind::Save, turn->job, turn->key, std::string(view(progress)), turn->scheduled_us});
  turn->origin.saved(view(progress));
  return TL_OK;
}

}  // namespace

const tl_work_v1 kWorkTable = {
    sizeof(tl_work_v1), 0, put, get, set, erase, sql, kv_get, kv_set, kv_next, send, start, stop, save};

}  // namespace trellis::host
