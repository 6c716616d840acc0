#include "outbox/outbox_row.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "store/values.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kQueuesMax = 1'000'000;
constexpr std::int64_t kDead = static_cast<std::int64_t>(OutboxRow::State::Dead);
static_assert(static_cast<int>(OutboxRow::State::Waiting) == 0 && static_cast<int>(OutboxRow::State::UnderWay) == 1 &&
              kDead == 2);  // as the statements below have them

constexpr std::string_view kAbout =
    "id, origin, queue, system, verb, target, delivery_id, repeatable, created_us, not_before_us, give_up_after_us, "
    "expires_us, timeout_us, state, attempts, retry_us, died_us, error";
constexpr std::string_view kWhole = ", headers, files, body, attachments";

std::string string_of(const tl_value& value) {
  return value.kind == TL_NULL || !value.s.p ? std::string() : std::string(value.s.p, value.s.n);
}

template <class... V>
std::unique_ptr<Cursor> run(Connection& connection, std::string_view sql, const V&... values) {
  const std::vector<tl_value> list{values...};
  return connection.execute(sql, list);
}

std::string json_of_headers(const OutboxRow& row) {
  json::array list;
  for (const auto& [name, value] : row.headers) list.push_back(json::array{name, value});
  return json::serialize(list);
}

std::string json_of_files(const OutboxRow& row) {
  json::array list;
  for (const auto& file : row.files) list.push_back(json::array{file.name, file.type, file.bytes.size()});
  return json::serialize(list);
}

void read_headers(OutboxRow& row, std::string_view text) {
  const json::value list = json::parse({text.data(), text.size()});
  for (const json::value& pair : list.as_array())
    row.headers.emplace_back(pair.at(0).as_string(), pair.at(1).as_string());
}

void read_files(OutboxRow& row, std::string_view text, std::string_view bytes) {
  const json::value list = json::parse({text.data(), text.size()});
  for (const json::value& file : list.as_array()) {
    const auto size = file.at(2).to_number<std::size_t>();
    row.files.push_back(
        {std::string(file.at(0).as_string()), std::string(file.at(1).as_string()), std::string(bytes.substr(0, size))});
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
}

OutboxRow row_of(const tl_value* value, bool whole) {
  OutboxRow row;
  const auto text = [&] { return string_of(*value++); };
  const auto number = [&] { return (value++)->i; };
  row.id = text();
  row.origin = text();
  row.queue = text();
  row.system = text();
  row.verb = text();
  row.target = text();
  row.delivery_id = text();
  row.repeatable = number() != 0;
  row.created_us = number();
  row.not_before_us = number();
  row.give_up_after_us = number();
  row.expires_us = number();
  row.timeout_us = number();
  row.state = static_cast<OutboxRow::State>(number());
  row.attempts = number();
  row.retry_us = number();
  row.died_us = number();
  row.error = text();
  if (whole) {
    read_headers(row, view(value[0].s));
    row.body = string_of(value[2]);
    read_files(row, view(value[1].s), view(value[3].s));
  }
  return row;
}

}  // namespace

std::size_t OutboxRow::bytes() const {
  std::size_t all = sizeof(OutboxRow) + origin.size() + queue.size() + target.size() + body.size();
  for (const auto& [name, value] : headers) all += name.size() + value.size();
  for (const File& file : files) all += file.name.size() + file.type.size() + file.bytes.size();
  return all;
}

std::string OutboxRow::shown() const {
  std::string text = target;
  for (const std::string_view secret : {"/webhooks/", "/interactions/"}) {
    const std::size_t found = text.find(secret);
    if (found == std::string::npos) continue;
    const std::size_t id_ends = text.find('/', found + secret.size());
    if (id_ends == std::string::npos) continue;
    const std::size_t ends = std::min(text.find_first_of("/?", id_ends + 1), text.size());
    text.replace(id_ends + 1, ends - id_ends - 1, "***");
  }
  return verb + " " + text;
}

OwnTable outbox_table(bool postgresql) {
  const char* bytes = postgresql ? "BYTEA NOT NULL" : "BLOB NOT NULL";
  OwnTable table{"trellis_outbox", {{"id", "TEXT PRIMARY KEY"}, {"unit", "BIGINT NOT NULL"}, {"n", "BIGINT NOT NULL"}}};
  for (const char* column : {"origin", "queue", "system", "verb", "target", "headers", "files"})
    table.columns.push_back({column, "TEXT NOT NULL"});
  for (const char* column : {"body", "attachments"}) table.columns.push_back({column, bytes});
  table.columns.push_back({"delivery_id", "TEXT NOT NULL"});
  for (const char* column :
       {"repeatable", "created_us", "not_before_us", "give_up_after_us", "expires_us", "timeout_us"})
    table.columns.push_back({column, "BIGINT NOT NULL"});
  for (const char* column : {"state", "attempts", "retry_us", "died_us"})
    table.columns.push_back({column, "BIGINT NOT NULL DEFAULT 0"});
  table.columns.push_back({"error", "TEXT NOT NULL DEFAULT ''"});
  return table;
}

const char* const kOutboxIndex =
    "CREATE INDEX IF NOT EXISTS trellis_outbox_order ON trellis_outbox (state, queue, unit, n)";

void insert_effects(Connection& connection, std::span<const OutboxRow> rows, std::size_t first) {
  for (const OutboxRow& row : rows) {
    const std::string headers = json_of_headers(row), files = json_of_files(row);
    std::string attachments;
    for (const auto& file : row.files) attachments += file.bytes;
    run(connection,
        "INSERT INTO trellis_outbox (id, unit, n, origin, queue, system, verb, target, headers, files, body, "
        "attachments, delivery_id, repeatable, created_us, not_before_us, give_up_after_us, expires_us, timeout_us) "
        "VALUES ($1, (SELECT unit FROM trellis_unit WHERE one = 1), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
        "$13, $14, $15, $16, $17, $18) ON CONFLICT (id) DO NOTHING",
        text_value(row.id), int_value(static_cast<std::int64_t>(first++)), text_value(row.origin),
        text_value(row.queue), text_value(row.system), text_value(row.verb), text_value(row.target),
        text_value(headers), text_value(files), text_value(row.body, TL_BLOB), text_value(attachments, TL_BLOB),
        text_value(row.delivery_id), int_value(row.repeatable), int_value(row.created_us), int_value(row.not_before_us),
        int_value(row.give_up_after_us), int_value(row.expires_us), int_value(row.timeout_us));
  }
}

/// From one queue to the next by the index: the number of rows in them does not matter.
std::vector<std::string> waiting_queues(Connection& connection) {
  std::vector<std::string> queues;
  const auto rows = connection.execute(
      "WITH RECURSIVE found(queue) AS (SELECT min(queue) FROM trellis_outbox WHERE state = 0 UNION ALL "
      "SELECT (SELECT min(o.queue) FROM trellis_outbox o WHERE o.state = 0 AND o.queue > found.queue) FROM found "
      "WHERE found.queue IS NOT NULL) SELECT queue FROM found WHERE queue IS NOT NULL",
      {}, kQueuesMax);
  while (const tl_value* row = rows->next()) queues.push_back(string_of(row[0]));
  return queues;
}

std::optional<OutboxRow> first_waiting(Connection& connection, const std::string& queue, std::int64_t now_us) {
  const auto rows = run(connection,
                        fmt::format("SELECT {}{} FROM trellis_outbox WHERE state = 0 AND queue = $1 AND "
                                    "not_before_us <= $2 ORDER BY unit, n LIMIT 1",
                                    kAbout, kWhole),
                        text_value(queue), int_value(now_us));
  const tl_value* row = rows->next();
  return row ? std::optional(row_of(row, true)) : std::nullopt;
}

std::optional<std::int64_t> next_waiting(Connection& connection, const std::string& queue) {
  const auto rows = run(connection, "SELECT min(not_before_us) FROM trellis_outbox WHERE state = 0 AND queue = $1",
                        text_value(queue));
  const tl_value* row = rows->next();
  return row && row[0].kind != TL_NULL ? std::optional(row[0].i) : std::nullopt;
}

void in_transaction(Connection& connection, Durability durability, const std::function<void()>& change) {
  connection.begin(durability);
  try {
    change();
    connection.commit();
  } catch (...) {
    connection.rollback();
    throw;
  }
}

bool mark_under_way(Connection& connection, const std::string& id) {
  return run(connection, "UPDATE trellis_outbox SET state = 1 WHERE id = $1 AND state = 0", text_value(id))
             ->affected() == 1;
}

void unmark_under_way(Connection& connection, const std::string& id) {
  run(connection, "UPDATE trellis_outbox SET state = 0 WHERE id = $1 AND state = 1", text_value(id));
}

void remove_effect(Connection& connection, const std::string& id) {
  run(connection, "DELETE FROM trellis_outbox WHERE id = $1", text_value(id));
}

void put_off(Connection& connection, const std::string& id, std::int64_t attempts, std::int64_t retry_us,
             std::string_view error) {
  run(connection, "UPDATE trellis_outbox SET state = 0, attempts = $2, retry_us = $3, error = $4 WHERE id = $1",
      text_value(id), int_value(attempts), int_value(retry_us), text_value(printable(error)));
}

void bury(Connection& connection, const std::string& id, std::int64_t attempts, std::int64_t now_us,
          std::string_view error) {
  run(connection, "UPDATE trellis_outbox SET state = 2, attempts = $2, died_us = $3, error = $4 WHERE id = $1",
      text_value(id), int_value(attempts), int_value(now_us), text_value(printable(error)));
}

std::uint64_t bury_expired(Connection& connection, const std::string& queue, std::int64_t now_us) {
  return run(connection,
             "UPDATE trellis_outbox SET state = 2, died_us = $2, error = 'it expired before it could be delivered' || "
             "CASE WHEN error = '' THEN '' ELSE '; the last try: ' || error END "
             "WHERE queue = $1 AND state = 0 AND expires_us <= $3",
             text_value(queue), int_value(now_us), int_value(now_us))
      ->affected();
}

bool revive(Connection& connection, const std::string& id, std::int64_t now_us) {
  return run(connection,
             "UPDATE trellis_outbox SET state = 0, attempts = 0, retry_us = 0, died_us = 0, not_before_us = 0, "
             "created_us = $2, expires_us = $2 + give_up_after_us, unit = (SELECT unit FROM trellis_unit WHERE one = "
             "1), "
             "n = (SELECT coalesce(max(o.n), 0) + 1 FROM trellis_outbox o "
             "WHERE o.unit = (SELECT unit FROM trellis_unit WHERE one = 1)) WHERE id = $1 AND state = 2",
             text_value(id), int_value(now_us))
             ->affected() == 1;
}

std::vector<OutboxCount> count_effects(Connection& connection) {
  std::vector<OutboxCount> counts;
  const auto rows = connection.execute(
      "SELECT system, state, count(*), min(created_us) FROM trellis_outbox GROUP BY system, state ORDER BY system, "
      "state");
  while (const tl_value* row = rows->next())
    counts.push_back(
        {string_of(row[0]), static_cast<OutboxRow::State>(row[1].i), static_cast<std::uint64_t>(row[2].i), row[3].i});
  return counts;
}

std::vector<OutboxRow> list_effects(Connection& connection, std::optional<OutboxRow::State> state, std::size_t limit,
                                    bool whole) {
  std::vector<OutboxRow> list;
  const auto rows =
      run(connection,
          fmt::format("SELECT {}{} FROM trellis_outbox WHERE state >= $1 AND state <= $2 ORDER BY unit, n LIMIT $3",
                      kAbout, whole ? kWhole : ""),
          int_value(state ? static_cast<std::int64_t>(*state) : 0),
          int_value(state ? static_cast<std::int64_t>(*state) : kDead), int_value(static_cast<std::int64_t>(limit)));
  while (const tl_value* row = rows->next()) list.push_back(row_of(row, whole));
  return list;
}

std::vector<OutboxRow> find_effects(Connection& connection, std::string_view id_prefix) {
  std::vector<OutboxRow> list;
  const auto rows = run(
      connection, fmt::format("SELECT {}{} FROM trellis_outbox WHERE substr(id, 1, $2) = $1 LIMIT 2", kAbout, kWhole),
      text_value(id_prefix), int_value(static_cast<std::int64_t>(id_prefix.size())));
  while (const tl_value* row = rows->next()) list.push_back(row_of(row, true));
  return list;
}

std::uint64_t namespace_owner(Connection& connection) {
  const auto rows = connection.execute("SELECT owner FROM trellis_unit WHERE one = 1");
  const tl_value* row = rows->next();
  return row ? static_cast<std::uint64_t>(row[0].i) : 0;
}

}  // namespace trellis::host
